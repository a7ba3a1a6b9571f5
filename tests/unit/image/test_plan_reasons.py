from __future__ import annotations

from builder.image.plan_items import PlanItem
from builder.image.plan_reasons import explain_layers

_HOT = PlanItem(project="hot", size=1_000_000, age_days=0.0)
_WARM = PlanItem(project="warm", size=1_000_000, age_days=6.0)
_COLD = PlanItem(project="cold", size=40_000_000, age_days=1996.0)


def test_a_layer_is_told_by_its_liveliest_project_and_the_price_of_joining_it() -> None:
    hot, warm, cold = explain_layers([[_HOT], [_WARM], [_COLD]])
    assert (hot.liveliest, hot.size, hot.chance, hot.night) == (_HOT, 1_000_000, 0.25, 250_000.0)
    assert (hot.nearest, warm.nearest, cold.nearest) == (1, 0, 1)
    assert round(hot.joining_adds) == 300_000
    assert (hot.first_out, hot.leaving_saves) == ("", 0.0)


def test_a_group_is_told_by_what_would_save_most_alone() -> None:
    (layer,) = explain_layers([[_COLD, _HOT]])
    assert (layer.liveliest, layer.nearest, layer.joining_adds) == (_HOT, None, 0.0)
    assert layer.first_out == "cold"
    assert round(layer.leaving_saves, -3) == 9_995_000
