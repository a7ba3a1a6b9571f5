"""A base that is an image: our own trixie, from a layout and from a registry; core's wheels on it; Airflow runs."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.digest import Digest
from builder.lock.base import parse_base_lock
from builder.lock.model import BaseLock
from builder.lock.pylock import dump_stack_lock, parse_stack_lock
from builder.platform import platform_of_machine
from builder.usecase.build_base import build_base
from builder.wiring.images import build_tools
from tests.support.bills import iter_components
from tests.support.registries import skopeo
from tests.support.tools import ROOT, registry, run_tool

pytestmark = [pytest.mark.tools, pytest.mark.network]
PLATFORM = platform_of_machine(os.uname().machine)
BASE = """
description = "trixie, as an image"
[image]
{place}
platforms = ["{platform}"]
[python]
version = "3.13"
"""
STACK = 'description = "core"\nowners = ["team:x"]\n[airflow]\nversion = "3.3.2"\n[base]\nname = "theirs"\n'


@pytest.fixture(scope="module")
def trixie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lock = parse_base_lock((ROOT / "locks/base.trixie.toml").read_bytes(), file="locks/base.trixie.toml")
    folder = tmp_path_factory.mktemp("trixie") / "layout"
    build_base(lock, folder, build_tools(2), platforms=(PLATFORM,))
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "stacks/bases").mkdir(parents=True)
    (tmp_path / "stacks/core").mkdir()
    (tmp_path / "locks").mkdir()
    (tmp_path / "stacks/core/stack.toml").write_text(STACK)
    return tmp_path


def kubler(project: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    return run_tool(ROOT / ".venv/bin/python", "-m", "builder", "--project", project, *arguments, env=env)


def lock_base(project: Path, place: str) -> BaseLock:
    path = project / "stacks/bases/theirs.toml"
    path.write_text(BASE.format(place=place, platform=PLATFORM.name))
    kubler(project, "lock", "--base", "theirs")
    return parse_base_lock((project / "locks/base.theirs.toml").read_bytes(), file="locks/base.theirs.toml")


def put_core_on(project: Path) -> None:
    """Write core's own lock as one on the base, for this machine's platform."""
    core = parse_stack_lock((ROOT / "locks/pylock.core.toml").read_bytes(), file="core")
    base = Digest.of((project / "locks/base.theirs.toml").read_bytes())
    wheels = [
        replace(candidate, wheels={PLATFORM.name: candidate.wheels[PLATFORM.name]})
        for candidate in core.candidates_for(PLATFORM)
    ]
    lock = replace(core, base="theirs", base_lock=base, platforms=(PLATFORM,), candidates=tuple(wheels))
    (project / "locks/pylock.core.toml").write_bytes(dump_stack_lock(lock))


def layers_of(text: str) -> list[str]:
    return [layer["digest"] for layer in json.loads(text)["platforms"][PLATFORM.name]["layers"]]


def test_core_on_an_image_has_the_images_layers_and_its_own_distributions(project: Path, trixie: Path) -> None:
    lock = lock_base(project, f'layout = "{trixie}"')
    put_core_on(project)
    ours = layers_of(kubler(project, "build", "core", "--json"))
    core = layers_of(kubler(ROOT, "build", "core", "--platform", PLATFORM.name, "-o", str(project / "out"), "--json"))
    assert ours[:3] == [str(layer.file.sha256) for layer in lock.images[0].layers]
    assert ours[:2] == core[:2]
    # The same Debian build of Python compiled the same bytecode: only the contract differs.
    assert ours[4:] == core[3:]
    said = kubler(project, "run", "core", "--", "airflow", "version")
    assert said.strip().endswith("3.3.2")


def test_the_bill_of_an_image_on_an_image_lists_what_that_on_its_debs_does(project: Path, trixie: Path) -> None:
    lock_base(project, f'layout = "{trixie}"')
    put_core_on(project)
    ours, core = (json.loads(kubler(folder, "sbom", "core", "--platform", PLATFORM.name)) for folder in (project, ROOT))

    def listed(bill: dict[str, Any]) -> dict[str, Any]:
        return {one["purl"]: one.get("licenses") for one in iter_components(bill) if "purl" in one}

    assert listed(ours).keys() == listed(core).keys()
    # Its copyright file is another package's, by a link of folders that the base leaves out: in the image it has none.
    differ = {purl for purl, licences in listed(core).items() if listed(ours)[purl] != licences}
    assert {purl.partition("@")[0] for purl in differ} == {"pkg:deb/debian/libncursesw6"}
    assert [one["version"] for one in ours["components"] if one["type"] == "operating-system"] == ["13.8"]
    # Without the layers, the lock of the base still says its packages.
    names = [
        {
            one["name"]
            for one in json.loads(kubler(folder, "lock", "export", "core", "--format", "cyclonedx"))["components"]
        }
        for folder in (project, ROOT)
    ]
    assert {name for name in names[1] if not name.startswith("/")} == {
        name for name in names[0] if not name.startswith("/")
    }


def test_an_image_is_pulled_by_digest_and_the_lock_is_that_of_the_layout(
    project: Path, trixie: Path, tmp_path: Path
) -> None:
    from_layout = lock_base(project, f'layout = "{trixie}"')
    (tmp_path / "registry").mkdir()
    with registry(tmp_path / "registry") as host:
        name = f"{host.host}/bases/trixie"
        skopeo("copy", "--all", "--preserve-digests", "--dest-tls-verify=false", f"oci:{trixie}", f"docker://{name}:13")
        index = json.loads((trixie / "index.json").read_bytes())["manifests"][0]["digest"]
        pulled = lock_base(project, f'reference = "{name}@{index}"')
        assert replace(pulled, inputs=from_layout.inputs, base=from_layout.base) == from_layout
        assert host.host.encode() not in (project / "locks/base.theirs.toml").read_bytes()
        put_core_on(project)
        env = {"AIRFLOW_KUBLER_CACHE": str(tmp_path / "cache")}
        code = (
            "import sys; from pathlib import Path; from builder.project import Project; "
            "from builder.lock.base import parse_base_lock; from builder.wiring.fetching import _layer_of; "
            "from builder.wiring.stores import make_file_store; p = Project(root=Path(sys.argv[1])); "
            "lock = parse_base_lock((p.root / 'locks/base.theirs.toml').read_bytes(), file='x'); "
            "[make_file_store().add_stream(_layer_of(p)(lock, one), one.file) for one in lock.images[0].layers]"
        )
        run_tool(ROOT / ".venv/bin/python", "-c", code, project, env=env)
    files = [path.name for path in (tmp_path / "cache/files/sha256").rglob("*") if path.is_file()]
    assert sorted(files) == sorted(layer.file.sha256.hex for layer in pulled.images[0].layers)


@pytest.mark.slow
def test_an_image_on_an_image_is_verified_without_any_cache(project: Path, trixie: Path) -> None:
    lock_base(project, f'layout = "{trixie}"')
    put_core_on(project)
    kubler(project, "build", "core")
    kubler(project, "verify", "core")


def test_an_image_that_is_not_there_is_told(project: Path, tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()
    with registry(tmp_path / "registry") as host:
        text = BASE.format(place=f'reference = "{host.host}/none@{Digest.of(b"")}"', platform=PLATFORM.name)
        (project / "stacks/bases/theirs.toml").write_text(text)
        done = subprocess.run(
            [str(ROOT / ".venv/bin/python"), "-m", "builder", "--project", str(project), "lock", "--base", "theirs"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 3, done.stderr
    assert "there is no such image" in done.stderr
