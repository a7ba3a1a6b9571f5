"""The facts of every file that locks name for one platform, from the store; what was read before is recalled without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from builder.errors import MissingBlobError
from builder.lock.model import BaseLock, LockedFile, StackLock
from builder.platform import Platform
from builder.sbom.facts import Facts
from builder.sbom.read_base import base_facts
from builder.sbom.read_deb import deb_facts
from builder.sbom.read_wheel import wheel_facts
from builder.store.model import ArtefactStore, FileStore, Progress

_MOST_SHOWN = 5
_T = TypeVar("_T")
_R = TypeVar("_R")


def total_size(stack: StackLock, base: BaseLock, platform: Platform) -> int:
    """Count the bytes of the wheels and debs that facts are read from."""
    wheels = (candidate.wheels[platform.name].size for candidate in stack.candidates_for(platform))
    return sum(wheels) + sum(deb.file.size for deb in base.debs if platform in deb.platforms)


def gather_facts(
    stack: StackLock,
    base: BaseLock,
    platform: Platform,
    *,
    files: FileStore,
    artefacts: ArtefactStore,
    jobs: int = 1,
    progress: Progress = lambda _: None,
) -> Facts:
    """Read what the files of one platform tell of themselves.

    Raises:
        MissingBlobError: the store lacks files that were never read before.
        IntegrityError: one is refused.
    """
    wheels = tuple(candidate.wheels[platform.name] for candidate in stack.candidates_for(platform))
    debs = tuple(deb for deb in base.debs if platform in deb.platforms)
    missing: list[LockedFile] = []

    def telling(file: LockedFile, read: Callable[[], _R]) -> _R | None:
        try:
            found = read()
        except MissingBlobError:
            missing.append(file)
            return None
        progress(file.size)
        return found

    of_wheels = _map(lambda file: telling(file, lambda: wheel_facts(file, files, artefacts)), wheels, jobs)
    of_debs = _map(lambda deb: telling(deb.file, lambda: deb_facts(deb, files, artefacts)), debs, jobs)
    _check(missing, stack.stack)
    found = [(deb.file.sha256, read) for deb, read in zip(debs, of_debs, strict=True) if read is not None]
    system = next((read.system for _, read in found if read.system is not None), None)
    image, below = base.image_for(platform), None
    if image is not None:
        below, system = base_facts(image, base, files, artefacts)
    return Facts(
        system=system,
        wheels={file.sha256: read for file, read in zip(wheels, of_wheels, strict=True) if read is not None},
        debs={digest: read.facts for digest, read in found},
        base=below,
    )


def _map(work: Callable[[_T], _R], items: Sequence[_T], jobs: int) -> list[_R]:
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="facts") as pool:
        return list(pool.map(work, items))


def _check(missing: Sequence[LockedFile], stack: str) -> None:
    if missing:
        named = ", ".join(sorted(file.name for file in missing)[:_MOST_SHOWN])
        raise MissingBlobError(
            f"the store lacks {len(missing)} files: {named}", hint=f"airflow-kubler fetch {stack}, then again"
        )
