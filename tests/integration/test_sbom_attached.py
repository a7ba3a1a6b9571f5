"""A bill beside its image, as other tools find it: on a registry with referrers, and on one without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.digest import Digest
from tests.support.bill_project import make_bill_project
from tests.support.bills import check_spdx
from tests.support.registries import any_registry
from tests.support.registry_images import close_clients
from tests.support.tools import require_tool, run_tool

pytestmark = pytest.mark.tools


@pytest.mark.parametrize("kind", ["docker-registry", "small"])
def test_oras_finds_and_pulls_what_was_attached(kind: str, tmp_path: Path) -> None:
    require_tool("oras")
    (tmp_path / "registry").mkdir()
    project = make_bill_project(tmp_path / "project")
    with any_registry(kind, tmp_path / "registry") as host:
        name = f"{host}/team/airflow"
        project.push(name)
        for form in ("cyclonedx", "spdx"):
            done = project.run("sbom", "core", "--format", form, "--attach", f"{name}:dev")
            assert done.exit_code == 0, done.output
        plain = ("--plain-http", "--format", "json")
        told = json.loads(run_tool("oras", "discover", *plain, "--platform", "linux/amd64", f"{name}:dev"))
        found = {one["artifactType"]: one["digest"] for one in told.get("referrers") or told["manifests"]}
        assert set(found) == {"application/vnd.cyclonedx+json", "application/spdx+json"}
        digest = found["application/spdx+json"]
        run_tool(
            "oras", "blob", "fetch", "--plain-http", "--output", tmp_path / "bill", f"{name}@{_blob(name, digest)}"
        )
        close_clients()
    data = (tmp_path / "bill").read_bytes()
    check_spdx(data, tmp_path)
    root = next(one for one in json.loads(data)["packages"] if one["SPDXID"] == "SPDXRef-ContainerImage")
    amd64 = next(one for one in project.recorded.image.platforms if one.platform.architecture == "amd64")
    assert root["checksums"][0]["checksumValue"] == amd64.descriptor.digest.hex


def _blob(name: str, digest: str) -> str:
    manifest = json.loads(run_tool("oras", "manifest", "fetch", "--plain-http", f"{name}@{digest}"))
    (layer,) = manifest["layers"]
    return str(Digest.parse(layer["digest"]))
