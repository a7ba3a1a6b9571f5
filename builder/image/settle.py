"""Every path of an image has one owner: checked, and files that distributions install alike are left to the first of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import IssuesError
from builder.image.memory import ImageMemory
from builder.image.parts import USERS_FILE, LayerParts
from builder.image.segment import Segment, read_path_names
from builder.image.shared import settle_shared_files
from builder.image.sources import Intake, Source
from builder.store.model import ArtefactStore

if TYPE_CHECKING:
    from builder.image.base_layers import BaseImage

_CHECKED_KIND: Final = "ownership"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """What layers are settled with.

    Args:
        intake: how sources are read.
        artefacts: the cache.
        memory: what other images of this process found out.
        ensure: given layers, has a segment for each of their sources.
        below: the layers of a base that is an image.
    """

    intake: Intake
    artefacts: ArtefactStore
    memory: ImageMemory
    ensure: Callable[[Sequence[LayerParts]], Mapping[Source, Segment]]
    below: BaseImage | None


def settle(
    parts: Sequence[LayerParts], segments: Mapping[Source, Segment], settling: Settling
) -> tuple[LayerParts, ...]:
    """Settle the layers of a platform, unless the same segments have passed before.

    Raises:
        IssuesError: inputs write one path differently, or where the base has a file.
        DamagedSegmentError: a cached list of files is not what was written.
    """
    keys = sorted(segments[source].key for layer in parts for source in layer.sources)
    under = [layer.key for layer in settling.below.layers] if settling.below else []
    key = Digest.of(dump_json([*keys, *under])).hex
    if settling.artefacts.get(_CHECKED_KIND, key) is not None:
        return tuple(parts)
    known = settling.memory.shared.recall(parts, segments)
    if known is not None and _fits(known, settling):
        return known
    try:
        _check(parts, segments, settling)
    except IssuesError:
        settled = settle_shared_files(parts, segments, settling.intake)
        if settled == tuple(parts):
            raise
        _check(settled, settling.ensure(settled), settling)
        settling.memory.shared.note(parts, segments, settled)
        return settled
    settling.artefacts.put(_CHECKED_KIND, key, (b"",))
    return tuple(parts)


def _fits(parts: Sequence[LayerParts], settling: Settling) -> bool:
    try:
        _check(parts, settling.ensure(parts), settling)
    except IssuesError:
        return False
    return True


def _check(parts: Sequence[LayerParts], segments: Mapping[Source, Segment], settling: Settling) -> None:
    owned = [(source, segments[source]) for layer in parts for source in layer.sources]
    settling.memory.together.check(owned)
    if settling.below is not None:
        from builder.image.base_layers import check_base_ownership

        # etc/passwd alone is replaced on purpose.
        check_base_ownership(
            settling.below.tree,
            (
                (source.name, read_path_names(segment), {*segment.parents, *(one.path for one in segment.directories)})
                for source, segment in owned
            ),
            replaced=frozenset({USERS_FILE}),
        )
