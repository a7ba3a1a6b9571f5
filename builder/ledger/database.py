"""A ledger in a file of SQLite: one writer at a time, any number of readers.

Invariants:
- An append is one transaction; it is on the disk before it is acknowledged. A killed writer leaves what was acknowledged.
- The entry, the nodes that it makes full, its marks and its documents come together or not at all.
- An object serves one thread.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from builder.atomic import TEMPORARY_PREFIX
from builder.digest import Digest
from builder.errors import LedgerError, LedgerMovedError, LedgerUnavailableError
from builder.ledger import schema
from builder.ledger.documents import DocumentRow, decode, decompress, encode
from builder.ledger.entry import NOTHING, Actor, Entry, StoredDocument, dump_entry, parse_entry
from builder.ledger.events import Begun, Built, dump_event, parse_event
from builder.ledger.identity import identity_of, identity_of_entry
from builder.ledger.marks import marks_of
from builder.ledger.merkle import consistency_proof, edge_of, inclusion_proof, iter_new_nodes, root_of
from builder.ledger.model import NewDocument, NewEntry
from builder.ledger.note import Checkpoint, check_name
from builder.ledger.stacks import name_stacks
from builder.secrecy import refuse_secret

_PAGE: Final = 500


def create_ledger(path: Path, origin: str, actor: Actor, clock: Callable[[], int]) -> None:
    """Make a ledger with its first entry; it appears whole, or not at all.

    Args:
        path: of the file; its folder is there.
        origin: the ledger's name, as `example.org/airflow`.
        actor: who begins it.
        clock: seconds since the epoch.

    Raises:
        LedgerUnavailableError: something is there already, or it cannot be made.
        InvalidInputError: the origin is no name.
    """
    check_name(origin)
    if path.exists():
        raise LedgerUnavailableError("is there already", context=str(path))
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}-{path.name}")
    try:
        with contextlib.closing(schema.create(temporary)) as connection, _transaction(connection, temporary):
            schema.migrate(connection)
            begun = Begun(origin=origin, id=secrets.token_hex(16), migrations=schema.applied_migrations(connection))
            _append(connection, NewEntry(event=begun), actor, clock())
        try:
            os.link(temporary, path)
        except OSError as error:
            raise schema.translate(error, path) from error
    finally:
        for left in path.parent.glob(f"{temporary.name}*"):
            left.unlink(missing_ok=True)


class SqliteLedger:
    """A Ledger in a file.

    Args:
        path: of the file.
        clock: seconds since the epoch.
        write: open it for appending.

    Raises:
        LedgerUnavailableError: it is not there or cannot be opened.
        LedgerError: it is no ledger, or one of a newer program.
    """

    def __init__(self, path: Path, clock: Callable[[], int], *, write: bool) -> None:
        self.path = path
        self._clock = clock
        self._connection = schema.connect(path, write=write)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def author(self, here: Actor) -> Actor:
        """Say whom entries will name: who runs this program, as this machine knows him."""
        del self
        return here

    def append(self, entries: Sequence[NewEntry], actor: Actor, *, size: int | None = None) -> tuple[Entry, ...]:
        """Append entries, all or none; raises SecretFoundError where one would keep a secret."""
        for entry in entries:
            _refuse_secrets(entry, actor)
        with _transaction(self._connection, self.path):
            if size is not None and (found := _size(self._connection)) != size:
                raise LedgerMovedError(f"has {found} entries, not {size}", context=str(self.path), hint="run it again")
            now = self._clock()
            self._migrate(actor, now)
            return tuple(_append(self._connection, entry, actor, now) for entry in entries)

    def _migrate(self, actor: Actor, now: int) -> None:
        if not schema.migrate(self._connection):
            return
        begun = _begun(self._connection)
        again = Begun(origin=begun.origin, id=begun.id, migrations=schema.applied_migrations(self._connection))
        _append(self._connection, NewEntry(event=again), actor, now)

    def head(self) -> Checkpoint:
        """Read name, number of entries and root, of one state."""
        with self._reading():
            return head_of(self._connection)

    def changes(self) -> int:
        """Give a number that is another after an append of another connection."""
        with self._telling():
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def root_at(self, size: int) -> bytes:
        """Find the root that the first `size` entries have."""
        with self._reading():
            return root_of(size, _node_reader(self._connection))

    def proof(self, number: int, size: int) -> tuple[bytes, ...]:
        """List the hashes that prove an entry to be among the first `size`."""
        with self._reading():
            return inclusion_proof(number, size, _node_reader(self._connection))

    def consistency(self, old: int, size: int) -> tuple[bytes, ...]:
        """List the hashes that prove the first `old` entries to be the beginning of the first `size`."""
        with self._reading():
            return consistency_proof(old, size, _node_reader(self._connection))

    def edge(self, size: int) -> tuple[bytes, ...]:
        """List the roots of the full subtrees of the first `size` entries, the largest first."""
        with self._reading():
            return edge_of(size, _node_reader(self._connection))

    def entries(self, first: int = 0, last: int | None = None) -> Iterator[Entry]:
        """Iterate over entries by number; what is appended meanwhile comes too, where `last` does not end it."""
        for written in self.lines(first, last):
            yield parse_entry(written)

    def lines(self, first: int = 0, last: int | None = None) -> Iterator[bytes]:
        """Iterate over entries as they are kept."""
        position = first
        while last is None or position < last:
            count = _PAGE if last is None else min(_PAGE, last - position)
            with self._reading():
                rows = self._connection.execute(
                    "SELECT entry FROM entries WHERE number >= ? ORDER BY number LIMIT ?", (position, count)
                ).fetchall()
            for (written,) in rows:
                yield written
            if len(rows) < count:
                return
            position += count

    def find(
        self, name: str, value: str, *, kinds: Sequence[str] = (), before: int | None = None, limit: int | None = None
    ) -> tuple[Entry, ...]:
        """List entries that have a mark, the newest first."""
        asked, given = ["m.name = ?", "m.value = ?"], [name, value]
        if kinds:
            asked.append(f"m.kind IN ({', '.join('?' * len(kinds))})")
            given.extend(kinds)
        if before is not None:
            asked.append("m.number < ?")
        numbers = () if before is None else (before,)
        with self._reading():
            rows = self._connection.execute(
                f"SELECT e.entry FROM marks m JOIN entries e ON e.number = m.number WHERE {' AND '.join(asked)} "
                "ORDER BY m.number DESC LIMIT ?",
                (*given, *numbers, -1 if limit is None else limit),
            ).fetchall()
        return tuple(parse_entry(written) for (written,) in rows)

    def values(self, name: str, prefix: str = "", limit: int | None = None) -> tuple[str, ...]:
        """List the values that a mark has, sorted: those that begin with a prefix."""
        found: list[str] = []
        # From value to value by the index: a stack of ten thousand builds costs one step.
        after, inclusive = prefix, True
        with self._reading():
            while limit is None or len(found) < limit:
                row = self._connection.execute(
                    f"SELECT value FROM marks WHERE name = ? AND value {'>=' if inclusive else '>'} ? "
                    "ORDER BY value LIMIT 1",
                    (name, after),
                ).fetchone()
                if row is None or not row[0].startswith(prefix):
                    break
                found.append(row[0])
                after, inclusive = row[0], False
        return tuple(found)

    def document(self, digest: Digest) -> bytes | None:
        """Read a document; None where it is not there. Raises LedgerError where it is damaged."""
        with self._reading():
            found = read_document(self._connection, digest)
        return None if found is None else found[1]

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Read one state, and tell errors."""
        with self._telling():
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("COMMIT")

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise schema.translate(error, self.path) from error


