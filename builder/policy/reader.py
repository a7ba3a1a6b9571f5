"""Read stacks/channels.toml: sections of channels, for all stacks or for some, strictly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from builder.errors import StackError
from builder.policy.gates import read_gate
from builder.policy.rules import GATE, LICENCES, LOCAL, RULES, SCANS, STACK, TOKEN, ChannelRules, Person
from builder.policy.spans import read_span
from builder.stack.names import is_name, nearest
from builder.stack.table import Issues, Table, one_of, parse_table

FILE: Final = "stacks/channels.toml"
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_METHODS: Final = (LOCAL, TOKEN)
_MOST: Final = 100
_LEANING: Final[Mapping[str, tuple[str, ...]]] = {
    "after": ("after_for_s",),
    "scan": ("scan_age_s",),
    "rebuilds": ("rebuilds_signed",),
    "approvals": ("approvers", "approvals_age_s"),
}
"""What says nothing once a rule is switched off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One `[[channels]]`: only what it states."""

    name: str
    place: str
    """As `channels[2]`."""
    stacks: tuple[str, ...] = ()
    """Empty for all."""
    stated: Mapping[str, Any] = field(default_factory=dict)
    """By field of ChannelRules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """All that stands in the file."""

    names: tuple[str, ...]
    """Of channels, in the order of the file: that of the life of an image."""
    sections: tuple[Section, ...]
    licence_rules: str = ""
    """Digest of the rules of stacks/licences.toml; empty where there are none."""

    def rules_of(self, stack: str) -> tuple[ChannelRules, ...]:
        """List the channels of a stack with their rules in force, in the order of the file."""
        found = (rules for rules, _ in _join(self.names, self.sections, stack))
        return tuple(replace(rules, licence_rules=self.licence_rules) if rules.licences else rules for rules in found)

    def rules_for(self, stack: str, channel: str) -> ChannelRules:
        """Find the rules of one channel of a stack; raises StackError where it has none of this name."""
        known = {rules.channel: rules for rules in self.rules_of(stack)}
        if channel not in known:
            message = f"no channel {channel[:80]!r} for the stack {stack}"
            raise StackError(message, context=FILE, hint=nearest(channel, known, "channel"))
        return known[channel]


def parse_channels(data: bytes, *, file: str = FILE, stacks: Iterable[str], licence_rules: str = "") -> Channels:
    """Read the file.

    Args:
        data: its bytes.
        file: how errors name it.
        stacks: names of the project's stacks.
        licence_rules: digest of the rules of stacks/licences.toml; empty where there are none.

    Raises:
        IssuesError: with everything that is wrong.
        StackError: it is not TOML at all.
    """
    top = parse_table(data, file=file)
    known = tuple(stacks)
    read = (_read_section(row, f"channels[{position}]", known) for position, row in enumerate(top.tables("channels")))
    sections = tuple(section for section in read if section is not None)
    top.close()
    names = tuple(dict.fromkeys(section.name for section in sections))
    channels = Channels(names=names, sections=sections, licence_rules=licence_rules)
    _check_sections(sections, top.issues)
    top.issues.raise_any()
    named = sorted({stack for section in sections for stack in section.stacks})
    for stack in ("", *named):
        _check_rules(_join(channels.names, sections, stack), top.issues)
    top.issues.raise_any()
    return channels


def _read_section(row: Table, place: str, stacks: Sequence[str]) -> Section | None:
    name = row.text("name", required=True, hint='as "prod"')
    if name is not None and not is_name(name):
        row.wrong("name", f"{name[:80]!r} cannot name a channel", hint="use lower-case letters, digits, single hyphens")
        name = None
    named = row.texts("stacks")
    for stack in named or ():
        if stack not in stacks:
            row.wrong("stacks", f"no stack {stack[:80]!r}", hint=nearest(stack, stacks, "stack"))
    if named == ():
        row.wrong("stacks", "is empty", hint="leave the key out for all stacks")
    found = {
        "after": _read_after(row),
        "after_for_s": read_span(row, "after-for"),
        "tests": _read_tests(row),
        **_read_scan(row),
        "scan_age_s": read_span(row, "scan-age"),
        "licences": _read_licences(row),
        "rebuilds": row.integer("rebuilds", least=0, most=_MOST),
        "rebuilds_signed": row.truth("rebuilds-signed"),
        "approvals": row.integer("approvals", least=0, most=_MOST),
        "approvers": _read_approvers(row),
        "approvals_age_s": read_span(row, "approvals-age"),
        "fresh_s": read_span(row, "fresh"),
        "rollback": _read_rollback(row),
        "tag": _read_tag(row),
    }
    row.close()
    stated = {key: value for key, value in found.items() if value is not None}
    return Section(name=name, place=place, stacks=named or (), stated=stated) if name else None


def _read_after(row: Table) -> str | None:
    return "" if row.given("after") is False else row.text("after", hint='a channel, as "staging"; false for none')


def _read_tests(row: Table) -> bool | tuple[str, ...] | None:
    given = row.given("tests")
    if isinstance(given, bool):
        return given
    suites = row.texts("tests", hint='names of suites, as ["stack"]; true for all on record; false for none')
    if suites == ():
        row.wrong("tests", "is empty", hint="write false for none")
    return suites


def _read_scan(row: Table) -> dict[str, Any]:
    """Read the rule `scan`: a word, or a gate of clauses; `false` for none."""
    given = row.given("scan")
    if given is False:
        return {"scan": "", "gate": ()}
    if isinstance(given, dict | list):
        gate = read_gate(row, "scan")
        return {"scan": GATE, "gate": gate} if gate else {}
    word = one_of(row, "scan", row.text("scan", hint=f"one of: {', '.join(SCANS)}; a gate; false for none"), SCANS)
    return {} if word is None else {"scan": word, "gate": ()}


