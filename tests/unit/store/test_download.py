from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.digest import Digest
from builder.lock.model import LockedFile
from builder.store.download import Failure, Wanted, download
from builder.store.files import DirectoryFileStore
from builder.store.patience import Patience, retry_after
from builder.store.transport import HttpTransport, TransportError, credentials_of, origin, redact, shown
from tests.support.fault_server import Answer, FaultServer

DATA = random.Random(1).randbytes(300_000)  # noqa: S311  the same bytes in every run
GOOD = Answer(body=DATA)
FILE = LockedFile(name="a-1-py3-none-any.whl", size=len(DATA), sha256=Digest.of(DATA))


class Rig:
    """A store, a server and the pauses that were taken."""

    def __init__(self, store: DirectoryFileStore, server: FaultServer) -> None:
        self.store = store
        self.server = server
        self.pauses: list[float] = []
        self.told: list[int] = []
        self.credentials: dict[tuple[str, str, int], str] = {}

    def get(self, *urls: str, file: LockedFile = FILE, deadline_s: float = 60.0) -> Failure | None:
        patience = Patience(sleep=self.pauses.append, tries=4, deadline_s=deadline_s)
        with HttpTransport(timeout_s=5, credentials=self.credentials) as transport:
            failures = download(
                [Wanted(file=file, urls=urls)], self.store, transport, patience=patience, progress=self.told.append
            )
        return failures[0] if failures else None

    def nothing_bad_is_kept(self) -> bool:
        files = [path for path in (self.store.root / "files").rglob("*") if path.is_file()]
        return all(Digest.of(path.read_bytes()).hex == path.name for path in files)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with FaultServer() as server:
        yield Rig(DirectoryFileStore(tmp_path / "cache"), server)


def test_file_arrives_and_progress_adds_up(rig: Rig) -> None:
    assert rig.get(rig.server.on("/f", GOOD)) is None
    assert rig.store.read(FILE) == DATA
    assert sum(rig.told) == len(DATA)
    assert rig.server.requests[0].headers["accept-encoding"] == "identity"
    assert not list((rig.store.root / "partial").iterdir())


def test_what_is_held_is_not_asked_for(rig: Rig) -> None:
    rig.store.add(DATA)
    assert rig.get(rig.server.on("/f", GOOD)) is None
    assert not rig.server.requests


BAD = {
    "flipped byte": (Answer(body=b"X" + DATA[1:]), "hash to"),
    "shorter file": (Answer(body=DATA[:-1]), "would send 299999 bytes where 300000 are locked"),
    "longer file": (Answer(body=DATA + b"x"), "would send 300001 bytes"),
    "wrong Content-Length": (Answer(body=DATA, length=len(DATA) + 7), "would send 300007 bytes"),
    "gzip-encoded": (
        Answer(body=gzip.compress(DATA), headers={"content-encoding": "gzip"}),
        "sends gzip though the plain file was asked for",
    ),
    "huge body": (Answer(body=b"", length=1 << 40, stop_after=0), "would send 1099511627776 bytes"),
    "gone": (Answer(status=404), "HTTP 404"),
    "refused": (Answer(status=403), "HTTP 403"),
}


@pytest.mark.parametrize(("answer", "reason"), BAD.values(), ids=list(BAD))
def test_bad_answer_is_refused_and_the_next_address_serves(rig: Rig, answer: Answer, reason: str) -> None:
    bad = rig.server.on("/bad", answer)
    failure = rig.get(bad)
    assert failure is not None
    assert reason in failure.reasons[0]
    assert not rig.store.has(FILE.sha256)
    assert rig.nothing_bad_is_kept()
    assert rig.get(bad, rig.server.on("/good", GOOD)) is None
    assert rig.store.read(FILE) == DATA


def test_body_without_length_is_taken_if_right(rig: Rig) -> None:
    assert rig.get(rig.server.on("/f", Answer(body=DATA, without_length=True))) is None
    assert rig.store.read(FILE) == DATA


def test_body_without_length_is_cut_at_the_locked_size(rig: Rig) -> None:
    failure = rig.get(rig.server.on("/f", Answer(body=DATA * 20, without_length=True)))
    assert failure is not None
    assert "longer than the locked 300000 bytes" in failure.reasons[0]
    assert rig.nothing_bad_is_kept()
    assert sum(rig.told) == 0


def test_body_without_length_that_ends_early_is_continued(rig: Rig) -> None:
    url = rig.server.on("/f", Answer(body=DATA, stop_after=100_000, without_length=True), GOOD)
    assert rig.get(url) is None
    assert rig.store.read(FILE) == DATA


def test_gone_is_told_from_failing(rig: Rig) -> None:
    gone, broken = rig.server.on("/gone", Answer(status=410)), rig.server.on("/broken", Answer(status=500))
    assert (failure := rig.get(gone)) is not None
    assert failure.gone
    assert (failure := rig.get(gone, broken)) is not None
    assert not failure.gone
    assert (failure := rig.get()) is not None
    assert not failure.gone


