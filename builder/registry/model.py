"""What a registry is to the rest of this project: references, values and the Protocols of a client.

Rules that every client keeps:
- A repository always names its registry: nothing defaults to anybody's host.
- What is read is checked against digest and size before it is handed on whole; what is sent is hashed while it is sent.
- A digest means sha256, of the bytes as they stand in the registry: nothing is written anew to find its digest.
- Errors are of RegistryError's family, or IntegrityError's where bytes are wrong; none holds a credential.

Source: opencontainers/distribution-spec 1.1; the grammar of names is its "Pulling manifests".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, Protocol

from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.oci.descriptor import Descriptor

_HOST: Final = re.compile(
    r"(?:(?=.{1,253}(?::|\Z))[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
    r"|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?\Z"
)
_PATH: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_LONGEST_PATH: Final = 255
_SHAPE: Final = (
    "write it as registry.example.org:5000/team/airflow:tag or .../airflow@sha256:<64 hexadecimal characters>"
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Repository:
    """A place in a registry where manifests and blobs lie together.

    >>> str(parse_repository("127.0.0.1:5000/team/airflow"))
    '127.0.0.1:5000/team/airflow'
    """

    registry: str
    """Host and, where it is not the scheme's own, port: as `registry.example.org` or `127.0.0.1:5000`."""
    path: str
    """As `team/airflow`."""

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}"

    def at(self, point: str | Digest) -> Reference:
        """Refer to a manifest here by tag or digest."""
        if isinstance(point, Digest):
            return Reference(repository=self, digest=point)
        return Reference(repository=self, tag=check_tag(point))


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Reference:
    """A manifest in a repository, by tag, by digest, or by both: then the digest counts and the tag is for readers."""

    repository: Repository
    tag: str | None = None
    digest: Digest | None = None

    def __post_init__(self) -> None:
        if self.tag is None and self.digest is None:
            raise InvalidInputError("names neither a tag nor a digest", context=str(self.repository), hint=_SHAPE)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{self.repository}{tag}{digest}"

    @property
    def point(self) -> str:
        """What stands in the address of a manifest: the digest, else the tag."""
        return str(self.digest) if self.digest is not None else str(self.tag)

    def pinned(self, digest: Digest) -> Reference:
        """Refer to the same by digest too."""
        return replace(self, digest=digest)


def parse_reference(text: str) -> Reference:
    """Read `registry/repository:tag`, `registry/repository@sha256:...`, or both.

    Raises:
        InvalidInputError: it is not one; says which part of it, and how it is written.
    """
    name, at, digest = text.partition("@")
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        head, colon, tag = name, "", ""
    repository = parse_repository(head, whole=text)
    if not colon and not at:
        raise InvalidInputError("names neither a tag nor a digest", context=text[:300], hint=_SHAPE)
    return Reference(
        repository=repository,
        tag=check_tag(tag, whole=text) if colon else None,
        digest=_digest(digest, text) if at else None,
    )


def parse_repository(text: str, *, whole: str = "") -> Repository:
    """Read `registry/repository`, without tag or digest.

    Args:
        text: untrusted.
        whole: what it is a part of, for errors.

    Raises:
        InvalidInputError: it is not one, or names no registry.
    """
    shown = (whole or text)[:300]
    registry, slash, path = text.partition("/")
    if not slash or not _names_registry(registry):
        raise InvalidInputError(
            "does not name its registry", context=shown, hint=f"{_SHAPE}; there is no default registry"
        )
    host = _HOST.match(registry)
    if host is None or not 0 < int(host["port"] or 1) < 1 << 16:
        raise InvalidInputError(f"not a registry's host and port: {registry[:80]!r}", context=shown, hint=_SHAPE)
    if len(path) > _LONGEST_PATH or not _PATH.match(path):
        raise InvalidInputError(
            f"not the name of a repository: {path[:80]!r}",
            context=shown,
            hint="lower-case letters and digits, parts between `/`, joined by `.`, `_`, `__` or `-`",
        )
    return Repository(registry=registry.lower(), path=path)


def check_tag(tag: str, *, whole: str = "") -> str:
    """Give a tag back when it is one; raises InvalidInputError."""
    if not _TAG.match(tag):
        raise InvalidInputError(
            f"not a tag: {tag[:140]!r}",
            context=whole[:300],
            hint="letters, digits, `_`, `.` and `-`, at most 128; the first is no `.` nor `-`",
        )
    return tag


