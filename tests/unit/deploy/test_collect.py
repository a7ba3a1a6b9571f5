import base64
import json
from textwrap import dedent, indent

import pytest
import yaml

from builder.deploy.collect import Collected, Manifests, collect_images
from builder.deploy.manifest import ManifestError, parse_manifest
from tests.support.ledgers import digest_of

DIGEST = digest_of("image")
OURS = "registry.example.org/team/airflow"


def collect(text: str, *, known: tuple[str, ...] = (OURS,)) -> Collected:
    return collect_images([Manifests(name="f.yaml", documents=parse_manifest(dedent(text), file="f.yaml"))], known)


def found(text: str) -> list[tuple[str, str]]:
    return [(one.image, one.place.path) for one in collect(text).images]


def in_config_map(key: str, text: str, *, kind: str = "ConfigMap", field: str = "data") -> str:
    value = base64.b64encode(text.encode()).decode() if (kind, field) == ("Secret", "data") else text
    return yaml.safe_dump({"apiVersion": "v1", "kind": kind, "metadata": {"name": "c"}, field: {key: value}})


POD = """\
apiVersion: v1
kind: Pod
spec:
  containers:
    - name: base
      image: apache/airflow:3.2.2
"""


def test_a_place_is_told_by_file_line_object_and_path() -> None:
    text = """\
        apiVersion: v1
        kind: Service
        metadata: {name: s}
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: scheduler, namespace: airflow}
        spec:
          template:
            spec:
              initContainers: [{name: a, image: "x:1"}]
              containers:
                - name: b
                  image: y:2
        """
    one, two = collect(text).images
    assert str(one.place) == "f.yaml:11: Deployment airflow/scheduler: spec.template.spec.initContainers[0].image"
    assert str(two.place) == "f.yaml:14: Deployment airflow/scheduler: spec.template.spec.containers[0].image"
    assert (one.image, two.image, two.place.document) == ("x:1", "y:2", 2)


@pytest.mark.parametrize("field", ["containers", "initContainers", "ephemeralContainers"])
@pytest.mark.parametrize("image", ["x", "x:1", "${IMAGE}", "{{ image }}", "not an image"])
def test_whatever_a_container_names_is_found(field: str, image: str) -> None:
    assert found(f"{{apiVersion: v1, kind: Pod, spec: {{{field}: [{{name: a, image: {json.dumps(image)}}}]}}}}") == [
        (image, f"spec.{field}[0].image")
    ]


def test_items_of_a_list_are_objects_of_their_own() -> None:
    text = """\
        apiVersion: v1
        kind: List
        items:
          - {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, image: "x:1"}]}}
          - {apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {containers: [{name: c, image: "x:2"}]}}
        """
    assert [(one.place.name, one.place.path) for one in collect(text).images] == [
        ("a", "spec.containers[0].image"),
        ("b", "spec.containers[0].image"),
    ]
    assert collect(text).objects == 2