@pytest.mark.parametrize("reset", [False, True], ids=["truncated", "reset"])
def test_broken_off_body_is_continued(rig: Rig, *, reset: bool) -> None:
    url = rig.server.on("/f", Answer(body=DATA, stop_after=100_000, length=len(DATA), reset=reset), GOOD)
    assert rig.get(url) is None
    assert rig.store.read(FILE) == DATA
    assert sum(rig.told) == len(DATA)
    asked = [request.headers.get("range") for request in rig.server.requests]
    assert asked[0] is None
    # A reset may lose what was sent but not yet read.
    assert reset or asked[1] == "bytes=100000-"


def test_server_without_ranges_is_asked_for_the_whole(rig: Rig) -> None:
    url = rig.server.on("/f", Answer(body=DATA, stop_after=100_000, length=len(DATA)), Answer(body=DATA, ranges=False))
    assert rig.get(url) is None
    assert rig.store.read(FILE) == DATA
    assert sum(rig.told) == len(DATA)


def test_continuing_what_another_address_began_wrongly_begins_anew(rig: Rig) -> None:
    wrong = rig.server.on(
        "/wrong", Answer(body=b"X" + DATA[1:], stop_after=100_000, length=len(DATA)), Answer(status=403)
    )
    assert rig.get(wrong, rig.server.on("/good", GOOD)) is None
    assert rig.store.read(FILE) == DATA
    assert [request.headers.get("range") for request in rig.server.asked("/good")] == ["bytes=100000-", None]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_temporary_refusal_is_asked_again_after_growing_pauses(rig: Rig, status: int) -> None:
    assert rig.get(rig.server.on("/f", Answer(status=status), Answer(status=status), GOOD)) is None
    assert rig.pauses == [0.5, 1.0]


def test_retry_after_is_honoured_within_reason(rig: Rig) -> None:
    later = Answer(status=429, headers={"retry-after": "7"})
    much_later = Answer(status=503, headers={"retry-after": "86400"})
    assert rig.get(rig.server.on("/f", later, much_later, GOOD)) is None
    assert rig.pauses == [7.0, 30.0]


def test_tries_are_bounded(rig: Rig) -> None:
    failure = rig.get(rig.server.on("/f", Answer(status=503)))
    assert failure is not None
    assert failure.reasons == (f"{rig.server.url('/f')}: HTTP 503",)
    assert len(rig.server.requests) == 4


def test_closed_port_is_a_failure_by_name(rig: Rig) -> None:
    failure = rig.get("http://127.0.0.1:1/f")
    assert failure is not None
    assert "refused" in failure.reasons[0]
    assert len(rig.pauses) == 3


def test_slow_body_ends_at_the_deadline(rig: Rig) -> None:
    failure = rig.get(rig.server.on("/f", Answer(body=DATA, pause_s=0.2)), deadline_s=0.3)
    assert failure is not None
    assert "too slow" in failure.reasons[0]


def test_redirect_is_followed(rig: Rig) -> None:
    rig.server.on("/f", GOOD)
    assert rig.get(rig.server.on("/r", Answer(status=302, headers={"location": "/f"}))) is None


def test_redirect_loop_ends(rig: Rig) -> None:
    failure = rig.get(rig.server.on("/r", Answer(status=302, headers={"location": "/r"})))
    assert failure is not None
    assert "more than 5 redirects" in failure.reasons[0]
    assert len(rig.server.requests) == 6


@pytest.mark.parametrize("target", ["http://[x/", "http://h:99999/"])
def test_redirect_to_what_is_no_address_is_a_failure(rig: Rig, target: str) -> None:
    failure = rig.get(rig.server.on("/f", Answer(status=302, headers={"location": target})))
    assert failure is not None
    assert "not an address" in failure.reasons[0] or "no address" in failure.reasons[0]


def test_what_is_no_address_is_shown_without_credentials() -> None:
    with pytest.raises(TransportError) as caught:
        origin("http://user:secret@host:99999/x")
    assert "secret" not in str(caught.value)
    assert redact("http://user:secret@[x") == "[x"
    assert redact("https://me:secret@mirror.example:8443/debian/x") == "https://mirror.example:8443/debian/x"


