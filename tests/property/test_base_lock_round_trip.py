"""Base locks: what is written reads as it was, and writes the same again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from builder.digest import Digest
from builder.lock.base import dump_base_lock, parse_base_lock
from builder.lock.model import BaseLock, LockedDeb, LockedFile, ReleaseRecord
from builder.platform import AMD64, ARM64
from builder.stack.inputs import base_inputs_digest
from builder.stack.model import BaseFile
from tests.support.bases import make_base

NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,20}", fullmatch=True)
VERSIONS = st.from_regex(r"([0-9]:)?[0-9][A-Za-z0-9.+~]{0,10}(-[0-9a-z+~.]{1,5})?", fullmatch=True)
DIGESTS = st.binary(max_size=8).map(Digest.of)
EPOCHS = st.integers(min_value=0, max_value=1 << 35)
PLATFORMS = {"amd64": (AMD64,), "arm64": (ARM64,), "all": (AMD64, ARM64)}


@st.composite
def debs(draw: st.DrawFn) -> LockedDeb:
    package, version, architecture = draw(NAMES), draw(VERSIONS), draw(st.sampled_from(sorted(PLATFORMS)))
    name = f"{package}_{version.rpartition(':')[2]}_{architecture}.deb"
    return LockedDeb(
        package=package,
        version=version,
        architecture=architecture,
        source=draw(NAMES),
        suite=draw(st.sampled_from(["trixie", "trixie-security"])),
        pool_path=f"pool/main/{name}",
        file=LockedFile(name=name, size=draw(st.integers(min_value=1, max_value=1 << 39)), sha256=draw(DIGESTS)),
        platforms=PLATFORMS[architecture],
    )


@st.composite
def locks(draw: st.DrawFn) -> BaseLock:
    content = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=60)
    files = [BaseFile(path=f"etc/{position}", content=text) for position, text in enumerate(draw(st.lists(content)))]
    base = make_base(files=files)
    found = draw(st.lists(debs(), unique_by=lambda deb: (deb.package, deb.architecture, deb.version)))
    return BaseLock(
        name=base.name,
        inputs=base_inputs_digest(base),
        release=base.release,
        python_version="3.13.5",
        glibc="2.41",
        created=draw(EPOCHS),
        releases=tuple(
            ReleaseRecord(suite=suite, date=draw(EPOCHS), sha256=draw(DIGESTS))
            for suite in ("trixie", "trixie-security")
        ),
        debs=tuple(sorted(found, key=lambda deb: (deb.package, deb.architecture, deb.version))),
        base=base,
    )


@given(locks())
def test_a_base_lock_reads_as_it_was_written_and_writes_the_same_again(lock: BaseLock) -> None:
    data = dump_base_lock(lock)
    again = parse_base_lock(data, file="locks/base.made-up.toml")
    assert again == lock
    assert dump_base_lock(again) == data
