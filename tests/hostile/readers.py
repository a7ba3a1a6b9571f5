"""Every reader of what comes from outside, by the kind of thing it reads: bytes in, something harmless out, or a BuilderError.

The hostile corpus and the fuzz targets go through these. Whatever a reader gives must be safe to look at as text.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from builder.abi.elf import parse_elf
from builder.archive.model import parse_archive
from builder.archive.segments import parse_record, parse_set
from builder.attest.bundle import parse_bundle, parse_bundle_manifest
from builder.attest.keys import parse_private_key, parse_public_key
from builder.attest.statement import parse_statement
from builder.attest.trust import parse_trust
from builder.debian.deb import read_deb
from builder.debian.packages import Universe, index_packages
from builder.debian.release import parse_release
from builder.deploy.allowed import parse_deploy_rules
from builder.deploy.collect import Manifests, collect_images
from builder.deploy.manifest import parse_manifest as parse_kubernetes
from builder.digest import Digest
from builder.drift.listing import parse_listing as parse_installed
from builder.errors import DigestMismatchError, IntegrityError, LedgerError, MissingBlobError
from builder.image.base_tree import TreeBuilder, iter_members
from builder.image.compress import decompress
from builder.ledger.documents import DocumentRow, decode
from builder.ledger.entry import is_canonical, parse_entry
from builder.ledger.events import parse_event
from builder.ledger.note import parse_signing_key, parse_verifying_key, verify_checkpoint
from builder.lock.base import parse_base_lock
from builder.lock.model import LockedFile, LockedLayer
from builder.lock.pylock import parse_stack_lock
from builder.migrations.history import parse_history
from builder.migrations.source import read_revision
from builder.oci import media
from builder.oci.config import parse_config
from builder.oci.index import parse_index
from builder.oci.layout import validate_layout
from builder.oci.manifest import parse_manifest
from builder.policy.reader import parse_channels
from builder.registry.answers import parse_details
from builder.registry.challenge import parse_challenges
from builder.registry.documents import INDEXES, MANIFESTS, media_type_of, parse_links, parse_referrers
from builder.registry.model import parse_reference
from builder.sdist.build_system import read_build_system
from builder.sdist.unpack import read_sdist
from builder.snapshot.pages import dump_page, group_by_project, make_project_page, parse_canonical_page, parse_listing
from builder.snapshot.rules import ViewRules, select
from builder.stack.base import parse_base
from builder.stack.reader import parse_stack
from builder.store.pages import Page
from builder.usecase.import_ import read_files
from builder.usecase.snapshot import unpack_snapshot
from builder.wheel.install import install_entries
from builder.wheel.wheel import read_wheel
from tests.hostile.model import Reader
from tests.hostile.places import read_answer, read_exchanged_store, read_store, read_wheels
from tests.hostile.report_readers import REPORT_READERS
from tests.support.memory_snapshots import MemoryStore

DAY = "2026-11-30"
JSON_PAGE = "application/vnd.pypi.simple.v1+json"
INDEX_URL = "https://index.example/simple/demo/"
LARGEST_READ = 1 << 30


@dataclass(frozen=True)
class MemoryLayout:
    """A LayoutReader in memory."""

    files: Mapping[str, bytes]

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise MissingBlobError("not there", context=path)
        return self.files[path]

    def chunks(self, path: str) -> Iterator[bytes]:
        yield self.read(path)

    def blobs(self) -> tuple[str, ...]:
        return tuple(sorted(path.rpartition("/")[2] for path in self.files if path.startswith("blobs/")))


def read_whole_wheel(data: bytes, name: str) -> object:
    wheel = read_wheel(data, file_name=name)
    return wheel.project, install_entries(wheel, python="3.13")


def read_packages(data: bytes, name: str) -> object:
    index = index_packages(data, suite=name)
    universe = Universe([index], architecture="amd64")
    return [
        (universe.candidate(package), universe.providers(package)) for package in (*index.paragraphs, *index.provided)
    ]


def read_layer(data: bytes, name: str) -> object:
    """Read a layer that somebody made, in whatever it is compressed, as the one layer of a base."""
    kind = {"zst": media.LAYER_ZSTD, "gz": media.LAYER_GZIP}.get(name.rpartition(".")[2], media.LAYER_TAR)
    file = LockedFile(name=name, size=len(data), sha256=Digest.of(data))
    layer = LockedLayer(media_type=kind, file=file, diff_id=Digest.of(b""))
    builder = TreeBuilder()
    builder.begin(0)
    # What it unpacks to nobody knows before: that this is another diff_id comes last.
    with contextlib.suppress(DigestMismatchError):
        for member, read in iter_members(layer, iter([data]), where=name):
            builder.add(member, name)
            if member.size < LARGEST_READ:
                read()
    return sorted(builder.nodes)


def read_layout(data: bytes, name: str) -> object:
    """Read a layout that was packed into a tar."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            members = [member for member in archive if member.isreg()]
            files = {
                member.name: content.read()
                for member in members
                if (content := archive.extractfile(member)) is not None
            }
    except (tarfile.TarError, ValueError, OverflowError, EOFError):
        # The tar is this reader's own doing.
        raise IntegrityError("no tar", context=name) from None
    return validate_layout(MemoryLayout(files), decompress).name


