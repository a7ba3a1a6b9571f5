"""What an auditor runs without us: Python 3.9, its standard library, one file joined of these parts (builder/audit/joined.py).

Signatures -> curve.py; trees -> trees.py; notes and checkpoints -> notes.py; what entries are about -> entries.py;
one folder -> folder.py; the whole export -> export.py; the command line -> command.py.
"""
