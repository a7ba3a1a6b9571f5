"""What a lock answers to, as one digest: another digest makes the lock stale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from builder.canonical import dump_json
from builder.digest import Digest
from builder.stack.base import base_to_dict
from builder.stack.model import Base, EffectiveStack, IndexRule
from builder.stack.stated import divergence_to_dict, index_rule_to_dict, resolution_to_dict

INPUTS_FORMAT = 1
"""Goes up when the meaning of the inputs changes, which makes every lock stale at once."""


def inputs_digest(
    stack: EffectiveStack,
    *,
    base_lock: Digest,
    parent_lock: Digest | None,
    constraints: Digest | None,
    files: Mapping[str, Digest],
    index_rules: Sequence[IndexRule] = (),
) -> Digest:
    """Digest everything that a stack's lock is made from, bar what indexes offer.

    Args:
        stack: the stack with its parents applied; owners are no input, since no lock holds them.
        base_lock: of the base lock file's bytes.
        parent_lock: of the nearest parent's lock file's bytes.
        constraints: of the bytes of the constraints that hold; None where none do.
        files: of stacks/<name>/files, by path.
        index_rules: of stacks/indexes.toml. Like `[resolution]`, they are an input only where they are stated.
    """
    value: dict[str, Any] = {
        "format": INPUTS_FORMAT,
        "stack": _stack_to_dict(stack),
        "base_lock": base_lock.hex,
        "parent_lock": parent_lock.hex if parent_lock else None,
        "constraints": constraints.hex if constraints else None,
        "files": {path: digest.hex for path, digest in files.items()},
    }
    if rules := resolution_to_dict(stack.resolution):
        value["resolution"] = rules
    if index_rules:
        value["indexes"] = [index_rule_to_dict(rule) for rule in index_rules]
    return Digest.of(dump_json(value))


def base_inputs_digest(base: Base) -> Digest:
    """Digest everything that a base lock is made from, bar what mirrors offer; comments and layout are no input."""
    return Digest.of(dump_json({"format": INPUTS_FORMAT, "name": base.name, "base": base_to_dict(base)}))


def _stack_to_dict(stack: EffectiveStack) -> dict[str, Any]:
    return {
        "name": stack.name,
        "description": stack.description,
        "parents": list(stack.parents),
        "airflow_version": stack.airflow_version,
        "constraints": stack.constraints,
        "base": stack.base,
        "requirements": list(stack.requirements),
        "divergences": [divergence_to_dict(divergence) for divergence in stack.divergences],
        "platforms": [platform.name for platform in stack.platforms],
        "layers": stack.layers,
        "compression": stack.compression,
    }
