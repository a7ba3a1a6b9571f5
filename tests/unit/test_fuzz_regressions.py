"""Inputs that fuzzing found once: each is read, or refused by an error of ours, in no time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.model import Target
from tests.fuzz.targets import BY_NAME

FOUND = sorted(path for path in (Path(__file__).resolve().parents[1] / "fuzz/regressions").glob("*/*"))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_inputs_that_fuzzing_found_do_no_harm_any_more(path: Path) -> None:
    BY_NAME[path.parent.name].run(path.read_bytes())


@pytest.mark.parametrize("target", BY_NAME.values(), ids=BY_NAME)
def test_seeds_of_targets_do_no_harm(target: Target) -> None:
    for seed in target.seeds:
        target.run(seed)
