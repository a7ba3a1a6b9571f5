"""Locks as values and as bytes. Pure.

- what a lock holds: model.py
- a stack's lock: pylock_writer.py says what the file is, pylock.py reads it strictly; inline.py writes TOML on one line
- a base's lock: base.py
- when a lock is stale: staleness.py
"""
