"""What a team writes, as frozen values: a stack, a base, and a stack with its parents applied."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from builder.platform import Platform

DEFAULT_LAYER_BUDGET = 60
MAX_LAYER_BUDGET = 100
"""Docker's overlay drivers stop at 127 layers, some at 125; the rest is room for layers put on top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """A deliberate step away from Airflow's tested constraints."""

    project: str
    """PEP 503 normalised."""
    specifier: str
    reason: str
    owner: str
    expires: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseException:
    """Releases that the rules of time or a yank would leave out, wanted all the same."""

    project: str
    """PEP 503 normalised."""
    specifier: str
    reason: str
    """As the vulnerability that they mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionRules:
    """Which releases are candidates, `[resolution]` of stack.toml; None where the parent's or the default holds."""

    as_of: dt.datetime | None = None
    """UTC: releases uploaded later are no candidates."""
    cooldown_days: int | None = None
    """Releases younger than that are no candidates."""
    resolver: str | None = None
    """`uv` or `pip-tools`."""
    sdists: bool | None = None
    """Whether a project without a wheel may be built from its sdist; None for yes."""
    exceptions: tuple[ReleaseException, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRule:
    """What holds for one index of the user's settings, by its name: `stacks/indexes.toml`. Addresses stand nowhere here."""

    name: str
    """`default` for the index of the lowest priority."""
    folder: str = ""
    """A folder of the project, relative to its top, which is this index itself; empty for one of the user's settings."""
    reserved: tuple[str, ...] = ()
    """Patterns of projects that come from this index and no other, as `acme-*`; lower-case, sorted."""
    cooldown_days: int | None = None
    """Releases on it younger than that are no candidates; None where the stack's own rule holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """How the image is cut and written; None where the parent's or the default holds."""

    platforms: tuple[Platform, ...] | None = None
    layers: int | None = None
    """Most layers an image may have."""
    compression: str | None = None
    """`zstd` or `gzip`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One `stacks/<name>/stack.toml`, as written: a delta on its parent."""

    name: str
    description: str
    owners: tuple[str, ...] = ()
    extends: str | None = None
    airflow_version: str | None = None
    constraints: str | None = None
    """`official`, `none`, an https address, or the path of a file beside stack.toml; None to inherit."""
    base: str | None = None
    requirements: tuple[str, ...] = ()
    """PEP 508, in the order written: `[plugins] requirements`, then the lines of requirements.in."""
    requirements_in: tuple[str, ...] = ()
    """Those of them that stand in requirements.in, for who is told where to change one."""
    divergences: tuple[Divergence, ...] = ()
    image: ImageSettings = field(default_factory=ImageSettings)
    resolution: ResolutionRules = field(default_factory=ResolutionRules)


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveStack:
    """A stack with its parents applied: nothing left to inherit."""

    name: str
    description: str
    owners: tuple[str, ...]
    parents: tuple[str, ...]
    """Nearest parent first."""
    airflow_version: str
    constraints: str
    """`official`, `none`, an https address, or a file's path relative to stacks/, as `core/constraints.txt`."""
    base: str
    requirements: tuple[str, ...]
    """Own requirements and all parents', parents' first, without repeats."""
    divergences: tuple[Divergence, ...]
    platforms: tuple[Platform, ...]
    layers: int
    compression: str
    resolution: ResolutionRules = field(default_factory=ResolutionRules)
    constraints_from: str = ""
    """The stack that states `constraints`; empty where nobody does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A Debian package left out of a base's closure, on purpose."""

    package: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFile:
    """A file that stands in for what a maintainer script would have done, or that the base adds."""

    path: str
    kind: str = "file"
    """`file`, `directory`, `symlink`, or `ca-bundle` (content made from the certificates of ca-certificates)."""
    content: str = ""
    target: str = ""
    mode: int | None = None
    uid: int = 0
    gid: int = 0
    instead_of: str = ""
    """The package whose maintainer script would have made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOrigin:
    """`[image]` of a base: an image that somebody else made."""

    digest: str = ""
    """Of its manifest or index, as `sha256:...`; empty for whatever a layout holds when the base is locked."""
    reference: str = ""
    """Where it is pulled from. No part of a lock: only the digest counts."""
    layout: str = ""
    """Folder of an OCI layout, relative to the project. No part of a lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerfileOrigin:
    """`[dockerfile]` of a base: an image that BuildKit builds over another base."""

    file: str
    """At the top of the project, as `Dockerfile.base`."""
    base: str
    """Name of the base that it is built over."""
    stages: tuple[str, ...] = ()
    """Names of other bases that its stages may use, as tools that are in no image."""
    args: tuple[tuple[str, str], ...] = ()
    """Build arguments, by name."""
    secrets: tuple[str, ...] = ()
    """Names of secrets that the builder's own settings give; their content is no part of a lock."""
    sha256: str = ""
    """Of the Dockerfile's bytes; filled in where the project is read."""
    parent: str = ""
    """Of the bytes of the locks of `base` and `stages`; filled in where the project is read."""

    @property
    def foundations(self) -> tuple[tuple[str, str], ...]:
        """List the bases that it names, by build argument: `BASE`, and a stage's name in capitals."""
        stages = ((name.upper().replace("-", "_"), name) for name in self.stages)
        return (("BASE", self.base), *stages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """One `stacks/bases/<name>.toml`: the operating system and Python under stacks."""

    name: str
    description: str
    release: str
    """Debian codename, as `trixie`."""
    suites: tuple[str, ...]
    """As `trixie`, `trixie-updates`, `trixie-security`."""
    components: tuple[str, ...]
    python: str
    """Major and minor, as `3.13`; the patch version is in the lock."""
    platforms: tuple[Platform, ...]
    roots: tuple[str, ...]
    cuts: tuple[Cut, ...]
    files: tuple[BaseFile, ...]
    exclude: tuple[str, ...] = ()
    """Glob patterns of paths left out of debs: manual pages, message catalogues ..."""
    image: ImageOrigin | None = None
    """An image in the place of Debian packages: then all that speaks of Debian is empty."""
    dockerfile: DockerfileOrigin | None = None
    """A Dockerfile in the place of Debian packages."""
    python_path: str = ""
    """Where an image's Python is, as `/usr/local/bin/python3.13`; empty to look for it."""
    compilers: tuple[str, ...] = ()
    """Debian packages that sdists with native code are built with, as `gcc`; no image holds them."""

    @property
    def origin(self) -> str:
        """Say for people where it comes from, as `Debian trixie`."""
        if self.dockerfile is not None:
            return f"{self.dockerfile.file} on {self.dockerfile.base}"
        return "an image" if self.image is not None else f"Debian {self.release}"

    @property
    def is_image(self) -> bool:
        """Tell a base that comes as layers from one that is made of Debian packages."""
        return self.image is not None or self.dockerfile is not None
