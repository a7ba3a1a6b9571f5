"""Scanning images by Trivy, which is treated as what it is: a program of somebody else's that reads what is hostile.

Change what stacks/scan.toml may say -> settings.py; which program is run -> program.py, taken out of an image ->
usecase/scan_program.py, known-bad releases -> denied.toml; how it is shut in -> confinement.py; how it is called -> trivy.py; its
database -> database.py and database_store.py; what must be found for a scan to count -> canary.py and expected.py; its report ->
report.py; what becomes of it -> reading.py; whose a finding is -> belonging.py.
"""
