"""A made-up installation: a project with a ledger whose channels stand for images, and charts rendered by a real helm."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from click.testing import CliRunner, Result

from builder.cli.root import root
from builder.deploy.allowed import parse_deploy_rules
from builder.deploy.answer import DigestAnswer, MoveAnswer, PlaceAnswer, PlatformAnswer
from builder.deploy.image_name import ImageName
from builder.ledger.events import Built, Event, Locked, Promoted, Pushed
from builder.ledger.model import NewEntry
from builder.ledger.parts import TagMove
from tests.support.ledgers import digest_of, make_build, make_ledger
from tests.support.tools import ROOT, require_tool, run_tool

CHART = ROOT / "tests/charts/airflow"
REPOSITORY = "registry.example.org/team/airflow"
TAG = "core-20261130.01"
STATSD = f"quay.io/prometheus/statsd-exporter:v0.28.0@{digest_of('statsd')}"
REDIS = f"docker.io/library/redis:7.2-bookworm@{digest_of('redis')}"
GIT_SYNC = f"registry.k8s.io/git-sync/git-sync@{digest_of('git-sync')}"
DEPLOY_TOML = f"""\
[[allow]]
image = "{STATSD}"
values = "statsd"

[[allow]]
image = "{REDIS}"
values = "redis"

[[allow]]
image = "{GIT_SYNC}"
values = "gitSync"
"""


def an_answer(*, tag: str = TAG) -> DigestAnswer:
    """Make up the answer that the made-up ledger gives for `prod` of `core`."""
    built = make_build()
    return DigestAnswer(
        stack="core",
        channel="prod",
        digest=built.digest,
        repository=REPOSITORY,
        tag=tag,
        reference=f"{REPOSITORY}@{built.digest}",
        airflow="3.3.2",
        lock=built.lock,
        platforms=tuple(PlatformAnswer(platform=one.platform, manifest=one.manifest) for one in built.platforms),
        places=(PlaceAnswer(repository=REPOSITORY, tag=tag),),
        move=MoveAnswer(
            entry=4, time="2026-09-21T14:18:20Z", by="alice", before="", rollback=False, database="needs migration"
        ),
    )


def others() -> tuple[tuple[str, ImageName], ...]:
    """List what DEPLOY_TOML pins beside Airflow."""
    return tuple(
        (entry.values, entry.image)
        for entry in parse_deploy_rules(DEPLOY_TOML.encode(), file="stacks/deploy.toml").allowed
    )


def move(built: Built, channel: str, *, tag: str = TAG, repository: str = REPOSITORY) -> tuple[Event, ...]:
    """Make up the life of an image up to the channel."""
    return (
        Locked(stack=built.stack, lock=built.lock, base="trixie", base_lock=built.base_lock, airflow="3.3.2"),
        built,
        Pushed(
            digest=built.digest,
            repository=repository,
            stack=built.stack,
            tags=(TagMove(tag=tag),) if tag else (),
        ),
        Promoted(
            stack=built.stack,
            channel=channel,
            digest=built.digest,
            rules=digest_of("rules"),
            database="needs migration",
        ),
    )


def make_project(folder: Path, events: Sequence[Event] | None = None, *, deploy_toml: str = DEPLOY_TOML) -> Path:
    """Make a project whose ledger has these events; by default `prod` of `core` stands for one image."""
    (folder / "stacks").mkdir(parents=True)
    if deploy_toml:
        (folder / "stacks/deploy.toml").write_text(deploy_toml)
    found = move(make_build(), "prod") if events is None else events
    make_ledger(folder / "ledger.db", [NewEntry(event=event) for event in found])
    return folder


def kubler(project: Path, *words: str | Path, text: str | None = None, status: int | None = 0) -> Result:
    """Run the command line in a project, in this process."""
    done = CliRunner().invoke(root, ["--project", str(project), *map(str, words)], input=text)
    if status is not None:
        assert done.exit_code == status, done.output
    return done


def chart(folder: Path, version: str) -> Path:
    """Copy the chart as one of a version."""
    copied = folder / f"chart-{version}"
    if not copied.exists():
        shutil.copytree(CHART, copied)
        about = copied / "Chart.yaml"
        about.write_text(about.read_text().replace("version: 1.22.0", f"version: {version}"))
    return copied


def render_chart(chart_folder: Path, *values: Path, sets: Sequence[str] = ()) -> str:
    """Render a chart by helm."""
    helm = require_tool("helm")
    named = [word for path in values for word in ("--values", str(path))]
    named += [word for text in sets for word in ("--set", text)]
    return run_tool(helm, "template", "airflow", chart_folder, "--namespace", "airflow", *named)
