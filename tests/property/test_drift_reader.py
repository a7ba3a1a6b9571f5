"""Whatever a cluster says: nothing is raised, nothing is run, and what is shown stays on its line."""

from __future__ import annotations

import json
import shlex
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from builder.cli.drift_view import report_json, report_text
from builder.drift.distributions import compare_listing
from builder.drift.judge import Case
from builder.drift.listing import parse_listing
from builder.drift.model import Expected, Report, Rules, Target
from builder.drift.pods import sort_objects
from builder.drift.record import make_events
from builder.drift.survey import claim_pods, make_cases, survey
from builder.errors import InvalidInputError
from builder.ledger.events import dump_event
from tests.support.pods import MOVED, NEW, NOW, REPOSITORY, config_map, deployed
from tests.unit.drift.test_listing import LOCK

NASTY = st.sampled_from(
    ["\x1b[2J", "a\nhigh    fake: x", "--all", "$(reboot)", "`x`", "'; x #", "\ud800", "\u202e", "\x00", "é" * 400]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | NASTY
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        "metadata",
        "spec",
        "status",
        "name",
        "namespace",
        "labels",
        "containers",
        "initContainers",
        "containerStatuses",
        "image",
        "imageID",
        "env",
        "value",
        "volumeMounts",
        "mountPath",
        "command",
        "args",
        "ownerReferences",
        "kind",
        "lifecycle",
        "state",
        "phase",
        "startTime",
        "data",
        "airflow.cfg",
    ]
)
TARGET = Target(stack="core", channel="prod")
EXPECTED = Expected(target=TARGET, digest=NEW.digest, since=MOVED, image=None, repository=REPOSITORY)


def places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in rows:
        found += [(value, key), *places(inner)]
    return found


@st.composite
def broken_objects(draw: st.DrawFn) -> Any:
    """Take a good object and put anything in a few of its places."""
    item = json.loads(json.dumps(draw(st.sampled_from([deployed("scheduler"), config_map("[core]\nexecutor = x\n")]))))
    for _ in range(draw(st.integers(0, 4))):
        around, key = draw(st.sampled_from(places(item)))
        around[key] = draw(JSON)
        if isinstance(around, dict) and draw(st.booleans()):
            around[draw(KEYS)] = draw(JSON)
    return item


@settings(max_examples=150, deadline=None)
@given(st.lists(broken_objects() | JSON, max_size=5))
def test_any_objects_are_looked_at(values: list[Any]) -> None:
    objects = sort_objects(values)
    claims = claim_pods(objects.pods, (TARGET,), "production")
    rules = Rules(now=NOW, context="$(x)")
    expected = {TARGET: EXPECTED}
    assert all(isinstance(case, Case) for case in make_cases(claims, expected, objects))
    looks = survey(claims, expected, objects, rules, namespaces=(), tags={})
    report = Report(cluster="production", namespaces=(), looks=looks, passed_over=0)
    for line in report_text(report).splitlines():
        assert line.isprintable()
        assert line.startswith(("  ", "core prod", "pods of no target", "production: ")) or not line
    json.dumps(report_json(report), ensure_ascii=False).encode()
    for seen in make_events(report):
        dump_event(seen)
    for look in looks:
        for group in look.findings:
            words = shlex.split(group.finding.mend)
            assert not words or words[0] in {"kubectl", "airflow-kubler"}
            assert "--all" not in words


@settings(max_examples=100, deadline=None)
@given(JSON, st.binary(max_size=60))
def test_any_listing_is_read_or_refused(value: Any, data: bytes) -> None:
    rows = {"format": "airflow-kubler inside 1", "distributions": value if isinstance(value, list) else [value]}
    for written in (json.dumps(value).encode(), json.dumps(rows).encode(), data):
        try:
            found = compare_listing(parse_listing(written, context="x"), LOCK)
        except InvalidInputError:
            continue
        assert all(one.what for one in found)
