from __future__ import annotations

import pytest

from builder.errors import IntegrityError
from builder.wheel.refusal import Refusal, WheelRefusedError
from builder.wheel.wheel import read_wheel
from tests.support.hostile_wheels import DEMO, HOSTILE, Hostile


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: f"{hostile.threat} {hostile.name}")
def test_hostile_wheel_is_refused_by_kind_naming_wheel_and_entry(hostile: Hostile) -> None:
    with pytest.raises(WheelRefusedError) as refused:
        read_wheel(hostile.make(), file_name=hostile.file_name)

    error = refused.value
    assert isinstance(error, IntegrityError)
    assert error.kind is hostile.kind, str(error)
    assert hostile.entry in error.entry, str(error)
    assert error.context.startswith(hostile.file_name)
    assert bool(hostile.entry) == bool(error.entry)
    assert f"[{hostile.kind}]" in error.message


def test_the_wheel_that_hostile_ones_are_made_from_is_accepted() -> None:
    assert read_wheel(DEMO.pack(), file_name=DEMO.file_name).project == "demo"


def test_every_kind_of_refusal_is_shown_by_some_hostile_wheel() -> None:
    shown = {hostile.kind for hostile in HOSTILE}
    # Two distributions are needed for the last one: see test_overlap.py.
    assert set(Refusal) - shown == {Refusal.DISTRIBUTIONS_OVERLAP}
