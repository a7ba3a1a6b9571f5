"""The archive's manifest: an OCI artifact whose layers are the raw inputs of an image, each as it was locked. Pure.

A layer is the input itself: its digest is the sha256 in the lock. So a registry holds each input once, whatever
number of images it is in. Titles are for readers: nothing is found, named or written by them.

Source: opencontainers/image-spec, manifest.md, "Guidelines for Artifact Usage".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import IntegrityError
from builder.lock.model import BaseLock, LockedDeb, LockedFile, StackLock
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe, descriptor_from_fields, descriptor_to_json
from builder.oci.fields import MAX_DOCUMENT_BYTES, Fields, parse_object

ARTIFACT_TYPE: Final = "application/vnd.airflow-kubler.archive.v1"
INPUT_TYPE: Final = "application/vnd.airflow-kubler.input.v1"
TITLE: Final = "org.opencontainers.image.title"
STACK: Final = "airflow-kubler.stack"
LOCK: Final = "airflow-kubler.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What an archive holds."""

    subject: Descriptor
    """The image index that was built from it."""
    stack: str
    lock: Digest
    """Of the stack's lock, which is among the inputs."""
    inputs: tuple[LockedFile, ...]
    """By title, which stands as the name; each content once."""

    def find(self, digest: Digest) -> LockedFile | None:
        """Find an input by its hash."""
        return next((file for file in self.inputs if file.sha256 == digest), None)

    @property
    def size(self) -> int:
        """Bytes of all inputs."""
        return sum(file.size for file in self.inputs)


def list_inputs(stack: StackLock, base: BaseLock, documents: tuple[tuple[str, bytes], ...]) -> tuple[LockedFile, ...]:
    """List everything that an image is made from, and that its wheels were built of: what its locks name, and the locks.

    Args:
        stack: the lock.
        base: its base's.
        documents: locks and constraints by title, as `locks/pylock.core.toml`.

    Returns:
        By title; each content once.
    """
    wheels = [file for candidate in stack.candidates for file in candidate.wheels.values()]
    records = [candidate.built for candidate in stack.candidates if candidate.built is not None]
    named = [
        *((title, LockedFile(name=title, size=len(data), sha256=Digest.of(data))) for title, data in documents),
        *((f"wheels/{file.name}", file) for file in wheels),
        *((f"sdists/{record.sdist.name}", record.sdist) for record in records),
        *((f"wheels/{file.name}", file) for record in records for _, _, file in record.requires),
        *((f"debs/{deb.file.name}", deb.file) for deb in (*base.debs, *compilers_of(stack, base))),
        *((f"bases/{layer.file.name}", layer.file) for image in base.images for layer in image.layers),
        *((f"files/{file.sha256.hex}", file) for _, file in stack.files),
    ]
    found: dict[Digest, LockedFile] = {}
    for title, file in named:
        found.setdefault(file.sha256, LockedFile(name=title, size=file.size, sha256=file.sha256))
    return tuple(sorted(found.values(), key=lambda file: (file.name, file.sha256)))


def compilers_of(stack: StackLock, base: BaseLock) -> tuple[LockedDeb, ...]:
    """List the debs that wheels of a stack were compiled with; none where none was."""
    compiled = any(candidate.built is not None and candidate.built.compilers for candidate in stack.candidates)
    return base.compilers if compiled else ()


def dump_archive(archive: Archive) -> bytes:
    """Write the manifest; bytes are stable: the same inputs of the same image give the same archive.

    Raises:
        IntegrityError: it is larger than registries take.
    """
    data = dump_json(
        {
            "schemaVersion": 2,
            "mediaType": media.MANIFEST,
            "artifactType": ARTIFACT_TYPE,
            "config": descriptor_to_json(describe(media.EMPTY, media.EMPTY_BYTES)),
            "layers": [
                descriptor_to_json(
                    Descriptor(
                        media_type=INPUT_TYPE,
                        digest=file.sha256,
                        size=file.size,
                        annotations=((TITLE, file.name),),
                    )
                )
                for file in archive.inputs
            ],
            "subject": descriptor_to_json(archive.subject),
            "annotations": {STACK: archive.stack, LOCK: str(archive.lock)},
        }
    )
    return check_length(data, f"{len(archive.inputs)} inputs", context=f"archive of {archive.stack}")


def check_length(data: bytes, what: str, *, context: str) -> bytes:
    """Give a manifest back where registries take one so long; raises IntegrityError."""
    if len(data) > MAX_DOCUMENT_BYTES:
        raise IntegrityError(
            f"{what} make a manifest of {len(data)} bytes, and registries take 4 MiB",
            context=context,
            hint="split the stack",
        )
    return data


def parse_archive(data: bytes, *, context: str) -> Archive:
    """Read a manifest, from anybody.

    Raises:
        IntegrityError: it is no archive of this form.
    """
    fields = Fields(parse_object(data, context=context), context=context)
    fields.only(("schemaVersion", "mediaType", "artifactType", "config", "layers", "subject", "annotations"))
    fields.exactly("schemaVersion", 2)
    fields.exactly("mediaType", media.MANIFEST)
    fields.exactly("artifactType", ARTIFACT_TYPE)
    inputs = []
    for layer in fields.objects("layers"):
        descriptor = descriptor_from_fields(layer)
        if descriptor.media_type != INPUT_TYPE:
            raise IntegrityError(f"no input: {descriptor.media_type}", context=layer.context)
        title = dict(descriptor.annotations).get(TITLE, "")
        inputs.append(LockedFile(name=title, size=descriptor.size, sha256=descriptor.digest))
    said = dict(fields.text_map("annotations"))
    noted = Fields(said, context=f"{context}: annotations")
    return Archive(
        subject=descriptor_from_fields(fields.child("subject")),
        stack=noted.text(STACK),
        lock=noted.digest(LOCK),
        inputs=tuple(inputs),
    )
