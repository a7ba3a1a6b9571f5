"""What a stack and a base got: every file by name, size and sha256, for every platform. No host anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from builder.digest import Digest
from builder.platform import Platform
from builder.stack.model import Base, Divergence, IndexRule, ResolutionRules


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """A file that a lock names. Where it comes from is the user's configuration, never part of a lock."""

    name: str
    size: int
    """Bytes."""
    sha256: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedDeb:
    """One Debian package."""

    package: str
    version: str
    architecture: str
    """`amd64`, `arm64` or `all`."""
    source: str
    """Source package name."""
    suite: str
    """The suite it was locked from, as `trixie-security`: tells which archive's pool the path is in."""
    pool_path: str
    """As `pool/main/b/bash/bash_5.2.37-2_amd64.deb`, relative to the archive's root."""
    file: LockedFile
    platforms: tuple[Platform, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRecord:
    """One signed Release file that a base was locked from."""

    suite: str
    date: int
    """Its `Date`, seconds since the epoch."""
    sha256: Digest
    """Of the InRelease file's bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedLayer:
    """A layer of a base that is an image: reused as it is."""

    media_type: str
    """OCI's, whatever the image calls it."""
    file: LockedFile
    diff_id: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedImage:
    """One platform of a base that is an image, with what was found in it when it was locked."""

    platform: Platform
    manifest: Digest
    layers: tuple[LockedLayer, ...]
    """Lowest first."""
    python: str
    """Path of the interpreter in the image, as `/usr/local/bin/python3.13`."""
    python_build: Digest
    """Of the interpreter and its library: bytecode by another build is made anew."""
    init: tuple[str, ...]
    """What runs as process 1, before `/entrypoint`."""
    passwd: str
    """The image's own etc/passwd."""
    packages: tuple[str, ...]
    """Debian packages in it, as `libc6=2.41-12`, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseLock:
    """`locks/base.<name>.toml`."""

    name: str
    inputs: Digest
    """Of the base file's meaning; another one makes the lock stale."""
    release: str
    python_version: str
    """Full, as `3.13.5`."""
    glibc: str
    """Major and minor, as `2.41`: decides the manylinux tags."""
    created: int
    """The newest Release date, seconds since the epoch."""
    releases: tuple[ReleaseRecord, ...]
    debs: tuple[LockedDeb, ...]
    """By package, then architecture."""
    base: Base
    """The base file it was made from: files, exclusions, cuts, so that a build reads only locks."""
    images: tuple[LockedImage, ...] = ()
    """By platform, where the base is an image; then there are no debs."""
    compilers: tuple[LockedDeb, ...] = ()
    """What native code is built with, beside the debs: no image holds them."""

    def image_for(self, platform: Platform) -> LockedImage | None:
        """Find the image of a platform; None where the base is made of Debian packages, or lacks the platform."""
        return next((image for image in self.images if image.platform == platform), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedCandidate:
    """One distribution of a stack, pinned, with the wheel that each platform's base will use."""

    project: str
    """PEP 503 normalised."""
    version: str
    wheels: Mapping[str, LockedFile]
    """Platform name to wheel; a pure wheel stands under each platform. Absent platforms do not install it."""
    dependencies: tuple[str, ...]
    """Projects of this lock that its metadata requires, sorted."""
    wanted_by: tuple[str, ...]
    """`stack:<name>` for what a stack asks for, and projects that require it; sorted."""
    upload_time: str | None
    """RFC 3339 UTC of the newest chosen wheel, where the index says so."""
    tested: str | None = None
    """The version that Airflow's constraints name, where there are constraints and they name the project."""
    index: str | None = None
    """Name of the index it came from; None for the default one."""
    built: BuiltWheel | None = None
    """How its wheel was built, where no index has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltWheel:
    """How a wheel came out of an sdist: anyone can do it again and get the same bytes."""

    sdist: LockedFile
    requires: tuple[tuple[str, str, LockedFile], ...]
    """Project, version and wheel of each build requirement, by project."""
    compilers: Digest | None = None
    """Of what it was compiled in: the base's debs and its compilers; None where nothing was compiled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLayer:
    """A group of distributions that share a layer."""

    name: str
    """Unique in its plan, as `core-012-botocore`."""
    stack: str
    """The stack whose plan made it; a child's plan begins with its parents' layers, unchanged."""
    projects: tuple[str, ...]
    """Sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackLock:
    """`locks/pylock.<stack>.toml`."""

    stack: str
    description: str
    parents: tuple[str, ...]
    """Nearest first."""
    inputs: Digest
    """Of the effective stack, the base lock and the parent's lock: another one makes this lock stale."""
    airflow_version: str
    python_version: str
    base: str
    base_lock: Digest
    """Of the base lock file's bytes."""
    parent_lock: Digest | None
    """Of the nearest parent's lock file's bytes."""
    constraints: Digest | None
    """Of the constraints file's bytes."""
    resolver: str
    """Name and version, as `uv 0.13.9`."""
    created: int
    """Seconds since the epoch, made from what was locked: the newest of Release dates and upload times; never the clock."""
    platforms: tuple[Platform, ...]
    compression: str
    candidates: tuple[LockedCandidate, ...]
    """By project; a project has one entry for each version that its platforms need."""
    plan: tuple[PlannedLayer, ...]
    files: tuple[tuple[str, LockedFile], ...] = ()
    """Files of stacks/<name>/files/ copied into the image: path in the image, content by hash."""
    divergences: tuple[Divergence, ...] = ()
    """Deliberate steps away from the constraints, by project."""
    resolution: ResolutionRules = field(default_factory=ResolutionRules)
    """The rules of `[resolution]` that it was made by."""
    index_rules: tuple[IndexRule, ...] = ()
    """The rules of stacks/indexes.toml that it was made by, by name."""

    def candidates_for(self, platform: Platform) -> tuple[LockedCandidate, ...]:
        """List the candidates that a platform installs, by project."""
        return tuple(candidate for candidate in self.candidates if platform.name in candidate.wheels)
