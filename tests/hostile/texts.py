"""Hostile locks, stacks, packs of snapshots, ledger entries, checkpoints, Kubernetes manifests, listings and libraries."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import zstandard

from builder.canonical import dump_json
from builder.digest import Digest
from builder.ledger.note import Checkpoint, SigningKey, sign
from builder.lock.base import dump_base_lock
from builder.lock.pylock import dump_stack_lock
from builder.snapshot.model import Snapshot, dump_snapshot
from tests.hostile.model import Material
from tests.support import base_images
from tests.support.bases import made_lock
from tests.support.debs import Item, make_tar
from tests.support.stack_locks import make_candidate, make_file, make_lock

_MIB = 1 << 20
_STACK_LOCK = dump_stack_lock(make_lock(make_candidate()))
_BASE_LOCK = dump_base_lock(made_lock())


def _stack_lock(old: str, new: str) -> Callable[[], bytes]:
    return lambda: _STACK_LOCK.replace(old.encode(), new.encode(), 1)


def _base_lock(old: str, new: str) -> Callable[[], bytes]:
    return lambda: _BASE_LOCK.replace(old.encode(), new.encode(), 1)


def _stack_file(path: str) -> Callable[[], bytes]:
    return lambda: dump_stack_lock(make_lock(make_candidate(), files=((path, make_file("x")),)))


def _text(text: str) -> Callable[[], bytes]:
    return text.encode


_STACK = 'description = "x"\nowners = ["team:x"]\n[airflow]\nversion = "3.3.2"\n[base]\nname = "trixie"\n'


def _pack(snapshot: bytes, head: bytes = b'{"taken_at": 1, "locks": {}}', **more: bytes) -> Callable[[], bytes]:
    items = {"entry.json": head, "snapshot.json": snapshot, **more}
    return lambda: make_tar([Item(name=name, data=data) for name, data in items.items()])


_SNAPSHOT = dump_snapshot(
    Snapshot(day="2026-11-30", indexes=("default",), pages={"default": {"demo": Digest.of(b"page")}}, metadata={})
)
_ENTRY: Mapping[str, Any] = {
    "actor": {"host": "h", "method": "local", "name": "u", "program": "p"},
    "data": {"lock": f"sha256:{'0' * 64}", "stack": "core"},
    "documents": [],
    "kind": "lock",
    "number": 0,
    "previous": f"sha256:{'0' * 64}",
    "time": "2026-11-30T07:23:11Z",
}


def _entry(**changes: Any) -> Callable[[], bytes]:
    return lambda: dump_json({**_ENTRY, **changes})


def _document(data: Callable[[], bytes]) -> Callable[[], bytes]:
    return lambda: b"\0" + data()


def _huge_frame() -> bytes:
    """A zstd frame that claims 8 EiB of content, in a single segment."""
    return bytes.fromhex("28b52ffde0") + (1 << 62).to_bytes(8, "little") + bytes.fromhex("010000")


def _frame_of_zeros() -> bytes:
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    return b"".join(packer.compress(bytes(_MIB)) for _ in range(128)) + packer.flush()


def _checkpoint() -> bytes:
    key = SigningKey(name="PeterNeumann", seed=bytes(32))
    return sign(Checkpoint(origin="example.org/evil", size=1, root=bytes(32)), key)


def _aliases() -> bytes:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    for number in range(9):
        before, name = chr(97 + number), chr(98 + number)
        lines.append(f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]")
    return "\n".join(lines).encode()


def _sections(count: int) -> bytes:
    """An ELF file that announces more sections than it has bytes."""
    data = bytearray(base_images.program())
    data[40:48] = (64).to_bytes(8, "little")
    data[58:64] = (64).to_bytes(2, "little") + count.to_bytes(2, "little") + (0).to_bytes(2, "little")
    return bytes(data)


_ROWS: tuple[tuple[str, str, str, str, Callable[[], bytes]], ...] = (
    ("stack-lock", "A1", "a wheel's path that climbs", "must be files/<sha256>/<name>", _stack_lock('path = "files/', 'path = "../evil/')),
    ("stack-lock", "A1", "a wheel's name that climbs", "is not the name of a wheel", _stack_lock('{name = "alpha-1.0-py3', '{name = "../evil')),
    ("stack-lock", "A1", "a stack's file that climbs", "is not a plain path in the image", _stack_file("etc/../../evil")),
    ("stack-lock", "A1", "a stack's file by an absolute path", "is not a plain path in the image", _stack_file("/etc/evil")),
    ("stack-lock", "A5", "a stack's file that is a whiteout", "is not a plain path in the image", _stack_file("etc/.wh.passwd")),
    ("stack-lock", "A2", "two meanings of one key", "is not TOML", lambda: b"a = 1\na = 2\n"),
    ("stack-lock", "A2", "changed by hand without another meaning", "was changed by hand", _stack_lock("size = 10", "size = 0xA")),
    ("stack-lock", "A3", "a size below nothing", "must be a whole number", _stack_lock("size = 10", "size = -1")),
    ("stack-lock", "A4", "17 MB", "at most", lambda: b"#" * (17 * _MIB)),
    ("stack-lock", "A4", "nested 5000 deep", "is not TOML", lambda: b"a = " + b"[" * 5000),
    ("stack-lock", "A7", "a wheel of another project", "is no wheel of", _stack_lock('name = "alpha"', 'name = "evil"')),
    ("stack-lock", "A7", "a wheel of another version", "is no wheel of", _stack_lock('\nversion = "1.0"', '\nversion = "9.0"')),
    ("stack-lock", "B2", "a hash that is none", "must be 64 hexadecimal characters", _stack_lock('sha256 = "', 'sha256 = "X')),
    ("base-lock", "A1", "a pool path that climbs", "cannot be", _base_lock("pool/main/bash/", "../evil/bash/")),
    ("base-lock", "A1", "an absolute pool path", "cannot be", _base_lock("pool/main/bash/", "/pool/main/bash/")),
    ("base-lock", "A3", "a number of 6000 digits", "not a TOML file", lambda: b"a = " + b"9" * 6000),
    ("base-lock", "A7", "a package of another name", "debs", _base_lock('package = "bash"', 'package = "Ev il"')),
    ("base-lock", "B2", "the address of a host", "unknown key", _base_lock('glibc = "2.41"', 'glibc = "2.41"\nhost = "evil.example"')),
    ("base-lock", "A2", "a comment", "was changed by hand", lambda: _BASE_LOCK + b"# evil\n"),
    ("segments-lock", "A3", "a digest that is none", "cannot be read", _text('[core]\ndigest = "evil"\n')),
    ("stack", "B4", "a name that looks like another", "stack.toml", _text(f'{_STACK}[plugins]\nrequirements = ["\u0430pache-airflow-providers-amazon"]\n')),
    ("stack", "B1", "a requirement by address", "stack.toml", _text(f'{_STACK}[plugins]\nrequirements = ["evil @ https://evil.example/evil.whl"]\n')),
    ("stack", "B1", "an option of pip among requirements", "stack.toml", _text(f'{_STACK}[plugins]\nrequirements = ["--index-url https://evil.example"]\n')),
    ("stack", "A4", "nested 5000 deep", "stack.toml", lambda: b"a = " + b"[" * 5000),
    ("base", "A1", "a file that climbs", "base.toml", _text('description = "x"\n[debian]\nrelease = "trixie"\n[[files]]\npath = "etc/../../evil"\ncontent = ""\n')),
    ("import", "B1", "an index of its own with a password", "", _text("--index-url https://user:evil@index.example/simple\nrequests==2\n")),
    ("pack", "A1", "a part that climbs", "is no packed snapshot", lambda: make_tar([Item(name="../../evil", data=b"evil")])),
    ("pack", "A3", "a page that is another", "is damaged or missing", _pack(_SNAPSHOT, **{f"blobs/{Digest.of(b'page').hex}": b"evil"})),
    ("pack", "A3", "a page that is missing", "is damaged or missing", _pack(_SNAPSHOT)),
    ("pack", "A4", "a moment without end", "is no packed snapshot", _pack(_SNAPSHOT, b'{"taken_at": 1e999, "locks": {}}')),
    ("pack", "A4", "nested 100,000 deep", "is no packed snapshot", _pack(b"[" * 100_000)),
    ("ledger-entry", "A2", "white space", "is not in canonical form", lambda: json.dumps(_ENTRY).encode()),
    ("ledger-entry", "A2", "a key that stands twice", "is not in canonical form", lambda: dump_json(_ENTRY)[:-1] + b',"number":7}'),
    ("ledger-entry", "A2", "a field that no entry has", "contains unknown field `evil`", _entry(evil=1)),
    ("ledger-entry", "A3", "a hash that is none", "is no entry: not a sha256", _entry(previous="sha256:evil")),
    ("ledger-entry", "A4", "a time beyond all calendars", "is no entry: Invalid isoformat string", _entry(time="99999-01-01T00:00:00Z")),
    ("ledger-entry", "A4", "nested 100,000 deep", "is no entry: ", lambda: dump_json(_ENTRY).replace(b'"core"', b"[" * 100_000, 1)),
    ("ledger-entry", "A7", "an event without its stack", "has not the shape of its kind", _entry(data={})),
    ("ledger-document", "A4", "a frame that claims 8 EiB", "claims to be larger", _document(_huge_frame)),
    ("ledger-document", "A4", "128 MB of zeros", "document sha256:", _document(_frame_of_zeros)),
    ("ledger-document", "A2", "a second frame", "document sha256:", _document(lambda: zstandard.compress(b"a") + zstandard.compress(b"evil"))),
    ("checkpoint", "A3", "signed by somebody else", "is signed by none of the keys given", _checkpoint),
    ("kubernetes", "A4", "aliases of aliases", "holds more than 1000000 values", _aliases),
    ("kubernetes", "A4", "an alias within itself", "an alias within its own value", _text("a: &x [*x]")),
    ("kubernetes", "A4", "nested 10,000 deep", "is nested deeper", lambda: b"[" * 10_000),
    ("kubernetes", "A2", "a key that stands twice", "a key stands twice", _text("a: 1\nb: 2\na: evil")),
    ("kubernetes", "A6", "an object of Python", "a tag that no manifest has", _text("a: !!python/object/apply:os.system [evil]")),
    ("installed", "A2", "a list that would clear the screen", "is no line of `pip freeze`", _text("\x1b[2Jevil\n")),
    ("elf", "A4", "65,535 sections that are not there", "no ELF file that can be read", lambda: _sections(0xFFFF)),
    ("elf", "A2", "a header cut short", "no ELF file that can be read", lambda: base_images.program()[:40]),
    ("migration", "A4", "an expression nested 100,000 deep", "cannot be parsed", lambda: b"revision = " + b"-" * 100_000 + b"1"),
    ("migration", "A6", "a revision that has to be run to be known", "0001_revision.py", _text('revision = __import__("os").system("evil")\n')),
)  # fmt: skip

TEXTS: tuple[Material, ...] = tuple(
    Material(threat=threat, kind=kind, name=name, make=make, refused=refused)
    for kind, threat, name, refused, make in _ROWS
)