def read_index_page(data: bytes, name: str) -> object:
    """Read a page of an index, choose what of it a stack may have, and keep it."""
    kind = JSON_PAGE if name.endswith(".json") else "text/html"
    listing = parse_listing(Page(url=INDEX_URL, content_type=kind, body=data))
    for project, one in group_by_project(listing).items():
        make_project_page(one, index="x", project=project)
    page = make_project_page(listing, index="default", project="demo")
    kept = dump_page(page)
    assert dump_page(parse_canonical_page(kept)) == kept
    chosen = select(page, ViewRules(python_version="3.13.5"), DAY)
    return [file.url for file in (*chosen.wheels, *chosen.sdists)]


def read_registry_document(data: bytes, name: str) -> object:
    kind = media_type_of(data, media.MANIFEST, context=name)
    return [parse_links(data, kind, context=name)]


def read_all_links(data: bytes, name: str) -> object:
    """Read bytes as every kind of manifest, one after the other: each refuses or reads."""
    read_details(data, name)
    found: list[object] = []
    refused: list[IntegrityError] = []
    readers: list[Callable[[], object]] = [
        *(functools.partial(parse_links, data, kind, context=name) for kind in (*INDEXES, *MANIFESTS)),
        lambda: parse_referrers(data, context=name),
        lambda: parse_index(data),
        lambda: parse_manifest(data),
        lambda: parse_config(data),
        lambda: parse_archive(data, context=name),
        lambda: parse_set(data, context=name),
        lambda: parse_bundle_manifest(data, context=name),
    ]
    for read in readers:
        try:
            found.append(read())
        except IntegrityError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    return found


def read_details(data: bytes, _name: str) -> object:
    return parse_details(data)


def read_challenge(data: bytes, _name: str) -> object:
    return parse_challenges(data.decode("latin-1"))


def read_ledger_entry(data: bytes, _name: str) -> object:
    entry = parse_entry(data)
    if not is_canonical(data, entry):
        raise LedgerError("is not in canonical form")
    return entry, parse_event(entry.kind, entry.data)


def read_ledger_document(data: bytes, _name: str) -> object:
    """Read a row whose document differs from a base: a byte says how many bytes are the base's."""
    size = data[0] if data else 0
    base, packed = data[1 : 1 + size], data[1 + size :]
    row = DocumentRow(
        digest=Digest.of(b""), base=Digest.of(base) if base else None, depth=1 if base else 0, data=packed
    )
    return decode(row, base)


def read_checkpoint(data: bytes, name: str) -> object:
    key = parse_verifying_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", file="key")
    return verify_checkpoint(data, [key], file=name)


def read_key(data: bytes, name: str) -> object:
    text = data.decode("utf-8", "replace")
    try:
        return parse_verifying_key(text, file=name)
    finally:
        parse_signing_key(text, file=name)


def read_kubernetes(data: bytes, name: str) -> object:
    documents = parse_kubernetes(data.decode("utf-8", "replace"), file=name)
    return collect_images([Manifests(name=name, documents=documents)])


def read_imported(data: bytes, name: str) -> object:
    """Take a foreign lock, Dockerfile or requirements file over; what it names beside is not there."""
    text = data.decode("utf-8", "replace")
    return read_files((name,), lambda path: text if path == name else None)


def read_pack(data: bytes, name: str) -> object:
    return unpack_snapshot(MemoryStore(), data, file=name)


def read_reference(data: bytes, _name: str) -> object:
    return parse_reference(data.decode("utf-8", "replace"))


READERS: dict[str, Reader] = {
    "answer": read_answer,
    "store": read_store,
    "exchanged-store": read_exchanged_store,
    "wheels": read_wheels,
    "wheel": read_whole_wheel,
    "deb": lambda data, name: read_deb(data, file_name=name),
    "sdist": lambda data, name: read_build_system(read_sdist(data, file_name=name), sdist=name),
    "layer": read_layer,
    "layout": read_layout,
    "packages": read_packages,
    "release": lambda data, name: parse_release(data.decode("utf-8", "replace"), where=name),
    "page": read_index_page,
    "pack": read_pack,
    "stack-lock": lambda data, name: parse_stack_lock(data, file=name),
    "base-lock": lambda data, name: parse_base_lock(data, file=name),
    "segments-lock": lambda data, name: parse_record(data, file=name),
    "stack": lambda data, name: parse_stack(data, name="etl", file=name),
    "base": lambda data, name: parse_base(data, name="trixie", file=name),
    "channels": lambda data, name: parse_channels(data, file=name, stacks=["core", "etl"]),
    "deploy-rules": lambda data, name: parse_deploy_rules(data, file=name),
    "import": read_imported,
    "registry": read_all_links,
    "manifest": read_registry_document,
    "challenge": read_challenge,
    "reference": read_reference,
    "ledger-entry": read_ledger_entry,
    "ledger-document": read_ledger_document,
    "checkpoint": read_checkpoint,
    "key": read_key,
    "bundle": lambda data, name: parse_bundle(data, context=name),
    "statement": lambda data, name: parse_statement(data, context=name),
    "trust": lambda data, name: parse_trust(data, file=name, stacks=("core",)),
    "public-key": lambda data, name: parse_public_key(data, file=name),
    "private-key": lambda data, name: parse_private_key(data, b"p", file=name),
    "kubernetes": read_kubernetes,
    "installed": lambda data, name: parse_installed(data, context=name),
    "elf": parse_elf,
    "migration": lambda data, name: read_revision(data, context=name),
    "history": lambda data, name: parse_history(data, context=name),
    **REPORT_READERS,
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def packed(data: bytes) -> bytes:
    """Compress without a time, so that bytes are stable."""
    return gzip.compress(data, mtime=0)
