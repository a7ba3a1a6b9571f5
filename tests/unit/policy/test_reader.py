"""stacks/channels.toml: what it may say, and what each wrong line is told."""

import pytest

from builder.errors import InvalidInputError, StackError
from builder.policy.reader import parse_channels
from builder.policy.rules import RULES, ChannelRules, Person, rules_to_dict
from builder.project import shipped_channels
from tests.support.channels import DAY, HOUR, channels
from tests.support.tools import ROOT

FULL = """
[[channels]]
name = "staging"

[[channels]]
name = "prod"
after = "staging"
after-for = "12h"
tests = ["stack", "smoke"]
scan = "clean-or-waived"
scan-age = "7d"
licences = "allowed"
rebuilds = 2
rebuilds-signed = true
approvals = 1
approvers = ["bob", "local:alice"]
approvals-age = "14d"
fresh = "30d"
rollback = ["scan", "approvals"]
tag = "{stack}-prod"
"""


def complaint(text: str, *stacks: str) -> str:
    with pytest.raises(InvalidInputError) as caught:
        channels(text, *stacks)
    return str(caught.value)


def section(text: str) -> str:
    return f'[[channels]]\nname = "prod"\n{text}'


def test_every_key_is_read() -> None:
    assert channels(FULL).rules_of("core") == (
        ChannelRules(channel="staging"),
        ChannelRules(
            channel="prod",
            after="staging",
            after_for_s=12 * HOUR,
            tests=("stack", "smoke"),
            scan="clean-or-waived",
            scan_age_s=7 * DAY,
            licences="allowed",
            rebuilds=2,
            rebuilds_signed=True,
            approvals=1,
            approvers=(Person(method="local", name="alice"), Person(method="local", name="bob")),
            approvals_age_s=14 * DAY,
            fresh_s=30 * DAY,
            rollback=("scan", "approvals"),
            tag="{stack}-prod",
        ),
    )


def test_nothing_stated_is_no_rule() -> None:
    assert channels(section("")).rules_for("core", "prod") == ChannelRules(channel="prod")
    off = section('after = false\ntests = false\nscan = false\nrebuilds = 0\napprovals = 0\nfresh = "0d"\n')
    assert channels(off).rules_for("core", "prod") == ChannelRules(channel="prod")


@pytest.mark.parametrize(
    ("written", "kept"),
    [('"recorded"', ()), ('"rules"', RULES), ('["approvals", "scan"]', ("scan", "approvals")), ("[]", ())],
)
def test_what_holds_for_rollbacks_is_none_all_or_some(written: str, kept: tuple[str, ...]) -> None:
    assert channels(section(f"rollback = {written}")).rules_for("core", "prod").rollback == kept


def test_a_stacks_own_section_takes_over_what_it_leaves_out() -> None:
    found = channels(
        f'{FULL}\n[[channels]]\nname = "prod"\nstacks = ["core", "aws"]\nrebuilds = 0\nfresh = "1d"\n',
        "core",
        "aws",
        "gcp",
    )
    usual, own = found.rules_for("gcp", "prod"), found.rules_for("core", "prod")
    assert own == found.rules_for("aws", "prod")
    assert (usual.rebuilds, usual.fresh_s) == (2, 30 * DAY)
    assert (own.rebuilds, own.fresh_s) == (0, DAY)
    assert (own.after, own.approvers, own.tag) == (usual.after, usual.approvers, usual.tag)
    assert own.digest != usual.digest


def test_a_section_of_a_stack_may_come_before_the_one_for_all() -> None:
    text = section("stacks = ['core']\nrebuilds = 1\n") + section("rebuilds = 2\nfresh = '1d'")
    own = channels(text).rules_for("core", "prod")
    assert (own.rebuilds, own.fresh_s) == (1, DAY)


def test_a_rule_that_a_stack_switches_off_takes_along_what_leans_on_it() -> None:
    off = section("stacks = ['core']\nafter = false\nscan = false\napprovals = 0\n")
    own = channels(f"{FULL}\n{off}").rules_for("core", "prod")
    assert (own.after_for_s, own.scan_age_s, own.approvers, own.approvals_age_s) == (0, 0, (), 0)


