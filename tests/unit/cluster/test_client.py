"""The official client against a small API: pods come whole or not at all, whatever the API does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient, Configuration

from builder.cluster.answers import ClusterTroubleError
from builder.cluster.client import KubernetesCluster
from builder.cluster.connect import Address, connect
from builder.errors import ClusterError, InvalidInputError
from builder.store.patience import Patience
from tests.support.kube_api import TOKEN, Fault, Said, SmallKubeApi
from tests.support.pods import config_map, deployed

PODS = [deployed("scheduler", number=number) for number in range(600)]


class Waits:
    """A clock that time passes on only where somebody waits."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)

    def now(self) -> float:
        return time.monotonic() + sum(self.waited)


@pytest.fixture
def api() -> Iterator[SmallKubeApi]:
    with SmallKubeApi(PODS) as served:
        yield served


@pytest.fixture
def waits() -> Waits:
    return Waits()


def reach(api: SmallKubeApi, folder: Path, waits: Waits | None = None, **given: Any) -> KubernetesCluster:
    found = waits or Waits()
    patience = Patience(tries=4, deadline_s=60.0, now=found.now, sleep=found.sleep)
    address = Address(kubeconfig=api.kubeconfig(folder, token=given.pop("token", "a-token")), **given)
    return connect(address, {}, folder, patience)


def names(cluster: KubernetesCluster, *namespaces: str) -> list[str]:
    found: list[Any] = list(cluster.objects(namespaces))
    assert {one["kind"] for one in found} <= {"Pod", "Job", "ConfigMap"}
    return [one["metadata"]["name"] for one in found if one["kind"] == "Pod"]


def test_pods_come_in_pages_and_whole(api: SmallKubeApi, tmp_path: Path) -> None:
    cluster = reach(api, tmp_path)
    assert len(set(names(cluster))) == 600
    assert api.pages() == 3
    assert (cluster.name, cluster.context, cluster.notes()) == ("production", "production", ())


def test_namespaces_are_asked_one_by_one(api: SmallKubeApi, tmp_path: Path) -> None:
    api.objects = [deployed("scheduler", namespace=name) for name in ("a", "b", "c")]
    assert len(names(reach(api, tmp_path), "a", "c")) == 2
    asked = [path.partition("?")[0] for path in api.asked if path.partition("?")[0].endswith("/pods")]
    assert asked == ["/api/v1/namespaces/a/pods", "/api/v1/namespaces/c/pods"]


def test_a_list_whose_state_is_forgotten_is_begun_anew_and_at_last_asked_for_in_one_piece(
    api: SmallKubeApi, tmp_path: Path
) -> None:
    api.expire_after = 2
    found = names(reach(api, tmp_path))
    assert len(found) == len(set(found)) == 600
    assert api.pages() == 3 + 3 + 1
    assert "limit" not in [path for path in api.asked if "/pods" in path][-1]


def test_a_list_that_is_forgotten_for_ever_is_an_error(api: SmallKubeApi, tmp_path: Path) -> None:
    api.faults = [Fault(status=410)] * 3
    with pytest.raises(ClusterError, match="production: pods of all namespaces: forgets the state of its lists"):
        names(reach(api, tmp_path))


def test_retry_after_is_waited_for_exactly(api: SmallKubeApi, tmp_path: Path, waits: Waits) -> None:
    api.faults = [Fault(status=429, headers={"retry-after": "7"}), None, Fault(status=503), None]
    assert len(names(reach(api, tmp_path, waits))) == 600
    assert waits.waited == [7.0, 0.5]


def test_a_wait_past_the_deadline_is_not_begun(api: SmallKubeApi, tmp_path: Path, waits: Waits) -> None:
    api.faults = [Fault(status=429, headers={"retry-after": "86400"}, body=b"{}")]
    with pytest.raises(ClusterError, match="429 Too Many Requests; it asks to wait 86400 s, which is past"):
        names(reach(api, tmp_path, waits))
    assert waits.waited == []


