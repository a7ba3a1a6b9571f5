"""The revisions of one database schema by Alembic: a graph, its heads, and the document that keeps it.

    {"format":1,"owner":"apache-airflow-core","version_table":"alembic_version",
     "revisions":{"d2f4e1b3c5a7":{"down":["9ff64e1c35d3"],"release":"3.3.0","title":"Add partition_date to ..."}}}

Source: alembic/script/revision.py: a head is a revision that no other names as the one before it, or depends on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Final

import msgspec

from builder.canonical import dump_json
from builder.errors import LedgerError

FORMAT: Final = 1
CORE_TABLE: Final = "alembic_version"
"""The version table of Airflow's own schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One migration."""

    id: str
    down: tuple[str, ...] = ()
    """Revisions that it comes after; several where it merges, none where it begins."""
    depends_on: tuple[str, ...] = ()
    """Revisions, or labels of branches, that must have been applied besides."""
    labels: tuple[str, ...] = ()
    release: str = ""
    """Of the distribution that brought it, as its file says."""
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class History:
    """All revisions that an image knows of one schema."""

    owner: str
    version_table: str
    revisions: Mapping[str, Revision]
    """By id."""

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """List what `alembic_version` holds once all are applied, sorted."""
        below = {before for revision in self.revisions.values() for before in self._before(revision)}
        return tuple(sorted(self.revisions.keys() - below))

    def applied(self, heads: Iterable[str]) -> frozenset[str]:
        """List what has been applied where a database stands at these heads: they, and all that they come after."""
        found: set[str] = set()
        waiting = [head for head in heads if head in self.revisions]
        while waiting:
            revision = waiting.pop()
            if revision not in found:
                found.add(revision)
                waiting.extend(self._before(self.revisions[revision]))
        return frozenset(found)

    def missing(self) -> tuple[str, ...]:
        """List what is named as coming before a revision, and is not there."""
        named = {before for revision in self.revisions.values() for before in self._before(revision)}
        return tuple(sorted(named - self.revisions.keys()))

    def is_circular(self) -> bool:
        """Tell whether revisions come before themselves, so that there is no order to apply them in."""
        try:
            TopologicalSorter(self._graph(self.revisions.keys())).prepare()
        except CycleError:
            return True
        return False

    def between(self, lower: Iterable[str], upper: Iterable[str]) -> tuple[Revision, ...]:
        """List what is applied at the upper heads and not at the lower ones, in an order to apply them in."""
        wanted = self.applied(upper) - self.applied(lower)
        return tuple(self.revisions[name] for name in TopologicalSorter(self._graph(wanted)).static_order())

    def _graph(self, wanted: AbstractSet[str]) -> dict[str, tuple[str, ...]]:
        return {
            name: tuple(before for before in self._before(self.revisions[name]) if before in wanted)
            for name in sorted(wanted)
        }

    def before(self, name: str) -> tuple[str, ...]:
        """List what must have been applied right before a revision."""
        return self._before(self.revisions[name])

    def _before(self, revision: Revision) -> tuple[str, ...]:
        return (*revision.down, *(self._labels.get(name, name) for name in revision.depends_on))

    @cached_property
    def _labels(self) -> Mapping[str, str]:
        return {label: revision.id for revision in self.revisions.values() for label in revision.labels}


class _WrittenRevision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    down: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    release: str = ""
    title: str = ""


class _WrittenHistory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: Annotated[int, msgspec.Meta(ge=FORMAT, le=FORMAT)]
    owner: str
    version_table: str
    revisions: dict[str, _WrittenRevision]


def dump_history(history: History) -> bytes:
    """Write a history: bytes are stable."""
    revisions = {
        name: _WrittenRevision(
            down=revision.down,
            depends_on=revision.depends_on,
            labels=revision.labels,
            release=revision.release,
            title=revision.title,
        )
        for name, revision in sorted(history.revisions.items())
    }
    written = _WrittenHistory(
        format=FORMAT, owner=history.owner, version_table=history.version_table, revisions=revisions
    )
    return dump_json(msgspec.to_builtins(written))


def parse_history(data: bytes, *, context: str) -> History:
    """Read what `dump_history` writes; raises LedgerError where it is something else."""
    try:
        written = msgspec.json.decode(data, type=_WrittenHistory)
    except msgspec.MsgspecError as error:
        raise LedgerError(f"is no history of a database schema: {error}", context=context) from error
    revisions = {
        name: Revision(
            id=name,
            down=row.down,
            depends_on=row.depends_on,
            labels=row.labels,
            release=row.release,
            title=row.title,
        )
        for name, row in written.revisions.items()
    }
    return History(owner=written.owner, version_table=written.version_table, revisions=revisions)
