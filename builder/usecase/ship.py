"""Ship: images to and from registries, and the tags that stand for them.

- An immutable tag (`<stack>-<yyyymmdd>.<n>`) is written once. An image that has one gets no other.
- Every other tag is a channel, and moves.
- A new immutable tag is written with `If-None-Match: *`, which registries may heed; where one refuses to change a tag, by that or
  by a rule of its own, the next number is taken.
- After a tag is written it is read again, and once more after the channels: where another writer was faster, an immutable tag
  is lost to it, and the next number is taken. The distribution specification has no way to ask for more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.atomic import TEMPORARY_PREFIX
from builder.digest import Digest
from builder.errors import BuildError, IntegrityError, InvalidInputError, RegistryError
from builder.image.contract import LOCK_LABEL
from builder.image.layout_reader import FolderLayout
from builder.oci import media
from builder.oci.descriptor import Descriptor
from builder.oci.index import parse_index
from builder.oci.layout import INDEX_FILE, LAYOUT_FILE, LayoutImage, parse_layout
from builder.registry.answers import TagTakenError
from builder.registry.folder import FolderBlobs
from builder.registry.model import BlobPushed, ManifestBytes, Reference, Registry, Repository
from builder.registry.parallel import DEFAULT_WORKERS
from builder.registry.pulling import Pulled, pull
from builder.registry.shipment import collect
from builder.registry.tags import next_tag, of_stack, parse_immutable
from builder.registry.transfer import TransferPlan, TransferReport, plan_push, push

_TITLE = "org.opencontainers.image.title"
_TITLE_PREFIX = "airflow-"
_TRIES = 10
_MOST_NEAR = 2
"""Tags whose images are looked into for blobs that need not be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipRequest:
    """An image in a layout, and where it shall stand."""

    layout: Path
    repository: Repository
    day: str
    """As `20261124`: of the tag."""
    tags: tuple[str, ...] = ()
    """Beside the dated one: immutable ones and channels, told apart by their form."""
    dated: bool = True
    """Give the image an immutable tag of its stack and day, unless it has one."""
    mount_from: tuple[Repository, ...] = ()
    """Repositories of the same registry that may lend blobs."""
    workers: int = DEFAULT_WORKERS


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipPlan:
    """What a push would do."""

    image: LayoutImage
    transfer: TransferPlan
    dated_tag: str
    """Empty for none."""
    is_new_tag: bool
    """The dated tag is yet to be written."""
    channels: Mapping[str, Digest | None]
    """Other tags, and what each stands for now."""

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags that will stand for the image, the dated one first."""
        return (*((self.dated_tag,) if self.dated_tag else ()), *self.channels)

    @property
    def moving(self) -> tuple[str, ...]:
        """Tags that stand for something else, or nothing, now."""
        root = self.transfer.root.digest
        return tuple(tag for tag, digest in self.channels.items() if digest != root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """What a push did."""

    plan: ShipPlan
    report: TransferReport
    tags: tuple[str, ...]
    """As they stand now, the dated one first."""


def read_image(layout: Path, *, lock: Path | None = None) -> LayoutImage:
    """Read the image of a layout.

    Args:
        layout: its folder.
        lock: the lock that it must have been built from.

    Raises:
        BuildError: there is no image, or it was built from another lock.
    """
    if not (layout / INDEX_FILE).is_file():
        raise BuildError("there is no image", context=str(layout), hint="build it, or name a folder by --layout")
    image = parse_layout(FolderLayout(layout))
    if lock is None:
        return image
    locked = str(Digest.of(lock.read_bytes()))
    if any(dict(one.config.run.labels).get(LOCK_LABEL) != locked for one in image.platforms):
        raise BuildError(
            "the image was built from another lock than the one here",
            context=str(layout),
            hint=f"airflow-kubler build {image.name}; or name the folder by --layout to push it all the same",
        )
    return image


def plan_ship(registry: Registry, request: ShipRequest, image: LayoutImage) -> ShipPlan:
    """Find out what is to be sent and which tags are to be written; nothing is written.

    Raises:
        InvalidInputError: an immutable tag stands for another image.
    """
    shipment = collect(image.descriptor, FolderBlobs(request.layout))
    there = registry.tags(request.repository)
    near = (*of_stack(there, image.name)[:1], *(tag for tag in request.tags if tag in there))
    transfer = plan_push(registry, request.repository, shipment, near=near[:_MOST_NEAR], workers=request.workers)
    root = transfer.root.digest
    standing = {tag: _digest_of(registry, request.repository.at(tag)) for tag in dict.fromkeys(request.tags)}
    for tag, digest in standing.items():
        if digest not in (None, root):
            check_movable(request.repository.at(tag), digest)
    dated, new = ("", False)
    if request.dated:
        dated, new = _dated_tag(registry, request, image.name, transfer, there)
    return ShipPlan(image=image, transfer=transfer, dated_tag=dated, is_new_tag=new, channels=standing)


def check_movable(reference: Reference, digest: Digest | None) -> None:
    """Refuse an immutable tag that stands for something already; raises InvalidInputError."""
    if reference.tag is not None and parse_immutable(reference.tag) is not None:
        raise InvalidInputError(
            f"the tag is immutable, and stands for {digest}",
            context=str(reference),
            hint="take another tag: one of the form <stack>-<yyyymmdd>.<n> is written once",
        )


def ship(
    registry: Registry,
    request: ShipRequest,
    plan: ShipPlan,
    *,
    progress: Callable[[Descriptor, BlobPushed], None] = lambda *_: None,
    arrived: Callable[[Repository, ManifestBytes], None] = lambda *_: None,
) -> Shipped:
    """Carry a plan out: blobs, manifests, the immutable tag, then channels; each tag is read again.

    Args:
        registry: where to.
        request: what, and where.
        plan: made of both.
        progress: is told of each blob.
        arrived: is called when the image is there and before any tag stands for it: nobody who follows a tag sees it unsigned.

    Raises:
        RegistryError: it did not go through.
    """
    source, root = FolderBlobs(request.layout), plan.transfer.root
    report = push(
        registry, plan.transfer, source, mount_from=request.mount_from, workers=request.workers, progress=progress
    )
    arrived(request.repository, root)
    dated = plan.dated_tag
    if plan.is_new_tag:
        dated = _claim(registry, request, plan, dated)
    for tag in plan.moving:
        set_tag(registry, request.repository, root, tag)
    if plan.is_new_tag and plan.moving:
        dated = _claim(registry, request, plan, dated)
    return Shipped(plan=plan, report=report, tags=(*((dated,) if dated else ()), *plan.channels))


def set_tag(registry: Registry, repository: Repository, root: ManifestBytes, tag: str) -> Digest | None:
    """Make a tag stand for a manifest, and read it again; returns what it stood for.

    Raises:
        InvalidInputError: the tag is immutable, and stands for another.
        RegistryError: something else stands there after all.
    """
    reference = repository.at(tag)
    before = _digest_of(registry, reference)
    if before == root.digest:
        return before
    if before is not None:
        check_movable(reference, before)
    is_new = before is None and parse_immutable(tag) is not None
    registry.push_manifest(repository, root.data, root.media_type, tag, is_new=is_new)
    after = _digest_of(registry, reference)
    if after != root.digest:
        raise RegistryError(
            f"the tag stands for {after} after it was set to {root.digest}",
            context=str(reference),
            hint="somebody else moves it at the same time: look who, then run it again",
        )
    return before


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """An image that tags stand for now."""

    digest: Digest
    before: Mapping[str, Digest | None]
    """By tag, what it stood for."""


def tag_image(registry: Registry, source: Reference, tags: Sequence[str]) -> Tagged:
    """Make tags stand for an image of the same repository.

    All are looked at before the first is written. Raises RegistryError where there is no such image.
    """
    root = registry.manifest(source)
    if root is None:
        raise RegistryError("there is no such image", context=str(source), hint="airflow-kubler ls shows what is there")
    for tag in tags:
        standing = _digest_of(registry, source.repository.at(tag))
        if standing not in (None, root.digest):
            check_movable(source.repository.at(tag), standing)
    before = {tag: set_tag(registry, source.repository, root, tag) for tag in dict.fromkeys(tags)}
    return Tagged(digest=root.digest, before=before)


def fetch_image(
    registry: Registry,
    reference: Reference,
    folder: Path,
    *,
    with_referrers: bool = False,
    workers: int = DEFAULT_WORKERS,
) -> Pulled:
    """Bring an image or artifact into a folder, as a layout that names it.

    With referrers, those that cannot be had are left out, and listed in what is returned.

    Raises:
        RegistryError: it is not there, or cannot be had.
        IntegrityError: it is not what its digest says.
        InvalidInputError: the folder holds something else.
    """
    if folder.exists() and not _is_layout(folder):
        raise InvalidInputError("holds something that is no layout", context=str(folder), hint="name another folder")
    sink = FolderBlobs(folder)
    pulled = pull(registry, reference, sink, with_referrers=with_referrers, workers=workers, begin=sink.begin)
    root = pulled.shipment.root
    sink.write_index([(root.descriptor, _name_of(root, reference))])
    return pulled


def _is_layout(folder: Path) -> bool:
    """Tell whether a folder is a layout, one that a pull has begun, or empty."""
    return (folder / LAYOUT_FILE).is_file() or all(
        entry.name.startswith(TEMPORARY_PREFIX) for entry in folder.iterdir()
    )


def _name_of(root: ManifestBytes, reference: Reference) -> str:
    """Name a pulled image as `build` does, by its stack; anything else by its tag or repository."""
    if root.media_type == media.INDEX:
        title = dict(parse_index(root.data).annotations).get(_TITLE, "")
        if title.startswith(_TITLE_PREFIX):
            return title.removeprefix(_TITLE_PREFIX)
    return reference.tag or reference.repository.path.rpartition("/")[2]


def _dated_tag(
    registry: Registry, request: ShipRequest, stack: str, transfer: TransferPlan, tags: Sequence[str]
) -> tuple[str, bool]:
    own = next((tag for tag in request.tags if parse_immutable(tag)), None)
    if own is not None:
        # The user numbers images himself: that one is immutable too.
        return "", False
    if not transfer.manifests:
        for tag in of_stack(tags, stack):
            if _digest_of(registry, request.repository.at(tag)) == transfer.root.digest:
                return tag, False
    return next_tag(tags, stack, request.day), True


def _claim(registry: Registry, request: ShipRequest, plan: ShipPlan, tag: str) -> str:
    """Write a dated tag, unless it stands for the image, or the next one that nobody has."""
    root, refused = plan.transfer.root, ""
    for _ in range(_TRIES):
        standing = _digest_of(registry, request.repository.at(tag))
        if standing is None:
            try:
                registry.push_manifest(request.repository, root.data, root.media_type, tag, is_new=True)
            except TagTakenError as error:
                refused = f": {error.message}"
            standing = _digest_of(registry, request.repository.at(tag))
        if standing == root.digest:
            return tag
        tag = next_tag((*registry.tags(request.repository), tag), plan.image.name, request.day)
    raise RegistryError(
        f"{_TRIES} tags in a row were taken by others at the same moment{refused}",
        context=str(request.repository.at(tag)),
        hint="push again: what was sent is there",
    )


def _digest_of(registry: Registry, reference: Reference) -> Digest | None:
    """Find what a tag stands for; of what cannot be understood, nothing but that it is there."""
    try:
        found = registry.manifest(reference)
    except IntegrityError as error:
        raise InvalidInputError(
            f"something stands there that is no image: {error.message}", context=str(reference), hint="take another tag"
        ) from error
    return found.digest if found is not None else None
