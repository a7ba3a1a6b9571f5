"""Licences: what files say of theirs, as SPDX expressions, and which of them images may hold. Pure.

Change how expressions are read and compared -> expression.py; which spellings are understood -> names.py; which texts are known
-> texts.py; what a wheel's statements come to -> declared.py, a Debian package's -> debian.py; what stacks/licences.toml may say
-> reader.py, what its rules are -> rules.py, how they are applied -> judge.py.
"""
