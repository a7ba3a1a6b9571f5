"""What signs an image while it is pushed. Imports what signs only where something is signed: most pushes sign nothing."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.registry.model import ManifestBytes, Registry, Repository
    from builder.usecase.sign import Sealed, Signatory


class PushSigning:
    """Signs what a push brought, where a key is named; the key is opened before anything is pushed.

    Args:
        registry: that it is pushed to.
        later: ends what is opened.
        place: of the key; None to sign nothing.
    """

    def __init__(self, registry: Registry, later: ExitStack, place: str | None) -> None:
        self._registry = registry
        self._signatory: Signatory | None = None
        self.sealed: tuple[Sealed, ...] = ()
        if place is not None:
            from builder.wiring.signing import open_signatory

            self._signatory = later.enter_context(open_signatory(place))

    def sign(self, repository: Repository, root: ManifestBytes) -> None:
        """Sign an image that is there now."""
        if self._signatory is None:
            return
        from builder.usecase.attached import Artifact
        from builder.usecase.sign import sign_artifacts
        from builder.wiring.signing import source_date

        artifact = Artifact(repository=repository, root=root)
        self.sealed = sign_artifacts(self._registry, artifact, self._signatory, recursive=False, created=source_date())
