"""From locks to the layers of one platform, as sources; nothing is read yet.

Order: base debs | Python's debs | what the base declares and the run contract | distributions by the lock's plan | the
stack's own files. A layer that a platform has nothing for is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from builder.debian.rootfs import python_debs
from builder.entry import Entry
from builder.errors import PlanError
from builder.image.base_facts import airflow_passwd
from builder.image.contract import AIRFLOW_UID, USER_HOME, contract_entries
from builder.image.sources import DebSource, DeclaredSource, EntriesSource, FilesSource, Source, WheelSource
from builder.image.view import BASE_LAYER, PYTHON_LAYER
from builder.lock.model import BaseLock, LockedDeb, LockedImage, StackLock
from builder.platform import Platform

CONTRACT_LAYER = "contract"
DECLARED_LAYER = "declared"
FILES_LAYER = "files"
USERS_FILE = "etc/passwd"
"""The one file of an image that the contract replaces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerParts:
    """One layer to be."""

    name: str
    sources: tuple[Source, ...]
    """In the order of the layer."""

    @property
    def distributions(self) -> tuple[str, ...]:
        """Python distributions in it, as `botocore==1.40.1`."""
        return tuple(source.name for source in self.sources if isinstance(source, WheelSource))


def python_minor(version: str) -> str:
    """Cut a Python version to major and minor.

    >>> python_minor("3.13.5")
    '3.13'
    """
    return ".".join(version.split(".")[:2])


def plan_parts(stack: StackLock, base: BaseLock, platform: Platform) -> tuple[LayerParts, ...]:
    """List the layers of a platform, lowest first.

    Raises:
        PlanError: the plan and the candidates of the lock are not the same projects.
    """
    layers = (*_base_parts(base, platform), _contract_parts(base, platform), *_distribution_parts(stack, platform))
    own = (LayerParts(name=FILES_LAYER, sources=(FilesSource(files=stack.files),)),) if stack.files else ()
    return tuple(layer for layer in (*layers, *own) if layer.sources)


def base_parts(base: BaseLock, platform: Platform) -> tuple[LayerParts, ...]:
    """List the layers of a base of Debian packages alone: what a Dockerfile builds on."""
    declared = DeclaredSource(base=base.base, ca_certificates=_ca_certificates(base))
    layers = (*_base_parts(base, platform), LayerParts(name=DECLARED_LAYER, sources=(declared,)))
    return tuple(layer for layer in layers if layer.sources)


def _base_parts(base: BaseLock, platform: Platform) -> tuple[LayerParts, ...]:
    python = python_debs(base)
    debs = [deb for deb in base.debs if platform in deb.platforms]
    return (
        LayerParts(name=BASE_LAYER, sources=tuple(DebSource(deb=deb) for deb in debs if deb.package not in python)),
        LayerParts(
            name=PYTHON_LAYER,
            sources=tuple(DebSource(deb=deb, bytecode=True) for deb in debs if deb.package in python),
        ),
    )


def _contract_parts(base: BaseLock, platform: Platform) -> LayerParts:
    image = base.image_for(platform)
    if image is not None:
        return LayerParts(name=CONTRACT_LAYER, sources=(image_contract(base, image),))
    declared = DeclaredSource(base=base.base, ca_certificates=_ca_certificates(base))
    contract = EntriesSource(name="contract", entries=contract_entries(base.python_version))
    return LayerParts(name=CONTRACT_LAYER, sources=(declared, contract))


def image_contract(base: BaseLock, image: LockedImage) -> EntriesSource:
    """Make the contract over an image: its own Python, and its users with ours among them."""
    entries = contract_entries(base.python_version, image.python)
    passwd = airflow_passwd(image.passwd, uid=AIRFLOW_UID, home=USER_HOME, where=f"base {base.name}")
    if passwd is not None:
        # Group root may write: the entrypoint adds an unknown user, as OpenShift gives one.
        entries = (*entries, Entry(path=USERS_FILE, data=passwd.encode(), mode=0o664))
    return EntriesSource(name="contract", entries=entries)


def _ca_certificates(base: BaseLock) -> LockedDeb | None:
    """Find the certificates' deb where the base declares a bundle; it is of architecture `all`."""
    if not any(file.kind == "ca-bundle" for file in base.base.files):
        return None
    return next((deb for deb in base.debs if deb.package == "ca-certificates"), None)


def _distribution_parts(stack: StackLock, platform: Platform) -> tuple[LayerParts, ...]:
    left = {candidate.project: candidate for candidate in stack.candidates_for(platform)}
    planned = [project for layer in stack.plan for project in layer.projects]
    unplanned = sorted(left.keys() - set(planned))
    if unplanned or len(planned) != len(set(planned)):
        what = f"does not place {', '.join(unplanned)}" if unplanned else "places a project twice"
        raise PlanError(
            f"the plan {what}", context=f"locks/pylock.{stack.stack}.toml", hint=f"airflow-kubler lock {stack.stack}"
        )
    return tuple(
        LayerParts(
            name=layer.name,
            sources=tuple(
                WheelSource(project=project, version=left[project].version, wheel=left[project].wheels[platform.name])
                for project in sorted(layer.projects)
                if project in left
            ),
        )
        for layer in stack.plan
    )
