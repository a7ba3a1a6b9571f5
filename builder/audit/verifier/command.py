"""Check an audit export of airflow-kubler with nothing but Python 3.9 or newer: `python3 -I -S verify.py --key KEY [DIR]`.

KEY is the ledger's verifying key, `<name>+<id>+<base64>` or a file with it, and must come to you by another way than the export.
So should this file: hold its sha256 against that of `airflow-kubler audit verifier`. Exit status: 0 all holds, 1 something does
not, 2 usage.

1. MANIFEST.sha256 lists every file with its sha256, and MANIFEST.note signs the list.
2. Entries of the ledger are numbered without gaps, each names the one before by hash, and together they have the root that
   ledger/checkpoint.txt signs; entries of before and after are proved to be in the same tree.
3. No entry of the period is left out: its neighbours are dated outside, and population.csv lists each entry that there is.
4. Each entry on an image is in that image's folder, and what is in a folder hashes to what its entries say.

Source: RFC 8032, 5.1.7 (Ed25519); RFC 9162, 2.1 (trees, proofs); C2SP signed-note and tlog-checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from builder.audit.verifier.export import Export
from builder.audit.verifier.notes import read_key


def main() -> int:
    """Check the export that the command line names."""
    parser = argparse.ArgumentParser(description="Check an audit export of airflow-kubler.")
    parser.add_argument("folder", nargs="?", default=str(Path(__file__).resolve().parent), metavar="DIR")
    parser.add_argument("--key", action="append", default=[], help="verifying key of the ledger, or a file with it")
    parser.add_argument("--head", action="append", default=[], type=Path, help="a head of the ledger that you kept")
    parser.add_argument("--unsigned", action="store_true", help="check no signature: then it can be wholly made up")
    given = parser.parse_args()
    if bool(given.key) == given.unsigned:
        parser.error("name the ledger's verifying key by --key; or say --unsigned, and believe who gave you the export")
    try:
        keys = [read_key(text if "+" in text else Path(text).read_text()) for text in given.key]
    except (OSError, ValueError) as error:
        parser.error(f"--key: {error}")
    export = Export(Path(given.folder), keys, given.head)
    holds = export.check()
    if holds:
        lines = [
            *(f"ok: {line}" for line in export.told),
            *(f"NOTE: {line}" for line in export.notes),
            "the export holds",
        ]
    else:
        lines = [f"FAILED: {line}" for line in export.problems]
        lines.append(f"the export does NOT hold: {len(lines)} problems")
    for line in lines:
        # Whoever made it up chose the names in it: a terminal shall obey none.
        plain = "".join(letter if " " <= letter <= "~" else f"\\x{ord(letter):02x}" for letter in line)
        sys.stdout.write(f"{plain}\n")
    return 0 if holds else 1