def test_redirect_to_a_local_file_is_refused(rig: Rig, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(DATA)
    failure = rig.get(rig.server.on("/r", Answer(status=302, headers={"location": secret.as_uri()})))
    assert failure is not None
    assert "a redirect leads to file:" in failure.reasons[0]


def test_credentials_stay_with_their_host(rig: Rig) -> None:
    with FaultServer() as other:
        other.on("/f", GOOD)
        rig.server.on("/r", Answer(status=302, headers={"location": other.url("/f")}))
        assert rig.get(rig.server.url("/r", user="me:secret")) is None
    assert rig.server.requests[0].headers["authorization"] == "Basic bWU6c2VjcmV0"
    assert "authorization" not in other.requests[0].headers


def test_credentials_of_an_index_serve_files_of_the_same_host(rig: Rig) -> None:
    rig.credentials = credentials_of([rig.server.url("/simple", user="me:secret")])
    rig.server.on("/f", GOOD)
    assert rig.get(rig.server.on("/r", Answer(status=302, headers={"location": "/f"}))) is None
    assert [request.headers.get("authorization") for request in rig.server.requests] == ["Basic bWU6c2VjcmV0"] * 2


def test_errors_hide_credentials(rig: Rig) -> None:
    rig.server.on("/f", Answer(status=401))
    failure = rig.get(rig.server.url("/f", user="me:secret"))
    assert failure is not None
    assert "secret" not in str(failure)


def test_local_file_is_read_and_its_absence_is_gone(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "a b.whl").write_bytes(DATA)
    assert (failure := rig.get((tmp_path / "none.whl").as_uri())) is not None
    assert failure.gone
    assert rig.get((tmp_path / "a b.whl").as_uri()) is None
    assert rig.store.read(FILE) == DATA


def test_one_bad_file_does_not_stop_the_others(rig: Rig) -> None:
    files = [LockedFile(name=f"{n}.whl", size=1000 + n, sha256=Digest.of(bytes(1000 + n))) for n in range(12)]
    wanted = [Wanted(file=f, urls=(rig.server.on(f"/{f.name}", Answer(body=bytes(f.size))),)) for f in files]
    rig.server.on("/5.whl", Answer(status=404))
    with HttpTransport() as transport:
        failures = download(wanted, rig.store, transport, workers=3)
    assert [failure.file.name for failure in failures] == ["5.whl"]
    assert sum(rig.store.has(file.sha256) for file in files) == 11


SCRIPT = textwrap.dedent("""
    import sys
    from pathlib import Path
    from builder.digest import Digest
    from builder.lock.model import LockedFile
    from builder.store.download import Wanted, download
    from builder.store.files import DirectoryFileStore
    from builder.store.transport import HttpTransport
    root, url, size, sha256 = sys.argv[1:]
    file = LockedFile(name="f", size=int(size), sha256=Digest(sha256))
    with HttpTransport() as transport:
        sys.exit(len(download([Wanted(file=file, urls=(url,))], DirectoryFileStore(Path(root)), transport)))
""")


def start_download(rig: Rig, url: str) -> subprocess.Popen[bytes]:
    arguments = [str(rig.store.root), url, str(FILE.size), FILE.sha256.hex]
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments])


def wait_for(path: Path, size: int) -> None:
    deadline = time.monotonic() + 20
    while not (path.exists() and path.stat().st_size >= size):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_killed_download_is_continued(rig: Rig) -> None:
    url = rig.server.on("/f", Answer(body=DATA, pause_s=0.3), GOOD)
    process = start_download(rig, url)
    wait_for(rig.store.root / "partial" / FILE.sha256.hex, 1 << 16)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not rig.store.has(FILE.sha256)
    assert rig.get(url) is None
    assert rig.store.read(FILE) == DATA
    assert int(rig.server.requests[-1].headers["range"].removeprefix("bytes=").removesuffix("-")) >= 1 << 16


def test_two_processes_download_a_file_once(rig: Rig) -> None:
    url = rig.server.on("/f", Answer(body=DATA, pause_s=0.1))
    processes = [start_download(rig, url) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert len(rig.server.requests) == 1
    assert rig.store.read(FILE) == DATA


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system, which only root may")
def test_full_disk_is_said_and_leaves_no_file(rig: Rig, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(small)], check=False)
    if mount.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        rig.store = DirectoryFileStore(small)
        with pytest.raises(OSError, match="No space left on device"):
            rig.get(rig.server.on("/f", GOOD))
        with pytest.raises(OSError, match="No space left on device"):
            rig.store.add(DATA)
        assert not rig.store.has(FILE.sha256)
        assert not list((small / "tmp").iterdir())
    finally:
        subprocess.run(["umount", str(small)], check=True)


@given(st.text(max_size=40))
def test_retry_after_of_any_text_is_a_pause_or_nothing(text: str) -> None:
    found = retry_after({"retry-after": text}, now=0.0)
    assert found is None or found >= 0


def test_retry_after_with_a_zone_that_is_none_is_nothing() -> None:
    assert retry_after({"retry-after": "Mon, 01 Jan 2024 00:00:00 +" + "9" * 20}, now=0.0) is None


def test_retry_after_may_be_a_date() -> None:
    assert retry_after({"retry-after": formatdate(1_000_060, usegmt=True)}, now=1_000_000) == 60


def test_messages_show_neither_credentials_nor_queries_of_addresses() -> None:
    assert shown("https://me:secret@h.example/x.whl?sig=secret&a=1#secret") == "https://h.example/x.whl?***"
    assert shown("https://h.example/x.whl") == "https://h.example/x.whl"
    error = TransportError("no", url="https://h.example/x.whl?X-Amz-Signature=secret", temporary=False)
    assert "secret" not in str(error)
