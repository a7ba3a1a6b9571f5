"""Images, pods, owners and targets as they are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builder.deploy.allowed import parse_deploy_rules
from builder.drift.around import CHART_CONTAINERS, covers_code, find_install
from builder.drift.images import RunningImage, parse_image, parse_image_id
from builder.drift.judge import render_span
from builder.drift.mend import kubectl, make_anew, unset_variable
from builder.drift.model import Owner, Pod, Role, Target
from builder.drift.pods import parse_moment, parse_pod, sort_objects
from builder.drift.targets import namespaces_of, parse_selector, parse_targets
from builder.drift.workload import workload_of
from builder.errors import InvalidInputError, IssuesError
from tests.support.ledgers import digest_of
from tests.support.pods import container, deployed, job, pod, task

DIGEST = digest_of("x")


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        (f"registry.example.org:5000/team/airflow@{DIGEST}", "registry.example.org:5000/team/airflow"),
        (f"docker-pullable://redis@{DIGEST}", "redis"),
        (f"docker://{DIGEST}", ""),
        (DIGEST, ""),
        (DIGEST.removeprefix("sha256:"), ""),
        (f"  {DIGEST}\n", ""),
    ],
)
def test_every_form_of_an_image_id_is_read(text: str, repository: str) -> None:
    assert parse_image_id(text) == RunningImage(digest=DIGEST, repository=repository)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "airflow:latest",
        "sha256:abc",
        f"x@sha512:{'0' * 128}",
        f"a@b@{DIGEST[:-1]}",
        f"{DIGEST}0",
        f"a@{'0' * 64}",
        "@" * 999,
    ],
)
def test_what_tells_no_digest_is_no_image_id(text: str) -> None:
    assert parse_image_id(text) is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("airflow", ("airflow", "", "")),
        ("localhost:5000/airflow", ("localhost:5000/airflow", "", "")),
        (f"r.example/a:core-1@{DIGEST}", ("r.example/a", "core-1", DIGEST)),
        (f"r.example/a@{DIGEST}", ("r.example/a", "", DIGEST)),
        ("r.example/a:t@sha256:short", ("r.example/a", "t", "")),
        ("", ("", "", "")),
    ],
)
def test_names_of_images_are_taken_apart(text: str, parts: tuple[str, str, str]) -> None:
    named = parse_image(text)
    assert (named.repository, named.tag, named.digest) == parts


def owner_of(value: dict[str, Any], *others: dict[str, Any]) -> tuple[str, str]:
    objects = sort_objects([value, *others])
    found = workload_of(objects.pods[0], objects.owners)
    return found.kind, found.name


def test_workloads_are_what_a_person_wrote() -> None:
    cron = {"kind": "Job", "metadata": {"namespace": "airflow", "name": "cleanup-now", "ownerReferences": [
        {"kind": "CronJob", "name": "airflow-cleanup", "controller": True}]}}  # fmt: skip
    assert owner_of(deployed("scheduler")) == ("deployment", "airflow-scheduler")
    assert owner_of(pod("worker-0", owner=("StatefulSet", "worker"))) == ("statefulset", "worker")
    assert owner_of(pod("x", owner=("ReplicaSet", "alone-5f4"))) == ("replicaset", "alone-5f4")
    other = pod("x", owner=("ReplicaSet", "alone-5f4"), labels={"pod-template-hash": "7c9"})
    assert owner_of(other) == ("replicaset", "alone-5f4")
    assert owner_of(task("etl", "load")) == ("task", "etl")
    assert owner_of(job("airflow-run-airflow-migrations")) == ("job", "airflow-run-airflow-migrations")
    assert owner_of(job("airflow-cleanup-29367840")) == ("cronjob", "airflow-cleanup")
    assert owner_of(job("cleanup-now"), cron) == ("cronjob", "airflow-cleanup")
    assert owner_of(pod("bare")) == ("pod", "bare")
    assert owner_of(pod("x", owner=("Rollout", "argo"))) == ("rollout", "argo")


def test_owners_in_a_circle_come_to_an_end() -> None:
    def owned(name: str, by: str) -> dict[str, Any]:
        return {
            "kind": "Job",
            "metadata": {"namespace": "airflow", "name": name, "ownerReferences": [{"kind": "Job", "name": by}]},
        }

    assert owner_of(pod("x", owner=("Job", "a")), owned("a", "b"), owned("b", "a"))[0] == "job"


def read(value: Any) -> Pod:
    found = parse_pod(value)
    assert isinstance(found, Pod)
    return found


def test_containers_of_every_role_are_read_with_their_state() -> None:
    value = deployed(
        "scheduler", container("a"), container("b", kind="initContainers"), container("c", kind="ephemeralContainers")
    )
    value["status"]["containerStatuses"].append(
        {"name": "ghost", "image": "x", "imageID": DIGEST, "state": {"running": {}}}
    )
    found = read(value)
    assert [(one.name, one.role, one.is_running) for one in found.containers] == [
        ("b", Role.INIT, True), ("a", Role.MAIN, True), ("ghost", Role.MAIN, True), ("c", Role.EPHEMERAL, True),
    ]  # fmt: skip
    assert found.containers[1].hooks == (("sh", "-c", "airflow jobs check --local"),)
    assert dict(found.containers[1].env) == {"AIRFLOW__CORE__FERNET_KEY": "(from elsewhere)"}


@pytest.mark.parametrize("wrong", [None, 7, "x", [], {}, [None], [7, {"name": 7}], {"x": "y"}, True])
@pytest.mark.parametrize(
    "path",
    [
        ("metadata", "labels"), ("metadata", "ownerReferences"), ("metadata", "uid"), ("status",), ("status", "phase"),
        ("status", "containerStatuses"), ("status", "startTime"), ("spec", "initContainers"), ("status", "ephemeralContainerStatuses"),
    ],
)  # fmt: skip
def test_what_has_another_type_reads_as_absent(path: tuple[str, ...], wrong: Any) -> None:
    value = json.loads(json.dumps(deployed("scheduler")))
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = wrong
    assert read(value).name == "airflow-scheduler-7c9d8f6b5-x0001"
    row = read(deployed("scheduler")).containers[0]
    for key in ("image", "command", "args", "env", "volumeMounts", "lifecycle", "livenessProbe", "imagePullPolicy"):
        broken = deployed("scheduler")
        broken["spec"]["containers"][0][key] = wrong
        assert read(broken).containers[0].name == row.name


def test_half_characters_are_replaced_and_long_names_cut() -> None:
    found = read(pod("x\ud800y", labels={"a": "b" * 10_000}))
    assert found.name == "x?y"
    assert len(found.labels["a"]) == 300


def test_objects_of_other_kinds_are_counted_and_pods_come_once() -> None:
    service = {"kind": "Service", "metadata": {"name": "x", "namespace": "y"}}
    objects = sort_objects([deployed("scheduler"), deployed("scheduler"), service, 7, None, [], {"kind": []}])
    assert (len(objects.pods), objects.passed_over, objects.problems) == (1, 5, ())


@pytest.mark.parametrize(
    "text", ["", "now", "2026-13-01T00:00:00Z", "2026-11-30T07:23:11", "9" * 99, None, 7, "0001-01-01T00:00:00+23:00"]
)
def test_what_is_no_time_is_none(text: Any) -> None:
    assert parse_moment(text) == 0


@pytest.mark.parametrize(
    "text",
    [
        "airflow scheduler", "pip list", "pip freeze --all", "install -d /opt", "bash -c 'echo pip; install x'", "apt list; install -d x",
        "python -m airflow db migrate", "pipeline install", "", "pip " * 10_000, "-pip " * 10_000,
    ],
)  # fmt: skip
def test_commands_that_install_nothing_are_let_be(text: str) -> None:
    assert find_install([text]) == ""


@pytest.mark.parametrize(
    "text",
    ["/usr/bin/pip install x", "FOO=1 pip install x", "(pip install x)", "`pip install x`", "uv add x", "uv sync", "conda install -y x",
     "true && python3 -m pip install -r /r.txt", "if ! pip install x; then exit; fi", "pip3 install x", "npm i x"],
)  # fmt: skip
def test_commands_that_install_are_found(text: str) -> None:
    assert find_install(["bash", "-c", text])


def test_mounts_beside_code_cover_none() -> None:
    beside = ("/opt/airflow/dags", "/opt/airflow/airflow.cfg", "/opt/airflow/config/airflow_local_settings.py", "/scratch",
              "/home/airflow/.ssh", "/etc/git-secret", "/var/run/secrets/kubernetes.io/serviceaccount", "", "relative")  # fmt: skip
    assert not [mount for mount in beside if covers_code(mount)]
    assert covers_code("/usr/local")
    assert covers_code("/")


def test_the_chart_names_its_own_containers() -> None:
    assert {"scheduler", "base", "git-sync-init", "wait-for-airflow-migrations"} <= CHART_CONTAINERS


def test_names_that_are_none_make_no_command() -> None:
    for name in ("--all", "a b", "a;b", "$(x)", "", "a\nb", "-n"):
        assert kubectl("", "airflow", ("delete", "pod"), (name,)) == ""
        assert kubectl("", name, ("delete", "pod"), ("x",)) == ""
        assert make_anew(Owner(kind="deployment", name=name), "", "airflow", "x") == ""
        assert unset_variable(Owner(kind="deployment", name="x"), "", "airflow", name, "A") == ""
    said = make_anew(Owner(kind="deployment", name="x"), "a $(context)", "airflow", "x")
    assert said == "kubectl '--context=a $(context)' -n airflow rollout restart deployment/x"


def test_spans_are_written_by_their_two_largest_units() -> None:
    assert [render_span(s) for s in (0, 61, 3600, 90_000, 86_400)] == ["0 s", "1 min 1 s", "1 h", "1 d 1 h", "1 d"]


TARGETS = f"""
[deploy]
unknown = "of another verb"

