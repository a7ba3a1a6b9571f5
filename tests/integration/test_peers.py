"""The image as others see it: skopeo, docker-registry, umoci and docker."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from builder.digest import Digest
from tests.conftest import Built, Kubler
from tests.support.tools import ROOT, Registry, require_tool, run_tool

pytestmark = [pytest.mark.network, pytest.mark.tools, pytest.mark.slow]


@pytest.fixture(scope="session")
def copied(core: Built, local_registry: Registry) -> str:
    """The image copied to a registry with all its platforms; its reference."""
    require_tool("skopeo")
    reference = f"{local_registry.host}/core:1"
    source = f"oci:{core.folder}:{core.image.name}"
    run_tool("skopeo", "copy", "--all", "--dest-tls-verify=false", source, f"docker://{reference}")
    return reference


def test_skopeo_reads_the_contract_from_the_config(core: Built) -> None:
    require_tool("skopeo")
    source = f"oci:{core.folder}:{core.image.name}"
    config = json.loads(run_tool("skopeo", "--override-arch=arm64", "inspect", "--config", source))
    assert config["architecture"] == "arm64"
    assert config["config"]["Entrypoint"] == ["/usr/bin/dumb-init", "--", "/entrypoint"]
    assert config["config"]["User"] == "50000:0"


def test_copy_to_a_registry_keeps_the_index_digest(core: Built, copied: str) -> None:
    raw = run_tool("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{copied}")
    assert str(Digest.of(raw.encode())) == core.summary["index_digest"]


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_registry_holds_our_manifest_and_config(core: Built, copied: str, architecture: str) -> None:
    reference = f"docker://{copied.rpartition(':')[0]}@{core.platform(architecture).descriptor.digest}"
    raw = run_tool("skopeo", "inspect", "--raw", "--tls-verify=false", reference)
    assert json.loads(raw)["config"]["digest"] == core.summary["platforms"][f"linux/{architecture}"]["config_digest"]


def test_compression_does_not_change_the_image_id(core: Built, core_gzip: Built) -> None:
    for name, platform in core.summary["platforms"].items():
        assert core_gzip.summary["platforms"][name]["config_digest"] == platform["config_digest"]


def test_umoci_unpacks_the_gzip_image(kubler: Kubler, core: Built, tmp_path: Path) -> None:
    require_tool("umoci")
    # umoci 0.4 takes the first manifest of an index it cannot choose from: give it one platform.
    layout = tmp_path / "gzip"
    kubler("build", "core", "--platform", "linux/amd64", "--compression", "gzip", "--output", layout)
    run_tool("umoci", "unpack", "--rootless", "--image", f"{layout}:{core.image.name}", tmp_path / "bundle")
    rootfs = tmp_path / "bundle" / "rootfs"
    assert (rootfs / "entrypoint").is_file()
    assert (rootfs / "home/airflow/.local/bin/airflow").is_file()


def test_docker_load_gives_our_config_digest_as_image_id(
    kubler: Kubler, core: Built, docker: dict[str, str], tmp_path: Path
) -> None:
    archive = tmp_path / "core.tar"
    kubler("build", "core", "--platform", "linux/amd64", "--compression", "gzip", "--output", archive)
    said = run_tool("docker", "load", "--input", archive, env=docker)
    name = said.strip().rpartition("Loaded image: ")[2] or said.strip().rpartition("Loaded image ID: ")[2]
    image_id = run_tool("docker", "image", "inspect", "--format", "{{.Id}}", name, env=docker).strip()
    assert image_id == core.summary["platforms"]["linux/amd64"]["config_digest"]


def test_docker_pull_gives_our_config_digest_as_image_id(
    core_gzip: Built, docker: dict[str, str], local_registry: Registry
) -> None:
    require_tool("skopeo")
    reference = f"{local_registry.host}/core-gzip:1"
    source = f"oci:{core_gzip.folder}:{core_gzip.image.name}"
    run_tool("skopeo", "copy", "--all", "--dest-tls-verify=false", source, f"docker://{reference}")
    run_tool("docker", "pull", "--quiet", reference, env=docker)
    image_id = run_tool("docker", "image", "inspect", "--format", "{{.Id}}", reference, env=docker).strip()
    assert image_id == core_gzip.summary["platforms"]["linux/amd64"]["config_digest"]
    digests = run_tool("docker", "image", "inspect", "--format", "{{.RepoDigests}}", reference, env=docker)
    assert core_gzip.summary["index_digest"] in digests


def test_run_uses_docker(docker: dict[str, str], core_gzip: Built) -> None:
    del core_gzip
    words = ("run", "core", "--engine", "docker", "--network", "none", "--", "airflow", "version")
    assert run_tool(sys.executable, "-m", "builder", "--project", ROOT, *words, env=docker) == "3.3.2\n"
