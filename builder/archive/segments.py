"""Sets of finished segments in a registry: one OCI artifact for each build, a layer for each segment, named by key. Pure.

A layer is the very file that the cache keeps of a segment: description, list of files, payload. So a digest of the set
pins every byte of every segment in it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Final

from builder.archive.model import check_length
from builder.canonical import dump_json, quote_toml
from builder.digest import Digest
from builder.errors import BuilderError, IntegrityError, InvalidInputError, LockInvalidError
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe, descriptor_from_fields, descriptor_to_json
from builder.oci.fields import Fields, parse_object

ARTIFACT_TYPE: Final = "application/vnd.airflow-kubler.segments.v1"
SEGMENT_TYPE: Final = "application/vnd.airflow-kubler.segment.v1"
KEY: Final = "airflow-kubler.segment"
_HEADER: Final = """\
# Made by `airflow-kubler segments push`; not to be edited. `build --segments REPOSITORY` uses finished segments of these
# sets, and of no others: whoever may change this file may put anything into images.
"""


def dump_set(stack: str, segments: Mapping[str, Descriptor]) -> bytes:
    """Write the manifest of a set.

    Args:
        stack: whose segments.
        segments: by key; digest and size of the file.

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
                    Descriptor(media_type=SEGMENT_TYPE, digest=held.digest, size=held.size, annotations=((KEY, key),))
                )
                for key, held in sorted(segments.items())
            ],
            "annotations": {"airflow-kubler.stack": stack},
        }
    )
    return check_length(data, f"{len(segments)} segments", context=f"segments of {stack}")


def parse_set(data: bytes, *, context: str) -> Mapping[str, Descriptor]:
    """Read the manifest of a set: segments by key.

    Raises:
        IntegrityError: it is none.
    """
    fields = Fields(parse_object(data, context=context), context=context)
    fields.exactly("schemaVersion", 2)
    fields.exactly("artifactType", ARTIFACT_TYPE)
    found: dict[str, Descriptor] = {}
    for layer in fields.objects("layers"):
        descriptor = descriptor_from_fields(layer)
        key = dict(descriptor.annotations).get(KEY, "")
        try:
            Digest(key)
        except InvalidInputError as error:
            raise IntegrityError(f"no key of a segment: {key[:80]!r}", context=layer.context) from error
        if descriptor.media_type != SEGMENT_TYPE or key in found:
            raise IntegrityError("no segment, or one that stands twice", context=layer.context)
        found[key] = descriptor
    return found


def dump_record(sets: Mapping[str, Digest]) -> bytes:
    """Write `locks/segments.toml`: the set of each stack."""
    lines = [f"[{quote_toml(stack)}]\ndigest = {quote_toml(str(digest))}\n" for stack, digest in sorted(sets.items())]
    return (_HEADER + "\n" + "\n".join(lines)).encode()


def parse_record(data: bytes, *, file: str) -> Mapping[str, Digest]:
    """Read `locks/segments.toml`.

    Raises:
        LockInvalidError: it is damaged.
    """
    try:
        value = tomllib.loads(data.decode())
        return {str(stack): Digest.parse(str(row["digest"])) for stack, row in value.items()}
    except (ValueError, KeyError, TypeError, RecursionError, BuilderError) as error:
        raise LockInvalidError(
            f"cannot be read: {error}", context=file, hint="take it from version control, or delete it"
        ) from error
