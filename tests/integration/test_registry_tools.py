"""skopeo, crane, oras and docker beside us on each registry, both ways: the digest is the same everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.oci.descriptor import Descriptor
from builder.registry.folder import FolderBlobs
from builder.registry.model import Repository, parse_reference, parse_repository
from builder.registry.shipment import collect
from builder.registry.transfer import plan_push, push
from builder.usecase.ship import fetch_image
from tests.support.registries import KINDS, any_registry, skopeo
from tests.support.registry_images import Memory, client, close_clients, noise, write_real_layout
from tests.support.tools import require_tool, run_tool

pytestmark = [pytest.mark.tools]
SBOM = "application/vnd.example.sbom"


@pytest.fixture(params=KINDS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with any_registry(request.param, tmp_path) as served:
        yield served
        close_clients()


@pytest.fixture(autouse=True)
def _nobodys_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-credentials"))


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    write_real_layout(tmp_path / "layout")
    return tmp_path / "layout"


def root_of(layout: Path) -> Descriptor:
    entry = json.loads((layout / "index.json").read_bytes())["manifests"][0]
    return Descriptor(media_type=entry["mediaType"], digest=Digest.parse(entry["digest"]), size=entry["size"])


def blobs_of(layout: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (layout / "blobs/sha256").iterdir()}


def crane(*argv: str | Path) -> str:
    return run_tool(require_tool("crane"), *argv)


def oras(*argv: str | Path) -> str:
    return run_tool(require_tool("oras"), *argv)


def we_push(layout: Path, repository: Repository, *tags: str) -> int:
    source = FolderBlobs(layout)
    plan = plan_push(client(), repository, collect(root_of(layout), source), tags)
    return push(client(), plan, source).sent_bytes


def skopeo_pulls(reference: str, folder: Path) -> None:
    skopeo("copy", "--all", "--preserve-digests", "--src-tls-verify=false", f"docker://{reference}", f"oci:{folder}:t")


def crane_pulls(reference: str, folder: Path) -> None:
    crane("pull", "--format=oci", reference, folder)


def oras_pulls(reference: str, folder: Path) -> None:
    oras("cp", "--from-plain-http", reference, "--to-oci-layout", f"{folder}:t")


def skopeo_pushes(layout: Path, reference: str) -> None:
    skopeo(
        "copy", "--all", "--preserve-digests", "--dest-tls-verify=false", f"oci:{layout}:img", f"docker://{reference}"
    )


def crane_pushes(layout: Path, reference: str) -> None:
    # The index of the folder itself, one above that of the image.
    crane("push", "--index", layout, reference)


def oras_pushes(layout: Path, reference: str) -> None:
    oras("cp", "--from-oci-layout", f"{layout}:img", "--to-plain-http", reference)


@pytest.mark.parametrize("pulls", [skopeo_pulls, crane_pulls, oras_pulls])
def test_what_we_push_others_pull_whole(
    host: str, layout: Path, tmp_path: Path, pulls: Callable[[str, Path], None]
) -> None:
    we_push(layout, parse_repository(f"{host}/team/ours"), "t")
    pulls(f"{host}/team/ours:t", tmp_path / "theirs")
    assert blobs_of(tmp_path / "theirs").items() >= blobs_of(layout).items()


def test_what_we_push_is_valid_and_has_one_digest_for_all(host: str, layout: Path) -> None:
    we_push(layout, parse_repository(f"{host}/team/ours"), "t")
    digest, reference = str(root_of(layout).digest), f"{host}/team/ours:t"
    crane("validate", "--remote", reference)
    assert crane("digest", reference).strip() == digest
    assert oras("resolve", "--plain-http", reference).strip() == digest
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{reference}")
    assert str(Digest.of(raw.encode())) == digest


@pytest.mark.parametrize("pushes", [skopeo_pushes, crane_pushes, oras_pushes])
def test_what_others_push_we_pull_the_same_and_do_not_send_again(
    host: str, layout: Path, tmp_path: Path, pushes: Callable[[Path, str], None]
) -> None:
    pushes(layout, f"{host}/theirs:t")
    # skopeo and oras find the image by its name; crane takes the whole folder.
    pulled = fetch_image(client(), parse_reference(f"{host}/theirs:t"), tmp_path / "pulled").shipment
    wanted = root_of(layout).digest
    if pushes is crane_pushes:
        assert wanted in {manifest.digest for manifest in pulled.manifests}
    else:
        assert pulled.root.digest == wanted
    assert blobs_of(tmp_path / "pulled").items() >= blobs_of(layout).items()
    repository = parse_repository(f"{host}/theirs")
    assert we_push(layout, repository, "ours") == 0
    source = FolderBlobs(layout)
    lent = plan_push(client(), parse_repository(f"{host}/other"), collect(root_of(layout), source))
    assert push(client(), lent, source, mount_from=(repository,)).sent_bytes == 0


def test_tags_are_the_same_for_all(host: str, layout: Path) -> None:
    repository = parse_repository(f"{host}/tags")
    we_push(layout, repository, "b")
    crane("tag", f"{host}/tags:b", "c")
    oras("tag", "--plain-http", f"{host}/tags:b", "a")
    assert client().tags(repository) == ("a", "b", "c")
    assert sorted(crane("ls", f"{host}/tags").split()) == ["a", "b", "c"]
    assert sorted(oras("repo", "tags", "--plain-http", f"{host}/tags").split()) == ["a", "b", "c"]
    assert {client().manifest(repository.at(tag)).digest for tag in "abc"} == {root_of(layout).digest}  # type: ignore[union-attr]


def test_referrers_of_oras_and_ours_are_seen_by_both(host: str, layout: Path, tmp_path: Path) -> None:
    repository = parse_repository(f"{host}/signed")
    we_push(layout, repository, "t")
    subject, memory = root_of(layout), Memory()
    ours = memory.add_image(noise(5), subject=subject, artifact_type=SBOM)
    push(client(), plan_push(client(), repository, collect(ours, memory)), memory)
    (tmp_path / "note.txt").write_text("seen")
    oras(
        "attach",
        "--plain-http",
        "--disable-path-validation",
        f"--artifact-type={SBOM}",
        f"{host}/signed:t",
        tmp_path / "note.txt",
    )

    found = {entry.descriptor.digest for entry in client().referrers(repository, subject.digest, SBOM)}
    told = json.loads(oras("discover", "--plain-http", "--format", "json", f"{host}/signed:t"))
    listed = told.get("referrers") or told.get("manifests")
    assert {entry["digest"] for entry in listed} == {str(digest) for digest in found}
    assert len(found) == 2
    assert ours.digest in found
    # Both bring what the other attached.
    fetch_image(client(), parse_reference(f"{host}/signed:t"), tmp_path / "pulled", with_referrers=True)
    oras("cp", "--recursive", "--from-plain-http", f"{host}/signed:t", "--to-oci-layout", f"{tmp_path}/oras:t")
    for folder in ("pulled", "oras"):
        assert {digest.hex for digest in found} <= blobs_of(tmp_path / folder).keys()


def test_docker_pulls_what_we_push_and_we_pull_what_docker_pushes(
    host: str, layout: Path, tmp_path: Path, docker: dict[str, str]
) -> None:
    we_push(layout, parse_repository(f"{host}/ours"), "t")
    run_tool("docker", "pull", "--quiet", f"{host}/ours:t", env=docker)
    told = json.loads(run_tool("docker", "image", "inspect", f"{host}/ours:t", env=docker))[0]
    manifests = {name: json.loads(data) for name, data in blobs_of(layout).items() if data.startswith(b'{"schema')}
    assert told["RepoDigests"] == [f"{host}/ours@{root_of(layout).digest}"]
    assert told["Id"] in {value["config"]["digest"] for value in manifests.values() if "config" in value}

    run_tool("docker", "tag", f"{host}/ours:t", f"{host}/theirs:t", env=docker)
    said = run_tool("docker", "push", f"{host}/theirs:t", env=docker)
    pulled = fetch_image(client(), parse_reference(f"{host}/theirs:t"), tmp_path / "pulled").shipment
    assert f"digest: {pulled.root.digest} size" in said
    assert told["Id"] in {str(blob.digest) for blob in pulled.blobs}
    run_tool("docker", "image", "rm", "--force", told["Id"], env=docker)
