"""What nights cost nodes and registries, by layer plan, on nights that no plan was made from: a table of ratios.

Plans are made from what is known on a day: sizes and ages of releases, moves in the nights before. Then each following
night is charged the bytes of every layer that holds a changed distribution, or is new. Real nights with a gap before them
count as history alone. Every figure is a ratio to the bound: the bytes of the changed distributions, each a layer of its own.

- `median`, `mean`: bytes that a node pulls in a night; it runs one of the stacks, and the average is over these;
- `stored`: bytes that a registry has for all of the stacks after all nights.

Usage: python bench/layers [--nights N] [--seeds N] [--first SEED] [--stacks N] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from bench.layers import schemes  # noqa: E402  needs the path
from bench.layers.histories import History, fleet_history, made_up_histories, real_histories  # noqa: E402
from bench.layers.simulate import Again, simulate  # noqa: E402

BUDGETS = (30, 60, 100)
EVERY_DAYS = 7
"""How often ours is planned again."""
OTHERS: Mapping[str, schemes.Scheme] = {
    "one layer": schemes.one_layer,
    "biggest alone, rest together": schemes.biggest_alone,
    "popularity (Nix)": schemes.popularity,
    "origin (apko)": schemes.origin,
}
OURS = ("ours, as locked", "ours, planned again before the first push", "ours, planned again each week")
TARGET = 1.4
"""At 60 layers, of the median."""


def measure(history: History, names: Sequence[str], label: str) -> Iterator[dict[str, Any]]:
    """Hold all schemes against a history, for some of its stacks."""
    bound = simulate(history, schemes.alone(history, 0), names)
    for budget in BUDGETS:
        plans: dict[str, tuple[schemes.Plans, Again | None]] = {
            name: (scheme(history, budget), None) for name, scheme in OTHERS.items()
        }
        fresh = schemes.planned_again(history, budget)
        plans[OURS[0]] = (schemes.locked(history, budget), None)
        plans[OURS[1]] = (fresh, None)
        plans[OURS[2]] = (fresh, _weekly(history, budget))
        for name, (plan, again) in plans.items():
            cost = simulate(history, plan, names, again)
            yield {
                "history": f"{history.name}: {label}",
                "budget": budget,
                "plan": name,
                "layers": cost.layers,
                "median": cost.median / bound.median,
                "mean": cost.mean / bound.mean,
                "stored": cost.stored / bound.stored,
                "median_mb": cost.median / 1e6,
                "mean_mb": cost.mean / 1e6,
                "bound_median_mb": bound.median / 1e6,
                "bound_mean_mb": bound.mean / 1e6,
            }


def _weekly(history: History, budget: int) -> Again:
    def again(plans: schemes.Plans, day: int, moved: frozenset[str]) -> schemes.Plans:
        if day % EVERY_DAYS:
            return plans
        held = {name: tuple(group for group in groups if not group & moved) for name, groups in plans.items()}
        return schemes.replan(history, budget, plans, day, held)

    return again


def alone(history: History, place: int = -1) -> History:
    """Take one stack of a history by itself, as one that extends nothing and that nothing extends."""
    return replace(history, members=(replace(history.members[place], parent=""),))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=90)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--stacks", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for history in (
        *real_histories(),
        *made_up_histories(range(options.first, options.first + options.seeds), options.nights),
    ):
        rows += _shown(measure(alone(history), ["b"], "a stack by itself"), quiet=options.json)
        rows += _shown(measure(history, ["b"], "a child of core"), quiet=options.json)
        rows += _shown(measure(alone(history, 0), ["core"], "a small stack by itself"), quiet=options.json)
    fleet = fleet_history(options.stacks, options.nights)
    rows += _shown(measure(fleet, [one.name for one in fleet.members], "all of them"), quiet=options.json)
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    _print_verdict(rows)


def _shown(found: Iterator[dict[str, Any]], *, quiet: bool) -> list[dict[str, Any]]:
    """Print a history's table: a row for each scheme, a group of columns for each budget."""
    rows = list(found)
    if quiet:
        return rows
    first = rows[0]
    print(f"{first['history']} (bound: median {first['bound_median_mb']:.1f} MB, mean {first['bound_mean_mb']:.1f})")
    print(f"  {'':42}" + "".join(f"{f'{budget} layers':^34}" for budget in BUDGETS))
    print(f"  {'':42}" + f"{'layers':>8}{'median':>8}{'mean':>8}{'stored':>8}  " * len(BUDGETS))
    for plan in (*OTHERS, *OURS):
        cells = "".join(
            f"{row['layers']:8}{row['median']:8.2f}{row['mean']:8.2f}{row['stored']:8.2f}  "
            for row in rows
            if row["plan"] == plan
        )
        print(f"  {plan:42}{cells}")
    print(flush=True)
    return rows


def _print_verdict(rows: Sequence[Mapping[str, Any]]) -> None:
    """Say how ours stand beside the best of the others, and beside the target."""
    for plan in OURS:
        mine = [row for row in rows if row["plan"] == plan]
        above = [row for row in mine if row["budget"] == 60 and row["median"] > TARGET]
        lost = [
            f"{row['history']}, {row['budget']} layers: {figure} {row[figure]:.2f}"
            for row in mine
            for figure in ("median", "mean", "stored")
            if row[figure] >= min(other[figure] for other in rows if _is_rival(other, row))
        ]
        print(f"{plan}: medians at 60 layers above {TARGET}")
        print(
            "\n".join(f"  {row['history']}: {row['median']:.2f} ({row['median_mb']:.1f} MB)" for row in above)
            or "  none"
        )
        print(f"{plan}: not below every other scheme")
        print("\n".join(f"  {line}" for line in lost) or "  nowhere")


def _is_rival(other: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    return other["plan"] in OTHERS and all(other[key] == row[key] for key in ("history", "budget"))


if __name__ == "__main__":
    main()