@pytest.mark.parametrize(
    ("spec", "image", "path"),
    [
        ("{image: 'x/spark:1'}", "x/spark:1", "spec.image"),
        ("{driver: {coreImage: 'x/spark:1'}}", "x/spark:1", "spec.driver.coreImage"),
        ("{volumes: [{image: {reference: 'x/data:1'}}]}", "x/data:1", "spec.volumes[0].image.reference"),
        ("{image: {repository: x/spark, tag: 1.10}}", "x/spark:1.10", "spec.image"),
        ("{image: {registry: r.io, repository: x/spark, tag: ''}}", "r.io/x/spark", "spec.image"),
        (f"{{image: {{repository: x/spark, tag: '1', digest: '{DIGEST}'}}}}", f"x/spark:1@{DIGEST}", "spec.image"),
        (
            f"{{values: {{defaultAirflowRepository: x/y, defaultAirflowTag: 't@{DIGEST}'}}}}",
            f"x/y:t@{DIGEST}",
            "spec.values",
        ),
        (
            "{args: ['--image=registry.example.org/other/tool:1', '-v']}",
            "registry.example.org/other/tool:1",
            "spec.args[0]",
        ),
        ("{args: [run, apache/airflow:3.2.2]}", "apache/airflow:3.2.2", "spec.args[1]"),
        (f"{{script: 'crane copy x/y@{DIGEST} z'}}", f"x/y@{DIGEST}", "spec.script"),
        ("{env: [{name: WORKER_IMAGE, value: 'x:1'}]}", "x:1", "spec.env[0].value"),
        ("{env: [{name: ANY, value: 'registry.example.org/team/airflow:dev'}]}", f"{OURS}:dev", "spec.env[0].value"),
        (
            '{template: \'{"spec": {"containers": [{"image": "x:1"}]}}\'}',
            "x:1",
            "spec.template: spec.containers[0].image",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 60 else "",
)
def test_images_of_other_resources_are_found(spec: str, image: str, path: str) -> None:
    assert found(f"{{apiVersion: example.org/v1, kind: Any, metadata: {{name: a}}, spec: {spec}}}") == [(image, path)]


@pytest.mark.parametrize(
    "spec",
    [
        "{image: ~}",
        "{image: 'https://example.org/logo.png'}",
        "{backgroundImage: none}",
        "{imagePullPolicy: Always}",
        "{url: 'oci://registry.example.org/charts/airflow:1'}",
        "{path: 'a/b:c', time: '12:30', label: 'app.kubernetes.io/name'}",
        "{chart: {repository: 'https://charts.example.org', tag: x}}",
        f"{{text: 'see {OURS} for more'}}",
    ],
)
def test_what_is_no_image_is_left_alone(spec: str) -> None:
    assert found(f"{{apiVersion: example.org/v1, kind: Any, spec: {spec}}}") == []


@pytest.mark.parametrize(
    ("kind", "field"), [("ConfigMap", "data"), ("Secret", "data"), ("Secret", "stringData")], ids=str
)
@pytest.mark.parametrize("key", ["pod_template_file.yaml", "template"])
def test_pod_templates_within_texts_are_found(kind: str, field: str, key: str) -> None:
    shown = f'["{key}"]' if "." in key else f".{key}"
    assert found(in_config_map(key, POD, kind=kind, field=field)) == [
        ("apache/airflow:3.2.2", f"{field}{shown}: spec.containers[0].image")
    ]


def test_lines_are_those_of_the_file_where_a_text_stands_as_it_is() -> None:
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  pod.yaml: |\n{indent(POD, '    ')}"
    (one,) = collect(text).images
    assert one.place.line == 11
    assert "apache/airflow" in text.splitlines()[one.place.line - 1]


def test_binary_data_that_is_text_is_read() -> None:
    data = {"a.yaml": base64.b64encode(POD.encode()).decode(), "b": base64.b64encode(b"\xff\xfe").decode()}
    text = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "binaryData": data})
    assert found(text) == [("apache/airflow:3.2.2", 'binaryData["a.yaml"]: spec.containers[0].image')]


@pytest.mark.parametrize(
    "text",
    [
        "spec:\n  containers:\n    - image: {{ broken\n    - image: x:1\n",
        "a: 1\na: 2\nimage: x:1\n",
        "#!/bin/sh\ncat <<END\n  image: 'x:1'\nEND\n",
    ],
    ids=["template", "key twice", "script"],
)
def test_of_texts_that_cannot_be_read_each_line_counts(text: str) -> None:
    assert "x:1" in [image for image, _ in found(in_config_map("a.yaml", text))]


def test_a_bomb_within_a_text_is_refused_with_its_place() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 10)}]" for n in range(9)]
    with pytest.raises(ManifestError, match=r'f.yaml:3: ConfigMap c: data\["a.yaml"\]:6: holds more than'):
        collect(in_config_map("a.yaml", "\n".join(lines)))


def test_deep_within_texts_only_words_count() -> None:
    text = POD
    for _ in range(6):
        text = json.dumps({"inner": text})
    (one,) = collect(in_config_map("a.json", text)).images
    assert (one.image, one.place.path) == (
        "apache/airflow:3.2.2",
        'data["a.json"]: inner: inner: inner: inner',
    )


def test_what_was_is_left_alone() -> None:
    text = """\
        apiVersion: v1
        kind: Pod
        metadata:
          name: a
          annotations:
            kubectl.kubernetes.io/last-applied-configuration: '{"spec": {"containers": [{"image": "old:1"}]}}'
            example.org/note: '{"image": "x/y:1"}'
        spec: {containers: [{name: c, image: "x:1"}]}
        status: {containerStatuses: [{image: "old:2", imageID: "old@sha256:1"}]}
        """
    assert [image for image, _ in found(text)] == ["x/y:1", "x:1"]


@pytest.mark.parametrize("group", ["image.toolkit.fluxcd.io/v1", "argocd-image-updater.argoproj.io/v1alpha1"])
def test_what_chooses_images_later_is_told_apart(group: str) -> None:
    collected = collect(f"{{apiVersion: {group}, kind: Any, metadata: {{name: a}}, spec: {{image: 'x/y:1'}}}}")
    assert collected.images == ()
    assert [place.name for place in collected.choosers] == ["a"]


def test_many_words_take_little_time() -> None:
    import time

    started = time.monotonic()
    collect(
        f"{{apiVersion: v1, kind: Any, spec: {{a: '{'a.' * 500_000}', b: '{'a/' * 500_000}', c: '{'a:' * 500_000}'}}}}"
    )
    assert time.monotonic() - started < 10