def head_of(connection: sqlite3.Connection) -> Checkpoint:
    """Read the head of a ledger within the caller's transaction."""
    size = _size(connection)
    return Checkpoint(origin=_begun(connection).origin, size=size, root=root_of(size, _node_reader(connection)))


def read_document(connection: sqlite3.Connection, digest: Digest) -> tuple[DocumentRow, bytes] | None:
    """Read a document and its row within the caller's transaction; None where it is not there.

    Raises:
        LedgerError: it is damaged, or a document that it differs from is missing.
    """
    rows: list[DocumentRow] = []
    wanted: Digest | None = digest
    while wanted is not None:
        found = connection.execute(
            "SELECT base, depth, data FROM documents WHERE digest = ?", (str(wanted),)
        ).fetchone()
        if found is None and not rows:
            return None
        if found is None or (rows and found[1] != rows[-1].depth - 1):
            raise LedgerError("a document that it differs from is missing", context=f"document {digest}")
        base = None if found[0] is None else Digest.parse(found[0])
        rows.append(DocumentRow(digest=wanted, base=base, depth=found[1], data=found[2]))
        wanted = base
    below = b""
    for row in reversed(rows[1:]):
        below = decompress(row, below)
    return rows[0], decode(rows[0], below)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Write alone: others wait. Nothing is kept where the block raises."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise schema.translate(error, path) from error


