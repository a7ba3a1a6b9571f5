"""What is fuzzed: readers of things from outside, each with seeds, some behind a wrapper that gets a mutation past a checksum."""

from __future__ import annotations

import tarfile
from pathlib import Path

from builder.canonical import dump_json
from builder.digest import Digest
from builder.ledger.note import Checkpoint, SigningKey, sign
from builder.lock.base import dump_base_lock
from builder.lock.pylock import dump_stack_lock
from builder.migrations.history import History, Revision, dump_history
from builder.oci import media
from builder.snapshot.model import Snapshot, dump_snapshot
from tests.fuzz.model import Target
from tests.fuzz.report_targets import REPORT_TARGETS
from tests.hostile.readers import packed
from tests.support import base_images, debs, sdists
from tests.support.bases import made_lock
from tests.support.secrets import pem
from tests.support.signing import make_bundle, make_cosign_key, make_key, make_statement
from tests.support.stack_locks import make_candidate, make_lock
from tests.support.wheels import WheelParts

ROOT = Path(__file__).resolve().parents[2]
_SPLIT = b"\0\0"


KEY = SigningKey(name="PeterNeumann", seed=bytes(range(32)))
POINT = Checkpoint(origin="example.org/airflow", size=120, root=bytes(range(32)))
WHEEL = WheelParts(entry_points=b"[console_scripts]\ngo = demo:x\n")
ITEMS = (
    debs.folder("./"),
    debs.Item(name="./usr/bin/hello", data=b"#!/bin/sh\n", mode=0o755),
    debs.Item(name="./" + "x" * 120, data=b"1"),
    debs.hardlink("./usr/bin/hallo", "./usr/bin/hello"),
    debs.symlink("./usr/bin/hi", "hello"),
)
CONTROL = "Package: hello\nVersion: 1.0-1\nArchitecture: amd64\nDescription: x\n y\n"


IMAGE = Digest.of(b"image")
BUNDLE = make_bundle(IMAGE, "provenance", a=1).data
TRUST = f'[[keys]]\nname = "a"\npublic = """\n{make_key().public.pem().decode()}"""\nmay = ["signature"]\n'.encode()


def wheel_of_parts(data: bytes) -> bytes:
    """Make a whole wheel of METADATA, WHEEL, entry_points.txt and RECORD."""
    parts = [*data.split(_SPLIT, 3), b"", b"", b"", b""]
    return WheelParts(
        metadata=parts[0] or None, wheel=parts[1] or None, entry_points=parts[2] or None, record=parts[3] or None
    ).pack()


def wheel_of_names(data: bytes) -> bytes:
    """Make a whole wheel of files with these names."""
    names = dict.fromkeys(name.decode("utf-8", "surrogateescape") for name in data.split(_SPLIT)[:8] if name)
    return WheelParts(files={**WHEEL.files, **dict.fromkeys(names, b"#!python\n")}).pack()


def deb_of_tar(data: bytes) -> bytes:
    return debs.make_deb(data_tar=data, suffix="gz")


def deb_of_control(data: bytes) -> bytes:
    return debs.make_deb([], control=data.decode("utf-8", "replace"), suffix="gz")


def mended_tar(data: bytes) -> bytes:
    """Put right the checksums of what may be headers, so that mutations of other fields get past them."""
    blocks = bytearray(data)
    for at in range(0, len(blocks) - 511, 512):
        if blocks[at + 257 : at + 262] == b"ustar":
            blocks[at + 148 : at + 156] = b" " * 8
            blocks[at + 148 : at + 156] = b"%06o\0 " % sum(blocks[at : at + 512])
    return bytes(blocks)


def pack_of(snapshot: bytes) -> bytes:
    return debs.make_tar(
        [
            debs.Item(name="entry.json", data=b'{"taken_at": 1, "locks": {}}'),
            debs.Item(name="snapshot.json", data=snapshot),
        ],
        tar_format=tarfile.USTAR_FORMAT,
    )


def _files(*patterns: str) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for pattern in patterns for path in sorted(ROOT.glob(pattern)))


