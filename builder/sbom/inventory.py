"""From locks and facts to the list of what is in one platform's image. Pure.

- Each Debian package and each distribution of the lock once, in its layer, with what it needs of the others.
- What stands inside distributions stands beside them, with the one it is inside of.
- Nothing that the locks and the facts of their files do not say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from builder.digest import Digest
from builder.entry import EntryKind
from builder.errors import BuildError, MissingBlobError
from builder.image.parts import LayerParts, plan_parts
from builder.image.sources import DebSource, DeclaredSource, EntriesSource, FilesSource, WheelSource
from builder.lock.model import BaseLock, LockedCandidate, LockedDeb, StackLock
from builder.lock.pylock_writer import wheel_path
from builder.platform import Platform
from builder.sbom.facts import Carried, DebFacts, Facts
from builder.sbom.model import ImageIdentity, Inventory, Item, Kind, Layer
from builder.sbom.purls import OPERATING_SYSTEM_TYPES, deb_purl, parse_purl, pypi_purl, python_purl

BASE_IMAGE_LAYER = "image"
_STACK_PREFIX = "stack:"
_PYTHON = "python"


def make_inventory(
    stack: StackLock,
    base: BaseLock,
    *,
    lock: Digest,
    platform: Platform,
    facts: Facts,
    image: ImageIdentity | None = None,
) -> Inventory:
    """List what is in a platform's image.

    Args:
        stack: its lock.
        base: the lock of its base.
        lock: digest of the stack lock's bytes.
        platform: one of the lock's.
        facts: of every file that the locks name for the platform.
        image: where it is built already: its layers are named by digest then.

    Raises:
        MissingBlobError: facts lack a file of the locks.
        BuildError: the image has other layers than the locks give.
    """
    parts = plan_parts(stack, base, platform)
    maker = _Maker(stack, base, platform, facts, _layers(parts, stack, base, platform, image))
    items = tuple(sorted(maker.items(parts), key=lambda item: (item.kind, item.name, item.version, item.ref)))
    asked = [item.ref for item in items if any(who.startswith(_STACK_PREFIX) for who in item.wanted_by)]
    # A lock in which nobody asks for anything depends on all of it: a root without edges is no bill of materials.
    asked = asked or [item.ref for item in items if item.kind is Kind.DISTRIBUTION]
    ground = [item.ref for item in items if item.kind in {Kind.SYSTEM, Kind.INTERPRETER, Kind.FILE}]
    return Inventory(
        stack=stack.stack,
        description=stack.description,
        airflow_version=stack.airflow_version,
        python_version=stack.python_version,
        platform=platform,
        created=stack.created,
        lock=lock,
        base=stack.base,
        base_lock=stack.base_lock,
        image=image,
        from_files=facts.from_files,
        items=items,
        top=tuple(sorted({*asked, *ground})),
    )


def _layers(
    parts: Sequence[LayerParts], stack: StackLock, base: BaseLock, platform: Platform, image: ImageIdentity | None
) -> Mapping[str, Layer]:
    """Name the layers that are ours, with their digests where the image is known."""
    below = base.image_for(platform)
    offset = len(below.layers) if below is not None else 0
    known = image.layers if image is not None else ()
    if known and len(known) != offset + len(parts):
        raise BuildError(
            f"has {len(known)} layers for {platform}, the lock gives {offset + len(parts)}",
            context=str(image.manifest) if image is not None else "",
            hint="it was built from another lock, or by another builder",
        )
    owners = {layer.name: layer.stack for layer in stack.plan}
    found = {}
    for number, part in enumerate(parts):
        digest, diff_id = known[offset + number] if known else (None, None)
        found[part.name] = Layer(name=part.name, stack=owners.get(part.name, ""), digest=digest, diff_id=diff_id)
    return found


class _Maker:
    """Makes the items of one platform."""

    def __init__(
        self, stack: StackLock, base: BaseLock, platform: Platform, facts: Facts, layers: Mapping[str, Layer]
    ) -> None:
        self._stack = stack
        self._base = base
        self._platform = platform
        self._facts = facts
        self._layers = layers

    def items(self, parts: Sequence[LayerParts]) -> Iterator[Item]:
        """Make all of them, in no order."""
        layer_of: dict[str, Layer] = {}
        locked: list[LockedDeb] = []
        for part in parts:
            layer = self._layers[part.name]
            for source in part.sources:
                if isinstance(source, WheelSource):
                    layer_of[source.project] = layer
                elif isinstance(source, DebSource):
                    locked.append(source.deb)
                    layer_of[f"deb {source.deb.package}"] = layer
                elif isinstance(source, FilesSource | EntriesSource | DeclaredSource):
                    yield from _files(source, layer)
        debs = tuple(self._debs(locked, layer_of))
        yield from debs
        yield from self._system(debs)
        yield self._interpreter(debs)
        yield from self._distributions(layer_of)
        yield from self._of_base()

    def _debs(self, locked: Sequence[LockedDeb], layer_of: Mapping[str, Layer]) -> Iterator[Item]:
        below = self._facts.base.debs if self._facts.base is not None else ()
        rows = [(self._deb_facts(deb), deb, layer_of[f"deb {deb.package}"]) for deb in locked]
        known = [facts for facts, _, _ in rows] + list(below)
        refs = {facts.package: deb_purl(facts, self._facts.system) for facts in known}
        providers: dict[str, str] = {}
        for facts in sorted(known, key=lambda one: one.package):
            for name in facts.provides:
                providers.setdefault(name, refs[facts.package])
        licences = {facts.package: facts.licence for facts in known}
        base_layer = Layer(name=BASE_IMAGE_LAYER)
        for facts, deb, layer in [*rows, *((facts, None, base_layer) for facts in below)]:
            ref = deb_purl(facts, self._facts.system)
            needed = (_first(names, refs, providers) for names in facts.depends)
            yield Item(
                ref=ref,
                kind=Kind.DEB,
                name=facts.package,
                version=facts.version,
                purl=ref,
                sha256=deb.file.sha256 if deb else None,
                file_name=deb.file.name if deb else "",
                location=deb.pool_path if deb else "",
                licence=facts.licence if facts.licence.said_digest else licences.get(facts.licence_of, facts.licence),
                supplier=facts.maintainer,
                summary=facts.summary,
                layer=layer,
                needs=tuple(sorted({one for one in needed if one and one != ref})),
                source=(facts.source, facts.source_version),
            )

    def _deb_facts(self, deb: LockedDeb) -> DebFacts:
        facts = self._facts.debs.get(deb.file.sha256)
        if facts is None:
            raise MissingBlobError(f"nothing is known of {deb.file.name}", hint="airflow-kubler fetch")
        return facts

    def _system(self, debs: Sequence[Item]) -> Iterator[Item]:
        system = self._facts.system
        if system is not None:
            needs = tuple(sorted(item.ref for item in debs))
            ref = f"{system.id}-{system.version}"
            yield Item(ref=ref, kind=Kind.SYSTEM, name=system.id, version=system.version, needs=needs)

    def _interpreter(self, debs: Sequence[Item]) -> Item:
        minor = ".".join(self._base.python_version.split(".")[:2])
        needs = tuple(sorted(item.ref for item in debs if item.name in {f"python{minor}-minimal", f"python{minor}"}))
        purl = python_purl(self._base.python_version)
        return Item(
            ref=purl, kind=Kind.INTERPRETER, name=_PYTHON, version=self._base.python_version, purl=purl, needs=needs
        )

    def _distributions(self, layer_of: Mapping[str, Layer]) -> Iterator[Item]:
        candidates = self._stack.candidates_for(self._platform)
        refs = {one.project: pypi_purl(one.project, one.version) for one in candidates}
        for candidate in candidates:
            yield from self._distribution(candidate, refs, layer_of[candidate.project])

    def _distribution(self, candidate: LockedCandidate, refs: Mapping[str, str], layer: Layer) -> Iterator[Item]:
        wheel = candidate.wheels[self._platform.name]
        facts = self._facts.wheels.get(wheel.sha256)
        if facts is None:
            raise MissingBlobError(f"nothing is known of {wheel.name}", hint="airflow-kubler fetch")
        ref = refs[candidate.project]
        inside = tuple(_carried(facts.carried, ref, layer))
        yield Item(
            ref=ref,
            kind=Kind.DISTRIBUTION,
            name=candidate.project,
            version=candidate.version,
            purl=ref,
            sha256=wheel.sha256,
            file_name=wheel.name,
            location=wheel_path(wheel),
            licence=facts.licence,
            supplier=facts.supplier,
            summary=facts.summary,
            layer=layer,
            needs=tuple(sorted({refs[project] for project in candidate.dependencies if project in refs} - {ref})),
            wanted_by=candidate.wanted_by,
            sboms=facts.sboms,
        )
        yield from inside

    def _of_base(self) -> Iterator[Item]:
        """Make what else a base that is an image holds: its Python's own distributions, mostly."""
        found = self._facts.base.distributions if self._facts.base is not None else ()
        yield from _carried(found, "", Layer(name=BASE_IMAGE_LAYER))


