"""What a stack's lock is made from beside what indexes offer, as bytes: read before anything is resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.digest import Digest
from builder.stack.inputs import inputs_digest
from builder.stack.model import EffectiveStack, IndexRule

if TYPE_CHECKING:
    from builder.project import Project
    from builder.usecase.constraints import Constraints
    from builder.usecase.lock_model import LockOptions, LockTools


@dataclass(frozen=True, slots=True, kw_only=True)
class StackInputs:
    """The project's own files that bear on one stack, and the locks it stands on."""

    base_lock: Digest
    """Of the base lock file's bytes."""
    parent_lock: Digest | None
    """Of the nearest parent's lock file's bytes."""
    constraints: Constraints | None
    index_rules: tuple[IndexRule, ...]
    files: tuple[tuple[str, bytes], ...]
    """Of stacks/<name>/files: path in the image, and content."""

    def digest_for(self, stack: EffectiveStack) -> Digest:
        """Digest all of it as the stack's lock records it."""
        return inputs_digest(
            stack,
            base_lock=self.base_lock,
            parent_lock=self.parent_lock,
            constraints=self.constraints.digest if self.constraints else None,
            files={path: Digest.of(data) for path, data in self.files},
            index_rules=self.index_rules,
        )


def load_inputs(
    project: Project,
    tools: LockTools,
    stack: EffectiveStack,
    options: LockOptions,
    *,
    base_lock: Digest,
    parent_lock: Digest | None,
) -> StackInputs:
    """Read the inputs of a stack; constraints are fetched where they are not kept yet."""
    return StackInputs(
        base_lock=base_lock,
        parent_lock=parent_lock,
        constraints=tools.constraints(project, stack, options),
        index_rules=project.load_index_rules(),
        files=project.stack_files(stack.name),
    )