def _read_licences(row: Table) -> str | None:
    if row.given("licences") is False:
        return ""
    hint = f"one of: {', '.join(LICENCES)}; false for none"
    return one_of(row, "licences", row.text("licences", hint=hint), LICENCES)


def _read_approvers(row: Table) -> tuple[Person, ...] | None:
    names = row.texts("approvers", hint='names of people, as ["alice", "bob"]')
    if names is None:
        return None
    found = set()
    for position, text in enumerate(names):
        method, colon, name = text.partition(":")
        person = Person(method=method, name=name) if colon else Person(method=LOCAL, name=text)
        if person.method not in _METHODS or not person.name:
            hint = 'name people, as "alice" for a user of the machine, "token:alice" for a client of its service; teams have to be written out'
            row.wrong(f"approvers[{position}]", f"{text[:80]!r} names nobody", hint=hint)
        found.add(person)
    return tuple(sorted(found))


def _read_rollback(row: Table) -> tuple[str, ...] | None:
    """Read which rules hold for rollbacks: none of them for `recorded`, all for `rules`, else those listed."""
    hint = f'"recorded": no rule, "rules": all of them; or some, of: {", ".join(RULES)}'
    given = row.given("rollback")
    if isinstance(given, str):
        word = one_of(row, "rollback", row.text("rollback", hint=hint), ("recorded", "rules"))
        return None if word is None else RULES if word == "rules" else ()
    names = row.texts("rollback", hint=hint)
    if names is None:
        return None
    for position, name in enumerate(names):
        if name not in RULES:
            row.wrong(f"rollback[{position}]", f"no rule {name[:80]!r}", hint=nearest(name, RULES, "rule"))
    return tuple(name for name in RULES if name in names)


def _read_tag(row: Table) -> str | None:
    hint = f'a tag of registries, as "{STACK}-prod"'
    tag = row.text("tag", hint=hint)
    if tag is not None and not _TAG.match(tag.replace(STACK, "x")):
        row.wrong("tag", f"{tag[:80]!r} is no tag", hint=hint)
        return None
    return tag


def _join(names: Sequence[str], sections: Sequence[Section], stack: str) -> tuple[tuple[ChannelRules, str], ...]:
    """Join the sections of each channel for a stack: what its own section states, else what the one for all does.

    Returns:
        Rules, each with the place of the section nearest to the stack; `stack` is empty for any that none names.
    """
    found = []
    for name in names:
        own = [one for one in sections if one.name == name and (not one.stacks or stack in one.stacks)]
        own.sort(key=lambda one: bool(one.stacks))
        if own:
            found.append((_apply(name, own), own[-1].place))
    return tuple(found)


def _apply(name: str, sections: Sequence[Section]) -> ChannelRules:
    """Apply sections, the farthest first; a rule that is switched off takes along what leans on it."""
    stated: dict[str, Any] = {}
    for section in sections:
        off = [key for key in _LEANING if key in section.stated and not section.stated[key]]
        for leaning in (leaning for key in off for leaning in _LEANING[key]):
            stated.pop(leaning, None)
        stated |= section.stated
    return replace(ChannelRules(channel=name), **stated)


def _check_sections(sections: Sequence[Section], issues: Issues) -> None:
    seen: dict[tuple[str, str], str] = {}
    for section in sections:
        for stack in section.stacks or ("",):
            first = seen.setdefault((section.name, stack), section.place)
            if first != section.place:
                whom = f"for the stack {stack}" if stack else "for all stacks"
                issues.add(
                    f"{section.place}.name", f"{section.name!r} {whom} stands in {first} already", hint="join both"
                )


def _check_rules(joined: Sequence[tuple[ChannelRules, str]], issues: Issues) -> None:
    """Refuse rules that contradict themselves, or can never be met; what one section says wrong is told once."""
    known = {rules.channel: rules for rules, _ in joined}
    for rules, place in joined:
        for key, message, hint in _problems(rules, known):
            error = StackError(message, context=f"{issues.file}: {place}.{key}", hint=hint)
            if all(str(error) != str(other) for other in issues.found):
                issues.found.append(error)


def _problems(rules: ChannelRules, known: Mapping[str, ChannelRules]) -> Iterable[tuple[str, str, str]]:
    if rules.after and rules.after not in known:
        yield "after", f"no channel {rules.after[:80]!r}", nearest(rules.after, known, "channel")
    elif rules.after and _leads_back(rules, known):
        yield "after", "leads back to the channel itself", "channels come one after the other"
    needs = (
        ("after-for", rules.after_for_s, rules.after, "after"),
        ("scan-age", rules.scan_age_s, rules.scan, "scan"),
        ("rebuilds-signed", rules.rebuilds_signed, rules.rebuilds, "rebuilds"),
        ("approvals-age", rules.approvals_age_s, rules.approvals, "approvals"),
        ("approvers", rules.approvers, rules.approvals, "approvals"),
    )
    for key, stated, wanted, other in needs:
        if stated and not wanted:
            yield key, f"says nothing without {other}", f"state {other}, or take it out"
    if rules.approvers and len({person.name for person in rules.approvers}) < rules.approvals:
        message = f"{rules.approvals} are wanted of {len(rules.approvers)} who may: never met"
        yield "approvals", message, "name more approvers, or ask for fewer approvals"


def _leads_back(rules: ChannelRules, known: Mapping[str, ChannelRules]) -> bool:
    seen: set[str] = set()
    at = rules.after
    while at in known and at not in seen:
        seen.add(at)
        at = known[at].after
    return rules.channel in seen
