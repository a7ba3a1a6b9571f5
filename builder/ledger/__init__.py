"""The ledger: what happened to stacks, append-only and tamper-evident, in one SQLite file.

Change what an entry holds -> events.py; how entries are chained -> entry.py, merkle.py; by what they are found -> marks.py;
how documents are kept -> documents.py; tables and migrations -> schema.py; reading and writing -> database.py; what is
checked -> check.py; heads to keep outside -> note.py.
"""
