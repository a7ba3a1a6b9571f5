"""The image of worker pods, from airflow.cfg and environments in manifests."""

import json
from textwrap import dedent

import pytest
import yaml

from builder.deploy.collect import Collected, Manifests, collect_images
from builder.deploy.manifest import ManifestError, parse_manifest

AIRFLOW_CFG = 'data["airflow.cfg"]: '


def config_map(**files: str) -> dict[str, object]:
    names = {name.replace("__dot__", "."): text for name, text in files.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": names}


def cfg(text: str) -> dict[str, object]:
    return config_map(airflow__dot__cfg=dedent(text))


def pod(*environment: dict[str, object], name: str = "p") -> dict[str, object]:
    container = {"name": "scheduler", "image": f"any@sha256:{'a' * 64}", "env": list(environment)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}}


def variable(option: str, value: str, *, section: str = "KUBERNETES_EXECUTOR", team: str = "") -> dict[str, object]:
    return {"name": f"AIRFLOW__{f'{team}___' if team else ''}{section}__{option}", "value": value}


def repository(value: str, **words: str) -> dict[str, object]:
    return variable("WORKER_CONTAINER_REPOSITORY", value, **words)


def tag(value: str, **words: str) -> dict[str, object]:
    return variable("WORKER_CONTAINER_TAG", value, **words)


def collect(*objects: object) -> Collected:
    documents = parse_manifest(yaml.safe_dump_all(objects), file="f")
    return collect_images([Manifests(name="f", documents=documents)])


def workers(*objects: object) -> list[tuple[str, str]]:
    return [(one.image, one.place.path) for one in collect(*objects).images if not one.image.startswith("any@")]


def test_with_both_set_the_template_is_overridden() -> None:
    text = "[core]\nexecutor = KubernetesExecutor\n[kubernetes_executor]\nworker_container_repository = x/y\nworker_container_tag = 1\n"
    assert workers(cfg(text)) == [("x/y:1", f"{AIRFLOW_CFG}[kubernetes_executor] worker_container_repository")]


@pytest.mark.parametrize(
    "text",
    [
        "[kubernetes_executor]\nworker_container_repository = x/y\nworker_container_tag =\n",
        "[kubernetes_executor]\nworker_container_repository =\nworker_container_tag = 1\n",
        "[kubernetes_executor]\nworker_container_repository = x/y\n",
        "[elsewhere]\nworker_container_repository = x/y\nworker_container_tag = 1\n",
    ],
)
def test_with_one_empty_the_template_stays(text: str) -> None:
    assert workers(cfg(text)) == []


def test_each_section_counts_as_airflows_of_its_time_read_it() -> None:
    text = """\
        [kubernetes]
        worker_container_repository = old/y
        worker_container_tag = 1
        [kubernetes_executor]
        worker_container_repository = x/y
        """
    # Airflow since 2.5 takes the tag from the old section, Airflow before it both.
    assert [image for image, _ in workers(cfg(text))] == ["x/y:1", "old/y:1"]


def test_the_environment_goes_before_the_file() -> None:
    text = "[kubernetes_executor]\nworker_container_repository = x/y\nworker_container_tag = 1\n"
    assert [image for image, _ in workers(cfg(text), pod(tag("2")))] == ["x/y:1", "x/y:2"]
    assert workers(pod(repository("a/b"), tag("3"))) == [("a/b:3", "spec.containers[0].env[0]")]


def test_halves_in_different_places_are_joined() -> None:
    other = config_map(AIRFLOW__KUBERNETES_EXECUTOR__WORKER_CONTAINER_TAG="9")
    assert {image for image, _ in workers(pod(repository("a/b")), other)} == {"a/b:9"}


def test_a_team_has_its_own() -> None:
    text = "[blue=kubernetes_executor]\nworker_container_repository = blue/y\nworker_container_tag = 1\n"
    objects = (cfg(text), pod(repository("red/y", team="RED"), tag("2", team="RED"), tag("3")))
    assert [image for image, _ in workers(*objects)] == ["blue/y:1", "red/y:2"]


def test_a_coordinators_image_counts_as_the_executors() -> None:
    extra = {"worker_container_repository": "x/java", "worker_container_tag": "17"}
    text = f"[sdk]\ncoordinators = {json.dumps({'jdk': {'classpath': 'a.B', 'extra': extra}})}\n"
    assert workers(cfg(text)) == [("x/java:17", f"{AIRFLOW_CFG}[sdk] coordinators: jdk.extra")]


def test_a_value_from_elsewhere_cannot_be_seen() -> None:
    source = {"secretKeyRef": {"name": "s", "key": "k"}}
    hidden: dict[str, object] = {"name": "AIRFLOW__KUBERNETES_EXECUTOR__WORKER_CONTAINER_TAG", "valueFrom": source}
    (unseen,) = collect(pod(hidden)).unseen
    assert unseen.what == "worker_container_tag comes from elsewhere"
    assert str(unseen.place) == "f:8: Pod p: spec.containers[0].env[0]"


TEMPLATE = (
    "[core]\nexecutor = {executor}\n[kubernetes_executor]\npod_template_file = /opt/airflow/pod_templates/a.yaml\n"
)


@pytest.mark.parametrize(
    ("executor", "objects", "sees"),
    [
        ("KubernetesExecutor", (), False),
        ("CeleryExecutor,KubernetesExecutor", (), False),
        ("KubernetesExecutor", (config_map(a__dot__yaml="kind: Pod\n"),), True),
        ("CeleryExecutor", (), True),
    ],
    ids=["nowhere", "one of two executors", "in a ConfigMap", "not used"],
)
def test_a_pod_template_has_to_be_seen(executor: str, objects: tuple[object, ...], *, sees: bool) -> None:
    unseen = collect(cfg(TEMPLATE.format(executor=executor)), *objects).unseen
    assert [one.what for one in unseen] == (
        [] if sees else ["the pod template /opt/airflow/pod_templates/a.yaml is nowhere here"]
    )


def test_a_pod_template_may_be_given_as_a_file() -> None:
    config = parse_manifest(yaml.safe_dump(cfg(TEMPLATE.format(executor="KubernetesExecutor"))), file="f")
    template = parse_manifest("{apiVersion: v1, kind: Pod}", file="a.yaml")
    files = [Manifests(name="f", documents=config), Manifests(name="templates/a.yaml", documents=template)]
    assert collect_images(files).unseen == ()


def test_settings_that_stand_twice_are_refused_with_their_place() -> None:
    text = "[kubernetes_executor]\nworker_container_tag = 1\nworker_container_tag = 2\n"
    with pytest.raises(ManifestError) as told:
        collect(cfg(text))
    assert str(told.value).splitlines()[0].endswith('ConfigMap c: data["airflow.cfg"]: is no airflow.cfg')


def test_other_settings_that_cannot_be_read_are_words() -> None:
    text = f"[a]\nb = 1\nb = 2\n# x/y@sha256:{'b' * 64}\n"
    assert [image for image, _ in workers(config_map(ini=text))] == [f"x/y@sha256:{'b' * 64}"]


def test_too_many_places_are_refused() -> None:
    with pytest.raises(ManifestError, match="more than 1000 places set up the KubernetesExecutor"):
        collect(*(pod(tag(str(number)), name=f"p{number}") for number in range(1001)))
