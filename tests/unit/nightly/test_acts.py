"""What a person can do: commands that the program knows, whatever a night wrote down."""

from __future__ import annotations

import shlex

from builder.cli.root import VERBS
from builder.nightly.acts import act_again, acts_of_channels
from tests.support.made_up_nights import digest, lacking


def test_an_approval_is_a_command_with_its_digest() -> None:
    (act,) = acts_of_channels("core", digest("x"), [lacking("prod", ("approvals", "0 of 1", "by bob: ..."))])
    assert (act.channel, act.rule, act.way) == ("prod", "approvals", "by bob")
    assert act.command == f"airflow-kubler approve core --to prod {digest('x')[:19]}"


def test_a_journal_that_has_no_ways_still_says_how_to_approve() -> None:
    row = {"channel": "prod", "lacks": ["after: staging stands for nothing", "approvals: 0 of 1"]}
    (act,) = acts_of_channels("core", digest("x"), [row])
    assert (act.rule, act.way) == ("approvals", "by somebody else")


def test_other_ways_are_words_and_a_command() -> None:
    row = lacking(
        "prod",
        ("scan", "none", "scan it, then airflow-kubler record scan sha256:1 --result clean"),
        ("after", "not yet", "airflow-kubler promote core --to staging sha256:1"),
        ("after-for", "not yet", "wait until noon"),
        ("tests", "none", ""),
    )
    found = acts_of_channels("core", digest("x"), [row])
    assert [(act.rule, act.way, act.command) for act in found] == [
        ("scan", "scan it", "airflow-kubler record scan sha256:1 --result clean"),
        ("after", "", "airflow-kubler promote core --to staging sha256:1"),
        ("after-for", "wait until noon", ""),
    ]


def test_names_cannot_add_words_to_a_command() -> None:
    (act,) = acts_of_channels("a; rm -rf /", "sha256:0", [lacking("$(id)", ("approvals", "0", ""))])
    words = ["airflow-kubler", "approve", "a; rm -rf /", "--to", "$(id)", "sha256:0"]
    assert shlex.split(act.command) == words
    assert shlex.split(act_again("x y").command) == ["airflow-kubler", "nightly", "x y"]


def test_verbs_are_there() -> None:
    assert {"approve", "nightly", "record", "promote"} <= set(VERBS)
