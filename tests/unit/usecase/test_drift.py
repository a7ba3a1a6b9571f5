"""What runs, held against what the ledger says: each kind of drift, its severity, and how it is mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.cluster.documents import Document, PrintedCluster
from builder.drift.model import Target
from builder.errors import ClusterError, InvalidInputError
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Promoted, Seen
from builder.ledger.queries import event_of
from builder.usecase.drift import DriftWish, look_for_drift, record_drift
from builder.usecase.show import show_image
from tests.support.ledgers import ALICE, Ticking, digest_of, make_build
from tests.support.looks import PROD, findings, report_of, told
from tests.support.pods import (
    MOVED,
    NEW,
    NOW,
    OLD,
    OTHER,
    REPOSITORY,
    START,
    container,
    deployed,
    job,
    make_channel,
    pod,
    task,
)

OLD_IMAGE, NEW_IMAGE = f"{REPOSITORY}@{OLD.digest}", f"{REPOSITORY}@{NEW.digest}"
NOBODY = f"{REPOSITORY}@{digest_of('nobody')}"


def old(name: str = "scheduler", **more: Any) -> dict[str, Any]:
    return container(name, image=OLD_IMAGE, image_id=OLD_IMAGE, **more)


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    make_channel(path)
    return path


@pytest.mark.parametrize(
    "image_id",
    [
        NEW_IMAGE,
        f"docker-pullable://{NEW_IMAGE}",
        f"registry.example.org/a/mirror@{NEW.digest}",
        f"{REPOSITORY}@{NEW.platforms[0].manifest}",
        f"{REPOSITORY}@{NEW.platforms[1].manifest}",
        NEW.platforms[0].config,
        f"docker://{NEW.platforms[1].config}",
        NEW.platforms[0].config.removeprefix("sha256:"),
    ],
    ids=["containerd", "docker", "mirror", "manifest", "arm", "containerd loaded", "docker loaded", "cri-o"],
)
def test_the_right_image_is_known_by_whatever_digest_a_node_tells(image_id: str, ledger_path: Path) -> None:
    assert findings(ledger_path, deployed("scheduler", container(image_id=image_id))) == []


def test_all_containers_are_looked_at_and_all_pods_named(ledger_path: Path) -> None:
    bad = [
        container(name, image_id=NOBODY, kind=kind)
        for name, kind in (("scheduler", "containers"), ("git-sync-init", "initContainers"))
    ]
    items = [deployed("scheduler", *bad, number=number) for number in (1, 2)]
    (look,) = report_of(ledger_path, *items).looks
    assert [(group.finding.place.container, group.pods) for group in look.findings] == [
        (name, ("airflow-scheduler-7c9d8f6b5-x0001", "airflow-scheduler-7c9d8f6b5-x0002"))
        for name in ("git-sync-init", "scheduler")
    ]
    assert {group.finding.place.workload for group in look.findings} == {"deployment/airflow-scheduler"}


def test_an_image_that_nobody_recorded_is_high(ledger_path: Path) -> None:
    (found,) = findings(ledger_path, deployed("scheduler", container(image_id=NOBODY)))
    assert (found.kind, found.severity.word) == ("unknown image", "high")
    assert found.what == f"the ledger has no build of {digest_of('nobody')[:19]} ({NEW_IMAGE})"
    assert found.mend == (
        "airflow-kubler digest core --channel prod --format helm > digest.yaml && "
        "helm upgrade airflow apache-airflow/airflow -n airflow --reuse-values -f digest.yaml"
    )


def test_a_pod_from_before_the_move_says_how_far_behind_it_is(ledger_path: Path) -> None:
    (found,) = findings(ledger_path, deployed("scheduler", old(), started=START))
    assert (found.kind, found.severity.word) == ("pod older than the channel", "medium")
    assert found.what == (
        f"runs core {OLD.digest[:19]}, built 2026-09-21T14:15:20Z (entry 1), 3 min older than prod's; "
        "prod left it 2026-09-21T14:20:20Z"
    )


def test_a_rollout_has_time_and_then_no_more(ledger_path: Path) -> None:
    item = deployed("scheduler", old(), started=START)
    assert told(ledger_path, item, now=MOVED + 600) == [("rolling out", "info")]
    assert told(ledger_path, item, now=MOVED + 600, grace_s=300) == [("pod older than the channel", "medium")]


def test_a_pod_that_started_after_the_move_on_the_old_image_is_high(ledger_path: Path) -> None:
    item = deployed("scheduler", old(), started=MOVED + 3600)
    (found,) = findings(ledger_path, item)
    assert (found.kind, found.severity.word) == ("other digest", "high")
    assert found.what.endswith(", and it was started after that")


@pytest.mark.parametrize(
    "make",
    [
        lambda one: task("etl", "load", one, started=START),
        lambda one: job("airflow-run-airflow-migrations", one, started=START),
    ],
)
def test_what_ends_by_itself_is_low_when_it_began_before_the_move(make: Any, ledger_path: Path) -> None:
    (found,) = findings(ledger_path, make(old("base")))
    assert (found.kind, found.severity.word, found.mend) == ("pod older than the channel", "low", "")


def test_a_worker_that_started_after_the_move_on_the_old_image_is_high(ledger_path: Path) -> None:
    (found,) = findings(ledger_path, task("etl", "load", old("base"), started=MOVED + 3600))
    assert (found.kind, found.severity.word, found.place.workload) == ("other digest", "high", "task/etl")


def test_what_has_finished_is_told_and_not_failed_on(ledger_path: Path) -> None:
    item = task("etl", "load", old("base"), phase="Succeeded", started=MOVED + 3600)
    kinds = told(ledger_path, item, deployed("scheduler"))
    assert kinds == [("other digest", "info")]


def test_a_build_that_the_channel_never_stood_for_is_high_and_says_who_does(tmp_path: Path) -> None:
    newer = make_build("core", "newer")
    path = tmp_path / "ledger.db"
    make_channel(path, newer, Promoted(stack="core", channel="staging", digest=newer.digest, rules=digest_of("rules")))
    image = f"{REPOSITORY}@{newer.digest}"
    (found,) = findings(path, deployed("scheduler", container(image=image, image_id=image)))
    assert (found.kind, found.severity.word) == ("other digest", "high")
    assert "3 min newer than prod's; staging stands for it; prod never stood for it" in found.what


def test_an_image_of_another_stack_is_high(ledger_path: Path) -> None:
    image = f"{REPOSITORY}@{OTHER.digest}"
    (found,) = findings(ledger_path, deployed("scheduler", container(image=image, image_id=image)))
    assert found.what == f"runs aws, {OTHER.digest[:19]}, not core"


def test_what_was_rolled_back_from_is_high_even_where_it_began_before(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    back = Promoted(
        stack="core", channel="prod", digest=OLD.digest, before=NEW.digest, rules=digest_of("r"), rollback=True
    )
    make_channel(path, back)
    (found,) = findings(path, deployed("scheduler", started=START))
    assert (found.kind, found.severity.word) == ("pod older than the channel", "high")
    assert "prod was rolled back from it" in found.what


def test_the_same_file_system_in_another_compression_is_the_right_image(tmp_path: Path) -> None:
    platforms = tuple(replace_manifest(one, f"gzip {one.platform}") for one in NEW.platforms)
    gzip = type(NEW)(**{**as_fields(NEW), "digest": digest_of("gzip index"), "platforms": platforms})
    path = tmp_path / "ledger.db"
    make_channel(path, gzip)
    for digest in (gzip.digest, platforms[0].manifest):
        assert findings(path, deployed("scheduler", container(image_id=f"{REPOSITORY}@{digest}"))) == []


def test_an_index_with_one_platform_alike_is_another_image(tmp_path: Path) -> None:
    other = make_build("core", "half")
    platforms = (NEW.platforms[0], other.platforms[1])
    half = type(NEW)(**{**as_fields(other), "platforms": platforms})
    path = tmp_path / "ledger.db"
    make_channel(path, half)
    # Which platform runs is not known where the node tells the index.
    assert told(path, deployed("scheduler", container(image_id=half.digest))) == [("other digest", "high")]
    assert told(path, deployed("scheduler", container(image_id=platforms[0].manifest))) == []
    assert told(path, deployed("scheduler", container(image_id=platforms[1].config))) == [("other digest", "high")]


def as_fields(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def replace_manifest(platform: Any, name: str) -> Any:
    return type(platform)(**{**as_fields(platform), "manifest": digest_of(name)})


def test_a_tag_alone_is_medium_and_for_others_low(ledger_path: Path) -> None:
    statsd = container(
        "statsd", image="quay.io/prometheus/statsd-exporter:v0.28.0", image_id=f"quay.io/x@{digest_of('statsd')}"
    )
    target = replace(PROD, allowed=("quay.io/prometheus/statsd-exporter",))
    items = [deployed("scheduler", container(image=f"{REPOSITORY}:prod")), deployed("statsd", statsd)]
    assert told(ledger_path, *items, targets=(target,)) == [("not pinned", "medium"), ("not pinned", "low")]
    assert ("unknown image", "high") in told(ledger_path, *items)


def test_another_image_may_be_allowed_by_its_digest_alone(ledger_path: Path) -> None:
    digest = digest_of("redis")
    redis = container("redis", image=f"redis@{digest}", image_id=f"docker.io/library/redis@{digest}")
    items = [deployed("scheduler"), deployed("redis", redis)]
    assert told(ledger_path, *items, targets=(replace(PROD, allowed=(f"docker.io/library/redis@{digest}",)),)) == []
    other = replace(PROD, allowed=(f"redis@{digest_of('another')}",))
    assert told(ledger_path, *items, targets=(other,)) == [("unknown image", "high")]


def test_one_tag_that_is_two_images_is_told(ledger_path: Path) -> None:
    tag = f"{REPOSITORY}:prod"
    items = [
        deployed("scheduler", container(image=tag)),
        deployed("triggerer", container("triggerer", image=tag, image_id=OLD_IMAGE), started=START),
    ]
    assert ("one tag, several images", "medium") in told(ledger_path, *items)
    # Two digests of one image are no two images.
    items[1] = deployed("triggerer", container("triggerer", image=tag, image_id=f"x@{NEW.platforms[0].manifest}"))
    assert ("one tag, several images", "medium") not in told(ledger_path, *items)


def test_a_tag_that_moved_in_its_registry_is_told(ledger_path: Path) -> None:
    tag = f"{REPOSITORY}:prod"
    item = deployed("scheduler", container(image=tag, image_id=NEW.platforms[0].config))
    assert told(ledger_path, item, read_tag=lambda _: frozenset((NEW.digest,))) == [("not pinned", "medium")]
    moved = told(ledger_path, item, read_tag=lambda _: frozenset((OLD.digest,)))
    assert moved == [("not pinned", "medium"), ("tag moved", "medium")]
    unread = told(ledger_path, item, read_tag=lambda _: "not known: 401")
    assert unread == [("not pinned", "medium"), ("tag not looked at", "info")]
    assert told(ledger_path, deployed("scheduler"), read_tag=_refuse) == []


def _refuse(image: str) -> frozenset[str]:
    raise AssertionError(f"{image} is pinned, and needs no registry")


def test_an_image_that_is_never_pulled_is_told(ledger_path: Path) -> None:
    assert told(ledger_path, deployed("scheduler", container(policy="Never"))) == [("local image", "low")]
    loaded = container(policy="Never", image="airflow:dev", image_id=digest_of("local"))
    kinds = told(ledger_path, deployed("scheduler", loaded))
    assert kinds == [("unknown image", "high"), ("local image", "medium"), ("not pinned", "medium")]


def test_an_image_that_cannot_be_pulled_is_told_and_held_to_its_spec(ledger_path: Path) -> None:
    waiting = container(image=NOBODY, image_id=None, waiting="ImagePullBackOff")
    assert told(ledger_path, deployed("scheduler", waiting)) == [("unknown image", "high"), ("not pulled", "medium")]
    assert told(ledger_path, deployed("scheduler", container(image_id=None, waiting="ContainerCreating"))) == []


def test_an_image_id_of_another_algorithm_is_unknown(ledger_path: Path) -> None:
    item = container(image_id=f"{REPOSITORY}@sha512:{'0' * 128}")
    (found,) = findings(ledger_path, deployed("scheduler", item))
    assert found.kind == "unknown image"


def test_a_target_without_pods_is_no_silence(ledger_path: Path) -> None:
    assert told(ledger_path) == [("nothing runs", "medium")]
    assert told(ledger_path, deployed("scheduler", phase="Succeeded")) == [("nothing runs", "medium")]


def test_a_channel_that_stands_for_nothing_is_told(ledger_path: Path) -> None:
    (found,) = findings(ledger_path, deployed("scheduler"), targets=(replace(PROD, channel="live"),))
    assert (found.kind, found.mend) == ("channel stands for nothing", "airflow-kubler promote core --to live")


def test_pods_of_no_target_are_passed_over_unless_they_run_an_image_of_ours(ledger_path: Path) -> None:
    items = [
        deployed("scheduler"),
        pod("dns", container("dns", image="dns", image_id=NOBODY), namespace="kube-system"),
        deployed("scheduler", namespace="playground"),
    ]
    report = report_of(ledger_path, *items, namespaces=())
    assert report.passed_over == 1
    claimed, rest = report.looks
    assert (claimed.pods, claimed.stack, claimed.channel, claimed.namespaces) == (1, "core", "prod", ("airflow",))
    assert (rest.pods, rest.stack, rest.channel, rest.namespaces) == (1, "core", "", ())
    assert [(group.finding.kind, group.finding.severity.word) for group in rest.findings] == [("of no target", "info")]
    assert [one.digest for one in rest.sightings] == [NEW.digest]


def test_targets_are_chosen_by_cluster_namespace_and_labels(ledger_path: Path) -> None:
    targets = (
        Target(stack="core", channel="prod", cluster="elsewhere", namespaces=("airflow",)),
        Target(
            stack="core",
            channel="prod",
            cluster="production",
            namespaces=("airflow-*",),
            selector=(("tier", "airflow"),),
        ),
    )
    items = [deployed("scheduler", namespace="airflow-finance"), deployed("scheduler", namespace="airflow")]
    (mine, rest) = report_of(ledger_path, *items, targets=targets).looks
    assert (mine.pods, rest.pods) == (1, 1)
    with pytest.raises(InvalidInputError, match="no target is of the cluster 'unknown'"):
        report_of(ledger_path, *items, targets=targets, name="unknown")


def test_pods_that_cannot_be_read_are_findings(ledger_path: Path) -> None:
    broken: list[Mapping[str, Any]] = [
        {"kind": "Pod"},
        {"kind": "Pod", "metadata": {"name": "x", "namespace": "airflow"}, "spec": {"containers": 7}},
    ]
    found = findings(ledger_path, deployed("scheduler"), *broken)
    assert {(one.kind, one.severity.word) for one in found} == {("unreadable pod", "medium")}
    assert sorted(one.what for one in found) == [
        "a pod without name or namespace: neither",
        "airflow/x: has no containers that can be read",
    ]


def test_what_was_seen_is_recorded_and_seen_again_only_when_it_differs(ledger_path: Path) -> None:
    items = [
        deployed("scheduler"),
        deployed("statsd", container("statsd", image_id=NOBODY)),
        task("etl", "load", phase="Succeeded"),
    ]
    report = report_of(ledger_path, *items)
    with SqliteLedger(ledger_path, Ticking(NOW), write=True) as ledger:
        (entry,) = record_drift(ledger, report, ALICE, now=NOW)
        assert record_drift(ledger, report, ALICE, now=NOW + 60) == ()
        more = report_of(ledger_path, *items, task("etl", "load", phase="Succeeded"), deployed("scheduler", number=2))
        assert record_drift(ledger, more, ALICE, now=NOW + 120) == ()
        other = report_of(ledger_path, items[0])
        assert len(record_drift(ledger, other, ALICE, now=NOW + 180)) == 1
        assert len(record_drift(ledger, other, ALICE, now=NOW + 200_000)) == 1
    seen = event_of(entry, Seen)
    assert (seen.cluster, seen.stack, seen.channel, seen.namespaces) == ("production", "core", "prod", ("airflow",))
    images = {image.digest: image for image in seen.images}
    assert (images[NEW.digest].pods, images[NEW.digest].finished) == (1, 1)
    assert images[NEW.digest].workloads == ("airflow/deployment/airflow-scheduler", "airflow/task/etl")
    (found,) = seen.findings
    assert (found.kind, found.severity, found.where, found.pods) == (
        "unknown image", "high", "airflow/deployment/airflow-statsd/statsd", 1,
    )  # fmt: skip


def test_show_says_where_an_image_runs_by_what_was_recorded(ledger_path: Path) -> None:
    dev = Target(stack="core", channel="dev", namespaces=("airflow",), selector=(("tier", "dev"),))
    items = [
        deployed("scheduler"),
        deployed("scheduler", namespace="playground"),
        pod("x", old(), labels={"tier": "dev"}),
    ]

    def look(*some: object, now: int) -> None:
        report = report_of(ledger_path, *some, namespaces=(), targets=(dev, PROD), now=now)
        with SqliteLedger(ledger_path, Ticking(now), write=True) as ledger:
            record_drift(ledger, report, ALICE, now=now)

    def runs(digest: str) -> list[tuple[tuple[str, ...], bool]]:
        with SqliteLedger(ledger_path, Ticking(), write=False) as ledger:
            return [(one.workloads, one.runs) for one in show_image(ledger, digest).deployed]

    look(*items, now=NOW)
    assert runs(NEW.digest) == [
        (("playground/deployment/airflow-scheduler",), True),
        (("airflow/deployment/airflow-scheduler",), True),
    ]
    assert runs(OLD.digest) == [(("airflow/pod/x",), True)]
    look(items[1], items[2], now=NOW + 600)
    assert runs(NEW.digest) == [
        (("playground/deployment/airflow-scheduler",), True),
        (("airflow/deployment/airflow-scheduler",), False),
    ]


def test_nothing_is_said_of_a_cluster_that_does_not_tell(ledger_path: Path) -> None:
    for text in (b"", b'{"kind": "Status", "message": "Unable to connect"}'):
        cluster = PrintedCluster("production", [Document(data=text, file="standard input")])
        with SqliteLedger(ledger_path, Ticking(), write=False) as ledger, pytest.raises(ClusterError):
            look_for_drift(cluster, ledger, DriftWish(targets=(PROD,)), now=NOW)