def _names_registry(first: str) -> bool:
    """Tell a host from the first part of a path, as all clients do: a dot, a port or `localhost`."""
    return "." in first or ":" in first or first.lower() == "localhost"


def _digest(text: str, whole: str) -> Digest:
    try:
        return Digest.parse(text)
    except InvalidInputError as error:
        raise InvalidInputError(error.message, context=whole[:300], hint=_SHAPE) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestBytes:
    """A manifest, an index or any document of a registry, as it came; `data` hashes to `digest`."""

    data: bytes
    media_type: str
    digest: Digest

    @property
    def descriptor(self) -> Descriptor:
        """Its descriptor, without platform and annotations."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size=len(self.data))


@dataclass(frozen=True, slots=True, kw_only=True)
class Referrer:
    """A manifest whose `subject` is the manifest that was asked about."""

    descriptor: Descriptor
    """With the annotations that the registry lists."""
    artifact_type: str
    """Empty where the registry does not say."""


class Outcome(Enum):
    """What became of a blob that was to be pushed."""

    PRESENT = "present"
    """The repository had it."""
    MOUNTED = "mounted"
    """Another repository of the registry had it, and lent it: nothing was sent."""
    SENT = "sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobPushed:
    """A blob that is in the repository now."""

    outcome: Outcome
    sent_bytes: int = 0
    """With those that were sent again."""


OpenAt = Callable[[int], Iterator[bytes]]
"""Given an offset, gives a blob's bytes from there; may be asked again after a connection broke off."""


class Blobs(Protocol):
    """The blobs of a registry. Safe to use from several threads."""

    def has_blob(self, repository: Repository, digest: Digest) -> bool:
        """Tell whether a repository holds a blob."""

    def read_blob(self, repository: Repository, descriptor: Descriptor, begun: Iterable[bytes] = ()) -> Iterator[bytes]:
        """Iterate over a blob; the last chunk comes only when size and digest of the whole are right.

        What of it is here already, and shorter than the whole, is hashed and not asked for; what follows is given.

        A reader that may not use bytes of a damaged blob must wait for the end of the iteration. Resumed where the
        connection breaks off. Raises RegistryError where it is not there, DigestMismatchError where it is damaged.
        """

    def push_blob(
        self,
        repository: Repository,
        descriptor: Descriptor,
        open_at: OpenAt,
        mount_from: Sequence[Repository] = (),
        *,
        is_missing: bool = False,
    ) -> BlobPushed:
        """Make a repository hold a blob, by the cheapest way: there already, mounted, sent.

        Args:
            repository: where to.
            descriptor: of the blob.
            open_at: gives its bytes.
            mount_from: repositories of the same registry that may hold it; others are passed over.
            is_missing: the repository was asked just now, and does not hold it.

        Raises:
            DigestMismatchError: the bytes given are not the descriptor's; nothing was stored.
        """


class Manifests(Protocol):
    """The manifests of a registry. Safe to use from several threads."""

    def manifest(self, reference: Reference) -> ManifestBytes | None:
        """Read a manifest, by digest where the reference has one; None where there is none."""

    def push_manifest(
        self, repository: Repository, data: bytes, media_type: str, tag: str | None = None, *, is_new: bool = False
    ) -> Descriptor:
        """Make a repository hold a manifest under its digest, and under a tag where one is given.

        What it refers to must be there already. Where it has a `subject` and the registry has no referrers API, the
        fallback index is kept up to date. Not sent where the registry has it already under that name.

        Args:
            repository: where to.
            data: the manifest.
            media_type: of it.
            tag: to stand for it.
            is_new: the tag is to stand for nothing yet: the registry is asked to refuse otherwise, if it knows how.

        Raises:
            TagTakenError: the registry refuses to change what the tag stands for.
        """

    def tags(self, repository: Repository) -> tuple[str, ...]:
        """List tags, sorted; none where there is no such repository."""

    def referrers(
        self, repository: Repository, digest: Digest, artifact_type: str | None = None
    ) -> tuple[Referrer, ...]:
        """List what refers to a manifest, by API or fallback tag; by digest, of one type where that is given."""

    def delete(self, reference: Reference) -> bool:
        """Delete a manifest by its digest, or a tag; False where there was none.

        A digest deletes the manifest and every tag on it; registries that cannot delete a tag alone raise RegistryError.
        """


class Registry(Blobs, Manifests, Protocol):
    """All registries: each verb names its own by the repository."""
