"""`digest`, as a command over a made-up ledger."""

import json
from pathlib import Path

import msgspec
import pytest
import yaml
from click.testing import CliRunner

from builder.cli.root import root
from builder.deploy.answer import DigestAnswer
from builder.ledger.events import Promoted, Pushed
from builder.ledger.parts import TagMove
from tests.support.deployments import REPOSITORY, TAG, an_answer, kubler, make_project, move
from tests.support.ledgers import digest_of, make_build

ONE, TWO = make_build(name="one"), make_build(name="two", lock="second")
MIRROR = "mirror.example.org/team/airflow"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("digest") / "project")


def test_the_made_up_answer_is_the_ledgers(project: Path) -> None:
    told = kubler(project, "digest", "core", "--channel", "prod", "--format", "json").output
    assert msgspec.json.decode(told, type=DigestAnswer) == an_answer()


def test_the_reference_alone_is_one_line(project: Path) -> None:
    assert kubler(project, "digest", "core", "--channel", "prod").output == f"{REPOSITORY}@{ONE.digest}\n"


def test_an_image_may_be_named_by_the_beginning_of_its_digest(project: Path) -> None:
    told = kubler(project, "digest", "core", "--digest", ONE.digest[:19], "--format", "json").output
    assert (json.loads(told)["digest"], json.loads(told)["channel"], json.loads(told)["move"]) == (ONE.digest, "", None)


def test_nothing_changes_before_the_channel_does(tmp_path: Path) -> None:
    events = [*move(ONE, "prod"), *move(TWO, "staging", tag="core-20261130.02")]
    one = make_project(tmp_path / "one", events)
    two = make_project(tmp_path / "two", events[:4])
    for format_name in ("ref", "json", "helm", "flux", "terraform"):
        words = ("digest", "core", "--channel", "prod", "--format", format_name)
        assert kubler(one, *words).output == kubler(two, *words).output
    moved = Promoted(stack="core", channel="prod", digest=TWO.digest, before=ONE.digest, rules=digest_of("rules"))
    three = make_project(tmp_path / "three", [*events, moved])
    told = json.loads(kubler(three, "digest", "core", "--channel", "prod", "--format", "json").output)
    assert (told["digest"], told["tag"], told["move"]["before"]) == (TWO.digest, "core-20261130.02", ONE.digest)


def test_of_several_repositories_one_is_chosen(tmp_path: Path) -> None:
    pushed = Pushed(digest=ONE.digest, repository=MIRROR, stack="core", tags=(TagMove(tag="dated"),))
    project = make_project(tmp_path / "project", [*move(ONE, "prod"), pushed])
    refused = kubler(project, "digest", "core", "--channel", "prod", status=3).output
    assert f"is in 2 repositories: {MIRROR}, {REPOSITORY}\n  choose one by --repository" in refused
    words = ("digest", "core", "--channel", "prod", "--repository", MIRROR, "--format", "helm")
    text = kubler(project, *words).output
    assert text.startswith(f"# airflow-kubler {' '.join(words[:4])} --format helm --repository {MIRROR}\n")
    assert yaml.safe_load(text)["defaultAirflowTag"] == f"dated@{ONE.digest}"


def test_a_repository_that_the_ledger_never_saw_has_no_tag(project: Path) -> None:
    text = kubler(project, "digest", "core", "--channel", "prod", "--repository", MIRROR, "--format", "helm").output
    assert yaml.safe_load(text)["defaultAirflowRepository"] == f"{MIRROR}@sha256"


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("core", "--channel", "dev"), 1, "channel 'dev' of 'core': stands for nothing\n  it has prod"),
        (("other", "--channel", "prod"), 1, "no channel of it has ever been moved"),
        (("core", "--digest", "sha256:" + "0" * 64), 1, "is in no repository that the ledger saw"),
        (("core", "--digest", "ffff"), 1, "the ledger knows no such digest"),
        (("core", "--digest", ONE.platforms[0].manifest), 1, f"deployments name its index: {ONE.digest}"),
        (("core",), 2, "name either a --channel or a --digest"),
        (("core", "--channel", "prod", "--digest", "ffff"), 2, "name either a --channel or a --digest"),
        (("core", "--channel", "../.."), 3, "not a tag"),
        (("$(id)", "--channel", "prod"), 3, "is no name of a stack"),
        (("core", "--channel", "prod", "--repository", "no-registry"), 3, "does not name its registry"),
        (("core", "--channel", "prod", "--format", "ref", "--pin", "tag"), 3, "pin says nothing to ref"),
        (("core", "--channel", "prod", "--format", "helm", "--chart-version", "2.0.0"), 3, "chart 2.0.0"),
        (("core", "--channel", "prod", "--format", "kustomize", "--image", "a:b"), 3, "is no name of an image without tag"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_told(project: Path, words: tuple[str, ...], status: int, says: str) -> None:
    assert says in kubler(project, "digest", *words, status=status).output


def test_another_stacks_image_is_not_given(tmp_path: Path) -> None:
    events = [*move(make_build("finance"), "prod", tag="finance-20261130.01")]
    project = make_project(tmp_path / "project", events)
    told = kubler(project, "digest", "core", "--digest", make_build("finance").digest, status=1).output
    assert "is an image of 'finance', not of 'core'" in told


def test_manifests_without_a_text_to_patch_are_told(project: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {b: c}}")
    words = ("digest", "core", "--channel", "prod", "--format", "kustomize", "--manifests", path)
    assert "no ConfigMap there names the image" in kubler(project, *words, status=3).output


def test_a_ledger_alone_is_enough(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--ledger", str(project / "ledger.db"), "digest", "core", "--channel", "prod", "--format", "helm"]
    done = CliRunner().invoke(root, words)
    assert (done.exit_code, done.output.count("\n")) == (0, 3)
    assert TAG in done.output
