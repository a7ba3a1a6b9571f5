"""Commands: one file a verb, thin. A new verb is one file with a click command named `command`, and one line in root.py.

root.py holds the group and the single error handler; options.py the shared options; output.py text, JSON and progress.
"""
