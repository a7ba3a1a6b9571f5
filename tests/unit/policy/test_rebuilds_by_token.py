"""Rebuilds on record by a ledger's service: who has built an image counts under no name as somebody else."""

from __future__ import annotations

from dataclasses import replace

from builder.policy.checks import judge
from builder.policy.judged import Asked
from builder.policy.rules import ChannelRules
from tests.support.channels import START, person
from tests.support.evidence import evidence, newest_first, rebuilt


def test_who_is_known_by_a_token_does_not_rebuild_his_own_build_under_another_name() -> None:
    ci, other = person("ci", method="token"), person("second", method="token")
    found = evidence(rebuilds=newest_first(rebuilt(2, "root@worker-1"), rebuilt(3, "root@worker-2")))
    rebuilds = tuple(
        replace(fact, entry=replace(fact.entry, actor=who))
        for fact, who in zip(found.rebuilds, (other, ci), strict=True)
    )
    build = replace(found.build, entry=replace(found.build.entry, actor=ci))
    rules = ChannelRules(channel="prod", rebuilds=1)
    [judged] = judge(rules, replace(found, build=build, rebuilds=rebuilds), Asked(promoter="alice", now=START))
    assert judged.check.found == "1 of 1 say the same: root@worker-2; ci built it, and does not count"
