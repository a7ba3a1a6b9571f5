"""What the channels of a stack make of findings: the gates that `promote` will ask, asked before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from builder.finding.gate import Given, Verdict, judge_findings
from builder.finding.model import Finding
from builder.policy.rules import CLEAN, ChannelRules
from builder.project import Project
from builder.usecase.channel_evidence import load_channels
from builder.usecase.waivers import load_given

STRICT = ChannelRules(channel="")
"""Where no channel has a gate: all stops that nothing waives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelVerdict:
    """What one channel's gate says."""

    channel: str
    """Empty where no channel has a gate."""
    verdict: Verdict

    @property
    def stops(self) -> bool:
        """Whether an image with these findings may not go there."""
        return bool(self.verdict.stopped)


def scanning_rules(project: Project | None, stack: str, channel: str = "") -> tuple[ChannelRules, ...]:
    """List the rules of a stack's channels that ask for a scan; those of one channel where it is named.

    Raises:
        StackError: the stack has no channel of this name.
    """
    if project is None or stack not in project.stack_names():
        return ()
    if not channel and not project.channels_path.is_file():
        return ()
    channels = load_channels(project)
    rules = (channels.rules_for(stack, channel),) if channel else channels.rules_of(stack)
    return tuple(one for one in rules if one.scan)


def given_for(project: Project | None, stack: str, rules: Sequence[ChannelRules]) -> Given:
    """Read what findings are judged by: waivers always, lists where a gate speaks of them."""
    from builder.usecase.waivers import load_stack_waivers

    if project is None or stack not in project.stack_names():
        return Given()
    return load_given(project, stack, rules) if rules else Given(waivers=load_stack_waivers(project, stack))


def judge_channels(
    findings: Sequence[Finding], rules: Sequence[ChannelRules], given: Given, now: int
) -> tuple[ChannelVerdict, ...]:
    """Judge findings by the gate of each channel, in the order of the file."""
    return tuple(
        ChannelVerdict(
            channel=one.channel,
            verdict=judge_findings(findings, one.clauses, Given() if one.scan == CLEAN else given, now),
        )
        for one in rules or (STRICT,)
    )
