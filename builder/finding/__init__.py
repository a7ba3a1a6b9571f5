"""Findings of scanners: what is known to be wrong with what is in an image, whose it is, and what of it may pass. Pure.

Change what a finding is -> model.py; its document in the ledger -> document.py; waivers in files -> vex.py (the form, OpenVEX) and
waivers.py (which of them holds); gates of channels -> gate.py; lists of what is exploited -> exploited.py; before and after ->
changes.py.
"""
