"""Values for charts of several versions, rendered by a real helm: every image is pinned, and every line is needed for that."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from builder.deploy.forms import render_form
from builder.deploy.helm import Pin
from builder.deploy.options import FormOptions
from tests.support.deployments import (
    REPOSITORY,
    TAG,
    an_answer,
    chart,
    kubler,
    make_project,
    others,
    render_chart,
)
from tests.support.tools import require_tool, run_tool

pytestmark = pytest.mark.tools

DIGEST = an_answer().digest
BY_TAG = f"{REPOSITORY}:{TAG}@{DIGEST}"
BY_DIGEST = f"{REPOSITORY}@{DIGEST}"

# What was asked for, version of the chart that is rendered, the image's name there.
CASES = {
    "charts without digests": (FormOptions(), "1.8.0", BY_TAG),
    "1.22": (FormOptions(chart=Version("1.22.0")), "1.22.0", BY_TAG),
    "1.22, no tag": (FormOptions(chart=Version("1.22.0"), pin=Pin.DIGEST), "1.22.0", BY_DIGEST),
    "1.23": (FormOptions(chart=Version("1.23.0")), "1.23.0", BY_TAG),
    "1.23, no tag": (FormOptions(chart=Version("1.23.0"), pin=Pin.DIGEST), "1.23.0", BY_DIGEST),
    "any chart, no tag, on 1.23": (FormOptions(pin=Pin.DIGEST), "1.23.0", BY_DIGEST),
}


def values_of(options: FormOptions) -> str:
    return render_form("helm", an_answer(), FormOptions(chart=options.chart, pin=options.pin, others=others()))


LINES = [
    pytest.param(name, number, id=f"{name}: {line.split(':')[0].strip()}")
    for name, (options, _, _) in CASES.items()
    for number, line in enumerate(values_of(options).splitlines())
    if not line.startswith("#")
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("deployments") / "project")


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("charts")


@pytest.mark.parametrize("sets", [(), ("images.useDefaultImageForMigration=true",)], ids=["", "default for migration"])
@pytest.mark.parametrize("case", CASES)
def test_every_image_is_pinned(project: Path, charts: Path, tmp_path: Path, case: str, sets: tuple[str, ...]) -> None:
    options, version, expected = CASES[case]
    values = tmp_path / "values.yaml"
    values.write_text(values_of(options))
    rendered = render_chart(chart(charts, version), values, sets=sets)
    checked = kubler(project, "deploy", "check", "--stack", "core", "--channel", "prod", "--json", "-", text=rendered)
    report = json.loads(checked.output)
    names = Counter(image["image"] for image in report["images"] if image["rule"] == "channel")
    # 4 components with an init container, a worker and its log groomer, flower, 2 jobs, the pod template; and the executor's pair in
    # both its sections, unless the values leave a half of it empty.
    assert names == {expected: 14 if version == "1.23.0" and options.chart and options.pin else 16}
    assert Counter(image["rule"] for image in report["images"]) == {"channel": names.total(), "allowed": 4}
    workers = [image for image in report["images"] if "pod_template_file.yaml" in image["place"]["path"]]
    assert [image["image"] for image in workers if "initContainers" not in image["place"]["path"]] == [expected]


@pytest.mark.parametrize(("case", "number"), LINES)
def test_without_one_line_the_check_fails_and_names_the_place(
    project: Path, charts: Path, tmp_path: Path, case: str, number: int
) -> None:
    options, version, _ = CASES[case]
    lines = values_of(options).splitlines()
    left_out = lines.pop(number)
    values = tmp_path / "values.yaml"
    values.write_text("\n".join(lines) + "\n")
    if left_out.endswith(":"):
        # What stands below a key without its key is no YAML: helm itself refuses it.
        run_tool(require_tool("helm"), "template", "airflow", chart(charts, version), "--values", values, status=1)
        return
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(render_chart(chart(charts, version), values))
    checked = kubler(project, "deploy", "check", "--stack", "core", "--channel", "prod", rendered, status=1)
    first = checked.output.splitlines()[0]
    assert first.startswith(f"{rendered}:")
    assert any(kind in first for kind in ("Deployment airflow-", "ConfigMap airflow-config", "StatefulSet airflow-"))


def test_the_charts_own_digest_key_alone_leaves_worker_pods_by_tag(project: Path, charts: Path, tmp_path: Path) -> None:
    """The hole that this closes: apache/airflow#58625."""
    values = tmp_path / "values.yaml"
    values.write_text(f"images: {{airflow: {{repository: {REPOSITORY}, digest: '{DIGEST}'}}}}\n")
    off = ("flower.enabled=false", "statsd.enabled=false", "redis.enabled=false", "dags.gitSync.enabled=false")
    rendered = render_chart(chart(charts, "1.22.0"), values, sets=off)
    checked = kubler(
        project, "deploy", "check", "--stack", "core", "--channel", "prod", "--json", "-", text=rendered, status=1
    )
    wrong = [image for image in json.loads(checked.output)["images"] if not image["ok"]]
    assert [(image["image"], image["place"]["path"]) for image in wrong] == [
        ("apache/airflow:3.2.2", 'data["pod_template_file.yaml"]: spec.containers[0].image'),
        (f"{REPOSITORY}:3.2.2", 'data["airflow.cfg"]: [kubernetes_executor] worker_container_repository'),
        (f"{REPOSITORY}:3.2.2", 'data["airflow.cfg"]: [kubernetes] worker_container_repository'),
    ]