def test_a_channel_may_be_of_some_stacks_alone() -> None:
    found = channels(f'{FULL}\n[[channels]]\nname = "canary"\nstacks = ["aws"]\n', "core", "aws")
    assert [rules.channel for rules in found.rules_of("aws")] == ["staging", "prod", "canary"]
    with pytest.raises(StackError) as caught:
        found.rules_for("core", "canary")
    assert str(caught.value) == (
        "stacks/channels.toml: no channel 'canary' for the stack core\n  known channels: prod, staging"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1", "stacks/channels.toml: x: unknown key\n  known keys: channels"),
        ("channels = 1", "stacks/channels.toml: channels: must be an array of tables: [[channels]], is a whole number"),
        ("[[channels]]", 'stacks/channels.toml: channels[0].name: is missing\n  as "prod"'),
        (
            '[[channels]]\nname = "Prod 1"',
            ("stacks/channels.toml: channels[0].name: 'Prod 1' cannot name a channel\n"
            "  use lower-case letters, digits, single hyphens"),
        ),
        (section("approvers_ = []"), "stacks/channels.toml: channels[0].approvers_: unknown key\n  did you mean 'approvers'?"),
        (section("after = true"), "stacks/channels.toml: channels[0].after: must be a text, is a truth value"),
        (section("after = 'stagin'"), "stacks/channels.toml: channels[0].after: no channel 'stagin'\n  known channels: prod"),
        (
            section("after = 'prod'"),
            "stacks/channels.toml: channels[0].after: leads back to the channel itself\n  channels come one after the other",
        ),
        (section("tests = []"), "stacks/channels.toml: channels[0].tests: is empty\n  write false for none"),
        (section("tests = 'stack'"), "stacks/channels.toml: channels[0].tests: must be an array of texts, is a text"),
        (section("scan = 'clear'"), "stacks/channels.toml: channels[0].scan: unknown value 'clear'\n  did you mean 'clean'?"),
        (
            section("scan = 'clean'\nscan-age = '7 days'"),
            ("stacks/channels.toml: channels[0].scan-age: '7 days' is no span of time\n"
            '  write days or hours in quotes, as "7d" or "12h"; "0d" for none'),
        ),
        (section("scan-age = '7d'"), "stacks/channels.toml: channels[0].scan-age: says nothing without scan\n  state scan, or take it out"),
        (section("after-for = '7d'"), "stacks/channels.toml: channels[0].after-for: says nothing without after"),
        (section("approvals-age = '7d'"), "stacks/channels.toml: channels[0].approvals-age: says nothing without approvals"),
        (section("approvers = ['bob']"), "stacks/channels.toml: channels[0].approvers: says nothing without approvals"),
        (section("licences = 'all'"), "stacks/channels.toml: channels[0].licences: unknown value 'all'\n  did you mean 'allowed'?"),
        (section("fresh = 30"), "stacks/channels.toml: channels[0].fresh: must be a text, is a whole number"),
        (section("rebuilds-signed = true"), "stacks/channels.toml: channels[0].rebuilds-signed: says nothing without rebuilds"),
        (section("rebuilds = -1"), "stacks/channels.toml: channels[0].rebuilds: must be from 0 to 100, is -1"),
        (section("approvals = true"), "stacks/channels.toml: channels[0].approvals: must be a whole number, is a truth value"),
        (
            section("approvals = 2\napprovers = ['bob', 'local:bob']"),
            ("stacks/channels.toml: channels[0].approvals: 2 are wanted of 1 who may: never met\n"
            "  name more approvers, or ask for fewer approvals"),
        ),
        (
            section("approvals = 1\napprovers = ['team:data']"),
            ("stacks/channels.toml: channels[0].approvers[0]: 'team:data' names nobody\n"
            '  name people, as "alice" for a user of the machine, "token:alice" for a client of its service; teams have to be written out'),
        ),
        (section("rollback = 'never'"), "stacks/channels.toml: channels[0].rollback: unknown value 'never'\n  known values: recorded, rules"),
        (section("rollback = ['scans']"), "stacks/channels.toml: channels[0].rollback[0]: no rule 'scans'\n  did you mean 'scan'?"),
        (section("tag = 'a/b'"), "stacks/channels.toml: channels[0].tag: 'a/b' is no tag"),
        (section("stacks = []"), "stacks/channels.toml: channels[0].stacks: is empty\n  leave the key out for all stacks"),
        (section("stacks = ['cor']"), "stacks/channels.toml: channels[0].stacks: no stack 'cor'\n  did you mean 'core'?"),
        (
            section("\n") + section(""),
            "stacks/channels.toml: channels[1].name: 'prod' for all stacks stands in channels[0] already\n  join both",
        ),
        (
            section("stacks = ['core']\n") + section("stacks = ['core']"),
            "stacks/channels.toml: channels[1].name: 'prod' for the stack core stands in channels[0] already\n  join both",
        ),
        ("[[", "stacks/channels.toml: is not TOML: "),
    ],
)  # fmt: skip
def test_a_wrong_line_is_told_with_file_key_and_way_out(text: str, expected: str) -> None:
    assert complaint(text).startswith(expected)


