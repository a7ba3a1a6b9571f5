"""`deploy check`, as a command over a made-up ledger."""

import json
import os
from pathlib import Path

import pytest

from tests.support.deployments import REPOSITORY, STATSD, kubler, make_project, move
from tests.support.ledgers import digest_of, make_build

CORE, OLD, FINANCE = make_build(), make_build(name="old"), make_build("finance")
PINNED = f"{REPOSITORY}@{CORE.digest}"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    events = [
        *move(OLD, "prod"),
        *move(CORE, "prod", tag="core-20261130.02"),
        *move(FINANCE, "staging", tag="finance-20261130.01"),
    ]
    return make_project(tmp_path_factory.mktemp("check") / "project", events)


def pod(*images: str) -> str:
    containers = ", ".join(f"{{name: c, image: {json.dumps(image)}}}" for image in images)
    return f"{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {{containers: [{containers}]}}}}\n---\n"


def check(project: Path, *words: str | Path, text: str = "", status: int = 0) -> str:
    return kubler(project, "deploy", "check", *words, text=text, status=status).output


PROD = ("--stack", "core", "--channel", "prod")


def test_all_pinned_is_exit_status_0(project: Path) -> None:
    text = pod(PINNED, STATSD, f"{REPOSITORY}@{CORE.platforms[1].manifest}")
    assert check(project, *PROD, "-", text=text).splitlines() == [
        "1 image is allowed by stacks/deploy.toml: allow[0]",
        "1 image is core prod",
        "1 image is linux/arm64 of core prod",
        "3 images in 1 object: all pinned",
    ]


def test_what_is_not_is_named_and_exit_status_1(project: Path) -> None:
    said = check(project, *PROD, "-", text=pod(PINNED, f"{REPOSITORY}:prod"), status=1)
    assert said.splitlines() == [
        f"-:1: Pod p: spec.containers[1].image: {REPOSITORY}:prod: names the tag 'prod': what runs is not known",
        "1 image is core prod",
        "2 images in 1 object: 1 not pinned to what is recorded",
    ]


def test_of_another_image_the_ledger_says_what_it_is(project: Path) -> None:
    said = check(project, *PROD, "-", text=pod(f"{REPOSITORY}@{OLD.digest}"), status=1)
    assert "is core as built by entry 2, which no channel given here stands for" in said


def test_teams_may_share_what_is_rendered(project: Path) -> None:
    text = pod(PINNED, f"{REPOSITORY}@{FINANCE.digest}")
    check(project, *PROD, "-", text=text, status=1)
    said = check(project, *PROD, "--stack", "finance=staging", "-", text=text)
    assert said.splitlines()[:2] == ["1 image is core prod", "1 image is finance staging"]


def test_json_has_every_place(project: Path) -> None:
    report = json.loads(check(project, *PROD, "--json", "-", text=pod(PINNED, "redis"), status=1))
    assert (report["ok"], report["objects"], report["unseen"], report["choosers"]) == (False, 1, [], [])
    assert report["channels"] == [{"stack": "core", "channel": "prod", "digest": CORE.digest}]
    assert report["images"][1] == {
        "image": "redis",
        "ok": False,
        "rule": "unpinned",
        "detail": "names neither tag nor digest: what runs is not known",
        "place": {
            "file": "-",
            "document": 1,
            "line": 1,
            "kind": "Pod",
            "namespace": "",
            "name": "p",
            "path": "spec.containers[1].image",
        },
    }


def test_github_reads_annotations(project: Path, tmp_path: Path) -> None:
    path = tmp_path / "a,b.yaml"
    path.write_text(pod("redis:7"))
    first, last = check(project, *PROD, "--github", path, status=1).splitlines()
    assert first.startswith(
        f"::error file={tmp_path}/a%2Cb.yaml,line=1,title=not pinned::Pod p: spec.containers[0].image: redis:7"
    )
    assert last == "1 image in 1 object: 1 not pinned to what is recorded"


