"""The platforms images are built for, and each field's own name for them."""

from __future__ import annotations

from dataclasses import dataclass

from builder.errors import InvalidInputError


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Platform:
    """One target, with the names that OCI, Debian, Python and the dynamic linker have for it."""

    name: str
    """`os/architecture` of OCI, as `linux/amd64`."""
    architecture: str
    """OCI's `architecture`, and Debian's."""
    machine: str
    """`platform.machine()`, wheel tags' and uv's word: `x86_64`, `aarch64`."""
    multiarch: str
    """Debian's library folder below usr/lib, as `x86_64-linux-gnu`."""
    loader: str
    """The dynamic loader's path in an image, relative to its root."""

    def __str__(self) -> str:
        return self.name


AMD64 = Platform(
    name="linux/amd64",
    architecture="amd64",
    machine="x86_64",
    multiarch="x86_64-linux-gnu",
    loader="usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
)
ARM64 = Platform(
    name="linux/arm64",
    architecture="arm64",
    machine="aarch64",
    multiarch="aarch64-linux-gnu",
    loader="usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1",
)
PLATFORMS = {platform.name: platform for platform in (AMD64, ARM64)}


def parse_platform(name: str) -> Platform:
    """Read an OCI platform name.

    Raises:
        InvalidInputError: the platform is not one that images are built for.
    """
    try:
        return PLATFORMS[name]
    except KeyError:
        known = ", ".join(PLATFORMS)
        raise InvalidInputError(f"unknown platform {name!r}", hint=f"known platforms: {known}") from None


def platform_of_machine(machine: str) -> Platform:
    """Find the platform of a `platform.machine()`; raises InvalidInputError for others."""
    for platform in PLATFORMS.values():
        if machine in {platform.machine, platform.architecture}:
            return platform
    raise InvalidInputError(f"this machine is {machine}, images are built on x86_64 and aarch64")
