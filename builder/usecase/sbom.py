"""Bills of materials of images: made from locks and store, written, or put beside the image in its registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from builder.atomic import replacing
from builder.attest.provenance import Inputs
from builder.digest import Digest
from builder.errors import BuildError, InvalidInputError
from builder.oci.artifact import CREATED, dump_artifact
from builder.oci.config import format_time
from builder.oci.descriptor import Descriptor, describe
from builder.platform import Platform
from builder.registry.model import Reference, Registry
from builder.sbom.facts import Facts
from builder.sbom.gather import gather_facts, total_size
from builder.sbom.make import MEDIA_TYPES, SUFFIXES, Form, make_sbom
from builder.sbom.model import ImageIdentity
from builder.store.model import ArtefactStore, FileStore, Progress
from builder.usecase.attached import push_artifact
from builder.usecase.build import Locks
from builder.usecase.image_inputs import ImageSubject
from builder.usecase.locked_image import LockedImageOf, identity_of
from builder.usecase.shipped import ShippedImage, read_shipped

Watch = Callable[[int], AbstractContextManager[Progress]]
_MODE = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class FactTools:
    """What facts are read with."""

    files: FileStore
    artefacts: ArtefactStore
    jobs: int = 1
    watch: Watch | None = None

    def facts(self, image: LockedImageOf, platform: Platform) -> Facts:
        """Read the facts of one platform; raises MissingBlobError, IntegrityError."""
        locks = image.locks
        total = total_size(locks.stack, locks.base, platform)
        with self.watch(total) if self.watch else nullcontext(lambda _: None) as progress:
            return gather_facts(
                locks.stack,
                locks.base,
                platform,
                files=self.files,
                artefacts=self.artefacts,
                jobs=self.jobs,
                progress=progress,
            )


def make_bill(
    image: LockedImageOf, platform: Platform, form: Form, tools: FactTools, identity: ImageIdentity | None = None
) -> bytes:
    """Make the bill of one platform.

    Args:
        image: its locks.
        platform: one of them.
        form: what it is written in.
        tools: that read facts.
        identity: of the image, where another is meant than `image` knows.

    Raises:
        MissingBlobError: the store lacks files.
        BuildError: the image has other layers than its lock gives.
    """
    locks = image.locks
    return make_sbom(
        locks.stack,
        locks.base,
        lock=locks.stack_digest,
        platform=platform,
        facts=tools.facts(image, platform),
        form=form,
        image=identity or image.images.get(platform),
    )


def iter_bills(image: ImageSubject, inputs: Inputs, form: Form, tools: FactTools) -> Iterator[bytes]:
    """Make the bill of each platform of an image that stands in a registry, by platform.

    Raises:
        MissingBlobError: the store lacks files.
        BuildError: the image has other layers than its lock gives.
    """
    index = image.shipped.root.digest if image.shipped is not None else None
    locked = LockedImageOf(
        locks=Locks(stack=inputs.stack, stack_digest=inputs.lock, base=inputs.base),
        images={one.platform: identity_of(one, index=index) for one in image.platforms},
    )
    return (make_bill(locked, one.platform, form, tools) for one in image.platforms)


def save_bills(
    image: LockedImageOf, platforms: tuple[Platform, ...], form: Form, output: Path, tools: FactTools
) -> tuple[Path, ...]:
    """Write bills: one to a file; several, or any into a folder, to files named by stack and platform.

    Raises:
        InvalidInputError: several are to go into one file.
    """
    folder = output.is_dir()
    if len(platforms) > 1 and not folder and output.suffix:
        hint = "name a folder, or one platform by --platform"
        raise InvalidInputError(f"{len(platforms)} bills cannot be one file", context=str(output), hint=hint)
    paths = []
    for platform in platforms:
        single = not folder and len(platforms) == 1
        path = output if single else output / f"{image.stack}-{platform.architecture}{SUFFIXES[form]}"
        data = make_bill(image, platform, form, tools)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, mode=_MODE) as stream:
            stream.write(data)
        paths.append(path)
    return tuple(paths)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedBill:
    """A bill that stands beside a platform's image."""

    platform: Platform
    subject: Digest
    """The platform's manifest."""
    manifest: Descriptor
    """The referrer."""
    size: int
    """Bytes of the bill."""


def attach_bills(
    registry: Registry,
    reference: Reference,
    image: LockedImageOf,
    platforms: tuple[Platform, ...],
    form: Form,
    tools: FactTools,
) -> Iterator[AttachedBill]:
    """Put the bill of each platform beside it in its registry, unsigned, as a referrer of its manifest.

    Args:
        registry: that holds the image.
        reference: of its index.
        image: its locks.
        platforms: some of the image's; all where empty.
        form: what the bills are written in.
        tools: that read facts.

    Raises:
        RegistryError: the image is not there, or the bill could not be pushed.
        BuildError: it was built from another lock.
    """
    shipped = read_shipped(registry, reference)
    _check_lock(shipped, image)
    held = {one.platform: one for one in shipped.platforms}
    for platform in platforms or tuple(sorted(held)):
        if platform not in held:
            known = ", ".join(one.name for one in sorted(held))
            raise InvalidInputError(f"is not for {platform}", context=str(shipped.reference), hint=f"it is for {known}")
        found = held[platform]
        bill = make_bill(image, platform, form, tools, identity_of(found, index=shipped.root.digest))
        said = {CREATED: format_time(image.locks.stack.created)}
        manifest = dump_artifact(describe(MEDIA_TYPES[form], bill), found.descriptor, said)
        pushed = push_artifact(registry, shipped.repository, bill, MEDIA_TYPES[form], manifest)
        yield AttachedBill(platform=platform, subject=found.descriptor.digest, manifest=pushed, size=len(bill))


def _check_lock(shipped: ShippedImage, image: LockedImageOf) -> None:
    if shipped.lock != image.locks.stack_digest:
        raise BuildError(
            f"was built from the lock {shipped.lock} of {shipped.stack}",
            context=str(shipped.reference),
            hint=f"this is {image.locks.stack_digest} of {image.stack}: name the image by digest, where the ledger knows it",
        )
