"""A ledger in a file: what is appended is there, whole, for every reader, and nothing else can be put in."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from builder.digest import Digest
from builder.errors import InvalidInputError, LedgerError, LedgerMovedError, LedgerUnavailableError, SecretFoundError
from builder.ledger.check import check_ledger
from builder.ledger.database import SqliteLedger, create_ledger
from builder.ledger.events import Tested
from builder.ledger.merkle import verify_consistency, verify_inclusion
from builder.ledger.model import NewDocument, NewEntry
from tests.support.ledgers import (
    ALICE,
    ORIGIN,
    Ticking,
    events_of_every_kind,
    iter_documents,
    make_build,
    make_ledger,
)
from tests.support.secrets import LOOKS_LIKE_ONE
from tests.support.tools import ROOT


def open_ledger(path: Path, *, write: bool = False) -> SqliteLedger:
    return SqliteLedger(path, Ticking(), write=write)


def test_what_was_appended_is_read_by_number_and_by_mark(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    written = make_ledger(path, [NewEntry(event=event) for event in events_of_every_kind()])
    built = make_build()
    with open_ledger(path) as ledger:
        entries = tuple(ledger.entries())
        assert entries[1:] == written
        assert [entry.number for entry in entries] == list(range(1 + len(written)))
        assert tuple(ledger.entries(3, 5)) == entries[3:5]
        assert [entry.kind for entry in ledger.find("digest", built.digest, kinds=("test", "scan"))] == ["scan", "test"]
        assert [entry.number for entry in ledger.find("digest", built.platforms[0].manifest)] == [2]
        assert [entry.kind for entry in ledger.find("channel", "core prod", limit=1)] == ["promotion"]
        assert [entry.kind for entry in ledger.find("channel", "core prod", before=10)] == ["approval", "request"]
        assert ledger.find("stack", "gcp") == ()
        assert ledger.head().size == 1 + len(written)
        assert ledger.head().origin == ORIGIN


def test_values_of_a_mark_are_listed_once_and_by_their_beginning(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    names = ("aws", "core", "core-py311", "core", "gcp", "aws")
    make_ledger(path, [NewEntry(event=make_build(name)) for name in names])
    with open_ledger(path) as ledger:
        assert ledger.values("stack") == ("aws", "core", "core-py311", "gcp")
        assert ledger.values("stack", "core") == ("core", "core-py311")
        assert ledger.values("stack", limit=1) == ("aws",)
        digest = make_build("gcp").digest
        assert ledger.values("digest", digest[:20]) == (digest,)


def test_documents_are_kept_once_and_read_by_digest(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    documents = tuple(iter_documents(40))
    event = make_build()
    entries = make_ledger(path, [NewEntry(event=event, documents=[document, document]) for document in documents])
    again = make_ledger(tmp_path / "two.db", [NewEntry(event=event, documents=documents[:1])] * 2)
    assert [len(entry.documents) for entry in entries] == [1] * 40
    assert [len(entry.documents) for entry in again] == [1, 0]
    with open_ledger(path) as ledger:
        assert all(ledger.document(Digest.of(one.data)) == one.data for one in documents)
        assert ledger.document(Digest.of(b"no such")) is None
    assert path.stat().st_size < 40 * 6000


def test_an_entry_is_proved_to_be_among_those_of_a_head(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make_ledger(path, [NewEntry(event=event) for event in events_of_every_kind()])
    with open_ledger(path) as ledger:
        head = ledger.head()
        for entry in ledger.entries():
            proof = ledger.proof(entry.number, head.size)
            assert verify_inclusion(bytes.fromhex(entry.hash.hex), entry.number, head.size, proof, head.root)
        assert ledger.root_at(head.size) == head.root
        assert ledger.root_at(5) != head.root
        assert verify_consistency(5, ledger.root_at(5), head.size, head.root, ledger.consistency(5, head.size))
        assert ledger.edge(4) == (ledger.root_at(4),)


def test_all_or_none_of_several_entries_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make_ledger(path)
    wrong = Tested(digest="no digest", name="x", passed=True)
    with open_ledger(path, write=True) as ledger:
        with pytest.raises(LedgerError):
            ledger.append([NewEntry(event=make_build()), NewEntry(event=wrong)], ALICE)
        assert ledger.head().size == 1
        ledger.append([NewEntry(event=make_build())], ALICE)
        assert ledger.head().size == 2
    assert check_ledger(path).problems == ()


def test_a_secret_is_refused_before_a_byte_of_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make_ledger(path)
    token, event = LOOKS_LIKE_ONE["a token of GitHub"].encode(), make_build()
    # More than the pages that a transaction holds back before it is committed.
    report = b"x" * (8 << 20) + b" " + token
    with open_ledger(path, write=True) as ledger:
        for new in (
            NewEntry(event=event, documents=[NewDocument(data=report)]),
            NewEntry(event=Tested(digest=event.digest, name=token.decode(), passed=True)),
            NewEntry(event=Tested(digest=event.digest, name=LOOKS_LIKE_ONE["a password in an address"], passed=True)),
        ):
            with pytest.raises(SecretFoundError) as refused:
                ledger.append([NewEntry(event=event), new], ALICE)
            assert token.decode() not in str(refused.value)
        assert ledger.head().size == 1
        assert not any(token in file.read_bytes() for file in tmp_path.iterdir())
        example = NewDocument(data=b"as in https://user:password@host.example/")
        ledger.append([NewEntry(event=event, documents=[example])], ALICE)


def test_what_follows_from_a_look_is_appended_only_while_nothing_came_in_between(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make_ledger(path, [NewEntry(event=make_build())])
    event = Tested(digest=make_build().digest, name="stack", passed=True)
    with open_ledger(path, write=True) as one, open_ledger(path, write=True) as other:
        size = one.head().size
        assert one.append([NewEntry(event=event)], ALICE, size=size)[0].number == size
        with pytest.raises(LedgerMovedError) as caught:
            other.append([NewEntry(event=event)], ALICE, size=size)
        assert str(caught.value) == f"{path}: has 3 entries, not 2\n  run it again"
        assert other.head().size == 3
        assert other.append([NewEntry(event=event)], ALICE, size=3)[0].number == 3


@pytest.mark.parametrize("table", ["entries", "nodes", "marks", "documents"])
def test_a_shell_may_neither_change_nor_delete(tmp_path: Path, table: str) -> None:
    path = tmp_path / "ledger.db"
    make_ledger(path, [NewEntry(event=make_build(), documents=[NewDocument(data=b"lock")])] * 2)
    column = {"entries": "hash", "nodes": "hash", "marks": "kind", "documents": "depth"}[table]
    connection = sqlite3.connect(path)
    for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
        with pytest.raises(sqlite3.IntegrityError, match="a ledger is append-only"):
            connection.execute(statement)


def test_a_ledger_is_not_begun_twice_and_its_name_is_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make_ledger(path)
    with pytest.raises(LedgerUnavailableError, match="is there already"):
        make_ledger(path)
    with pytest.raises(InvalidInputError, match="not a name"):
        create_ledger(tmp_path / "other.db", "two words", ALICE, Ticking())
    with pytest.raises(LedgerUnavailableError, match="cannot be used"):
        create_ledger(tmp_path / "no/folder/ledger.db", ORIGIN, ALICE, Ticking())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["ledger.db"]


def test_two_ledgers_begin_differently(tmp_path: Path) -> None:
    make_ledger(tmp_path / "one.db", clock=Ticking(0))
    make_ledger(tmp_path / "two.db", clock=Ticking(0))
    with open_ledger(tmp_path / "one.db") as one, open_ledger(tmp_path / "two.db") as two:
        assert one.head().root != two.head().root


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no ledger"),
        (b"", "is no ledger of airflow-kubler"),
        (b"some text of a file, as long as a page would be" * 100, "is damaged: file is not a database"),
    ],
)
def test_what_is_no_ledger_is_told_with_the_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "ledger.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((LedgerError, LedgerUnavailableError), match=f"{path}: {message}"):
        open_ledger(path)


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="is no ledger"):
        open_ledger(path, write=True)
    assert path.read_bytes() == before


def test_a_file_of_a_newer_program_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make_ledger(path)
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations VALUES (2, 'airflow-kubler-ledger', 'of_next_year', '2027-01-01')"
        )
    with (
        open_ledger(path, write=True) as ledger,
        pytest.raises(LedgerError, match=r"written by a newer airflow-kubler: of_next_year"),
    ):
        ledger.append([NewEntry(event=make_build())], ALICE)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users reach: pytest's own is closed to them, and each run that begins closes it again."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_a_copy_that_nobody_may_write_to_is_read(open_folder: Path) -> None:
    folder = open_folder / "evidence"
    folder.mkdir()
    make_ledger(folder / "ledger.db", [NewEntry(event=make_build())])
    (folder / "ledger.db").chmod(0o444)
    folder.chmod(0o555)
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom builder.ledger.database import SqliteLedger\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "print(SqliteLedger(Path(sys.argv[1]), int, write=False).head().size)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder / "ledger.db")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    folder.chmod(0o755)
    assert (done.stdout, done.returncode) == ("2\n", 0), done.stderr


def test_only_its_own_group_reads_a_ledger(tmp_path: Path) -> None:
    make_ledger(tmp_path / "ledger.db")
    assert (tmp_path / "ledger.db").stat().st_mode & 0o777 == 0o640 & ~_umask()


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_a_clock_that_goes_back_is_told_and_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make_ledger(path, clock=Ticking(2_000_000_000))
    with SqliteLedger(path, Ticking(1_000_000_000), write=True) as ledger:
        ledger.append([NewEntry(event=make_build())], ALICE)
    verdict = check_ledger(path)
    assert (verdict.problems, verdict.clock_went_back) == ((), (1,))


def test_writers_at_the_same_time_come_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make_ledger(path)
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from builder.ledger.database import SqliteLedger\nfrom builder.ledger.model import NewEntry\n"
        "from tests.support.ledgers import ALICE, make_build\n"
        "with SqliteLedger(Path(sys.argv[1]), int, write=True) as ledger:\n"
        "    for number in range(25): ledger.append([NewEntry(event=make_build(sys.argv[2], str(number)))], ALICE)\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(path), f"stack-{number}"], cwd=ROOT) for number in range(4)
    ]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    assert check_ledger(path).problems == ()
    with open_ledger(path) as ledger:
        for number in range(4):
            mine = ledger.find("stack", f"stack-{number}")
            wanted = [make_build(f"stack-{number}", str(one)).digest for one in reversed(range(25))]
            assert [entry.data["digest"] for entry in mine] == wanted
        assert ledger.head().size == 101
