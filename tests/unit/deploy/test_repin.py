from textwrap import dedent

import yaml

from builder.deploy.manifest import parse_manifest
from builder.deploy.options import Patch
from builder.deploy.repin import find_patches

NAMES = {"docker.io/apache/airflow", "registry.example.org/team/airflow"}
REFERENCE = "registry.example.org/team/airflow:t@sha256:abc"


def patches(text: str) -> list[Patch]:
    documents = parse_manifest(dedent(text), file="f")
    return list(find_patches(documents, NAMES, REFERENCE, ("r/a", "t@sha256:abc"), file="f"))


def test_only_the_image_changes() -> None:
    template = (
        "# worker pods\n"
        "apiVersion: v1\n"
        "kind: Pod\n"
        "spec:\n"
        "  initContainers: [{name: init, image: 'apache/airflow:1'}]  # ours\n"
        "  containers:\n"
        "  - name:   base\n"
        '    image: "apache/airflow:3.2.2"   # ours\n'
        "  - {name: sidecar, image: example.org/other:1}\n"
    )
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}}
    (patch,) = patches(yaml.safe_dump({**document, "data": {"a.yaml": template, "b": "image: x"}}))
    expected = template.replace("'apache/airflow:1'", f'"{REFERENCE}"').replace(
        '"apache/airflow:3.2.2"', f'"{REFERENCE}"'
    )
    assert patch == Patch(config_map="c", namespace="n", key="a.yaml", text=expected)


def test_the_executors_options_change_in_each_section() -> None:
    text = """\
        apiVersion: v1
        kind: List
        items:
        - apiVersion: v1
          kind: ConfigMap
          metadata: {name: c}
          data:
            airflow.cfg: |
              [core]
              executor = KubernetesExecutor
              [kubernetes]
              worker_container_repository = apache/airflow
              worker_container_tag = 3.2.2
              [kubernetes_executor]
              worker_container_repository: apache/airflow
              worker_container_tag =
              namespace = n
        """
    (patch,) = patches(text)
    assert patch.text == dedent("""\
        [core]
        executor = KubernetesExecutor
        [kubernetes]
        worker_container_repository = r/a
        worker_container_tag = t@sha256:abc
        [kubernetes_executor]
        worker_container_repository: r/a
        worker_container_tag = t@sha256:abc
        namespace = n
        """)


def test_what_names_none_of_the_images_is_left_alone() -> None:
    text = """\
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: c}
        data:
          a.yaml: '{image: "example.org/other:1"}'
          b.yaml: "{{ broken"
          c.cfg: "[a]\\nb = 1"
        ---
        apiVersion: v1
        kind: Pod
        spec: {containers: [{image: "apache/airflow:1"}]}
        """
    assert patches(text) == []