def test_tries_have_an_end(api: SmallKubeApi, tmp_path: Path, waits: Waits) -> None:
    api.faults = [Fault(status=500, body=b"<html>")] * 9
    with pytest.raises(ClusterError, match="500 Internal Server Error, after 4 tries"):
        names(reach(api, tmp_path, waits))
    assert waits.waited == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(stop_after=1000),
        Fault(body=b'{"kind": "PodList", "items": [{"metadata": {"na'),
        Fault(stop_after=0),
    ],
    ids=["broken off", "cut, and its length right", "nothing"],
)
def test_half_an_answer_is_asked_for_again(fault: Fault, api: SmallKubeApi, tmp_path: Path) -> None:
    api.faults = [fault]
    assert len(names(reach(api, tmp_path))) == 600
    api.faults = [None, *[fault] * 9]
    with pytest.raises(ClusterError, match="after 4 tries"):
        names(reach(api, tmp_path))


@pytest.mark.parametrize("body", [b"{}", b'{"kind": "Status", "status": "Success"}', b'{"items": []}', b"[]"])
def test_what_is_no_list_is_not_taken_for_an_empty_one(body: bytes, api: SmallKubeApi, tmp_path: Path) -> None:
    api.faults = [Fault(body=body)] * 9
    with pytest.raises(ClusterError, match="no list"):
        names(reach(api, tmp_path))


def test_items_may_be_null_where_there_are_none(api: SmallKubeApi, tmp_path: Path) -> None:
    api.faults = [Fault(body=b'{"kind": "PodList", "items": null}')]
    assert names(reach(api, tmp_path)) == []


def test_an_answer_that_drips_is_given_up_at_the_deadline(api: SmallKubeApi, tmp_path: Path) -> None:
    api.faults = [Fault(pause_s=0.05)] * 9
    address = Address(kubeconfig=api.kubeconfig(tmp_path))
    cluster = connect(address, {}, tmp_path, Patience(deadline_s=0.4))
    began = time.monotonic()
    with pytest.raises(ClusterError, match="too slow: not done after 0 s"):
        names(cluster)
    assert time.monotonic() - began < 5


def test_who_may_not_see_pods_is_told_with_the_way_out(api: SmallKubeApi, tmp_path: Path, waits: Waits) -> None:
    api.forbidden = {"airflow"}
    with pytest.raises(ClusterError) as raised:
        names(reach(api, tmp_path, waits), "airflow")
    assert raised.value.exit_code == 4
    assert str(raised.value) == (
        'production: pods of airflow: 403 pods is forbidden: User "me" cannot list resource "pods" in the namespace '
        '"airflow"\n  ask who runs the cluster for `list` on pods: kubectl auth can-i list pods shows whether you may'
    )
    assert waits.waited == []


def test_credentials_that_are_refused_are_told_and_not_shown(api: SmallKubeApi, tmp_path: Path) -> None:
    with pytest.raises(ClusterTroubleError) as raised:
        names(reach(api, tmp_path, token="an-old-secret"))  # noqa: S106 - good for nothing
    assert raised.value.status == 401
    assert "an-old-secret" not in str(raised.value)
    assert "kubectl auth whoami" in raised.value.hint


def test_jobs_and_config_maps_may_be_refused_and_are_noted(api: SmallKubeApi, tmp_path: Path) -> None:
    api.forbidden = {"configmaps", "jobs"}
    cluster = reach(api, tmp_path)
    assert len(names(cluster)) == 600
    jobs, maps = cluster.notes()
    assert jobs.endswith(": CronJobs are told by the names of their jobs")
    assert maps.endswith(": what airflow.cfg says of worker images is not known")


def test_config_maps_without_airflow_cfg_are_dropped_early(api: SmallKubeApi, tmp_path: Path) -> None:
    other: dict[str, Any] = config_map("x", name="other")
    other["data"] = {"large": "x" * 1000}
    api.objects = [config_map("[core]"), other]
    found: list[Any] = list(reach(api, tmp_path).objects(()))
    assert [one["metadata"]["name"] for one in found] == ["airflow-config"]


def test_credentials_do_not_follow_a_redirect(api: SmallKubeApi, tmp_path: Path) -> None:
    with SmallKubeApi() as other:
        api.faults = [Fault(status=307, headers={"location": f"{other.url}/api/v1/pods"}, body=b"{}")]
        with pytest.raises(ClusterError, match="307"):
            names(reach(api, tmp_path))
        assert other.asked == []


