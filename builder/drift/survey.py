"""From pods to what is said of them: which target each belongs to, what is wrong, which images were seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from builder.drift.around import judge_around, judge_settings
from builder.drift.images import parse_image_id
from builder.drift.judge import Case, judge_image, judge_moved_tag, judge_tags
from builder.drift.model import (
    Expected,
    Finding,
    GroupedFinding,
    Look,
    Place,
    Pod,
    Rules,
    Severity,
    Sighting,
    Target,
)
from builder.drift.pods import Objects
from builder.drift.targets import target_of
from builder.drift.workload import workload_of

NOTHING_RUNS: Final = "nothing runs"
NO_CHANNEL: Final = "channel stands for nothing"
UNREADABLE: Final = "unreadable pod"
UNCLAIMED: Final = "of no target"
TAG_UNREAD: Final = "tag not looked at"

TagNames = Mapping[str, "frozenset[str] | str"]
"""By image of a spec, the digests that its registry means by it now; or why that is not known."""
Extra = Callable[[Case], Iterable[Finding]]
"""What else is found of a container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Pods, by what they should run."""

    by_target: tuple[tuple[Target, tuple[Pod, ...]], ...]
    """Every target that was asked for, in the order given, even where no pod is its own."""
    unclaimed: tuple[Pod, ...]


def claim_pods(pods: Iterable[Pod], targets: Sequence[Target], cluster: str) -> Claims:
    """Give each pod to the first target that claims it."""
    found: dict[Target, list[Pod]] = {target: [] for target in targets}
    unclaimed: list[Pod] = []
    for pod in pods:
        target = target_of(pod, targets, cluster)
        (unclaimed if target is None else found[target]).append(pod)
    return Claims(by_target=tuple((target, tuple(mine)) for target, mine in found.items()), unclaimed=tuple(unclaimed))


def told_digests(pods: Iterable[Pod]) -> frozenset[str]:
    """List the digests that nodes and specs tell: those to be looked up."""
    found = {running.digest for pod in pods for one in pod.containers if (running := parse_image_id(one.image_id))}
    specs = (parse_image_id(one.image) for pod in pods for one in pod.containers)
    return frozenset(found | {named.digest for named in specs if named})


def make_cases(claims: Claims, expected: Mapping[Target, Expected], objects: Objects) -> Iterator[Case]:
    """Iterate over the containers of pods whose channel stands for something."""
    for target, pods in claims.by_target:
        if target in expected:
            for pod in pods:
                workload = workload_of(pod, objects.owners)
                for container in pod.containers:
                    yield Case(pod=pod, workload=workload, container=container, expected=expected[target])


def survey(
    claims: Claims,
    expected: Mapping[Target, Expected],
    objects: Objects,
    rules: Rules,
    *,
    namespaces: Sequence[str],
    tags: TagNames,
    extra: Extra = lambda _: (),
) -> tuple[Look, ...]:
    """Say what is wrong, by channel.

    Args:
        claims: which pod belongs where.
        expected: what the channels stand for; those that stand for nothing are missing.
        objects: what else was read.
        rules: how it is told.
        namespaces: that were looked at; all where empty.
        tags: what tags stand for now, where that was asked.
        extra: what else is to be found of a container.
    """
    cases = tuple(make_cases(claims, expected, objects))
    by_channel: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        by_channel.setdefault(_channel(case.expected.target), []).append(case)
    looks: list[Look] = []
    for channel in dict.fromkeys(_channel(target) for target, _ in claims.by_target):
        mine = [(target, pods) for target, pods in claims.by_target if _channel(target) == channel]
        wanted = [expected[target] for target, _ in mine if target in expected]
        found = list(_iter_findings(by_channel.get(channel, ()), rules, tags, extra))
        found += _missing(mine, expected)
        found += judge_settings(objects.settings, _by_namespace(mine, expected))
        # Whose a pod is that cannot be read, nobody knows: it is told once.
        found += [] if looks else _unreadable(objects)
        pods = tuple(pod for _, some in mine for pod in some)
        look = Look(
            stack=channel[0],
            channel=channel[1],
            namespaces=_looked_at([target for target, _ in mine], namespaces),
            selector=_selector([target for target, _ in mine]),
            expected=wanted[0] if wanted else None,
            pods=len(pods),
            sightings=_sightings(pods, objects, rules),
            findings=group_findings(found),
        )
        looks.append(look)
    return (*looks, *_iter_unclaimed(claims.unclaimed, objects, rules, namespaces))


def _looked_at(targets: Sequence[Target], namespaces: Sequence[str]) -> tuple[str, ...]:
    """List the namespaces that were looked at for some targets; empty for all."""
    named = {name for target in targets for name in target.namespaces}
    if any(not target.namespaces for target in targets) or any("*" in name or "?" in name for name in named):
        return tuple(namespaces)
    return tuple(sorted(named.intersection(namespaces) if namespaces else named))


def _selector(targets: Sequence[Target]) -> str:
    """Write the labels that pods of some targets have; empty where one of them asks for none."""
    texts = sorted({",".join(f"{name}={value}" for name, value in target.selector) for target in targets})
    return "" if "" in texts else " or ".join(texts)


def _channel(target: Target) -> tuple[str, str]:
    return target.stack, target.channel


def _iter_findings(cases: Sequence[Case], rules: Rules, tags: TagNames, extra: Extra) -> Iterator[Finding]:
    for case in cases:
        yield from judge_image(case, rules)
        yield from judge_around(case, rules)
        yield from extra(case)
        names = tags.get(case.container.image)
        if isinstance(names, frozenset) and not case.named.digest and not case.pod.is_finished:
            moved = judge_moved_tag(case, names, rules)
            yield from (moved,) if moved else ()
        elif isinstance(names, str):
            yield case.finding(TAG_UNREAD, Severity.INFO, names)
    yield from judge_tags(cases, rules)


def _missing(mine: Sequence[tuple[Target, Sequence[Pod]]], expected: Mapping[Target, Expected]) -> Iterator[Finding]:
    """Tell targets that cannot be compared, since one side is missing: silence would read as all is well."""
    for target, pods in mine:
        place = Place(namespace=", ".join(target.namespaces), workload="")
        if target not in expected:
            what = f"{target.channel} of {target.stack} stands for nothing in the ledger"
            mend = f"airflow-kubler promote {target.stack} --to {target.channel}"
            yield Finding(kind=NO_CHANNEL, severity=Severity.HIGH, place=place, what=what, mend=mend)
        elif not any(not pod.is_finished for pod in pods):
            labels = ",".join(f"{name}={value}" for name, value in target.selector)
            what = f"no pod is there for {target.label}{labels and f' with {labels}'}"
            yield Finding(kind=NOTHING_RUNS, severity=Severity.MEDIUM, place=place, what=what)


def _by_namespace(
    mine: Sequence[tuple[Target, Sequence[Pod]]], expected: Mapping[Target, Expected]
) -> Mapping[str, Sequence[Expected]]:
    found: dict[str, list[Expected]] = {}
    for target, pods in mine:
        if target in expected:
            for namespace in {pod.namespace for pod in pods}:
                found.setdefault(namespace, []).append(expected[target])
    return found


def _iter_unclaimed(pods: Iterable[Pod], objects: Objects, rules: Rules, namespaces: Sequence[str]) -> Iterator[Look]:
    """Look at pods of no target that run images of ours, by stack."""
    by_stack: dict[str, list[Pod]] = {}
    found: dict[str, list[Finding]] = {}
    for pod in pods:
        stacks = sorted({rules.known[digest].stack for digest in told_digests((pod,)) if digest in rules.known})
        if stacks:
            workload = workload_of(pod, objects.owners)
            place = Place(namespace=pod.namespace, workload=f"{workload.kind}/{workload.name}", pod=pod.name)
            what = f"runs an image of {', '.join(stacks)}, and no target says which it should"
            by_stack.setdefault(stacks[0], []).append(pod)
            found.setdefault(stacks[0], []).append(
                Finding(kind=UNCLAIMED, severity=Severity.INFO, place=place, what=what)
            )
    ours = _indexes(rules)
    for stack, mine in sorted(by_stack.items()):
        yield Look(
            stack=stack,
            channel="",
            namespaces=tuple(namespaces),
            selector="",
            expected=None,
            pods=len(mine),
            sightings=tuple(one for one in _sightings(mine, objects, rules) if one.digest in ours),
            findings=group_findings(found[stack]),
        )


def _unreadable(objects: Objects) -> Iterator[Finding]:
    place = Place(namespace="", workload="")
    for problem in objects.problems:
        yield Finding(kind=UNREADABLE, severity=Severity.MEDIUM, place=place, what=problem)


def _indexes(rules: Rules) -> frozenset[str]:
    return frozenset(image.digest for image in rules.known.values())


def _sightings(pods: Iterable[Pod], objects: Objects, rules: Rules) -> tuple[Sighting, ...]:
    """Gather images by digest: of the index where the ledger knows it."""
    running: dict[str, list[int]] = {}
    workloads: dict[str, set[str]] = {}
    for pod in pods:
        workload = workload_of(pod, objects.owners)
        told = {found.digest for one in pod.containers if (found := parse_image_id(one.image_id))}
        for digest in {rules.known[one].digest if one in rules.known else one for one in told}:
            running.setdefault(digest, [0, 0])[pod.is_finished] += 1
            workloads.setdefault(digest, set()).add(f"{pod.namespace}/{workload.kind}/{workload.name}")
    return tuple(
        Sighting(digest=digest, pods=counts[0], finished=counts[1], workloads=tuple(sorted(workloads[digest])))
        for digest, counts in sorted(running.items())
    )


def group_findings(found: Iterable[Finding]) -> tuple[GroupedFinding, ...]:
    """Put findings together that differ in their pod alone; the worst first, then by place."""
    groups: dict[Finding, set[str]] = {}
    for one in found:
        alone = replace(one, place=replace(one.place, pod=""))
        groups.setdefault(alone, set()).update({one.place.pod} - {""})
    rows = [GroupedFinding(finding=finding, pods=tuple(sorted(pods))) for finding, pods in groups.items()]
    return tuple(sorted(rows, key=_order))


def _order(group: GroupedFinding) -> tuple[object, ...]:
    one = group.finding
    return (-one.severity, one.place.namespace, one.place.workload, one.place.container, one.kind, one.what)
