"""Names of images as others write them: with or without registry, tag and digest.

What this project writes itself always names its registry (registry/model.py); a manifest of somebody else may say `redis:7`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 512
"""Characters: 255 of a path, 128 of a tag, a digest, and a host."""

_HOST: Final = (
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:.]+\])"
)
_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME: Final = re.compile(
    rf"(?P<repository>(?:{_HOST}(?::[0-9]{{1,5}})?/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?\Z"
)
_DOCKER_HUB: Final = ("docker.io", "index.docker.io", "registry-1.docker.io")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageName:
    """A name of an image, taken apart.

    >>> parse_image_name("redis:7").repository
    'docker.io/library/redis'
    """

    repository: str
    """With its registry: where none was named, with the one that container engines then ask."""
    tag: str
    """Empty where there is none."""
    digest: str
    """As `sha256:...`; empty where there is none."""
    names_registry: bool
    """A registry was named."""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}{f'@{self.digest}' if self.digest else ''}"


def parse_image_name(text: str) -> ImageName | None:
    """Read an image's name as a container engine would; None where it is none."""
    found = _NAME.match(text) if len(text) <= LONGEST else None
    if found is None:
        return None
    repository, named = _complete(found["repository"])
    if not named and found["repository"] != found["repository"].lower():
        return None  # its first part only looked like a host
    return ImageName(repository=repository, tag=found["tag"] or "", digest=found["digest"] or "", names_registry=named)


def _complete(repository: str) -> tuple[str, bool]:
    """Put the registry in front that a short name means."""
    first, slash, rest = repository.partition("/")
    named = bool(slash) and ("." in first or ":" in first or first.lower() == "localhost")
    if named and first.lower() not in _DOCKER_HUB:
        return f"{first.lower()}/{rest}", True
    path = rest if named else repository
    return f"docker.io/{path if '/' in path else f'library/{path}'}", named