@pytest.mark.parametrize("words", [(), ("--github",)], ids=["text", "github"])
def test_a_manifest_writes_no_lines_of_its_own(project: Path, words: tuple[str, ...]) -> None:
    said = check(project, *PROD, *words, "-", text=pod("x\n::set-env name=A::b\x1b[2J"), status=1)
    assert len(said.splitlines()) == 2
    assert not any(line.startswith("::set-env") for line in said.splitlines())
    assert "\x1b" not in said


def test_folders_are_read_whole_in_order(project: Path, tmp_path: Path) -> None:
    for name in ("b.yaml", "a/c.json", "a/d.yml", "e.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(pod("redis"))
    (tmp_path / "a/loop").symlink_to(tmp_path)
    report = json.loads(check(project, *PROD, "--json", tmp_path, status=1))
    assert [os.path.relpath(image["place"]["file"], tmp_path) for image in report["images"]] == [
        "b.yaml",
        "a/c.json",
        "a/d.yml",
    ]


def test_what_a_command_allows_is_allowed(project: Path) -> None:
    reference = f"example.org/x@{digest_of('x')}"
    check(project, *PROD, "--allow", reference, "-", text=pod(PINNED, reference))
    assert "names no digest" in check(project, *PROD, "--allow", "example.org/x:1", "-", text=pod(PINNED), status=3)


def test_a_repository_that_the_project_names_holds_the_image_too(tmp_path: Path) -> None:
    mirrored = f"mirror.example.org/a@{CORE.digest}"
    plain = make_project(tmp_path / "plain", move(CORE, "prod"), deploy_toml="")
    assert "but the ledger saw none pushed" in check(plain, *PROD, "-", text=pod(mirrored), status=1)
    rules = 'repositories = ["mirror.example.org/a"]\n'
    check(make_project(tmp_path / "named", move(CORE, "prod"), deploy_toml=rules), *PROD, "-", text=pod(mirrored))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "0 Kubernetes objects in 1 files, and none names an image"),
        ("Error: chart not found\n", "0 Kubernetes objects in 1 files, and none names an image"),
        ("{apiVersion: v1, kind: Service, metadata: {name: s}}", "1 Kubernetes objects in 1 files, and none names"),
        ("image: {{ .Values.image }}", "it looks like a template: render it first"),
        ("a: 1\na: 2\n", "-:2: cannot be read one way only: a key stands twice"),
    ],
    ids=["empty", "an error", "no image", "a template", "a key twice"],
)
def test_no_answer_is_never_taken_for_a_good_one(project: Path, text: str, says: str) -> None:
    assert says in check(project, *PROD, "-", text=text, status=3)


def test_what_nobody_can_see_is_no_good_answer(project: Path) -> None:
    config = "[core]\\nexecutor = KubernetesExecutor\\n[kubernetes_executor]\\npod_template_file = /a/b.yaml\\n"
    text = (
        f'{pod(PINNED)}{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{airflow.cfg: "{config}"}}}}\n'
    )
    said = check(project, *PROD, "-", text=text, status=1)
    assert "the pod template /a/b.yaml is nowhere here" in said
    assert said.splitlines()[-1] == "1 image in 2 objects: all pinned, 1 that nobody can see"


def test_what_chooses_images_later_is_told(project: Path) -> None:
    policy = (
        "{apiVersion: image.toolkit.fluxcd.io/v1, kind: ImageRepository, metadata: {name: r}, spec: {image: a/b}}\n"
    )
    said = check(project, *PROD, "-", text=f"{pod(PINNED)}{policy}")
    assert "-:3: ImageRepository r: chooses images later: check what it writes" in said


def test_bytes_that_are_no_text_are_refused(project: Path, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfea")
    assert "is not UTF-8" in check(project, *PROD, tmp_path / "a.yaml", status=3)


@pytest.mark.parametrize("words", [("--stack", "core"), ("--stack", "=prod"), ("--stack", "core=")])
def test_a_channel_is_to_be_named(project: Path, words: tuple[str, ...]) -> None:
    assert "name a channel" in check(project, *words, "-", text=pod(PINNED), status=2)


def test_a_file_that_is_not_there_is_told(project: Path, tmp_path: Path) -> None:
    assert "No such file" in check(project, *PROD, tmp_path / "nowhere.yaml", status=4)
