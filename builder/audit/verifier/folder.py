"""One folder of an export, checked against the entries in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from builder.audit.verifier.entries import iter_named, leaned_on

OWN_FILES = frozenset({"change.json", "entries.jsonl", "index.html"})
"""Files that each folder has beside documents, and what was made of them."""


class Folder:
    """A folder of one image.

    Args:
        root: of the export.
        folder: below it, as `changes/core-cc9974d5cd82`.
        known: lines of entries that are proved to be in the ledger, by number.
        fail: is told what is wrong with which file.
    """

    def __init__(self, root: Path, folder: str, known: Mapping[int, bytes], fail: Callable[[str, str], None]) -> None:
        self.root, self.folder, self.fail = root, folder, fail
        self.change: dict[str, Any] = json.loads((root / folder / "change.json").read_bytes())
        self.entries: dict[int, dict[str, Any]] = {}
        for line in (root / folder / "entries.jsonl").read_bytes().split(b"\n")[:-1]:
            entry = json.loads(line)
            self.entries[entry["number"]] = entry
            if known.get(entry["number"]) != line:
                fail(f"{folder}/entries.jsonl", f"entry {entry['number']} is not that of the ledger")
        digest = self.change["digest"]
        kind_and_data = [(one["kind"], one["data"]) for one in self.entries.values()]
        builds = [data for kind, data in kind_and_data if kind == "build" and data["digest"] == digest]
        platforms = [one for data in builds for one in data["platforms"]]
        self.digests = {digest, *(one["manifest"] for one in platforms), *(one["config"] for one in platforms)}
        self.locks = {data["lock"] for data in builds}

    def check(self) -> None:
        """Check its name, its documents, and that it has what its promotions lean on."""
        name = self.folder.rpartition("/")[2].rpartition("-")[2]
        named = str(self.change["digest"]).partition(":")[2]
        if self.change["folder"] != self.folder or len(name) < 12 or not named.startswith(name):
            self.fail(f"{self.folder}/change.json", "is of another folder")
        for number, entry in self.entries.items():
            own = entry["kind"] == "promotion" and entry["data"]["digest"] in self.digests
            for other in sorted((leaned_on(number, entry["data"]) if own else set()) - self.entries.keys()):
                self.fail(f"{self.folder}/entries.jsonl", f"entry {number} leans on entry {other}, which lacks")
        self.check_documents()

    def check_documents(self) -> None:
        """Check that each document has the hash that an entry names, and that each hash named is there or told missing."""
        folder, change = self.folder, self.change
        named = {digest for one in self.entries.values() for _, digest in iter_named(one["data"])}
        kept = {one["digest"] for entry in self.entries.values() for one in entry["documents"]}
        found: set[str] = set()
        for document in change["documents"]:
            file, digest = f"{folder}/{document['file']}", document["digest"]
            if f"sha256:{hashlib.sha256((self.root / file).read_bytes()).hexdigest()}" != digest:
                self.fail(file, "does not hash to what the ledger says")
            if digest not in named | kept:
                self.fail(file, "is named by no entry of its folder")
            found.add(digest)
        # What came into the ledger with one of these entries is there: nobody can call it missing.
        missing = {one["digest"] for one in change["missing"]} - kept
        for digest in sorted((named | kept) - found - missing):
            self.fail(f"{folder}/change.json", f"{digest} is named by its entries, and lacks")
        listed = {one["file"] for one in (*change["documents"], *change["made"])} | OWN_FILES
        for path in sorted((self.root / folder).iterdir()):
            if path.name not in listed:
                self.fail(f"{folder}/{path.name}", "is none of its folder's files")
