"""What is kept of what was asked for lately."""

from __future__ import annotations

from builder.recent import Recent


def test_the_one_that_was_not_asked_for_longest_goes() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)


def test_once_it_is_cleared_nothing_is_known() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.clear()
    assert recent.get("a") is None
    recent.put("a", 2)
    assert recent.get("a") == 2


def test_a_key_that_is_put_again_has_the_new_value_and_takes_one_place() -> None:
    recent: Recent[str, int] = Recent(2)
    for value in (1, 2, 3):
        recent.put("a", value)
    recent.put("b", 4)
    assert (recent.get("a"), recent.get("b")) == (3, 4)
