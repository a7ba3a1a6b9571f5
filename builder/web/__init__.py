"""The ledger over HTTP, for reading: what channels stand for, and being told when one moves.

Addresses and what they answer -> app.py; what is said of them -> openapi.py; how a move is noticed -> feed.py; the shapes of
answers -> answers.py.
"""
