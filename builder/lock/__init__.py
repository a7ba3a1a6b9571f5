"""Locks as values and as bytes. Pure.

- what a lock holds: model.py
- a stack's lock: pylock_writer.py says what the file is, pylock.py reads it strictly, by pylock_reader.py; inline.py writes TOML on one line
- many locks in one process: memory.py
- a base's lock: base.py
- when a lock is stale: staleness.py
"""
