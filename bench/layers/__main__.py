"""What a night costs a node, by layer plan, on real nights that no plan was made from: a table of ratios.

The plan is made from what is known on its date: sizes and ages of releases. Then each following night is charged the
bytes of every layer that holds a changed distribution. Nights with a gap before them are left out.
Usage: python bench/layers [--json]
"""

from __future__ import annotations

import datetime as dt
import json
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.image.plan import RESERVED, PlanItem, make_plan
from builder.lock.model import PlannedLayer

_DATA = Path(__file__).parent / "nights.json"
_BUDGETS = (30, 60, 100)
Groups = Sequence[Iterable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One night after the planning date."""

    changed: frozenset[str]
    sizes: dict[str, int]
    """Project to bytes of a layer of its own, after the night."""

    def pulled(self, groups: Groups) -> int:
        """Count the bytes of layers that hold something changed; a project no group knows has its own layer."""
        planned = [set(group) for group in groups]
        planned += [{project} for project in self.sizes.keys() - set().union(*planned)]
        return sum(sum(self.sizes.get(project, 0) for project in group) for group in planned if group & self.changed)


def main() -> None:
    data = json.loads(_DATA.read_text())
    rows = [row for date in data["planned"] for row in _rows_of(data, date)]
    if "--json" in sys.argv[1:]:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'planned':10}  {'plan':44} {'layers':>6} {'median':>7} {'mean':>7} {'worst':>7}  {'median/bound':>12}")
    for row in rows:
        ratio = row["median_mb"] / row["bound_mb"]
        figures = " ".join(f"{row[key]:7.1f}" for key in ("median_mb", "mean_mb", "worst_mb"))
        print(f"{row['planned']:10}  {row['plan']:44} {row['layers']:6} {figures}  {ratio:12.2f}")


def _rows_of(data: dict[str, Any], date: str) -> list[dict[str, Any]]:
    items = _items(data, date)
    nights = _nights(data, date)
    alone = [[item.project] for item in items]
    bound = statistics.median(night.pulled(alone) for night in nights) / 1e6

    def row(plan: str, groups: Groups) -> dict[str, Any]:
        pulled = [night.pulled(groups) / 1e6 for night in nights]
        figures = {"median_mb": statistics.median(pulled), "mean_mb": statistics.mean(pulled), "worst_mb": max(pulled)}
        named = {"planned": date, "plan": plan, "layers": len(groups)}
        return named | {key: round(value, 2) for key, value in figures.items()} | {"bound_mb": bound}

    rows = [row("one layer", [[item.project for item in items]]), row("a layer each (bound)", alone)]
    for budget in _BUDGETS:
        rows += [row(f"{budget}: {name}", groups(budget)) for name, groups in _plans(data, date, items).items()]
    return rows


def _plans(data: dict[str, Any], date: str, items: Sequence[PlanItem]) -> dict[str, Callable[[int], Groups]]:
    core = [item for item in items if item.project in set(data["planned"][date]["core"])]
    ageless = [PlanItem(project=item.project, size=item.size) for item in items]

    def groups(plan: tuple[PlannedLayer, ...]) -> Groups:
        return [layer.projects for layer in plan]

    def child(budget: int) -> Groups:
        parent = make_plan(core, stack="core", budget=budget)
        return groups(make_plan(items, stack="b", budget=budget, parent=parent))

    return {
        "biggest alone, rest together": lambda budget: _biggest_alone(items, budget - RESERVED),
        "plan of a stack on its own": lambda budget: groups(make_plan(items, stack="b", budget=budget)),
        "plan of a child of core": child,
        "plan of a stack on its own, ages unknown": lambda budget: groups(make_plan(ageless, stack="b", budget=budget)),
    }


def _biggest_alone(items: Sequence[PlanItem], slots: int) -> Groups:
    by_size = [item.project for item in sorted(items, key=lambda item: (-item.size, item.project))]
    return [*([project] for project in by_size[: slots - 1]), by_size[slots - 1 :]]


def _items(data: dict[str, Any], date: str) -> list[PlanItem]:
    versions = _versions(data, date)
    ages = data["planned"][date]["ages"]
    return [
        PlanItem(project=project, size=data["sizes"][project][version][0], age_days=ages.get(project))
        for project, version in sorted(versions.items())
    ]


def _versions(data: dict[str, Any], date: str) -> dict[str, str]:
    versions: dict[str, str] = {}
    for night in data["nights"]:
        if night["date"] <= date:
            versions |= night["versions"]
            versions = {project: version for project, version in versions.items() if project not in night["gone"]}
    return versions


def _nights(data: dict[str, Any], date: str) -> list[Night]:
    dates = [night["date"] for night in data["nights"]]
    nights = []
    for before, night in zip(dates, data["nights"][1:], strict=False):
        follows = dt.date.fromisoformat(night["date"]) - dt.date.fromisoformat(before) == dt.timedelta(days=1)
        if before >= date and follows:
            versions = _versions(data, night["date"])
            sizes = {project: data["sizes"][project][version][1] for project, version in versions.items()}
            nights.append(Night(changed=frozenset(night["versions"]), sizes=sizes))
    return nights


if __name__ == "__main__":
    main()
