"""Images as pods name them and as nodes tell them.

What a node tells as `imageID`, by runtime:
- containerd: `registry/repository@sha256:...`, the digest that was pulled, of an index or a manifest; `sha256:...`, the config's
  digest, for an image without repository, as one that was loaded by hand.
- CRI-O: `registry/repository@sha256:...` of any manifest that it knows the image by, perhaps of another repository; or the
  config's digest as 64 hexadecimal characters alone (cri-o/cri-o#7149, and #9987 of when it is which).
- Docker: `docker-pullable://registry/repository@sha256:...`, or `docker://sha256:...`, the config's digest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_SCHEME: Final = re.compile(r"[a-z][a-z-]*://")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
_BARE: Final = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningImage:
    """What a node says that it runs."""

    digest: str
    """As `sha256:...`; of an index, a manifest or a config."""
    repository: str = ""
    """Empty where the node knows none: it was loaded or built there, or its runtime tells configs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedImage:
    """What a spec names."""

    repository: str
    tag: str = ""
    digest: str = ""
    """As `sha256:...`; empty where it is not pinned."""


def parse_image_id(text: str) -> RunningImage | None:
    """Read what a node tells; None where it tells no digest.

    >>> parse_image_id("docker-pullable://registry.example.org/airflow@sha256:" + "0" * 64).repository
    'registry.example.org/airflow'
    """
    plain = _SCHEME.sub("", text.strip(), count=1)
    repository, _, digest = plain.rpartition("@")
    if _BARE.match(digest) and not repository:
        digest = f"sha256:{digest}"
    return RunningImage(digest=digest, repository=repository) if _DIGEST.match(digest) else None


def parse_image(text: str) -> NamedImage:
    """Read what a spec names: `repository`, `:tag`, `@sha256:...`, or any of it together.

    >>> parse_image("registry.example.org:5000/airflow:core-20261130.01").tag
    'core-20261130.01'
    """
    name, _, digest = text.strip().partition("@")
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        head, tag = name, ""
    pinned = digest if _DIGEST.match(digest) else ""
    return NamedImage(repository=head, tag=tag, digest=pinned)


def full_repository(repository: str) -> str:
    """Write out the registry that nodes take where none is named, to compare.

    >>> full_repository("redis"), full_repository("registry.example.org/redis")
    ('docker.io/library/redis', 'registry.example.org/redis')
    """
    first, slash, _ = repository.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return repository
    return f"docker.io/{repository}" if slash else f"docker.io/library/{repository}"


def short(digest: str) -> str:
    """Cut a digest to what people compare.

    >>> short("sha256:" + "0" * 64)
    'sha256:000000000000'
    """
    return digest[: len("sha256:") + 12]
