"""What the tags that pods name stand for in their registries now."""

from __future__ import annotations

from builder.digest import Digest
from builder.drift.images import full_repository, parse_image
from builder.errors import BuilderError
from builder.registry.documents import INDEXES, parse_links
from builder.registry.model import Reference, Registry, parse_reference


def read_tag(registry: Registry, image: str) -> frozenset[str] | str:
    """List the digests that an image of a spec means now: of its index, its manifests and their configs.

    Args:
        registry: any.
        image: as a spec names it, without a digest.

    Returns:
        The digests; or why they are not known, which is no reason not to tell the rest.
    """
    named = parse_image(image)
    try:
        reference = parse_reference(f"{full_repository(named.repository)}:{named.tag or 'latest'}")
        found = _names(registry, reference)
    except BuilderError as error:
        return f"what {image[:200]} stands for now is not known: {error.message[:200]}"
    return found or f"{image[:200]} is not in its registry any more: a new pod cannot pull it"


def _names(registry: Registry, reference: Reference) -> frozenset[str]:
    """Read a manifest, or an index and what is below it."""
    manifest = registry.manifest(reference)
    if manifest is None:
        return frozenset()
    links = parse_links(manifest.data, manifest.media_type, context=str(reference))
    found = {manifest.digest, *(child.digest for child in links.manifests)}
    if manifest.media_type not in INDEXES:
        return frozenset(map(str, {*found, links.blobs[0].digest}))
    return frozenset(map(str, found | _configs(registry, reference, [child.digest for child in links.manifests])))


def _configs(registry: Registry, reference: Reference, children: list[Digest]) -> set[Digest]:
    """Read the configs below an index: nodes may tell an image by them."""
    found = set()
    for digest in children:
        child = registry.manifest(reference.repository.at(digest))
        if child is not None and child.media_type not in INDEXES:
            found.add(parse_links(child.data, child.media_type, context=str(digest)).blobs[0].digest)
    return found
