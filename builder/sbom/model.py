"""What a bill of materials lists, whatever form it is written in."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from builder.digest import Digest
from builder.licence.model import Licence
from builder.platform import Platform


class Kind(StrEnum):
    """What an item is."""

    SYSTEM = "operating-system"
    DEB = "deb"
    INTERPRETER = "interpreter"
    DISTRIBUTION = "distribution"
    CARRIED = "carried"
    """Inside a distribution: a package of a language."""
    FOREIGN = "foreign"
    """Inside a distribution: a library out of a package of another system."""
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer of the image: by name, and by digest where the image is known."""

    name: str
    """As `base`, `core-012-botocore`; `image` for those of a base that is one."""
    stack: str = ""
    """Whose plan made it; empty for those of the base."""
    digest: Digest | None = None
    diff_id: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing in the image."""

    ref: str
    """Unique in its bill: the purl where it has one of its own."""
    kind: Kind
    name: str
    version: str = ""
    purl: str = ""
    sha256: Digest | None = None
    """Of the wheel or deb, or of a file's content."""
    file_name: str = ""
    """Of the wheel or deb; of a file, its path in the image."""
    location: str = ""
    """Of the wheel below the folder of locks, of the deb below the root of its archive."""
    licence: Licence = field(default_factory=Licence)
    supplier: str = ""
    summary: str = ""
    layer: Layer | None = None
    inside: str = ""
    """Ref of the item that it stands inside."""
    found_at: str = ""
    """Of what stands inside: the path that says so."""
    needs: tuple[str, ...] = ()
    """Refs, sorted."""
    source: tuple[str, str] = ("", "")
    """Of a deb: name and version of its source package."""
    wanted_by: tuple[str, ...] = ()
    """Of a distribution: as the lock has it."""
    sboms: tuple[tuple[str, Digest], ...] = ()
    """Bills that a wheel brings along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageIdentity:
    """The image that a bill is of, once it is built."""

    manifest: Digest
    """Of the platform."""
    config: Digest
    index: Digest | None = None
    layers: tuple[tuple[Digest, Digest], ...] = ()
    """Digest and diff_id, lowest first; empty where they were made by another builder, in another order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All that is in one platform's image."""

    stack: str
    description: str
    airflow_version: str
    python_version: str
    platform: Platform
    created: int
    """Seconds since the epoch: the lock's."""
    lock: Digest
    base: str
    base_lock: Digest
    image: ImageIdentity | None
    from_files: bool
    """Whether the files that the locks name were read; else nothing is said of licences, suppliers and what is inside."""
    items: tuple[Item, ...]
    """By kind, then name, version and ref."""
    top: tuple[str, ...]
    """Refs of what was asked for, the system and the interpreter among them: all else is needed by these."""

    @property
    def root(self) -> str:
        """Ref of the image."""
        return f"stack:{self.stack}"
