"""`log`, `show`, `explain` and `compare` as a user meets them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from builder.cli.root import root
from builder.ledger.events import Promoted, Pushed, Seen, Tested
from builder.ledger.parts import Move, SeenImage, TagMove
from builder.registry.model import parse_repository
from builder.usecase.ship import ShipRequest, plan_ship, read_image, ship
from tests.support.ledgers import digest_of
from tests.support.made_up import World, bump, make_world
from tests.support.recorded import History, Recorded
from tests.support.registries import SmallRegistry
from tests.support.registry_images import client, close_clients
from tests.support.tools import ROOT

Ask = Callable[..., Result]
REPOSITORY = "registry.example.org/team/airflow"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def history(tmp_path: Path) -> History:
    (tmp_path / "stacks").mkdir()
    return History(tmp_path / "ledger.db")


@pytest.fixture
def images(history: History, world: World, tmp_path: Path) -> tuple[Recorded, Recorded]:
    one = history.build(world, layout=tmp_path / "one")
    two = history.build(bump(world), moves=[Move(name="alpha", before="1.0", after="1.1")], layout=tmp_path / "two")
    history.append(
        Tested(digest=two.digest, name="stack", passed=False, summary="1 failed"),
        Pushed(digest=two.digest, repository=REPOSITORY, tags=(TagMove(tag="tiny-20261130.01"),)),
        Promoted(stack="tiny", channel="prod", digest=two.digest, rules=digest_of("rules"), database="safe"),
        Seen(cluster="east", images=(SeenImage(digest=two.digest, pods=3, workloads=("airflow/deployment/x",)),)),
    )
    return one, two


@pytest.fixture
def ask(history: History, images: tuple[Recorded, Recorded], tmp_path: Path) -> Ask:
    assert history.path.is_file()
    assert images

    def run(*argv: str) -> Result:
        return CliRunner().invoke(root, ["--project", str(tmp_path), *argv])

    return run


def test_the_log_is_a_line_an_entry(ask: Ask, images: tuple[Recorded, Recorded]) -> None:
    one, two = (image.digest[7:19] for image in images)
    lines = [line.split(None, 5) for line in ask("log", "tiny").stdout.replace("! ", "  ").splitlines()]
    assert [(line[2], line[3]) for line in lines] == [
        ("deployment", "-"),
        ("promotion", two),
        ("push", two),
        ("test", two),
        ("build", two),
        ("lock", "-"),
        ("build", one),
        ("lock", "-"),
    ]
    assert ask("log", "tiny", "--kind", "test").stdout.startswith("! 2026-09-21 ")


def test_json_holds_all_of_an_entry(ask: Ask, images: tuple[Recorded, Recorded]) -> None:
    (promotion,) = json.loads(ask("log", "--channel", "prod", "--json").stdout)
    assert (promotion["kind"], promotion["stack"], promotion["digest"]) == ("promotion", "tiny", images[1].digest)
    assert promotion["data"]["database"] == "safe"
    assert promotion["actor"]["name"] == "alice"
    assert promotion["hash"].startswith("sha256:")


@pytest.mark.parametrize(
    ("argv", "count"),
    [
        ("log", 9),
        ("log -n 2", 2),
        ("log -n 0", 9),
        ("log --since 2026-09-21", 9),
        ("log --since 2027-01-01T00:00Z", 0),
        ("log tiny --kind build --kind lock", 4),
    ],
)
def test_the_log_is_cut(ask: Ask, argv: str, count: int) -> None:
    assert len(json.loads(ask(*argv.split(), "--json").stdout)) == count


def test_wrong_use_is_told(ask: Ask) -> None:
    assert "write 90m, 12h, 7d or 4w for ago" in ask("log", "--since", "yesterday").stderr
    assert ask("log", "--since", "3d").exit_code == 0
    assert (ask("log", "--kind", "eclipse").exit_code, ask("log", "--follow", "--html", "x").exit_code) == (2, 2)
    unknown = ask("log", "tinny")
    assert (unknown.exit_code, "did you mean 'tiny'?" in unknown.stderr) == (1, True)
    assert ask("log", "tiny", "--kind", "scan").stdout == "nothing of it happened\n"


@pytest.mark.parametrize("argv", [("log",), ("show", "x"), ("explain", "x"), ("compare", "x", "y")], ids=" ".join)
def test_without_a_ledger_the_way_to_one_is_told(tmp_path: Path, argv: tuple[str, ...]) -> None:
    (tmp_path / "stacks").mkdir()
    done = CliRunner().invoke(root, ["--project", str(tmp_path), *argv])
    assert (done.exit_code, "begin one with: airflow-kubler ledger init" in done.stderr) == (4, True)


def test_what_happens_is_followed_as_lines_of_json(history: History, images: tuple[Recorded, Recorded]) -> None:
    argv = [sys.executable, "-m", "builder", "--ledger", str(history.path), "log", "tiny", "-n", "1", "-f", "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT, env=dict(os.environ)) as process:
        assert process.stdout is not None
        try:
            assert json.loads(process.stdout.readline())["kind"] == "deployment"
            history.append(Tested(digest=images[0].digest, name="later", passed=True))
            assert json.loads(process.stdout.readline())["data"]["name"] == "later"
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            process.kill()


def test_an_image_is_shown_with_where_it_came_from_and_where_it_is(ask: Ask, images: tuple[Recorded, Recorded]) -> None:
    shown = ask("show", "tiny@prod").stdout
    for line in (
        f"tiny  {images[1].digest}",
        "  built      2026-09-21T14:18:20Z by alice on builder-1 in 2.5 s (entry 4)",
        "  holds      Airflow 3.3.2, Python 3.13.5, base tiny",
        "  channels   prod (since 2026-09-21)",
        "  pushed to  registry.example.org/team/airflow:tiny-20261130.01",
        "  seen in    east: 3 pods, 2026-09-21 14:19: airflow/deployment/x",
        "  test       tests stack FAILED; 1 failed (2026-09-21)",
        f"since {images[0].digest[7:19]}: nothing but alpha 1.0 -> 1.1",
        "3 distributions; --all lists them",
    ):
        assert line in shown.splitlines(), line
    assert "  gamma  3.0" in ask("show", "tiny", "--all").stdout.splitlines()


def test_the_json_of_show_holds_everything(ask: Ask, images: tuple[Recorded, Recorded]) -> None:
    told = json.loads(ask("show", images[1].digest[7:15], "--json").stdout)
    assert (told["digest"], told["stack"], told["missing"]) == (images[1].digest, "tiny", [])
    assert (told["build"]["entry"], told["build"]["by"], told["build"]["times"]) == (4, "alice", 1)
    assert told["lock"]["airflow"] == "3.3.2"
    assert [one["channel"] for one in told["channels"]] == ["prod"]
    assert told["deployed"][0]["pods"] == 3
    assert told["since_before"]["nothing_but"] == ["alpha 1.0 -> 1.1"]
    assert [row["name"] for row in told["distributions"]] == ["alpha", "beta", "gamma"]
    assert [row["name"] for row in told["debs"]] == ["base-files", "libpython3.13-stdlib", "libtiny"]
    assert [layer["name"] for layer in told["platforms"]["linux/arm64"]["layers"]][-1] == "tiny-rest"


def test_an_image_that_was_not_built_on_record_is_shown_all_the_same(ask: Ask, history: History) -> None:
    history.append(Pushed(digest=digest_of("old"), repository=REPOSITORY, stack="old", tags=(TagMove(tag="old-1"),)))
    assert ask("show", "old-1").stdout.splitlines() == [
        digest_of("old"),
        "  built      not on record: before the ledger was begun, or elsewhere",
        "  pushed to  registry.example.org/team/airflow:old-1",
    ]
    assert json.loads(ask("show", "old-1", "--json").stdout)["build"] is None
    assert ask("explain", "old-1").exit_code == 1


def test_an_explanation_names_the_input_and_the_layers(ask: Ask, images: tuple[Recorded, Recorded]) -> None:
    one, two = (image.digest[7:19] for image in images)
    first, *lines = ask("explain", "tiny").stdout.splitlines()
    assert first.startswith(f"tiny {one} (entry 2, built 2026-09-21 14:16)  ->  tiny {two} (entry 4, ")
    assert lines[0] == "  nothing but alpha 1.0 -> 1.1"
    assert lines[1].startswith("linux/amd64, linux/arm64: 1 layer changed (")
    assert lines[2].startswith("  tiny-alpha (")
    assert lines[2].endswith("): alpha 1.0 -> 1.1")
    told = json.loads(ask("explain", "tiny", "--json").stdout)["explanation"]
    assert told["causes"] == [
        {"kind": "distribution", "name": "alpha", "what": "alpha 1.0 -> 1.1", "brought": None, "details": []}
    ]
    assert told["platforms"]["linux/amd64"]["same_layers"] == 4


def test_a_first_image_and_a_repeated_one_are_told(
    ask: Ask, history: History, world: World, images: tuple[Recorded, Recorded]
) -> None:
    assert "is the first image of its stack on record" in ask("explain", images[0].digest).stdout
    history.build(bump(world))
    assert "the build before it gave the same digest" in ask("explain", "tiny").stdout
    assert ask("explain", "tiny", "--against", images[1].digest).stdout.splitlines()[1] == (
        "  is the same digest: not a byte differs"
    )


def test_images_are_compared_down_to_files(ask: Ask, images: tuple[Recorded, Recorded], tmp_path: Path) -> None:
    layouts = ("--layout", str(tmp_path / "one"), "--layout", str(tmp_path / "two"))
    compared = ask("compare", images[0].digest, "tiny@prod", "--files", "--exit-code", *layouts)
    assert compared.exit_code == 1
    assert "linux/amd64: a node pulls 1 of 5 layers, " in compared.stdout
    assert "    ~  /home/airflow/.local/lib/python3.13/site-packages/alpha/__init__.py " in compared.stdout
    assert "files: the same paths as on linux/amd64" in compared.stdout
    told = json.loads(ask("compare", str(tmp_path / "one"), str(tmp_path / "two"), "--files", "--json").stdout)
    assert told["lock"]["candidates"][0]["project"] == "alpha"
    assert {one["kind"] for one in told["platforms"]["linux/arm64"]["files"]} == {"added", "removed", "changed"}
    same = ask("compare", "tiny", "tiny@prod", "--exit-code")
    assert (same.exit_code, same.stdout.splitlines()[1]) == (
        0,
        "the same digest: not a byte differs, a node pulls nothing",
    )


def test_references_are_compared_by_what_their_registry_holds(ask: Ask, tmp_path: Path) -> None:
    registry = client()
    try:
        with SmallRegistry() as small:
            for name in ("one", "two"):
                repository = parse_repository(f"{small.host}/{name}")
                request = ShipRequest(layout=tmp_path / name, repository=repository, day="20261124", tags=("dev",))
                ship(registry, request, plan_ship(registry, request, read_image(tmp_path / name)))
            names = [f"{small.host}/{name}:dev" for name in ("one", "two")]
            told = json.loads(ask("compare", *names, "--files", "--registry", "--json").stdout)
            unasked = ask("compare", *names)
    finally:
        close_clients()
    assert told["lock"]["candidates"][0]["project"] == "alpha"
    assert len(told["platforms"]["linux/amd64"]["files"]) == 10
    assert (unasked.exit_code, "the ledger knows no push of this tag" in unasked.stderr) == (1, True)