LAYER = base_images.tar_of({"usr/": b"", "usr/x": b"1", "y": "usr/x", "usr/.wh.old": b"", "d/.wh..wh..opq": b""})
DESCRIPTOR = {"mediaType": media.LAYER_ZSTD, "digest": f"sha256:{'0' * 64}", "size": 3, "annotations": {"a": "b"}}
MANIFEST = dump_json(
    {
        "schemaVersion": 2,
        "mediaType": media.MANIFEST,
        "artifactType": "x/y",
        "config": {**DESCRIPTOR, "mediaType": media.CONFIG},
        "layers": [DESCRIPTOR],
        "subject": DESCRIPTOR,
        "annotations": {"a": "b"},
    }
)
INDEX = dump_json({"schemaVersion": 2, "mediaType": media.INDEX, "manifests": [{**DESCRIPTOR, "platform": {"os": "linux", "architecture": "amd64"}}]})  # fmt: skip
CONFIG = dump_json({"architecture": "amd64", "os": "linux", "created": "2026-09-21T00:00:00Z", "config": {"Env": ["A=b"], "ExposedPorts": {"1/tcp": {}}}, "rootfs": {"type": "layers", "diff_ids": [f"sha256:{'0' * 64}"]}, "history": [{"created": "2026-09-21T00:00:00Z", "created_by": "x"}]})  # fmt: skip
PAGE = dump_json({"meta": {"api-version": "1.4"}, "name": "demo", "project-status": {"status": "active", "reason": "r"}, "files": [{"filename": "demo-1.0-py3-none-any.whl", "url": "https://f.example/demo-1.0-py3-none-any.whl", "hashes": {"sha256": "0" * 64}, "size": 3, "upload-time": "2026-05-01T10:00:00.1Z", "requires-python": ">=3.11", "yanked": "why", "core-metadata": {"sha256": "0" * 64}}, {"filename": "demo-2.0.tar.gz", "url": "demo-2.0.tar.gz", "hashes": {}}]})  # fmt: skip
HTML = b'<!DOCTYPE html><html><head><meta name="pypi:project-status" content="archived"><base href="../f/"></head><a href="demo-1.0.tar.gz#sha256=00" data-yanked="x" data-requires-python="&gt;=3" data-core-metadata="sha256=00">demo</a></html>'
PACKAGES = (
    b"Package: a\nVersion: 1:2.0-1\nArchitecture: amd64\nSource: src (2.0)\nPre-Depends: b\nDepends: c:any (>= 1) | d, e\nProvides: p (= 1), q\nConflicts: z\nFilename: pool/main/a/a_2.0-1_amd64.deb\nSize: 3\nSHA256: "
    + b"0" * 64
    + b"\n\nPackage: b\n"
)
RELEASE = (
    b"Suite: stable\nCodename: trixie\nDate: Sat, 21 Nov 2026 00:53:03 UTC\nValid-Until: Sat, 28 Nov 2026 00:53:03 UTC\nAcquire-By-Hash: yes\nSHA256:\n "
    + b"0" * 64
    + b" 20 main/binary-amd64/Packages.xz\n"
)
ENTRY = dump_json({"actor": {"host": "h", "method": "local", "name": "u", "program": "p"}, "data": {"stack": "core"}, "documents": [], "kind": "lock", "number": 0, "previous": f"sha256:{'0' * 64}", "time": "2026-11-30T07:23:11Z"})  # fmt: skip
KUBERNETES = b"""\
apiVersion: v1
kind: Pod
metadata: {name: a, annotations: &x {a: b}}
spec:
  containers: [{name: a, image: 'r.example/x@sha256:00', env: [{name: AIRFLOW__KUBERNETES_EXECUTOR__WORKER_CONTAINER_TAG, value: x}]}]
  initContainers: []
---
apiVersion: v1
kind: ConfigMap
metadata: *x
data:
  airflow.cfg: |
    [kubernetes_executor]
    worker_container_repository = r.example/x
    worker_container_tag = 1
  pod_template.yaml: |
    spec: {containers: [{image: x}]}
"""
SNAPSHOT = Snapshot(day="2026-11-30", indexes=("default",), pages={"default": {"demo": None}}, metadata={})
HISTORY = dump_history(History(owner="x", version_table="v", revisions={"a": Revision(id="a", down=(), depends_on=(), labels=())}))  # fmt: skip
MIGRATION = b'"""title\n\nRevision ID: a\n"""\nfrom alembic import op\nrevision = "a"\ndown_revision = ("b", "c")\nbranch_labels = None\ndepends_on = "d"\nairflow_version = "3.0.0"\ndef upgrade():\n    pass\n'
DOCKERFILE = b"ARG V=3.3.2\nFROM apache/airflow:${V}-python3.13\nUSER root\nRUN apt-get update && apt-get install -y --no-install-recommends git=1 \\\n  curl\nCOPY requirements.txt /\nRUN pip install --no-cache-dir 'dbt-core~=1.9' -r /requirements.txt\nENV A=b\n"