@pytest.mark.parametrize("case", ["1.22", "1.23, no tag"])
def test_what_is_rendered_is_valid(charts: Path, tmp_path: Path, case: str) -> None:
    options, version, _ = CASES[case]
    values = tmp_path / "values.yaml"
    values.write_text(values_of(options))
    validate(tmp_path, render_chart(chart(charts, version), values))


def validate(folder: Path, rendered: str) -> None:
    """Check manifests strictly against Kubernetes' own schemas, pod templates in ConfigMaps too."""
    documents = [document for document in yaml.safe_load_all(rendered) if document]
    templates = [
        yaml.safe_load(text)
        for document in documents
        for key, text in (document.get("data") or {}).items()
        if key == "pod_template_file.yaml"
    ]
    assert templates
    path = folder / "documents.yaml"
    path.write_text(yaml.safe_dump_all([*documents, *templates]))
    run_tool(require_tool("kubernetes-validate"), "--strict", "--kubernetes-version", "1.37", path)


@pytest.mark.parametrize("version", ["1.22.0", "1.23.0"])
def test_a_kustomize_component_pins_manifests_that_name_the_official_image(
    project: Path, charts: Path, tmp_path: Path, version: str
) -> None:
    (tmp_path / "base.yaml").write_text(render_chart(chart(charts, version)))
    words = ("digest", "core", "--channel", "prod", "--format", "kustomize", "--manifests", tmp_path / "base.yaml")
    built = kustomize(tmp_path, kubler(project, *words).output)
    validate(tmp_path, built)
    wrong = wrong_images(project, built)
    # What is not Airflow is no business of the component.
    assert {image.split("@")[0].split(":")[0] for image in wrong} == {
        "quay.io/prometheus/statsd-exporter",
        "redis",
        "registry.k8s.io/git-sync/git-sync",
    }


def test_without_manifests_the_scheduler_is_told_what_to_start(project: Path, charts: Path, tmp_path: Path) -> None:
    base = render_chart(chart(charts, "1.22.0"))
    (tmp_path / "base.yaml").write_text(
        base.replace(
            "kind: Deployment\nmetadata:\n  name: airflow-scheduler",
            "kind: StatefulSet\nmetadata:\n  name: airflow-scheduler",
        )
    )
    built = kustomize(tmp_path, kubler(project, "digest", "core", "--channel", "prod", "--format", "kustomize").output)
    (scheduler,) = (one for one in yaml.safe_load_all(built) if one["metadata"]["name"] == "airflow-scheduler")
    assert scheduler["kind"] == "StatefulSet"
    (container,) = scheduler["spec"]["template"]["spec"]["containers"]
    assert container["image"] == BY_DIGEST
    assert {one["name"].rpartition("__")[2]: one["value"] for one in container["env"]} == {
        "WORKER_CONTAINER_REPOSITORY": REPOSITORY,
        "WORKER_CONTAINER_TAG": f"{TAG}@{DIGEST}",
    }
    # The text in the ConfigMap is as it was, and the check says so.
    assert "apache/airflow:3.2.2" in wrong_images(project, built)


