"""Says a conflict in Airflow's words: who asks for what, what that leads to, what stands against it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from packaging.requirements import Requirement

from builder.resolve.clash import Chain, Clash, Step
from builder.resolve.conflict import LINE_WIDTH, MOST_LINES
from builder.resolve.problem import AIRFLOW, Demand, Kind
from builder.resolve.releases import Fault

_MORE = "and {} more (--debug shows all)"
_MOST_NAMED = 4
"""Demands of one kind that a line names."""


def explain_clash(
    core: Sequence[Demand], clash: Clash | None, *, airflow: str, wanted_by: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Explain why demands cannot hold together.

    Args:
        core: demands that cannot hold together beside Airflow.
        clash: how they meet, where that was found.
        airflow: its version.
        wanted_by: by project, who wants the pins of the parent's lock, as the lock says.

    Returns:
        At most four lines of at most 160 characters.
    """
    told = list(core)
    chains = _chains(clash)
    told += [chain.demand for chain in chains if chain.demand not in told]
    # Those that the story is about come first: they are named before the others are counted.
    ends = [chain.demand for chain in chains]
    told.sort(key=lambda demand: demand not in ends)
    lines = [
        *_asked_lines([demand for demand in told if demand.kind is Kind.ASKED]),
        *_chain_lines(clash),
        *_pin_lines(told, airflow=airflow, wanted_by=wanted_by),
    ]
    if clash is not None and isinstance(clash.against, Fault):
        lines.append(clash.against.text)
    return cut_lines(lines)


def explain_faults(faults: Iterable[tuple[Demand, Fault]]) -> tuple[str, ...]:
    """Explain requirements that fail by themselves."""
    return cut_lines([f"{_asks(demand.source)} {_shown(demand.text)}: {fault.text}" for demand, fault in faults])


def render_demand(demand: Demand) -> str:
    """Render one demand, with who makes it."""
    if demand.kind is Kind.ASKED:
        return f"{_asks(demand.source)} {_shown(demand.text)}"
    if demand.kind is Kind.AIRFLOW:
        return f"Airflow is pinned: {demand.text}"
    if demand.kind is Kind.PARENT:
        return f"parent {_name(demand.source)} pins {demand.text}"
    return f"{'the tested set pins' if demand.kind is Kind.TESTED else 'a divergence says'} {demand.text}"


def cut_lines(lines: Sequence[str], most: int = MOST_LINES - 1) -> tuple[str, ...]:
    """Keep lines to their number and width."""
    if len(lines) > most:
        lines = [*lines[: most - 1], _MORE.format(len(lines) - most + 1)]
    return tuple(_cut(line) for line in lines)


def render_chain(steps: Sequence[Step]) -> str:
    """Render requirements that follow from each other."""
    return ", ".join(f"{step.project} {step.version} requires {_shown(str(step.needs))}" for step in steps)


def _chains(clash: Clash | None) -> list[Chain]:
    if clash is None:
        return []
    return [clash.chain, *([clash.against] if isinstance(clash.against, Chain) else [])]


def _asked_lines(demands: Sequence[Demand]) -> list[str]:
    lines = []
    for source in dict.fromkeys(demand.source for demand in demands):
        texts = [_shown(demand.text) for demand in demands if demand.source == source]
        lines.append(f"{_asks(source)} {_join(texts)}")
    return lines


def _chain_lines(clash: Clash | None) -> list[str]:
    lines = []
    for number, chain in enumerate(_chains(clash)):
        if not chain.steps:
            continue
        text = render_chain(chain.steps)
        if len(text) > LINE_WIDTH and len(chain.steps) > 2:
            text = f"{render_chain(chain.steps[:1])} ... {render_chain(chain.steps[-1:])}"
        if number == 0 and clash is not None and clash.others:
            others = f" (its {clash.others} other {'version fails' if clash.others == 1 else 'versions fail'} too)"
            text = text + (others if len(text + others) <= LINE_WIDTH else "")
        lines.append(text)
    return lines


def _pin_lines(demands: Sequence[Demand], *, airflow: str, wanted_by: Mapping[str, Sequence[str]]) -> list[str]:
    lines = []
    moored = [demand for demand in demands if demand.kind is Kind.AIRFLOW]
    if moored:
        parts = [demand.text for demand in moored if demand.project != AIRFLOW]
        own = f", whose parts are {_join(parts)}" if parts else ""
        lines.append(f"Airflow is {airflow} ({_source(moored[0].source)}){own}: nothing here may move it")
    for source in dict.fromkeys(demand.source for demand in demands if demand.kind is Kind.PARENT):
        pins = [demand for demand in demands if demand.kind is Kind.PARENT and demand.source == source]
        texts = [f"{demand.text}{_wanted(wanted_by.get(demand.project, ()))}" for demand in pins]
        lines.append(f"parent {_name(source)} pins {_join(texts)}")
    tested = [demand.text for demand in demands if demand.kind is Kind.TESTED]
    if tested:
        lines.append(f"Airflow {airflow}'s tested set pins {_join(tested)}")
    diverged = [demand.text for demand in demands if demand.kind is Kind.DIVERGED]
    if diverged:
        lines.append(f"a divergence says {_join(diverged)}")
    return lines


def _wanted(names: Sequence[str]) -> str:
    if not names:
        return ""
    shown = [_source(name) if name.startswith("stack:") else name for name in names[:2]]
    return f" (since its lock: wanted by {', '.join(shown)}{', ...' if len(names) > 2 else ''})"


def _join(texts: Sequence[str]) -> str:
    if len(texts) > _MOST_NAMED:
        return f"{', '.join(texts[:_MOST_NAMED])} {_MORE.format(len(texts) - _MOST_NAMED)}"
    return " and ".join((", ".join(texts[:-1]), texts[-1])) if len(texts) > 1 else "".join(texts)


def _asks(source: str) -> str:
    return f"{_source(source)} asks for"


def _source(source: str) -> str:
    return source.replace("stack:", "stack ", 1)


def _name(source: str) -> str:
    return source.removeprefix("stack:")


def _shown(text: str) -> str:
    """Show a requirement without its marker."""
    requirement = Requirement(text)
    requirement.marker = None
    return str(requirement)


def _cut(line: str) -> str:
    return line if len(line) <= LINE_WIDTH else f"{line[: LINE_WIDTH - 4].rstrip()} ..."