def test_channels_that_lead_in_a_circle_are_refused_and_those_that_lead_there_are_not_blamed() -> None:
    text = "\n".join(
        f'[[channels]]\nname = "{name}"\nafter = "{after}"' for name, after in (("a", "b"), ("b", "a"), ("c", "a"))
    )
    assert [line.partition(": leads")[0] for line in complaint(text).splitlines() if "leads" in line] == [
        "stacks/channels.toml: channels[0].after",
        "stacks/channels.toml: channels[1].after",
    ]


def test_everything_wrong_is_told_at_once() -> None:
    text = section("fresh = 1\n") + section("x = 1")
    assert len([line for line in complaint(text).splitlines() if not line.startswith("  ")]) == 3


def test_what_is_wrong_for_one_stack_alone_is_told() -> None:
    text = FULL + section("stacks = ['core']\napprovals = 3")
    assert complaint(text).startswith("stacks/channels.toml: channels[2].approvals: 3 are wanted of 2 who may")


def test_the_digest_is_of_what_decides() -> None:
    digests = {
        str(channels(section(text)).rules_for("core", "prod").digest)
        for text in ("", "tests = true", "tests = ['stack']", "approvals = 1", "approvals = 1\napprovers = ['bob']")
    }
    assert len(digests) == 5
    # A tag follows a channel, and says nothing on when it may move.
    assert channels(section("tag = 'x'")).rules_for("core", "prod").digest == ChannelRules(channel="prod").digest
    assert "tag" not in rules_to_dict(ChannelRules(channel="prod"))


def test_a_tag_may_hold_the_stacks_name() -> None:
    rules = channels(FULL).rules_for("core", "prod")
    assert rules.tag_for("core") == "core-prod"


def test_the_rules_that_are_shipped_are_those_that_new_projects_begin_with() -> None:
    data = (ROOT / "stacks/channels.toml").read_bytes()
    assert data == shipped_channels()
    found = parse_channels(data, stacks=("core",))
    assert found.names == ("dev", "staging", "prod")
    assert found.rules_for("core", "prod").approvals == 1


def test_examples_in_the_shipped_rules_would_be_read() -> None:
    lines = shipped_channels().decode().splitlines()
    keys = [
        line.removeprefix("# ") for line in lines if line.startswith(("# approvers", "# rebuilds", "# fresh", "# tag"))
    ]
    assert len(keys) == 5
    own = [line.removeprefix("# ") for line in lines[lines.index("# [[channels]]") :]]
    text = "\n".join(
        (
            *lines[
                : lines.index(
                    '# approvers = ["alice", "bob"]       # who may approve; anybody else where this is left out'
                )
            ],
            *keys,
            *own,
        )
    )
    assert channels(text).rules_for("core", "prod").approvals == 2
