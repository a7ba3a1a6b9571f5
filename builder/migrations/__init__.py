"""Migrations of Airflow's metadata database: what an image's code expects, and what a move from image to image means.

Change how one migration file is read -> source.py; which migrations a wheel brings -> wheels.py; what is kept of them ->
history.py; those of a lock -> of_lock.py; how a move is classed -> move.py, and said -> advice.py.
"""
