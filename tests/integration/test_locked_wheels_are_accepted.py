"""Every wheel of every shipped stack passes intake, and other readers see in it what we see."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from builder.entry import Entry
from builder.lock.pylock import parse_stack_lock
from builder.store.files import DirectoryFileStore
from builder.store.location import cache_root
from builder.wheel.install import install_entries
from builder.wheel.overlap import check_overlap
from builder.wheel.wheel import read_wheel
from tests.conftest import Kubler, fetch_files
from tests.support.tools import ROOT

pytestmark = [pytest.mark.network, pytest.mark.slow]

STACKS = sorted(path.name.split(".")[1] for path in (ROOT / "locks").glob("pylock.*.toml"))


@pytest.mark.parametrize("stack", STACKS)
def test_every_wheel_passes_and_reads_as_zipfile_reads_it(stack: str, kubler: Kubler) -> None:
    fetch_files(kubler, stack)
    store = DirectoryFileStore(cache_root(os.environ))
    lock = parse_stack_lock(Path(ROOT / "locks" / f"pylock.{stack}.toml").read_bytes(), file=stack)
    python = ".".join(lock.python_version.split(".")[:2])
    for platform in lock.platforms:
        paths: dict[str, list[str]] = {}
        first: dict[str, Entry] = {}
        for candidate in lock.candidates_for(platform):
            locked = candidate.wheels[platform.name]
            data = store.read(locked)
            wheel = read_wheel(data, file_name=locked.name)
            assert wheel.project == candidate.project
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                theirs = sorted(info.filename for info in archive.infolist() if not info.is_dir())
            assert sorted(member.name for member in wheel.members) == theirs
            entries = install_entries(wheel, python=python)
            # A file that is alike to the byte is left to the first distribution: docs/decisions/0007.
            paths[locked.name] = [entry.path for entry in entries if first.get(entry.path) != entry]
            first |= {entry.path: entry for entry in entries}
        check_overlap(paths)