TARGETS: tuple[Target, ...] = (
    Target(name="wheel", kind="wheel", file_name=WHEEL.file_name, seeds=(WHEEL.pack(),)),
    Target(
        name="wheel-parts",
        kind="wheel",
        file_name=WHEEL.file_name,
        wrap=wheel_of_parts,
        seeds=(_SPLIT.join([WHEEL.contents()[f"{WHEEL.dist_info}/{part}"] for part in ("METADATA", "WHEEL", "entry_points.txt", "RECORD")]),),
    ),
    Target(name="wheel-names", kind="wheel", file_name=WHEEL.file_name, wrap=wheel_of_names, seeds=(b"demo/a.py\0\0demo-1.0.data/scripts/x\0\0demo-1.0.data/data/y",)),
    Target(name="deb", kind="deb", file_name="hello_1.0-1_amd64.deb", seeds=tuple(debs.make_deb(ITEMS, suffix=suffix) for suffix in ("xz", "gz", "zst"))),
    Target(name="deb-tar", kind="deb", file_name="hello_1.0-1_amd64.deb", wrap=lambda data: deb_of_tar(mended_tar(data)), seeds=(debs.make_tar(ITEMS),)),
    Target(name="deb-control", kind="deb", file_name="hello_1.0-1_amd64.deb", wrap=deb_of_control, seeds=(CONTROL.encode(),)),
    Target(name="sdist", kind="sdist", file_name="demo-1.0.tar.gz", seeds=(sdists.make_backend_sdist(),)),
    Target(name="sdist-zip", kind="sdist", file_name="demo-1.0.zip", seeds=(WheelParts(files={"demo-1.0/setup.py": b""}).pack(),)),
    Target(
        name="sdist-tar",
        kind="sdist",
        file_name="demo-1.0.tar.gz",
        wrap=lambda data: packed(mended_tar(data)),
        seeds=(debs.make_tar([debs.Item(name="demo-1.0/pyproject.toml", data=sdists.BACKEND_TOML), debs.symlink("demo-1.0/l", "pyproject.toml")], tar_format=tarfile.PAX_FORMAT),),
    ),
    Target(name="layer", kind="layer", file_name="layer.tar", wrap=mended_tar, seeds=(LAYER, debs.make_tar(ITEMS))),
    Target(name="layer-gzip", kind="layer", file_name="layer.tar.gz", seeds=(packed(LAYER),)),
    Target(name="layer-zstd", kind="layer", file_name="layer.tar.zst", seeds=(debs.compress(LAYER, "zst"),)),
    Target(name="layout", kind="layout", file_name="layout.tar"),
    Target(name="packages", kind="packages", file_name="trixie", seeds=(PACKAGES,)),
    Target(name="release", kind="release", file_name="InRelease", seeds=(RELEASE,)),
    Target(name="page-json", kind="page", file_name="simple.json", seeds=(PAGE,)),
    Target(name="page-html", kind="page", file_name="simple.html", seeds=(HTML,)),
    Target(name="pack", kind="pack", file_name="pack.tar", seeds=(pack_of(dump_snapshot(SNAPSHOT)),)),
    Target(name="pack-snapshot", kind="pack", file_name="pack.tar", wrap=pack_of, seeds=(dump_snapshot(SNAPSHOT),)),
    Target(name="stack-lock", kind="stack-lock", file_name="pylock.etl.toml", seeds=(dump_stack_lock(make_lock(make_candidate())),)),
    Target(name="base-lock", kind="base-lock", file_name="base.trixie.toml", seeds=(dump_base_lock(made_lock()),)),
    Target(name="segments-lock", kind="segments-lock", file_name="segments.toml", seeds=(b'[core]\ndigest = "sha256:%s"\n' % (b"0" * 64),)),
    Target(name="stack", kind="stack", file_name="stack.toml", seeds=_files("stacks/*/stack.toml")),
    Target(name="base", kind="base", file_name="base.toml", seeds=_files("stacks/bases/*.toml")),
    Target(name="channels", kind="channels", file_name="channels.toml", seeds=_files("builder/policy/channels.toml")),
    Target(name="deploy-rules", kind="deploy-rules", file_name="deploy.toml", seeds=(b'repositories = ["r.example/x"]\n[[allow]]\nimage = "r.example/y:1"\ntag-allowed = true\nreason = "z"\nexpires = 2027-03-31\n',)),
    Target(name="import-docker", kind="import", file_name="Dockerfile", seeds=(DOCKERFILE,)),
    Target(name="import-requirements", kind="import", file_name="requirements.txt", seeds=(b"-c other.txt\ndbt-core~=1.9 ; python_version > '3'  # x\nfoo[bar]==1 --hash=sha256:00\n--index-url https://u:p@x.example/simple\n",)),
    Target(name="import-lock", kind="import", file_name="pylock.toml", seeds=(dump_stack_lock(make_lock(make_candidate())),)),
    Target(name="registry", kind="registry", file_name="manifest", seeds=(MANIFEST, INDEX, CONFIG)),
    Target(name="manifest", kind="manifest", file_name="manifest", seeds=(MANIFEST, INDEX)),
    Target(name="challenge", kind="challenge", file_name="header", seeds=(b'Bearer realm="https://t.example/token",service="x",scope="a:b:pull,push", Basic realm="\\"y"',)),
    Target(name="reference", kind="reference", file_name="reference", seeds=(b"r.example:5000/a/b:t@sha256:" + b"0" * 64,)),
    Target(name="ledger-entry", kind="ledger-entry", file_name="entry", seeds=(ENTRY,)),
    Target(name="ledger-document", kind="ledger-document", file_name="document", seeds=(b"\0" + debs.compress(b"document" * 20, "zst"), b"\x04base" + debs.compress(b"document", "zst"))),
    Target(name="checkpoint", kind="checkpoint", file_name="head.txt", seeds=(sign(POINT, KEY),)),
    Target(name="key", kind="key", file_name="ledger.key", seeds=(str(KEY).encode(), str(KEY.verifying).encode())),
    Target(name="bundle", kind="bundle", file_name="bundle.json", seeds=(BUNDLE,)),
    Target(name="statement", kind="statement", file_name="statement.json", seeds=(make_statement(IMAGE),)),
    Target(name="trust", kind="trust", file_name="keys.toml", seeds=(TRUST,)),
    Target(name="public-key", kind="public-key", file_name="k.pub", seeds=(make_key().public.pem(),)),
    Target(name="private-key", kind="private-key", file_name="k.key", seeds=(pem().encode(), make_cosign_key(make_key(), b"p"))),
    Target(name="kubernetes", kind="kubernetes", file_name="all.yaml", seeds=(KUBERNETES,)),
    Target(name="installed", kind="installed", file_name="listing", seeds=(b"a==1.0\nb @ file:///x\n-e git+https://x.example/y#egg=z\n", b'[{"name": "a", "version": "1"}]', dump_json({"format": "airflow-kubler inside 1", "machine": "x86_64", "distributions": [{"name": "a", "version": "1", "place": "/x", "changed": [], "installer": "x"}], "strays": ["/x"]}))),
    Target(name="elf", kind="elf", file_name="x.so", seeds=(base_images.program(),)),
    Target(name="migration", kind="migration", file_name="0001_x.py", seeds=(MIGRATION,)),
    Target(name="history", kind="history", file_name="history", seeds=(HISTORY,)),
)  # fmt: skip

BY_NAME = {target.name: target for target in (*TARGETS, *REPORT_TARGETS)}
