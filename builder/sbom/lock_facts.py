"""What locks alone say of their files: for a bill of materials where there is no store at hand. Pure."""

from __future__ import annotations

from builder.licence.model import Licence
from builder.lock.model import BaseLock, StackLock
from builder.platform import Platform
from builder.sbom.facts import BaseFacts, DebFacts, Facts, WheelFacts


def facts_of_locks(stack: StackLock, base: BaseLock, platform: Platform) -> Facts:
    """Take what the locks say: names, versions and sources; of a base that is an image, its Debian packages."""
    wheels = (candidate.wheels[platform.name] for candidate in stack.candidates_for(platform))
    debs = (deb for deb in base.debs if platform in deb.platforms)
    image = base.image_for(platform)
    below = [package.partition("=") for package in image.packages] if image is not None else []
    return Facts(
        system=None,
        wheels={file.sha256: WheelFacts(summary="", supplier="", licence=Licence()) for file in wheels},
        debs={
            deb.file.sha256: _deb(deb.package, deb.version, architecture=deb.architecture, source=deb.source)
            for deb in debs
        },
        base=BaseFacts(debs=tuple(_deb(name, version) for name, _, version in below), distributions=())
        if image is not None
        else None,
        from_files=False,
    )


def _deb(package: str, version: str, *, architecture: str = "", source: str = "") -> DebFacts:
    return DebFacts(
        package=package,
        version=version,
        architecture=architecture,
        source=source or package,
        source_version=version,
        depends=(),
        provides=(),
        maintainer="",
        summary="",
        licence=Licence(),
    )
