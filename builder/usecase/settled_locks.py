"""Which of many locks are settled: what they were made from is read once, and indexes are asked once of each project.

Stacks of a fleet share most of what they lock, so the rows that were noted of them are kept once, and compared once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from builder.digest import Digest
from builder.usecase.settled import PageRow, key_of_inputs, noted_rows
from builder.usecase.stack_inputs import StackInputs

if TYPE_CHECKING:
    from builder.project import Project
    from builder.stack.model import EffectiveStack
    from builder.usecase.constraints import Constraints
    from builder.usecase.lock_model import LockOptions, LockTools


class SettledLocks:
    """What indexes said when locks were settled, held against what they say.

    Args:
        project: the folder of stacks and locks.
        tools: what touches the outside.
        options: how stacks would be locked.
    """

    def __init__(self, project: Project, tools: LockTools, options: LockOptions) -> None:
        self._project = project
        self._tools = tools
        self._options = options
        self._rules = project.load_index_rules()
        self._digests: dict[str, Digest] = {}
        self._constraints: dict[tuple[str, ...], Constraints | None] = {}
        self._rows: dict[PageRow, PageRow] = {}
        self._noted: dict[str, tuple[PageRow, ...] | None] = {}
        self._moved: dict[PageRow, bool] = {}

    def look_at(self, stacks: Iterable[EffectiveStack]) -> None:
        """Find what was noted of these stacks, whose locks are fresh, and ask indexes for all of it side by side."""
        for stack in stacks:
            rows = noted_rows(self._tools.snapshots, self._key(stack))
            self._noted[stack.name] = None if rows is None else tuple(self._rows.setdefault(row, row) for row in rows)
        pages: dict[str, list[str]] = {}
        for index, project, _ in self._rows:
            pages.setdefault(index, []).append(project)
        self._tools.world.prefetch_pages(pages)

    def moved(self, name: str) -> tuple[str, ...] | None:
        """List projects of which indexes say something else than when a lock was settled; None where it never was.

        Raises:
            PackageIndexError: an index did not answer.
        """
        rows = self._noted.get(name)
        return None if rows is None else tuple(sorted(row[1] for row in rows if self._is_moved(row)))

    def _is_moved(self, row: PageRow) -> bool:
        if row not in self._moved:
            index, project, text = row
            self._moved[row] = bool(self._tools.world.moved({index: {project: Digest(text) if text else None}}))
        return self._moved[row]

    def _key(self, stack: EffectiveStack) -> str:
        project = self._project
        inputs = StackInputs(
            base_lock=self._digest(project.base_lock_path(stack.base).name),
            parent_lock=self._digest(project.stack_lock_path(stack.parents[0]).name) if stack.parents else None,
            constraints=self._constraints_of(stack),
            index_rules=self._rules,
            files=project.stack_files(stack.name),
        )
        previous = self._digest(project.stack_lock_path(stack.name).name)
        return key_of_inputs(self._tools, stack, inputs.digest_for(stack), self._rules, previous, self._options)

    def _digest(self, file: str) -> Digest:
        if file not in self._digests:
            self._digests[file] = Digest.of((self._project.locks_folder / file).read_bytes())
        return self._digests[file]

    def _constraints_of(self, stack: EffectiveStack) -> Constraints | None:
        key = stack.constraints, stack.constraints_from or stack.name, stack.airflow_version, stack.base
        if key not in self._constraints:
            self._constraints[key] = self._tools.constraints(self._project, stack, self._options)
        return self._constraints[key]