def _first(names: Sequence[str], refs: Mapping[str, str], providers: Mapping[str, str]) -> str:
    """Find the first of some alternatives that is there; empty where the base was cut."""
    return next((found for name in names if (found := refs.get(name) or providers.get(name))), "")


def _carried(carried: Sequence[Carried], owner: str, layer: Layer) -> Iterator[Item]:
    for one in carried:
        parsed = parse_purl(one.purl)
        if parsed is None:
            continue
        foreign = parsed.type in OPERATING_SYSTEM_TYPES
        yield Item(
            ref=f"{owner or BASE_IMAGE_LAYER}|{one.purl}",
            kind=Kind.FOREIGN if foreign else Kind.CARRIED,
            name=parsed.name,
            version=parsed.version or "",
            purl=one.purl,
            licence=one.licence,
            layer=layer,
            inside=owner,
            found_at=one.path,
        )


def _files(source: FilesSource | EntriesSource | DeclaredSource, layer: Layer) -> Iterator[Item]:
    for path, sha256 in _iter_contents(source):
        yield Item(
            ref=f"file:/{path}", kind=Kind.FILE, name=f"/{path}", sha256=sha256, file_name=f"/{path}", layer=layer
        )


def _iter_contents(source: FilesSource | EntriesSource | DeclaredSource) -> Iterator[tuple[str, Digest]]:
    """List files with their content's hash; what is made of a deb, as the bundle of certificates, has none yet."""
    if isinstance(source, FilesSource):
        yield from ((path, file.sha256) for path, file in source.files)
    elif isinstance(source, EntriesSource):
        for entry in source.entries:
            if entry.kind is EntryKind.FILE:
                yield entry.path, Digest.of(entry.data)
    else:
        for declared in source.base.files:
            if declared.kind == "file":
                yield declared.path, Digest.of(declared.content.encode())
