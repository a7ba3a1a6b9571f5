"""Where something stands in manifests, and what was found there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in manifests."""

    file: str
    document: int
    """From 1."""
    kind: str = ""
    namespace: str = ""
    """Empty where the manifest leaves it to who applies it."""
    name: str = ""
    path: str = ""
    """As `spec.containers[0].image`; for what stands within a text, `data["pod.yaml"]: spec.containers[0].image`."""
    line: int = 0
    """Of the file, from 1; 0 where it is not known."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else f"{self.file}: document {self.document}"
        named = "/".join(part for part in (self.namespace, self.name) if part)
        return ": ".join(part for part in (where, f"{self.kind} {named}".strip(), self.path) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An image's name somewhere."""

    image: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Something that names an image, which nobody can read from what was given."""

    what: str
    place: Place
    hint: str = ""