def wrong_images(project: Path, rendered: str) -> set[str]:
    words = ("deploy", "check", "--stack", "core", "--channel", "prod", "--json", "-")
    report = json.loads(kubler(project, *words, text=rendered, status=1).output)
    return {image["image"] for image in report["images"] if not image["ok"]}


def kustomize(folder: Path, component: str) -> str:
    (folder / "pinned").mkdir()
    (folder / "pinned/kustomization.yaml").write_text(component)
    (folder / "kustomization.yaml").write_text("resources: [base.yaml]\ncomponents: [pinned]\n")
    return run_tool(require_tool("kubectl"), "kustomize", folder)


@pytest.mark.parametrize("chart_version", ["1.22.0", "1.23.0"])
def test_values_of_a_helm_release_pin_every_image(
    project: Path, charts: Path, tmp_path: Path, chart_version: str
) -> None:
    """Flux lays the release over the team's own; helm gets its values."""
    (tmp_path / "release.yaml").write_text(
        kubler(
            project, "digest", "core", "--channel", "prod", "--format", "flux", "--chart-version", chart_version
        ).output
    )
    (tmp_path / "base.yaml").write_text(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: airflow, namespace: airflow}\n"
        "spec: {interval: 5m, chartRef: {kind: OCIRepository, name: airflow}, values: {executor: KubernetesExecutor}}\n"
    )
    (tmp_path / "kustomization.yaml").write_text("resources: [base.yaml]\npatches: [{path: release.yaml}]\n")
    release = yaml.safe_load(run_tool(require_tool("kubectl"), "kustomize", tmp_path))
    assert release["spec"]["values"].pop("executor") == "KubernetesExecutor"
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(release["spec"]["values"]))
    rendered = render_chart(chart(charts, chart_version), values, sets=("flower.enabled=false",))
    kubler(project, "deploy", "check", "--stack", "core", "--channel", "prod", "-", text=rendered)


def test_parameters_of_an_application_pin_every_image(project: Path, charts: Path) -> None:
    """Argo CD gives each parameter to helm by --set-string."""
    source = yaml.safe_load(kubler(project, "digest", "core", "--channel", "prod", "--format", "argocd").output)
    words = [
        word
        for parameter in source["helm"]["parameters"]
        for word in ("--set-string", f"{parameter['name']}={parameter['value']}")
    ]
    rendered = run_tool(require_tool("helm"), "template", "airflow", chart(charts, "1.22.0"), *words)
    kubler(project, "deploy", "check", "--stack", "core", "--channel", "prod", "-", text=rendered)


def test_what_the_image_updater_writes_pins_every_airflow_image(project: Path, charts: Path) -> None:
    """It sets the two parameters that the resource names: the repository, and `<channel>@<digest>`."""
    words = ("digest", "core", "--channel", "prod", "--format", "argocd", "--form", "image-updater")
    updater = yaml.safe_load(kubler(project, *words).output)
    (image,) = updater["spec"]["applicationRefs"][0]["images"]
    repository, _, tag = image["imageName"].rpartition(":")
    target = image["manifestTargets"]["helm"]
    sets = [f"{target['name']}={repository}", f"{target['tag']}={tag}@{DIGEST}"]
    off = ("statsd.enabled=false", "redis.enabled=false", "dags.gitSync.enabled=false")
    rendered = render_chart(chart(charts, "1.22.0"), sets=(*sets, *off))
    kubler(project, "deploy", "check", "--stack", "core", "--channel", "prod", "-", text=rendered)
