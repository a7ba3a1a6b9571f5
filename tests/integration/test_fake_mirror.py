"""Locking a base against a mirror in a folder, signed with a key that lives for this test only."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.debian.client import MirrorClient
from builder.debian.mirrors import Mirror, Mirrors
from builder.errors import MirrorError, ResolutionError, StackError
from builder.lock.base import check_base_lock, dump_base_lock, parse_base_lock
from builder.lock.model import BaseLock
from builder.platform import AMD64
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from builder.store.transport import HttpTransport
from builder.usecase.base_notes import BaseNotes
from builder.usecase.lock_base import lock_base
from tests.support.archive_keys import Signer, new_signer
from tests.support.bases import make_base
from tests.support.fake_mirror import NOW, PACKAGES, FakeMirror

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(not (shutil.which("gpg") and shutil.which("gpgv")), reason="needs gpg and gpgv"),
]


@pytest.fixture(scope="module")
def signer() -> Iterator[Signer]:
    with new_signer() as made:
        yield made


BASE = make_base(roots=("bash", "tzdata", "python3.13-minimal"), cuts=("debconf",), platforms=(AMD64,))


def lock(
    tmp_path: Path, *mirrors: Mirror, previous: BaseLock | None = None, notes: BaseNotes | None = None
) -> BaseLock:
    with HttpTransport() as transport:
        client = MirrorClient(transport, DirectoryFileStore(tmp_path / "cache"), Mirrors(mirrors=mirrors), now=NOW)
        return lock_base(BASE, client, previous, notes)


def test_a_base_is_locked_and_the_same_state_gives_the_same_bytes(tmp_path: Path, signer: Signer) -> None:
    mirror = FakeMirror(tmp_path / "mirror", signer).publish()
    made = lock(tmp_path, mirror)
    assert [(deb.package, deb.version, deb.architecture) for deb in made.debs] == [
        ("bash", "5", "amd64"),
        ("libc6", "2.41-1+deb13u1", "amd64"),
        ("python3.13-minimal", "3.13.5-2", "amd64"),
        ("tzdata", "2026a", "all"),
    ]
    assert (made.python_version, made.glibc, made.created) == ("3.13.5", "2.41", NOW - 1000)
    assert check_base_lock(BASE, made)
    assert not check_base_lock(dataclasses.replace(BASE, roots=("bash",)), made)
    data = dump_base_lock(made)
    assert str(tmp_path).encode() not in data
    assert parse_base_lock(data, file="locks/base.made-up.toml") == made
    assert dump_base_lock(lock(tmp_path / "elsewhere", mirror, previous=made)) == data


def test_an_index_in_the_cache_is_not_asked_for_again(tmp_path: Path, signer: Signer) -> None:
    fake = FakeMirror(tmp_path / "mirror", signer)
    made = lock(tmp_path, fake.publish())
    shutil.rmtree(tmp_path / "mirror/dists/trixie/main")
    assert lock(tmp_path, Mirror(url=fake.root.as_uri(), security=False, keyrings=(signer.public,))) == made


def test_what_came_of_an_index_is_known_by_its_hash_and_the_release_file_is_checked_all_the_same(
    tmp_path: Path, signer: Signer
) -> None:
    fake, notes = FakeMirror(tmp_path / "mirror", signer), BaseNotes(DirectoryArtefactStore(tmp_path / "notes"), "ours")
    made = lock(tmp_path, fake.publish(), notes=notes)
    fake.date += 60
    mirror = fake.publish()
    shutil.rmtree(tmp_path / "mirror/dists/trixie/main")
    assert lock(tmp_path / "no cache", mirror, previous=made, notes=notes) == made
    assert lock(tmp_path / "no cache", mirror, notes=notes).created == made.created + 60
    fake.spoil_release = lambda data: data.replace(b"Codename: trixie", b"Codename: bookworm")
    with pytest.raises(MirrorError):
        lock(tmp_path / "no cache", fake.publish(), previous=made, notes=notes)


def test_a_mirror_without_by_hash_is_asked_by_name(tmp_path: Path, signer: Signer) -> None:
    assert lock(tmp_path, FakeMirror(tmp_path / "mirror", signer, by_hash=False).publish()).debs


def test_an_index_that_a_mirror_lost_by_name_is_had_by_hash(tmp_path: Path, signer: Signer) -> None:
    mirror = FakeMirror(tmp_path / "mirror", signer).publish()
    (tmp_path / "mirror/dists/trixie/main/binary-amd64/Packages.xz").write_bytes(b"of tomorrow")
    assert lock(tmp_path, mirror).debs


def test_the_next_mirror_is_asked_where_the_first_has_nothing(tmp_path: Path, signer: Signer) -> None:
    absent = Mirror(url=(tmp_path / "absent").as_uri(), security=False, keyrings=(signer.public,))
    assert lock(tmp_path, absent, FakeMirror(tmp_path / "mirror", signer).publish()).debs


def changed_text(data: bytes) -> bytes:
    return data.replace(b"Origin: Debian", b"Origin: Nobody")


def unsigned(data: bytes) -> bytes:
    return data.partition(b"\n\n")[2].partition(b"-----BEGIN PGP SIGNATURE")[0]


def prefixed(data: bytes) -> bytes:
    return b"Origin: Evil\n" + data


def doubled(data: bytes) -> bytes:
    return data + data


def grown(data: bytes) -> bytes:
    return data + b"x"


def turned(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"spoil_release": changed_text}, "a signature is bad: the text was changed after it was signed"),
        ({"spoil_release": unsigned}, "not one clear-signed text"),
        ({"spoil_release": prefixed}, "not one clear-signed text"),
        ({"spoil_release": doubled}, "not one clear-signed text"),
        ({"valid_until": NOW - 7200}, "its Valid-Until passed 2 hours ago"),
        ({"date": NOW + 90_000}, "its Date lies in the future"),
        ({"codename": "forky"}, "this is suite 'forky', codename 'forky', not 'trixie'"),
        ({"spoil_index": grown}, "its answer is larger than"),
        ({"spoil_index": lambda data: data[:-1]}, "its Release file says"),
        ({"spoil_index": turned}, "has another sha256 than its Release file says"),
        ({"packages": "bash 5 | Filename: ../../x.deb"}, "unsound field: Filename '../../x.deb'"),
    ],
    ids=[
        "bad signature",
        "no signature",
        "text before",
        "two texts",
        "expired",
        "future",
        "other suite",
        "too long",
        "too short",
        "wrong hash",
        "hostile path",
    ],
)
def test_a_wrong_mirror_is_refused(tmp_path: Path, signer: Signer, change: dict[str, object], reason: str) -> None:
    mirror = dataclasses.replace(FakeMirror(tmp_path / "mirror", signer), **change).publish()  # type: ignore[arg-type]
    with pytest.raises(MirrorError) as refused:
        lock(tmp_path, mirror)
    assert reason in str(refused.value)


def test_a_mirror_signed_by_another_key_is_refused(tmp_path: Path, signer: Signer) -> None:
    with new_signer() as other:
        mirror = FakeMirror(tmp_path / "mirror", other).publish()
    with pytest.raises(MirrorError, match="no good signature by a known key"):
        lock(tmp_path, dataclasses.replace(mirror, keyrings=(signer.public,)))


def test_a_mirror_older_than_the_lock_before_is_refused(tmp_path: Path, signer: Signer) -> None:
    made = lock(tmp_path, FakeMirror(tmp_path / "new", signer).publish())
    old = FakeMirror(tmp_path / "old", signer, date=NOW - 5000).publish()
    with pytest.raises(MirrorError, match="older than the one that the lock was made from"):
        lock(tmp_path, old, previous=made)


def test_a_cut_that_cuts_nothing_is_an_error(tmp_path: Path, signer: Signer) -> None:
    mirror = FakeMirror(tmp_path / "mirror", signer, packages=PACKAGES.replace(", debconf", "")).publish()
    with pytest.raises(StackError) as refused:
        lock(tmp_path, mirror)
    assert str(refused.value).startswith("stacks/bases/made-up.toml: cuts: cuts that cut nothing: debconf")


def test_a_need_that_nobody_offers_says_who_wants_it(tmp_path: Path, signer: Signer) -> None:
    mirror = FakeMirror(tmp_path / "mirror", signer, packages=PACKAGES.replace("(>= 2)", "(>= 3)")).publish()
    with pytest.raises(ResolutionError, match=r"nothing satisfies libc6 \(>= 3\): bash is a root"):
        lock(tmp_path, mirror)


def test_no_configured_mirror_is_said_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(MirrorError) as refused:
        lock(tmp_path)
    assert str(refused.value) == (
        "no Debian mirror is configured for trixie\n"
        "  add Debian to apt's sources, or set `mirror` in [debian] of the configuration file"
    )