[[targets]]
cluster = "production"
namespaces = ["airflow", "airflow-*"]
selector = {{ tier = "airflow" }}
stack = "core"
channel = "prod"
allowed = ["quay.io/prometheus/statsd-exporter", "redis@{DIGEST}"]
containers = ["istio-proxy"]

[[targets]]
stack = "aws"
channel = "dev"
"""


def test_targets_are_read_and_the_rest_of_the_file_is_others() -> None:
    first, second = parse_targets(TARGETS.encode(), file="stacks/deploy.toml")
    assert (first.stack, first.channel, first.cluster) == ("core", "prod", "production")
    assert first.selector == (("tier", "airflow"),)
    assert second == Target(stack="aws", channel="dev")
    assert namespaces_of((first,), "production") == ()
    assert namespaces_of((first,), "elsewhere") is None
    assert namespaces_of((Target(stack="a", channel="b", namespaces=("y", "x")),), "z") == ("x", "y")


def test_everything_that_is_wrong_with_targets_is_told_at_once() -> None:
    text = f"""
[[targets]]
stack = "Core"
channel = "a b"
namespaces = ["Airflow"]
selector = {{ tier = "a b" }}
allowed = ["redis:7", "redis@sha256:short", "@{DIGEST}"]
name = "x"
[[targets]]
"""
    with pytest.raises(IssuesError) as raised:
        parse_targets(text.encode(), file="stacks/deploy.toml")
    said = str(raised.value)
    for part in (
        "targets[0].stack: 'Core' cannot name", "targets[0].channel: not the name of a channel", "not the name of a namespace: 'Airflow'",
        "not a label: tier=a b", "'redis:7'", "'redis@sha256:short'", f"'@{DIGEST}'", "targets[0].name: unknown key",
        "targets[1].stack: is missing", "targets[1].channel: is missing",
    ):  # fmt: skip
        assert part in said, said


def test_selectors_are_read_from_options() -> None:
    assert parse_selector(["a=b,c=d", "e="]) == (("a", "b"), ("c", "d"), ("e", ""))
    for text in ("a", "=b", "a in (b)", "a==b"):
        with pytest.raises(InvalidInputError, match="not a label"):
            parse_selector([text])


def test_the_documented_form_of_targets_is_the_one_that_is_read() -> None:
    page = (Path(__file__).parents[3] / "docs/drift.md").read_text()
    text = page.partition("```toml\n")[2].partition("```")[0]
    assert parse_targets(text.encode(), file="docs/drift.md")


def test_targets_and_allowed_images_stand_in_one_file() -> None:
    text = f'{TARGETS.replace("[deploy]", "").replace("unknown =", "# unknown =")}\n[[allow]]\nimage = "quay.io/x@{DIGEST}"\n'
    assert len(parse_targets(text.encode(), file="stacks/deploy.toml")) == 2
    assert len(parse_deploy_rules(text.encode(), file="stacks/deploy.toml").allowed) == 1
