from __future__ import annotations

import gzip
import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.buildkit.base import DockerfileBuild, Foundation, build_layout, write_index
from builder.buildkit.client import find_docker, make_name
from builder.digest import Digest
from builder.errors import IntegrityError, ToolError
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe
from builder.oci.index import Index, dump_index
from builder.oci.layout import blob_path
from builder.oci.manifest import Manifest, dump_manifest
from builder.platform import AMD64
from builder.wiring.bases import LayoutImageSource
from tests.support.base_images import tar_of

OURS, THEIRS = tar_of({"ours": b"1"}), tar_of({"theirs": b"2"})


def write_docker(
    folder: Path,
    *,
    version: str,
    buildx: bool = False,
    saved: Path | None = None,
    status: int = 0,
    exports: bool = False,
) -> str:
    """Write a program that answers as docker does, and keeps what it was asked."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "docker"
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$DOCKER_BUILDKIT $*" >> {folder}/asked\n'
        'case "$1" in\n'
        f"  version) echo {version};;\n"
        f'  buildx) [ "$2" = build ] && cp {saved} "$(echo "$*" | sed "s/.*dest=\\([^,]*\\).*/\\1/")"; '
        f"{'echo buildx' if buildx else 'exit 1'};;\n"
        "  context) echo here;;\n"
        f"  info) echo {'io.containerd.snapshotter.v1' if exports else 'overlay2'};;\n"
        f'  build) cat "$(echo "$*" | sed -n "s/.*src=\\([^ ]*\\).*/\\1/p")" > {folder}/secret; '
        f"echo some step failed >&2; exit {status};;\n"
        f'  save) cp {saved} "$3";;\n'
        "esac\n"
    )
    program.chmod(0o755)
    return str(folder)


def write_saved(path: Path, *, diff_ids: list[str] | None = None) -> bytes:
    """Write what `docker save` of 20.10 writes; returns the config."""
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": diff_ids or [str(Digest.of(OURS)), str(Digest.of(THEIRS))]},
        }
    ).encode()
    listed = json.dumps([{"Config": "c.json", "Layers": ["a/layer.tar", "b/layer.tar"]}]).encode()
    path.write_bytes(tar_of({"c.json": config, "a/layer.tar": OURS, "b/layer.tar": THEIRS, "manifest.json": listed}))
    return config


def make_build(tmp_path: Path) -> DockerfileBuild:
    blob = tmp_path / "ours"
    blob.write_bytes(b"the blob that we built")
    data = blob.read_bytes()
    known = Descriptor(media_type=media.LAYER_ZSTD, digest=Digest.of(data), size=len(data))
    foundation = Foundation(
        argument="BASE",
        archive=tmp_path / "x.tar",
        name="airflow-kubler/base:unique",
        layers={Digest.of(OURS): (known, blob)},
    )
    return DockerfileBuild(
        dockerfile=b"ARG BASE\nFROM ${BASE}\n",
        platform=AMD64,
        foundations=(foundation,),
        args=(("PACKAGES", "a b"),),
        secrets={"apt-sources": b"secret of this machine"},
        epoch=1_790_000_000,
        network="host",
    )


def test_layers_of_ours_come_back_as_the_blobs_that_we_built(tmp_path: Path) -> None:
    config = write_saved(tmp_path / "saved.tar")
    path = write_docker(tmp_path / "bin", version="20.10.24", saved=tmp_path / "saved.tar")
    build = make_build(tmp_path)
    manifest = build_layout(build, {"PATH": f"{path}:/usr/bin:/bin"}, tmp_path / "layout")
    write_index(tmp_path / "layout", "base-x", [manifest])
    read = json.loads((tmp_path / "layout" / blob_path(manifest.digest)).read_bytes())
    assert read["config"]["digest"] == str(Digest.of(config))
    assert read["layers"][0]["digest"] == str(Digest.of(b"the blob that we built"))
    assert read["layers"][1]["mediaType"] == media.LAYER_ZSTD
    assert LayoutImageSource(tmp_path / "layout", "", name="x").root().media_type == media.INDEX
    asked = (tmp_path / "bin/asked").read_text().splitlines()
    built = next(line for line in asked if " build " in line)
    assert built.startswith("1 build --progress plain --tag airflow-kubler/built:")
    assert "--build-arg BASE=airflow-kubler/base:unique" in built
    assert "--build-arg SOURCE_DATE_EPOCH=1790000000" in built
    assert "secret of this machine" not in "".join(asked)
    assert (tmp_path / "bin/secret").read_bytes() == b"secret of this machine"
    assert " image rm airflow-kubler/built:" in asked[-2]
    assert asked[-1].endswith(" image rm airflow-kubler/base:unique")


def test_a_layer_that_is_not_its_diff_id_is_refused(tmp_path: Path) -> None:
    write_saved(tmp_path / "saved.tar", diff_ids=[str(Digest.of(OURS)), str(Digest.of(b"other"))])
    path = write_docker(tmp_path / "bin", version="20.10.24", saved=tmp_path / "saved.tar")
    with pytest.raises(IntegrityError, match="the config says"):
        build_layout(make_build(tmp_path), {"PATH": f"{path}:/usr/bin:/bin"}, tmp_path / "layout")


def test_a_build_that_fails_says_what_docker_said(tmp_path: Path) -> None:
    path = write_docker(tmp_path / "bin", version="20.10.24", status=1)
    with pytest.raises(ToolError, match="building the image failed:\nsome step failed") as caught:
        build_layout(make_build(tmp_path), {"PATH": f"{path}:/usr/bin:/bin"}, tmp_path / "layout")
    assert caught.value.exit_status == 1
    assert removed_names(tmp_path) == ["airflow-kubler/base:unique", "airflow-kubler/built"]


def removed_names(tmp_path: Path) -> list[str]:
    asked = (tmp_path / "bin/asked").read_text().splitlines()
    names = [line.partition(" image rm ")[2] for line in asked if " image rm " in line]
    return sorted(name.rpartition(":")[0] if "built" in name else name for name in names)


def test_two_builds_at_once_have_no_name_in_common(tmp_path: Path) -> None:
    write_saved(tmp_path / "saved.tar")
    path = write_docker(tmp_path / "bin", version="20.10.24", saved=tmp_path / "saved.tar")
    for number in range(2):
        build_layout(make_build(tmp_path), {"PATH": f"{path}:/usr/bin:/bin"}, tmp_path / f"layout{number}")
    asked = (tmp_path / "bin/asked").read_text().splitlines()
    built = [line for line in asked if " build " in line]
    assert len({line.partition("--tag ")[2].split()[0] for line in built}) == 2
    assert make_name("base") != make_name("base")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What a shell starts in the background ignores Ctrl-C, and so would all tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_build_leaves_no_name(tmp_path: Path) -> None:
    path = write_docker(tmp_path / "bin", version="20.10.24", status=1)
    program = tmp_path / "bin/docker"
    # As Ctrl-C does: the whole group gets the signal while docker builds.
    program.write_text(
        program.read_text().replace("  build) ", "  build) kill -INT $PPID; sleep 0.1; exit 130;; never) ")
    )
    with pytest.raises(KeyboardInterrupt):
        build_layout(make_build(tmp_path), {"PATH": f"{path}:/usr/bin:/bin"}, tmp_path / "layout")
    assert removed_names(tmp_path) == ["airflow-kubler/base:unique", "airflow-kubler/built"]


def write_exported(path: Path, *, config: bytes, kind: str = media.MANIFEST) -> None:
    """Write what BuildKit exports: an OCI layout in a tar, compressed by gzip."""
    blobs = [gzip.compress(tar, mtime=0) for tar in (OURS, THEIRS)]
    manifest = dump_manifest(
        Manifest(
            config=describe(media.CONFIG, config), layers=tuple(describe(media.LAYER_GZIP, blob) for blob in blobs)
        )
    )
    index = dump_index(Index(manifests=(replace(describe(media.MANIFEST, manifest), media_type=kind),)))
    files = {blob_path(Digest.of(data)): data for data in (*blobs, config, manifest)}
    path.write_bytes(tar_of({**files, "index.json": index}))


def test_a_builder_that_writes_layouts_is_asked_for_one_with_times_put_back(tmp_path: Path) -> None:
    config = write_saved(tmp_path / "unused.tar")
    write_exported(tmp_path / "saved.tar", config=config)
    path = write_docker(tmp_path / "bin", version="26.1.5", buildx=True, saved=tmp_path / "saved.tar", exports=True)
    manifest = build_layout(make_build(tmp_path), {"PATH": f"{path}:/usr/bin:/bin"}, tmp_path / "layout")
    read = json.loads((tmp_path / "layout" / blob_path(manifest.digest)).read_bytes())
    assert read["config"]["digest"] == str(Digest.of(config))
    assert read["layers"][0]["digest"] == str(Digest.of(b"the blob that we built"))
    assert read["layers"][1]["mediaType"] == media.LAYER_ZSTD
    asked = (tmp_path / "bin/asked").read_text().splitlines()
    built = next(line for line in asked if " buildx build " in line)
    assert built.startswith("1 buildx build --builder here --progress plain --output type=oci,dest=")
    assert ",rewrite-timestamp=true,compression=uncompressed " in built
    assert removed_names(tmp_path) == ["airflow-kubler/base:unique"]


def test_an_export_of_several_images_is_refused(tmp_path: Path) -> None:
    write_exported(tmp_path / "saved.tar", config=write_saved(tmp_path / "unused.tar"), kind=media.INDEX)
    path = write_docker(tmp_path / "bin", version="26.1.5", buildx=True, saved=tmp_path / "saved.tar", exports=True)
    with pytest.raises(IntegrityError, match="does not name exactly one image"):
        build_layout(make_build(tmp_path), {"PATH": f"{path}:/usr/bin:/bin"}, tmp_path / "layout")


def test_a_client_that_can_build_is_taken(tmp_path: Path) -> None:
    new = write_docker(tmp_path / "new", version="28.2.2")
    old = write_docker(tmp_path / "old", version="20.10.24+dfsg1")
    whole = write_docker(tmp_path / "whole", version="28.2.2", buildx=True)
    assert find_docker({"PATH": f"{new}:{old}"}).program == f"{old}/docker"
    assert find_docker({"PATH": f"{whole}:{old}"}).program == f"{whole}/docker"
    with pytest.raises(ToolError, match=r"has no buildx: .*new/docker 28\.2\.2"):
        find_docker({"PATH": new})
    with pytest.raises(ToolError, match="is not installed"):
        find_docker({"PATH": str(tmp_path / "nothing")})
