"""Rules and divergences in the words of the files that state them, for digests and locks; standard library only."""

from __future__ import annotations

from typing import Any

from builder.stack.model import Divergence, IndexRule, ResolutionRules


def resolution_to_dict(rules: ResolutionRules) -> dict[str, Any]:
    """Make a dict of rules in the words of stack.toml; what is not stated is left out."""
    stated: dict[str, Any] = {}
    if rules.as_of is not None:
        stated["as-of"] = rules.as_of.isoformat(timespec="seconds").replace("+00:00", "Z")
    if rules.cooldown_days is not None:
        stated["cooldown"] = f"{rules.cooldown_days}d"
    if rules.resolver is not None:
        stated["resolver"] = rules.resolver
    if rules.sdists is not None:
        stated["sdists"] = rules.sdists
    if rules.exceptions:
        stated["exceptions"] = [
            {"project": one.project, "specifier": one.specifier, "reason": one.reason} for one in rules.exceptions
        ]
    return stated


def index_rule_to_dict(rule: IndexRule) -> dict[str, Any]:
    """Make a dict of an index's rule in the words of stacks/indexes.toml."""
    stated: dict[str, Any] = {"name": rule.name}
    if rule.folder:
        stated["folder"] = rule.folder
    if rule.reserved:
        stated["reserved"] = list(rule.reserved)
    if rule.cooldown_days is not None:
        stated["cooldown"] = f"{rule.cooldown_days}d"
    return stated


def divergence_to_dict(divergence: Divergence) -> dict[str, str]:
    """Make a dict of a divergence in the words of stack.toml."""
    return {
        "project": divergence.project,
        "specifier": divergence.specifier,
        "reason": divergence.reason,
        "owner": divergence.owner,
        "expires": divergence.expires.isoformat(),
    }
