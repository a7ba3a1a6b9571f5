"""Why a lock is stale: what it was made from against what is there now. Pure, and offline by nature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from builder.digest import Digest
from builder.lock.model import StackLock
from builder.stack.inputs import inputs_digest
from builder.stack.model import Divergence, EffectiveStack, IndexRule


def by_project(divergences: Sequence[Divergence]) -> tuple[Divergence, ...]:
    """Order divergences as a lock holds them."""
    return tuple(sorted(divergences, key=lambda divergence: divergence.project))


def stale_reasons(
    lock: StackLock,
    stack: EffectiveStack,
    *,
    base_lock: Digest,
    parent_lock: Digest | None,
    constraints: Digest | None,
    files: Mapping[str, Digest],
    index_rules: Sequence[IndexRule] = (),
) -> tuple[str, ...]:
    """Say what changed since a lock was made; empty where it is fresh.

    Args:
        lock: of the stack.
        stack: as it is now.
        base_lock: of the base lock file's bytes, now.
        parent_lock: of the nearest parent's lock file's bytes, now.
        constraints: of the constraints that the stack holds to, now.
        files: of stacks/<name>/files, by path, now.
        index_rules: of stacks/indexes.toml, now.
    """
    now = inputs_digest(
        stack,
        base_lock=base_lock,
        parent_lock=parent_lock,
        constraints=constraints,
        files=files,
        index_rules=index_rules,
    )
    if now == lock.inputs:
        return ()
    locked_files = {path: file.sha256 for path, file in lock.files}
    checks = (
        (
            lock.airflow_version != stack.airflow_version,
            f"Airflow moved from {lock.airflow_version} to {stack.airflow_version}",
        ),
        (lock.base != stack.base, f"the base changed from {lock.base} to {stack.base}"),
        (lock.base == stack.base and lock.base_lock != base_lock, f"base {stack.base} was locked again"),
        (lock.parents != stack.parents, "it extends other stacks"),
        (
            lock.parents == stack.parents and lock.parent_lock != parent_lock,
            f"parent {(*stack.parents, '')[0]} was locked again",
        ),
        (lock.constraints != constraints, "the constraints changed"),
        (lock.divergences != by_project(stack.divergences), "the divergences changed"),
        (lock.resolution != stack.resolution, "the rules of [resolution] changed"),
        (lock.index_rules != tuple(index_rules), "stacks/indexes.toml changed"),
        (lock.platforms != stack.platforms, "the platforms changed"),
        (lock.compression != stack.compression, "the compression changed"),
        (any(locked_files.get(path) != digest for path, digest in files.items()), "files/ changed"),
    )
    reasons = tuple(reason for changed, reason in checks if changed)
    return reasons or ("stack.toml, requirements.in or files/ of it or a parent changed",)