def _append(connection: sqlite3.Connection, new: NewEntry, actor: Actor, now: int) -> Entry:
    known = _keyed(connection, new) if new.key else None
    if known is not None:
        return known
    number = _size(connection)
    previous = NOTHING
    if number:
        (above,) = connection.execute("SELECT hash FROM entries WHERE number = ?", (number - 1,)).fetchone()
        previous = Digest(above.hex())
    documents = [stored for document in new.documents if (stored := _keep(connection, document)) is not None]
    event = name_stacks(new.event, lambda digest: _stack_of(connection, digest))
    written = dump_entry(
        number=number,
        previous=previous,
        time=now,
        kind=event.kind,
        actor=actor,
        data=dump_event(event),
        documents=documents,
        key=new.key,
    )
    entry = parse_entry(written)
    leaf = bytes.fromhex(entry.hash.hex)
    connection.execute("INSERT INTO entries VALUES (?, ?, ?)", (number, written, leaf))
    nodes = iter_new_nodes(number, leaf, _node_reader(connection))
    connection.executemany("INSERT INTO nodes VALUES (?, ?, ?)", [node for node in nodes if node[0]])
    connection.executemany(
        "INSERT INTO marks VALUES (?, ?, ?, ?)", [(*mark, number, entry.kind) for mark in marks_of(entry)]
    )
    return entry


def _keyed(connection: sqlite3.Connection, new: NewEntry) -> Entry | None:
    """Find the entry of a key; raises LedgerError where it tells of another event."""
    row = connection.execute(
        "SELECT e.entry FROM marks m JOIN entries e ON e.number = m.number WHERE m.name = 'key' AND m.value = ?",
        (new.key,),
    ).fetchone()
    if row is None:
        return None
    entry = parse_entry(row[0])
    if identity_of_entry(entry) != identity_of(new.event):
        raise LedgerError(f"the key {new.key!r} is of another event, in entry {entry.number}")
    return entry


def _refuse_secrets(new: NewEntry, actor: Actor) -> None:
    """Keep nothing that would have to be taken out again, since nothing can: not even in a transaction that is undone."""
    said = f"{dump_event(new.event)} {actor}"
    refuse_secret(said, context=f"ledger: an event of kind {new.event.kind}")
    for document in new.documents:
        # Reports on vulnerabilities show addresses with passwords as examples.
        text = document.data.decode("utf-8", "replace")
        refuse_secret(text, context=f"ledger: a document of {len(document.data)} bytes", addresses=False)


def _keep(connection: sqlite3.Connection, document: NewDocument) -> StoredDocument | None:
    """Keep a document; None where it is kept already."""
    digest = str(Digest.of(document.data))
    if connection.execute("SELECT 1 FROM documents WHERE digest = ?", (digest,)).fetchone():
        return None
    base = None if document.like is None else read_document(connection, document.like)
    row = encode(document.data, base)
    connection.execute(
        "INSERT INTO documents VALUES (?, ?, ?, ?)",
        (digest, None if row.base is None else str(row.base), row.depth, row.data),
    )
    return StoredDocument(digest=digest, stored=str(row.stored))


def _stack_of(connection: sqlite3.Connection, digest: str) -> str:
    """Find the stack of an image by its build; empty where the ledger has none."""
    row = connection.execute(
        "SELECT e.entry FROM marks m JOIN entries e ON e.number = m.number "
        "WHERE m.name = 'digest' AND m.value = ? AND m.kind = ? ORDER BY m.number DESC LIMIT 1",
        (digest, Built.kind),
    ).fetchone()
    return "" if row is None else str(parse_entry(row[0]).data.get("stack", ""))


def _size(connection: sqlite3.Connection) -> int:
    (last,) = connection.execute("SELECT max(number) FROM entries").fetchone()
    return 0 if last is None else int(last) + 1


def _begun(connection: sqlite3.Connection) -> Begun:
    row = connection.execute("SELECT entry FROM entries WHERE number = 0").fetchone()
    event = None
    if row is not None:
        first = parse_entry(row[0])
        event = parse_event(first.kind, first.data)
    if not isinstance(event, Begun):
        raise LedgerError("its first entry does not begin it", hint="go on from the last good copy")
    return event


def _node_reader(connection: sqlite3.Connection) -> Callable[[int, int], bytes]:
    def read(level: int, position: int) -> bytes:
        query = (
            ("SELECT hash FROM nodes WHERE level = ? AND position = ?", (level, position))
            if level
            else ("SELECT hash FROM entries WHERE number = ?", (position,))
        )
        row = connection.execute(*query).fetchone()
        if row is None:
            raise LedgerError(f"node {position} of level {level} is missing", hint="airflow-kubler ledger verify")
        return bytes(row[0])

    return read
