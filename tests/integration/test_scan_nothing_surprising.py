"""Nothing in an image gains rights, hides a path or depends on the compression; children share their parents' layers."""

from __future__ import annotations

import hashlib
import posixpath
import tarfile
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from builder.image.contract import AIRFLOW_UID
from builder.platform import PLATFORMS
from builder.project import Project
from builder.stack.graph import effective_stack
from tests.conftest import Build, Built
from tests.support.core_image import Layers, inflate, stack_lock
from tests.support.tools import ROOT

pytestmark = [pytest.mark.network, pytest.mark.slow]

_STICKY_FOLDERS = {"run/lock", "tmp", "var/tmp"}
_OWN_FOLDERS = {
    "home/airflow",
    *("opt/airflow", "opt/airflow/config", "opt/airflow/dags", "opt/airflow/logs", "opt/airflow/plugins"),
}
_WRITABLE_FILES = {"etc/passwd"}
"""The entrypoint adds a user who is not known, as OpenShift gives one."""
_SECRETIVE = {"etc/shadow", "etc/ssl/private", "root", "var/cache/ldconfig"}
"""As on every Debian; the image's user has no business there."""
_MTIME = 1_790_000_000


@pytest.fixture(scope="module", params=["core-amd64", "core-arm64", "core-py311-amd64"])
def layers(request: pytest.FixtureRequest, build_stack: Build) -> Layers:
    """One platform of a shipped stack."""
    stack, _, architecture = request.param.rpartition("-")
    return _layers(build_stack(stack, "zstd"), architecture)


def _layers(built: Built, architecture: str) -> Layers:
    return Layers(folder=built.folder, image=built.platform(architecture))


def _names(tree: Mapping[str, tarfile.TarInfo], bits: int) -> set[str]:
    return {path for path, entry in tree.items() if not entry.issym() and entry.mode & bits}


def test_no_set_id_bits(layers: Layers) -> None:
    assert _names(layers.tree(), 0o6000) == set()


def test_only_sticky_folders_are_open_to_everyone(layers: Layers) -> None:
    tree = layers.tree()
    assert _names(tree, 0o002) == _STICKY_FOLDERS
    assert _names(tree, 0o1000) == _STICKY_FOLDERS


def test_the_image_user_may_write_its_own_folders_only(layers: Layers) -> None:
    tree = layers.tree()
    writable = {path for path, entry in tree.items() if not entry.issym() and _may(entry, 2)}
    assert writable == _OWN_FOLDERS | _WRITABLE_FILES | _STICKY_FOLDERS


def test_the_image_user_may_read_everything_but_secrets(layers: Layers) -> None:
    hidden = set()
    for path, entry in layers.tree().items():
        if not entry.issym() and not _may(entry, 5 if entry.isdir() else 4):
            hidden.add(path)
    assert hidden == _SECRETIVE


def _may(entry: tarfile.TarInfo, bits: int) -> bool:
    """Tell what the mode gives to user 50000 with group 0; the nearest class alone decides."""
    shift = 6 if entry.uid == AIRFLOW_UID else 3 if entry.gid == 0 else 0
    return (entry.mode >> shift) & bits == bits


def test_entries_are_files_folders_and_links(layers: Layers) -> None:
    entries = [entry for layer in layers.headers() for entry in layer]
    kinds = {tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE}
    assert {entry.type for entry in entries} <= kinds
    assert [entry.name for entry in entries if posixpath.basename(entry.name).startswith(".wh.")] == []
    # Extended attributes would be capabilities.
    assert {key for entry in entries for key in entry.pax_headers} <= {"path", "linkpath"}
    assert {entry.mtime for entry in entries} == {_MTIME}


def test_paths_are_plain(layers: Layers) -> None:
    names = [entry.name for layer in layers.headers() for entry in layer]
    assert [name for name in names if name != posixpath.normpath(name) or name.startswith(("/", "../"))] == []