def test_a_cluster_that_is_not_there_is_told(tmp_path: Path, waits: Waits) -> None:
    with SmallKubeApi() as gone:
        cluster = reach(gone, tmp_path, waits)
    with pytest.raises(ClusterError, match=r"no answer: .*refused.*, after 4 tries") as raised:
        names(cluster)
    assert raised.value.exit_code == 4
    assert "kubectl get pods" in raised.value.hint


def test_large_pages_are_asked_for_in_smaller_ones(api: SmallKubeApi) -> None:
    def reach_with(most: int) -> KubernetesCluster:
        configuration = Configuration(host=api.url, api_key={"authorization": f"Bearer {TOKEN}"})
        return KubernetesCluster(ApiClient(configuration), name="x", context="", most_page_bytes=most)

    found = names(reach_with(100_000))
    assert len(found) == len(set(found)) == 600
    with pytest.raises(ClusterError, match="one object has more than 500 bytes"):
        names(reach_with(500))


def test_contexts_are_chosen_by_name(api: SmallKubeApi, tmp_path: Path) -> None:
    assert reach(api, tmp_path, context="another").name == "another"
    assert reach(api, tmp_path, name="eu-west").name == "eu-west"
    with pytest.raises(InvalidInputError, match="has no context 'missing'") as raised:
        reach(api, tmp_path, context="missing")
    assert raised.value.hint == "it has: another, production"


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "a: &x [*x", "current-context: [", "contexts: 7\ncurrent-context: a", "\x00"]
)
def test_broken_kubeconfigs_are_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises((ClusterError, InvalidInputError)) as raised:
        connect(Address(kubeconfig=path), {}, tmp_path)
    assert str(path) in raised.value.context


def test_without_any_configuration_the_way_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="kubeconfig: there is none"):
        connect(Address(), {}, tmp_path)
    with pytest.raises(ClusterError, match="no service account of a pod"):
        connect(Address(), {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, tmp_path)


def test_the_environment_names_kubeconfigs_as_for_kubectl(api: SmallKubeApi, tmp_path: Path) -> None:
    path = api.kubeconfig(tmp_path)
    assert connect(Address(), {"KUBECONFIG": f"/nowhere:{path}"}, tmp_path).name == "production"
    (tmp_path / ".kube").mkdir()
    path.rename(tmp_path / ".kube/config")
    assert connect(Address(), {}, tmp_path).name == "production"


def test_a_command_runs_in_a_container_and_all_that_it_says_comes_back(api: SmallKubeApi, tmp_path: Path) -> None:
    text = json.dumps({"files": ["ä" * 10] * 1000}).encode()
    asked = []

    def run(pod: str, container: str, command: Any) -> Said:
        asked.append((pod, container, command))
        return Said(stdout=text)

    api.exec = run
    told = reach(api, tmp_path).run("airflow", "scheduler-0", "scheduler", ["python", "-c", "print('a b')\n"])
    assert told == text
    assert asked == [("scheduler-0", "scheduler", ["python", "-c", "print('a b')\n"])]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (Said(code=1, stderr=b"Traceback\nSyntaxError: x\n"), "exit code 1: SyntaxError: x"),
        (Said(code=127), "exit code 127"),
        (Said(stdout=b"half", code=None), "the connection broke off|no answer"),
    ],
    ids=["fails", "no python", "breaks off"],
)
def test_a_command_that_does_not_end_well_says_nothing(
    said: Said, message: str, api: SmallKubeApi, tmp_path: Path
) -> None:
    api.exec = lambda *_: said
    with pytest.raises(ClusterError, match=message):
        reach(api, tmp_path).run("airflow", "scheduler-0", "scheduler", ["python", "-"])


def test_a_command_that_may_not_run_is_told(api: SmallKubeApi, tmp_path: Path) -> None:
    api.forbidden = {"scheduler-0"}
    with pytest.raises(ClusterError, match=r"airflow/scheduler-0/scheduler: .*403"):
        reach(api, tmp_path).run("airflow", "scheduler-0", "scheduler", ["python", "-"])
