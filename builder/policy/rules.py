"""What must hold before a channel of a stack is moved, as in force: sections of stacks/channels.toml joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.finding.gate import EVERYTHING, Clause

FORMAT: Final = 1
RULES: Final = ("after", "tests", "scan", "licences", "rebuilds", "approvals", "fresh")
"""Names of the rules, in the order in which they are checked."""
CLEAN: Final = "clean"
CLEAN_OR_WAIVED: Final = "clean-or-waived"
SCANS: Final = (CLEAN, CLEAN_OR_WAIVED)
GATE: Final = "gate"
"""Stands for a gate of clauses in the place of one of SCANS."""
LICENCES: Final = ("allowed",)
STACK: Final = "{stack}"
"""Stands for the stack's name in a tag: images of several stacks may lie in one repository."""
LOCAL: Final = "local"
"""The method of users of this machine."""
TOKEN: Final = "token"  # noqa: S105  the name of a method
"""The method of clients of a ledger's service."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Person:
    """Somebody who may approve, as his identity is known."""

    method: str
    name: str

    def __str__(self) -> str:
        return self.name if self.method == LOCAL else f"{self.method}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRules:
    """The rules of one channel for one stack."""

    channel: str
    after: str = ""
    """The channel that must stand for the same digest; empty for none."""
    after_for_s: int = 0
    """How long it must have."""
    tests: bool | tuple[str, ...] = False
    """Suites that must have passed; True for all that are on record, at least one."""
    scan: str = ""
    """One of SCANS, or GATE; empty for none."""
    gate: tuple[Clause, ...] = ()
    """The clauses of a GATE."""
    scan_age_s: int = 0
    """How old the scan may be; 0 for any age."""
    licences: str = ""
    """One of LICENCES; empty for none."""
    licence_rules: str = ""
    """Digest of the rules of stacks/licences.toml as they stand, where they are asked for; empty where there are none."""
    rebuilds: int = 0
    rebuilds_signed: bool = False
    """Only statements count that a key has signed, as `verify --type rebuild` puts them on record; each key once."""
    approvals: int = 0
    approvers: tuple[Person, ...] = ()
    """Who may approve, sorted; everybody where empty."""
    approvals_age_s: int = 0
    fresh_s: int = 0
    """How old the build may be; 0 for any age."""
    rollback: tuple[str, ...] = ()
    """Rules that hold for rollbacks too."""
    tag: str = ""
    """Tag of registries that follows the channel, with `{stack}` where it has one; no rule, and left out of the digest."""

    @property
    def digest(self) -> Digest:
        """Name the rules: approvals and promotions say under which they were given."""
        return Digest.of(dump_rules(self))

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The gate that findings are judged by: of the words, that everything stops."""
        return self.gate or EVERYTHING

    @property
    def asks_for_exploited(self) -> bool:
        """Tell whether the gate speaks of a list of what is exploited."""
        return any(clause.exploited for clause in self.gate)

    def tag_for(self, stack: str) -> str:
        """Write the tag of a stack; empty where none follows."""
        return self.tag.replace(STACK, stack)


def rules_to_dict(rules: ChannelRules) -> dict[str, Any]:
    """Write rules as JSON values."""
    return {
        "format": FORMAT,
        "channel": rules.channel,
        "after": rules.after or None,
        "after_for_s": rules.after_for_s,
        "tests": rules.tests if isinstance(rules.tests, bool) else list(rules.tests),
        "scan": rules.scan or None,
        "scan_age_s": rules.scan_age_s,
        # Left out where there is none: rules of before have the digest that approvals were given under.
        **({"licences": rules.licences, "licence_rules": rules.licence_rules} if rules.licences else {}),
        "rebuilds": rules.rebuilds,
        # Left out where it is not asked for: rules of before it keep their digest, and approvals under them stay good.
        **({"rebuilds_signed": True} if rules.rebuilds_signed else {}),
        "approvals": rules.approvals,
        "approvers": [str(person) for person in rules.approvers],
        "approvals_age_s": rules.approvals_age_s,
        "fresh_s": rules.fresh_s,
        "rollback": list(rules.rollback),
        # Only where there is one: approvals of before there were gates are bound to the digest of then.
        **({"gate": [clause.to_dict() for clause in rules.gate]} if rules.gate else {}),
    }


def dump_rules(rules: ChannelRules) -> bytes:
    """Write rules as the document that a ledger keeps of them: bytes are stable."""
    return dump_json(rules_to_dict(rules))