def test_hard_links_lead_to_a_file_before_them_in_the_layer(layers: Layers) -> None:
    astray = []
    for layer in layers.headers():
        files: set[str] = set()
        for entry in layer:
            if entry.isreg():
                files.add(entry.name)
            elif entry.islnk() and entry.linkname not in files:
                astray.append(entry.name)
    assert astray == []


def test_a_layer_names_a_path_once(layers: Layers) -> None:
    twice = [
        (number, name)
        for number, layer in enumerate(layers.headers())
        for name, count in Counter(entry.name for entry in layer).items()
        if count > 1
    ]
    assert twice == []


def test_no_layer_hides_a_file_of_another(layers: Layers) -> None:
    count = Counter(entry.name for layer in layers.headers() for entry in layer if not entry.isdir())
    assert [name for name, times in count.items() if times > 1] == []
    folders = {entry.name for layer in layers.headers() for entry in layer if entry.isdir()}
    assert folders & count.keys() == set()


def test_layers_agree_on_folders(layers: Layers) -> None:
    stated: dict[str, set[tuple[int, int, int]]] = {}
    for layer in layers.headers():
        for entry in layer:
            if entry.isdir():
                stated.setdefault(entry.name, set()).add((entry.mode, entry.uid, entry.gid))
    assert {name: modes for name, modes in stated.items() if len(modes) > 1} == {}


def test_layers_carry_the_parents_of_what_they_hold(layers: Layers) -> None:
    orphans = []
    for number, layer in enumerate(layers.headers()):
        folders = {""}
        for entry in layer:
            if posixpath.dirname(entry.name) not in folders:
                orphans.append((number, entry.name))
            if entry.isdir():
                folders.add(entry.name)
    assert orphans == []


@pytest.mark.parametrize("stack", ["core", "core-py311", "aws"])
def test_layers_are_within_the_budget(build_stack: Build, stack: str) -> None:
    budget = effective_stack(Project(root=ROOT).load_stacks(), stack).layers
    built = build_stack(stack, "zstd")
    assert all(len(image.manifest.layers) <= budget for image in built.image.platforms)


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_a_child_begins_with_its_parents_layers(build_stack: Build, architecture: str) -> None:
    parent, child = (build_stack(stack, "zstd").platform(architecture) for stack in ("core", "aws"))
    shared = len(parent.manifest.layers)
    assert child.manifest.layers[:shared] == parent.manifest.layers
    assert child.config.diff_ids[:shared] == parent.config.diff_ids
    assert len(child.manifest.layers) > shared


def test_layers_of_the_same_wheels_are_one_blob_for_both_platforms(core: Built) -> None:
    lock = stack_lock("core")
    wheels = {
        name: {candidate.project: candidate.wheels[name] for candidate in lock.candidates_for(PLATFORMS[name])}
        for name in core.summary["platforms"]
    }
    shared = 0
    pairs = zip(*(platform["layers"] for platform in core.summary["platforms"].values()), strict=True)
    for one, other in pairs:
        used = [
            {project: of_platform[project] for project in _projects(layer)}
            for layer, of_platform in zip((one, other), wheels.values(), strict=True)
        ]
        if used[0] and used[0] == used[1]:
            assert one["digest"] == other["digest"]
            shared += 1
    assert shared > 3


def _projects(layer: Mapping[str, Any]) -> list[str]:
    return [distribution.partition("==")[0] for distribution in layer["distributions"]]


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_both_compressions_inflate_to_the_diff_ids(core: Built, core_gzip: Built, architecture: str) -> None:
    zstd, gzip = (_layers(built, architecture) for built in (core, core_gzip))
    assert gzip.image.manifest.config == zstd.image.manifest.config
    for layers in (zstd, gzip):
        inflated = [hashlib.sha256(inflate(path)).hexdigest() for path in layers.paths]
        assert inflated == [diff_id.hex for diff_id in layers.image.config.diff_ids]
