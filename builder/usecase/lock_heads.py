"""What tells whether a lock is fresh, kept by the hash of the lock: a lock that was read once is not parsed again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from builder.digest import Digest
from builder.errors import BuilderError
from builder.image.sealed import seal, unseal

if TYPE_CHECKING:
    from builder.lock.memory import LockMemory
    from builder.store.model import ArtefactStore

_KIND: Final = "heads"
_FORMAT: Final = 1
"""Goes up when locks that could be read cannot be read any more, or a head says something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockHead:
    """Of a lock that can be read: what it was made from, and what binds its children."""

    stack: str
    inputs: Digest
    airflow: tuple[tuple[str, str], ...]
    """Its parts of Airflow: project and version."""


class LockHeads:
    """Heads of stacks' locks.

    Args:
        artefacts: where they are kept from run to run; None to keep them for this one.
    """

    def __init__(self, artefacts: ArtefactStore | None = None) -> None:
        self._artefacts = artefacts
        self._seen: dict[Digest, LockHead] = {}

    def read(self, data: bytes, digest: Digest, *, file: str) -> LockHead:
        """Read the head of a lock.

        Args:
            data: the bytes of the lock.
            digest: of these bytes.
            file: how errors name the lock.

        Raises:
            BuilderError: the lock is damaged.
        """
        if digest not in self._seen:
            self._seen[digest] = self._kept(digest) or self._parse(data, digest, file)
        return self._seen[digest]

    def _kept(self, digest: Digest) -> LockHead | None:
        path = self._artefacts.get(_KIND, _key(digest)) if self._artefacts else None
        value = unseal(path.read_bytes()) if path else None
        return _from_value(value)

    def _parse(self, data: bytes, digest: Digest, file: str) -> LockHead:
        from builder.lock.airflow import airflow_parts

        lock = self.locks.stack(data, file=file)
        head = LockHead(stack=lock.stack, inputs=lock.inputs, airflow=airflow_parts(lock))
        if self._artefacts:
            value = {"stack": head.stack, "inputs": head.inputs.hex, "airflow": head.airflow}
            self._artefacts.put(_KIND, _key(digest), [seal(value)])
        return head

    @cached_property
    def locks(self) -> LockMemory:
        """Reads locks in full, where a head does not do."""
        from builder.lock.memory import LockMemory

        return LockMemory()


def _key(digest: Digest) -> str:
    return Digest.of(b"%d %s" % (_FORMAT, digest.hex.encode())).hex


def _from_value(value: Any) -> LockHead | None:
    """Take a head as it was kept; None where it is not what was written."""
    try:
        airflow = tuple((project, version) for project, version in value["airflow"])
        return LockHead(stack=value["stack"], inputs=Digest(value["inputs"]), airflow=airflow)
    except (KeyError, TypeError, ValueError, BuilderError):
        return None
