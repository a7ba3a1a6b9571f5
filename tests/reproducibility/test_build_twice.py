"""The same locks give the same bytes, whoever builds them, wherever and however."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import Built
from tests.support.filled_store import files_of_stack, link_files
from tests.support.tools import ROOT

BUILD_MADE_UP = """
import os, sys
from pathlib import Path
from builder.digest import Digest
from builder.image.assemble import assemble
from builder.image.layout_folder import write_layout
from builder.image.output import image_blobs
from tests.support.made_up import PLATFORMS, make_world

os.umask(int(sys.argv[2], 8))
world = make_world(Path(sys.argv[1]))
assembly = world.assembly(threads=int(sys.argv[3]))
image = assemble(world.stack, world.base, lock_digest=Digest.of(b"lock"), platforms=PLATFORMS, assembly=assembly)
write_layout(Path(sys.argv[1]) / "layout", image_blobs(image))
"""


@dataclass(frozen=True)
class Surroundings:
    """Everything that may not matter."""

    umask: int = 0o022
    jobs: int = 2
    uid: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)


ONE = Surroundings(env={"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"})
OTHER = Surroundings(
    umask=0o077,
    jobs=5,
    uid=65534,
    env={"TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "4242", "LANG": "xx"},
)


def _run(argv: list[str], surroundings: Surroundings, cwd: Path, **env: str) -> str:
    keep = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*_as_user(surroundings), *argv],
        cwd=cwd,
        env={**keep, "HOME": str(cwd), **surroundings.env, **env},
        umask=surroundings.umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _as_user(surroundings: Surroundings) -> list[str]:
    """Become another user, who may read what root may (this Python can lie in root's home) and write only his own."""
    if surroundings.uid is None or os.geteuid() != 0:
        return []
    ids = [f"--reuid={surroundings.uid}", f"--regid={surroundings.uid}", "--clear-groups", "--no-new-privs"]
    return ["setpriv", *ids, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


def _diff(one: Path, other: Path) -> str:
    return subprocess.run(["diff", "-r", str(one), str(other)], capture_output=True, text=True, check=False).stdout


def _folder(parent: Path, name: str, surroundings: Surroundings) -> Path:
    folder = parent / name
    folder.mkdir(parents=True)
    if surroundings.uid is not None and os.geteuid() == 0:
        os.chown(folder, surroundings.uid, surroundings.uid)
    return folder


def test_a_made_up_image_is_the_same_in_other_surroundings(tmp_path: Path) -> None:
    layouts = []
    for name, surroundings in (("one", ONE), ("a longer/other name", OTHER)):
        own = Surroundings(umask=surroundings.umask, jobs=surroundings.jobs, env=surroundings.env)
        folder = _folder(tmp_path, name, own)
        argv = [sys.executable, "-c", BUILD_MADE_UP, str(folder), f"{own.umask:o}", str(own.jobs)]
        _run(argv, own, folder)
        layouts.append(folder / "layout")
    assert _diff(*layouts) == ""
    assert len(list((layouts[0] / "blobs" / "sha256").iterdir())) == 12


@pytest.mark.slow
@pytest.mark.network
def test_core_is_the_same_for_another_user_elsewhere(core: Built, tmp_path: Path) -> None:
    """Both platforms of the real stack, no cache shared; as root also by another user."""
    folder = _folder(tmp_path, "other", OTHER)
    cache = _folder(folder, "cache", OTHER)
    # The other user reads the same locked files, through a store of its own.
    link_files(cache, files_of_stack("core"))
    for path in (path for path in (cache, *cache.rglob("*")) if path.is_dir()):
        path.chmod(0o755)
        if OTHER.uid is not None and os.geteuid() == 0:
            os.chown(path, OTHER.uid, OTHER.uid)
    argv = [sys.executable, "-m", "builder", "--project", str(ROOT), "build", "core", "--json"]
    argv += ["--jobs", str(OTHER.jobs), "--output", str(folder / "layout")]
    answer = json.loads(_run(argv, OTHER, folder, AIRFLOW_KUBLER_CACHE=str(cache)))
    assert answer == core.summary
    assert _diff(core.folder, folder / "layout") == ""
