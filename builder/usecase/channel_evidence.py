"""What rules of channels are checked against, read from a ledger: each question costs a few rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from builder.digest import Digest
from builder.errors import LedgerError, LedgerMovedError, PromotionError, StackError
from builder.finding.document import Findings, parse_findings
from builder.ledger.entry import Actor, Entry
from builder.ledger.events import (
    Approved,
    Built,
    Event,
    LicencesJudged,
    Promoted,
    Pushed,
    Rebuilt,
    Requested,
    Scanned,
    Tested,
)
from builder.ledger.model import Ledger, LedgerReader, NewEntry
from builder.ledger.queries import complete_digest, event_of, find_image, iter_found
from builder.policy.evidence import Evidence, Fact, Standing
from builder.policy.reader import FILE, Channels, parse_channels
from builder.policy.rules import ChannelRules
from builder.policy.scan import last_scan
from builder.project import Project
from builder.stack.names import nearest

_E = TypeVar("_E", bound=Event)
_T = TypeVar("_T")
_TRIES: Final = 200
"""To decide on a ledger that others write in meanwhile: each try takes milliseconds."""
_HEX: Final = re.compile(r"(sha256:)?[0-9a-f]{4,64}\Z")


def load_channels(project: Project) -> Channels:
    """Read the rules of channels of a project.

    Raises:
        StackError: there are none.
        IssuesError: with everything that is wrong in the file.
    """
    path = project.channels_path
    if not path.is_file():
        raise StackError(
            "is not there", context=FILE, hint="docs/channels.md shows one; `airflow-kubler init` writes it"
        )
    return parse_channels(
        path.read_bytes(), file=FILE, stacks=project.stack_names(), licence_rules=_licence_rules(project)
    )


def _licence_rules(project: Project) -> str:
    """Name the rules of licences as they stand; empty where there are none."""
    from builder.licence.reader import parse_licence_rules

    path = project.licences_path
    return str(parse_licence_rules(path.read_bytes()).digest) if path.is_file() else ""


def decide(
    ledger: Ledger, actor: Actor, attempt: Callable[[], tuple[_T, Sequence[NewEntry]]]
) -> tuple[_T, Entry | None]:
    """Look, and append what follows from it, as one decision: where others wrote in between, look again.

    Args:
        ledger: open for appending.
        actor: who decides.
        attempt: reads the ledger; gives its answer, and what is to be appended.

    Returns:
        The answer, and the first entry appended.

    Raises:
        LedgerMovedError: others wrote each time.
    """
    for _ in range(_TRIES):
        size = ledger.head().size
        answer, new = attempt()
        if not new:
            return answer, None
        try:
            return answer, ledger.append(new, actor, size=size)[0]
        except LedgerMovedError:
            continue
    raise LedgerMovedError(f"others wrote in the ledger {_TRIES} times in between", hint="run it again")


def gather(ledger: LedgerReader, stack: str, rules: ChannelRules, build: Fact[Built]) -> Evidence:
    """Read all that the rules of a move ask about."""
    digest, channel = build.event.digest, rules.channel
    scans = _facts(ledger, digest, Scanned)
    requests = _facts(ledger, digest, Requested)
    approvals, promotions = _facts(ledger, digest, Approved), _facts(ledger, digest, Promoted)
    return Evidence(
        stack=stack,
        channel=channel,
        digest=digest,
        build=build,
        standing=find_standing(ledger, stack, channel),
        previous=find_standing(ledger, stack, rules.after) if rules.after else None,
        tests=_facts(ledger, digest, Tested),
        scans=scans,
        findings=_findings(ledger, last_scan(scans)) if rules.scan else None,
        licences=_facts(ledger, digest, LicencesJudged),
        rebuilds=_facts(ledger, digest, Rebuilt),
        requests=[fact for fact in requests if (fact.event.stack, fact.event.channel) == (stack, channel)],
        approvals=[fact for fact in approvals if (fact.event.stack, fact.event.channel) == (stack, channel)],
        promotions=[fact for fact in promotions if (fact.event.stack, fact.event.channel) == (stack, channel)],
    )


def _findings(ledger: LedgerReader, done: Fact[Scanned] | None) -> Findings | None:
    """Read what a scan found; None where another system scanned."""
    if done is None or not done.event.findings:
        return None
    context = f"entry {done.entry.number}: findings"
    data = ledger.document(Digest.parse(done.event.findings))
    if data is None:
        raise LedgerError("the document is not there", context=context, hint="airflow-kubler ledger verify")
    return parse_findings(data, context=context)


def find_standing(ledger: LedgerReader, stack: str, channel: str) -> Standing | None:
    """Find what a channel stands for, and since when without a break; None where it has never been moved."""
    held: list[Fact[Promoted]] = []
    for fact in iter_promotions(ledger, stack, channel):
        if held and fact.event.digest != held[0].event.digest:
            break
        held.append(fact)
    if not held:
        return None
    return Standing(digest=held[0].event.digest, since=held[-1].entry.time, promotions=tuple(held))


def iter_promotions(ledger: LedgerReader, stack: str, channel: str) -> Iterator[Fact[Promoted]]:
    """Iterate over the moves of a channel, the newest first."""
    for entry in iter_found(ledger, "channel", f"{stack} {channel}", kinds=(Promoted.kind,), first=2):
        yield Fact(entry=entry, event=event_of(entry, Promoted))


def find_build(ledger: LedgerReader, stack: str, target: str) -> Fact[Built]:
    """Find the build of an image of a stack.

    Args:
        ledger: that knows it.
        stack: its name.
        target: a digest or the beginning of one, of its index or a platform; or a tag that it was pushed under.

    Raises:
        LedgerError: no such image is on record.
        PromotionError: it is an image of another stack.
    """
    digest = _digest_of(ledger, stack, target)
    image = find_image(ledger, digest)
    if image is None:
        raise LedgerError("no build of it is on record", context=target[:80], hint=f"airflow-kubler build {stack}")
    if image.built.stack != stack:
        raise PromotionError(f"is an image of the stack {image.built.stack}, not of {stack}", context=target[:80])
    first = ledger.find("digest", image.built.digest, kinds=(Built.kind,))[-1]
    return Fact(entry=first, event=event_of(first, Built))


def latest_build(ledger: LedgerReader, stack: str) -> Fact[Built]:
    """Find the latest build of a stack; raises LedgerError where none is on record."""
    for entry in ledger.find("stack", stack, kinds=(Built.kind,), limit=1):
        return find_build(ledger, stack, event_of(entry, Built).digest)
    known = ledger.values("stack")
    hint = f"airflow-kubler build {stack}" if stack in known else nearest(stack, known, "stack")
    raise LedgerError(f"no build of the stack {stack[:80]!r} is on record", hint=hint)


def _digest_of(ledger: LedgerReader, stack: str, target: str) -> str:
    tagged = _tagged(ledger, stack, target)
    if tagged is None and _HEX.match(target):
        return complete_digest(ledger, target)
    if tagged is None:
        hint = "give its digest, or a tag that `airflow-kubler push` gave an image of the stack"
        raise LedgerError(f"no image of the stack {stack} was pushed under this tag", context=target[:80], hint=hint)
    return tagged


def _tagged(ledger: LedgerReader, stack: str, tag: str) -> str | None:
    """Find the image that was last pushed under a tag."""
    for entry in iter_found(ledger, "stack", stack, kinds=(Pushed.kind,)) if ":" not in tag else ():
        pushed = event_of(entry, Pushed)
        if any(move.tag == tag for move in pushed.tags):
            return pushed.digest
    return None


def _facts(ledger: LedgerReader, digest: str, kind: type[_E]) -> list[Fact[_E]]:
    found = ledger.find("digest", digest, kinds=(kind.kind,))
    return [Fact(entry=entry, event=event_of(entry, kind)) for entry in found]
