"""The matrix of controls."""

from __future__ import annotations

from builder.audit.controls import read_controls
from builder.audit.documents import ASKED


def test_the_controls_that_auditors_ask_for_are_there() -> None:
    ids = " ".join(control.id for control in read_controls())
    for wanted in (
        "CC6.1",
        "CC6.3",
        "CC6.8",
        "CC7.1",
        "CC7.2",
        "CC8.1",
        "A.5.3",
        "A.8.8",
        "A.8.9",
        "A.8.15",
        "A.8.31",
        "A.8.32",
    ):
        assert wanted in ids


def test_each_says_what_shows_it_and_what_is_not_here() -> None:
    for control in read_controls():
        assert control.files
        assert control.shows
        assert control.not_here
        assert set(control.topics) <= set(ASKED)
