"""What an auditor gets: of a period all that happened, with proof that nothing is left out, sorted by the image that it is about.

What the words mean -> model.py; which entries a folder has -> selection.py; how documents are called -> documents.py;
moves and who agreed -> moves.py; rules over time -> policy.py; what stands out -> remarks.py; controls -> controls.toml;
lists -> tables.py; what differs between locks -> lock_changes.py; what the auditor runs -> verifier/, joined.py.
usecase/audit.py reads the ledger, picture/audit_page.py has the pages. Pure.
"""
