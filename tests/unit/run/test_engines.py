"""The choice of an engine."""

from __future__ import annotations

import pytest

from builder.errors import BuilderError
from builder.run.engines import AUTO, NAMES, choose_engine
from builder.run.model import Engine, RunnableImage, RunWish
from builder.wiring.images import make_engines


class FakeEngine:
    """An engine that is or is not available."""

    def __init__(self, name: str, reason: str | None) -> None:
        self.name = name
        self._reason = reason

    def unavailable(self) -> str | None:
        return self._reason

    def run(self, image: RunnableImage, wish: RunWish) -> int:
        raise NotImplementedError


ENGINES: tuple[Engine, ...] = (FakeEngine("a", "is not installed"), FakeEngine("b", None), FakeEngine("c", None))


def test_auto_takes_the_first_that_works() -> None:
    assert choose_engine(ENGINES, AUTO).name == "b"


def test_named_engine_is_taken() -> None:
    assert choose_engine(ENGINES, "c").name == "c"


def test_named_engine_that_does_not_work_says_why() -> None:
    with pytest.raises(BuilderError) as caught:
        choose_engine(ENGINES, "a")
    assert caught.value.message == "a: is not installed"


def test_without_any_engine_every_reason_is_told() -> None:
    with pytest.raises(BuilderError) as caught:
        choose_engine([FakeEngine("a", "is not installed"), FakeEngine("b", "needs root")], AUTO)
    assert caught.value.message == "no engine can run containers here (a: is not installed; b: needs root)"


def test_every_name_has_its_engine_in_that_order() -> None:
    assert tuple(engine.name for engine in make_engines()) == NAMES
