"""Where documents may be that the ledger does not hold: in the store, and beside images in registries, by the digest on record."""

from __future__ import annotations

from collections.abc import Callable

from builder.audit.model import Line, text_of
from builder.digest import Digest
from builder.errors import BuilderError
from builder.ledger.events import Attested, Pushed, Signed
from builder.ledger.model import LedgerReader
from builder.ledger.queries import places_of
from builder.registry.model import Registry, Repository, parse_repository
from builder.usecase.attached import find_bundles, read_artifact
from builder.usecase.audit_change import Elsewhere

Tell = Callable[[str], object]
"""Is told what could not be asked."""


def make_elsewhere(
    ledger: LedgerReader, read_stored: Callable[[Digest], bytes | None], registry: Registry, tell: Tell
) -> Elsewhere:
    """Make what looks for documents: in the store, then where the image was pushed; what fails is told, and not there.

    Args:
        ledger: that knows where images were pushed.
        read_stored: reads a file of the store; None where there is none.
        registry: of all repositories.
        tell: is told what could not be asked.
    """

    def find(digest: str, line: Line) -> tuple[bytes, str] | None:
        data = read_stored(Digest.parse(digest))
        if data is not None:
            return data, "store"
        for name in _repositories(ledger, line):
            try:
                data = _read(registry, parse_repository(name), digest, line)
            except BuilderError as error:
                tell(f"{name}: {error}")
                continue
            if data is not None:
                return data, name
        return None

    return find


def _repositories(ledger: LedgerReader, line: Line) -> tuple[str, ...]:
    if isinstance(line.event, Signed | Attested | Pushed):
        return (line.event.repository,)
    image = text_of(line.entry.data, "digest")
    return tuple(place.repository for place in places_of(ledger, image)) if image else ()


def _read(registry: Registry, repository: Repository, digest: str, line: Line) -> bytes | None:
    """Read a bundle beside what it is about, or a manifest."""
    if isinstance(line.event, Signed | Attested) and digest == line.event.bundle:
        artifact = read_artifact(registry, repository.at(Digest.parse(line.event.digest)))
        bundles = (one.bundle for one in find_bundles(registry, artifact)[0])
        return next((one.data for one in bundles if str(one.digest) == digest), None)
    found = registry.manifest(repository.at(Digest.parse(digest)))
    return found.data if found is not None else None
