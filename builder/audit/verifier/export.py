"""A whole export, checked: manifest, signatures, chain and root of the ledger, population, folders."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from builder.audit.verifier.entries import COLUMNS, about, population_row
from builder.audit.verifier.folder import Folder
from builder.audit.verifier.notes import Key, open_note, read_checkpoint
from builder.audit.verifier.trees import Tree, extends, includes, leaf

MANIFEST, NOTE, CHECKPOINT = "MANIFEST.sha256", "MANIFEST.note", "ledger/checkpoint.txt"
ENTRIES, OTHERS, PROOF = "ledger/entries.jsonl", "ledger/others.jsonl", "ledger/proof.json"
UNREADABLE = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)
"""What reading something made up can raise."""


class Export:
    """An export in a folder, and what is found wrong in it.

    Args:
        root: the folder.
        keys: verifying keys of the ledger; none to check no signature.
        heads: files of checkpoints that the auditor kept himself.
    """

    def __init__(self, root: Path, keys: list[Key], heads: list[Path]) -> None:
        self.root, self.keys, self.heads = root, keys, heads
        self.problems: list[str] = []
        self.told: list[str] = []
        self.notes: list[str] = []
        self.proof: dict[str, Any] = {}
        self.head: tuple[str, int, bytes] = ("", 0, b"")
        self.inside: dict[int, bytes] = {}
        self.outside: dict[int, bytes] = {}

    def fail(self, file: str, what: str) -> None:
        """Tell what is wrong with a file."""
        self.problems.append(f"{file}: {what}")

    def check(self) -> bool:
        """Check all; what cannot be read is told, and does not keep the rest from being checked."""
        steps: tuple[tuple[str, Callable[[], None]], ...] = (
            (MANIFEST, self.check_manifest),
            (NOTE, self.check_note),
            (CHECKPOINT, self.check_checkpoint),
            (PROOF, self.check_ledger),
            ("population.csv", self.check_population),
            ("moves.csv", self.check_lists),
        )
        for file, step in steps:
            try:
                step()
            except UNREADABLE as error:
                self.fail(file, f"cannot be checked: {type(error).__name__}: {error}")
        return not self.problems

    def check_manifest(self) -> None:
        """Check that the manifest lists what is there, and that each file has its hash."""
        there = self.list_files()
        data, listed = self.read(MANIFEST), {}
        for number, line in enumerate(data.decode("utf-8", "replace").split("\n")[:-1]):
            found = re.match(r"([0-9a-f]{64})  ([!-~]+)\Z", line)
            if found is None or found[2] in listed:
                self.fail(MANIFEST, f"line {number + 1} is none: {line[:120]!r}")
            else:
                listed[found[2]] = found[1]
        for file in sorted(listed.keys() - there):
            self.fail(file, f"is missing; {MANIFEST} lists it")
        for file in sorted(there - listed.keys() - {MANIFEST, NOTE}):
            self.fail(file, f"is not listed in {MANIFEST}")
        for file in sorted(listed.keys() & there):
            if hashlib.sha256(self.read(file)).hexdigest() != listed[file]:
                self.fail(file, f"is not what {MANIFEST} says")
        if data != "".join(f"{listed[file]}  {file}\n" for file in sorted(listed)).encode():
            self.fail(MANIFEST, "is not in its one form")
        self.told.append(f"{len(listed)} files have the hashes of {MANIFEST}")

    def list_files(self) -> set[str]:
        """List what is in the folder; links, pipes and the like are no part of an export."""
        found = set()
        for folder, folders, files in os.walk(self.root):
            for path in (Path(folder) / name for name in [*folders, *files]):
                name = path.relative_to(self.root).as_posix()
                if path.is_symlink() or not (path.is_dir() or path.is_file()):
                    self.fail(name, "is no plain file")
                elif path.is_file():
                    found.add(name)
        return found

    def check_note(self) -> None:
        """Check that the manifest is signed."""
        if not (self.root / NOTE).exists():
            if self.keys:
                self.fail(NOTE, "is missing: nobody has signed the export")
            return
        text, signed = open_note(self.read(NOTE), self.keys)
        if not text.endswith(f"\nsha256:{hashlib.sha256(self.read(MANIFEST)).hexdigest()}\n"):
            self.fail(MANIFEST, f"is not what {NOTE} signs")
        self.tell_signed(NOTE, signed=signed)

    def check_checkpoint(self) -> None:
        """Read the head of the ledger."""
        text, signed = open_note(self.read(CHECKPOINT), self.keys)
        self.head = read_checkpoint(text)
        self.tell_signed(CHECKPOINT, signed=signed)

    def tell_signed(self, file: str, *, signed: bool) -> None:
        """Tell whether a note is signed, as far as keys are given."""
        if self.keys and not signed:
            self.fail(file, "is signed by none of the keys given")
        elif signed:
            self.told.append(f"{file} is signed")

    def check_ledger(self) -> None:
        """Check numbers, chain, roots and proofs, and that the entries are all of the period."""
        self.proof = proof = json.loads(self.read(PROOF))
        origin, size, root = self.head
        first, end = proof["first"], proof["end"]
        if (proof["origin"], proof["size"]) != (origin, size):
            self.fail(PROOF, f"is not of {CHECKPOINT}")
        for line in self.read(OTHERS).split(b"\n")[:-1]:
            number = json.loads(line)["number"]
            path = [bytes.fromhex(one) for one in proof["others"].get(str(number), [])]
            if first <= number < end or not includes(leaf(line), number, size, path, root):
                self.fail(OTHERS, f"entry {number} is not proved to be in the ledger")
            self.outside[number] = line
        tree = Tree(first, [bytes.fromhex(one) for one in proof["edge"]])
        roots = {first: tree.root()}
        previous = leaf(self.outside.get(first - 1, b"")) if first else hashlib.sha256(b"").digest()
        for line in self.read(ENTRIES).split(b"\n")[:-1]:
            entry = json.loads(line)
            if entry["number"] != tree.size:
                self.fail(ENTRIES, f"entry {tree.size} is expected, and entry {entry['number']} is there")
            if entry["previous"] != f"sha256:{previous.hex()}":
                self.fail(ENTRIES, f"entry {entry['number']} does not follow the one before it")
            self.inside[entry["number"]], previous = line, leaf(line)
            tree.add(previous)
            roots[tree.size] = tree.root()
        if tree.size != end:
            self.fail(ENTRIES, f"ends before entry {tree.size}, and should before entry {end}")
        if not extends(tree.size, tree.root(), size, root, [bytes.fromhex(one) for one in proof["consistency"]]):
            self.fail(ENTRIES, f"has not the root of {CHECKPOINT}")
        self.told.append(f"{len(self.inside)} entries follow each other without gaps, under the root of {size}")
        self.check_heads(roots)
        self.check_period(first, end, size)

    def check_heads(self, roots: dict[int, bytes]) -> None:
        """Check that heads from outside are of the same ledger: what it was then is the beginning of what it is now."""
        origin, size, root = self.head
        given = [self.root / f"ledger/heads/{number}.txt" for number in range(len(self.proof["heads"]))]
        for path in [*given, *self.heads]:
            text, _ = open_note(path.read_bytes(), self.keys)
            name, old, old_root = read_checkpoint(text)
            steps = [
                [bytes.fromhex(step) for step in one["proof"]] for one in self.proof["heads"] if one["size"] == old
            ]
            known = roots.get(old, root if old == size else None)
            if name != origin or (known is not None and known != old_root):
                self.fail(str(path), "is of another ledger")
            elif known is None and not any(extends(old, old_root, size, root, step) for step in steps):
                why = "is of another ledger" if steps else "is not proved here: have it named to `audit export --head`"
                self.fail(str(path), why)
            else:
                self.told.append(f"{path.name}: the first {old} entries are those of then")

    def check_period(self, first: int, end: int, size: int) -> None:
        """Check that the entries before and after are dated outside the period."""
        begin, close = self.proof["from"], self.proof["to"]
        for number in (first - 1, end):
            line = self.outside.get(number)
            time = json.loads(line)["time"] if line else ""
            if 0 <= number < size and not (line and (time < begin if number < first else time >= close)):
                self.fail(OTHERS, f"entry {number} may be of the period, and is not in the population")
        self.told.append(f"they are all that is dated from {begin} to {close}")
        if end == size:
            last = json.loads(self.inside[end - 1])["time"] if end - 1 in self.inside else "before the period"
            self.notes.append(
                f"the ledger ended within the period, at {last}: ask for what came after, or for a later head"
            )

    def check_population(self) -> None:
        """Check each folder, and that nothing in the population lacks its own."""
        holders: dict[int, list[str]] = {}
        owners: dict[str, list[str]] = {}
        folders = self.read_folders()
        for one in folders:
            for number in one.entries:
                holders.setdefault(number, []).append(one.folder)
            for digest in (*one.digests, *one.locks):
                owners.setdefault(digest, []).append(one.folder)
        rows = io.StringIO()
        writer = csv.writer(rows, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, line in sorted(self.inside.items()):
            entry, own = json.loads(line), holders.get(number, [])
            writer.writerow(population_row(line, own))
            # A lock that no image was built from has no folder; what is about an image always has.
            wanted = [owners.get(digest, []) for digest in about(entry["data"])]
            wanted += (
                [owners[entry["data"]["lock"]]] if entry["kind"] == "lock" and entry["data"]["lock"] in owners else []
            )
            if any(not set(these) & set(own) for these in wanted):
                self.fail("population.csv", f"entry {number} lacks its folder")
        if self.read("population.csv") != rows.getvalue().encode():
            self.fail("population.csv", "is not what the entries say")
        self.told.append(f"{len(folders)} folders hold what their entries name; each entry on an image has its folder")

    def read_folders(self) -> list[Folder]:
        """Read and check all folders, in order."""
        known = {**self.outside, **self.inside}
        found = []
        for path in sorted(self.root.glob("*/*/change.json")):
            folder = path.parent.relative_to(self.root).as_posix()
            try:
                found.append(Folder(self.root, folder, known, self.fail))
                found[-1].check()
            except UNREADABLE as error:
                self.fail(f"{folder}/change.json", f"cannot be checked: {type(error).__name__}: {error}")
        return found

    def check_lists(self) -> None:
        """Check that all moves are listed, and that rules have the hashes that entries name."""
        entries = {number: json.loads(line) for number, line in self.inside.items()}
        rows = csv.DictReader(io.StringIO(self.read("moves.csv").decode()))
        moves = sorted(number for number, one in entries.items() if one["kind"] == "promotion")
        if [int(row["number"]) for row in rows] != moves:
            self.fail("moves.csv", "does not list the promotions of the period")
        for path in sorted((self.root / "policy").glob("*.json")):
            if hashlib.sha256(path.read_bytes()).hexdigest() != path.stem:
                self.fail(f"policy/{path.name}", "does not hash to its name")
        history = self.read("policy/history.csv").decode()
        for number, entry in entries.items():
            if entry["data"].get("rules", "") not in history:
                self.fail("policy/history.csv", f"lacks the rules of entry {number}")

    def read(self, file: str) -> bytes:
        """Read a file."""
        return (self.root / file).read_bytes()
