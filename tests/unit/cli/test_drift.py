"""`drift` as a command: where pods come from, what is shown, recorded and returned."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from builder.cli.root import root
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Seen
from builder.ledger.queries import event_of
from tests.support.kube_api import Fault, Said, SmallKubeApi
from tests.support.ledgers import Ticking, digest_of
from tests.support.pods import NEW, OLD, REPOSITORY, container, deployed, listed, make_channel, pod, task
from tests.support.tools import ROOT

LOCK = ROOT / "locks/pylock.core.toml"
NOBODY = f"{REPOSITORY}@{digest_of('nobody')}"
CORE_PROD = ("--stack", "core", "--channel", "prod")
TARGETS = """
[[targets]]
cluster = "production"
namespaces = ["airflow"]
stack = "core"
channel = "prod"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a ledger and targets."""
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/deploy.toml").write_text(TARGETS)
    make_channel(tmp_path / "ledger.db", lock=LOCK.read_bytes())
    return tmp_path


@pytest.fixture
def api(project: Path) -> Iterator[SmallKubeApi]:
    with SmallKubeApi([deployed("scheduler"), deployed("triggerer")]) as served:
        served.kubeconfig(project)
        yield served


def run(project: Path, *words: str | Path, stdin: object = None) -> Result:
    text = stdin if isinstance(stdin, str) else json.dumps(stdin) if stdin is not None else None
    return CliRunner().invoke(root, ["--project", str(project), "drift", *map(str, words)], input=text)


def ask(project: Path, *words: str | Path) -> Result:
    return run(project, "--kubeconfig", project / "kubeconfig", *words)


def looks(project: Path) -> list[Seen]:
    with SqliteLedger(project / "ledger.db", Ticking(), write=False) as ledger:
        return [event_of(entry, Seen) for entry in reversed(ledger.find("kind", "deployment"))]


def test_no_drift_is_status_0_and_is_recorded(project: Path) -> None:
    done = run(project, "-", stdin=listed(deployed("scheduler")))
    assert (done.exit_code, done.stderr) == (0, "recorded\n")
    assert done.stdout.splitlines()[-1] == "production: no drift"
    (seen,) = looks(project)
    assert (seen.cluster, [image.digest for image in seen.images]) == ("production", [NEW.digest])
    assert (
        run(project, "-", stdin=listed(deployed("scheduler"))).stderr == "seen alike within a day: nothing to record\n"
    )


def test_drift_is_status_1_from_the_severity_asked_for(project: Path) -> None:
    items = listed(deployed("scheduler", container(image=f"{REPOSITORY}:prod")))
    for least, status in (("info", 1), ("low", 1), ("medium", 1), ("high", 0)):
        assert run(project, "-", "--fail-on", least, stdin=items).exit_code == status


def test_json_has_everything_and_files_are_read(project: Path) -> None:
    path = project / "pods.json"
    path.write_text(json.dumps(listed(deployed("scheduler", container(image_id=NOBODY)))))
    done = run(project, path, "--json", "--no-record")
    assert (done.exit_code, done.stderr) == (1, "not recorded\n")
    told = json.loads(done.stdout)
    assert (told["cluster"], told["worst"], told["passed_over"]) == ("production", "high", 0)
    (channel,) = told["channels"]
    assert (channel["stack"], channel["channel"], channel["digest"], channel["pods"]) == ("core", "prod", NEW.digest, 1)
    (found,) = channel["findings"]
    assert (found["kind"], found["namespace"], found["workload"], found["container"], found["pods"]) == (
        "unknown image", "airflow", "deployment/airflow-scheduler", "scheduler", ["airflow-scheduler-7c9d8f6b5-x0001"],
    )  # fmt: skip
    assert looks(project) == []


def test_the_cluster_is_asked_and_named_by_its_context(project: Path, api: SmallKubeApi) -> None:
    done = ask(project)
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "production: no drift")
    assert {path.split("?")[0] for path in api.asked} == {
        "/api/v1/namespaces/airflow/pods", "/api/v1/namespaces/airflow/configmaps", "/apis/batch/v1/namespaces/airflow/jobs",
    }  # fmt: skip
    assert ask(project, "--context", "another").exit_code == 3, "no target is of the cluster `another`"
    assert ask(project, "--context", "another", "--cluster", "production").exit_code == 0


def test_commands_that_mend_name_the_context(project: Path, api: SmallKubeApi) -> None:
    api.objects = [pod("x", container(image_id=NOBODY), owner=("StatefulSet", "worker"))]
    done = ask(project)
    mend = f"$ kubectl --context=production -n airflow set image statefulset/worker scheduler={REPOSITORY}@{NEW.digest}"
    assert mend in done.stdout


def test_a_cluster_that_does_not_answer_is_status_4_and_nothing_is_recorded(project: Path, api: SmallKubeApi) -> None:
    for faults, forbidden in (([Fault(status=400)], set[str]()), ([], {"airflow"})):
        api.faults, api.forbidden = list(faults), forbidden
        done = ask(project)
        assert (done.exit_code, done.stdout) == (4, "")
    assert run(project, "-", stdin="").exit_code == 4
    assert run(project, "-", stdin={"kind": "Status", "message": "refused"}).exit_code == 4
    assert looks(project) == []


def test_half_a_namespace_is_nothing(project: Path, api: SmallKubeApi) -> None:
    api.forbidden = {"b"}
    done = ask(project, *CORE_PROD, "-n", "airflow", "-n", "b")
    assert (done.exit_code, looks(project)) == (4, [])
    assert "pods of b: 403" in done.stderr


def test_what_is_refused_beside_pods_is_noted(project: Path, api: SmallKubeApi) -> None:
    api.forbidden = {"configmaps"}
    done = ask(project)
    assert done.exit_code == 0
    assert "note: 403 configmaps is forbidden" in done.stdout


def test_a_ledger_that_cannot_be_written_is_told_after_what_was_seen(project: Path) -> None:
    with contextlib.closing(sqlite3.connect(project / "ledger.db")) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
    items = listed(deployed("scheduler", container(image_id=NOBODY)))
    done = run(project, "-", stdin=items)
    assert (done.exit_code, "unknown image" in done.stdout) == (4, True)
    assert "cannot be used: disk is full" in done.stderr
    assert run(project, "-", "--no-record", stdin=items).exit_code == 1


def test_what_should_run_must_be_said(project: Path) -> None:
    items = listed(deployed("scheduler"))
    (project / "stacks/deploy.toml").unlink()
    assert "nothing says what should run" in run(project, "-", stdin=items).stderr
    for words, said in (
        (("--stack", "core"), "go together"),
        (("--selector", "a=b"), "go with --stack"),
        ((*CORE_PROD, "-A", "-n", "x"), "not both"),
        ((*CORE_PROD, "--exec"), "--exec needs the cluster itself"),
    ):
        done = run(project, "-", *words, stdin=items)
        assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    done = run(project, *CORE_PROD)
    assert (done.exit_code, "say which pods" in done.stderr) == (2, True)
    done = run(project, "-", *CORE_PROD, "-l", "tier=airflow", "--allow", "quay.io/x", "--json", stdin=items)
    assert (done.exit_code, json.loads(done.stdout)["cluster"]) == (0, "unnamed")


def test_printed_pods_of_one_of_two_clusters_need_its_name(project: Path) -> None:
    (project / "stacks/deploy.toml").write_text(TARGETS + TARGETS.replace("production", "staging"))
    items = listed(deployed("scheduler"))
    assert "say by --cluster which it is: production, staging" in run(project, "-", stdin=items).stderr
    assert run(project, "-", "--cluster", "staging", stdin=items).exit_code == 0


def test_names_of_others_cannot_write_on_the_terminal(project: Path) -> None:
    nasty = "x\x1b[2J\n  high    forged: line\u202e"
    items = listed(deployed("scheduler"), pod(nasty, container(nasty, image=nasty, image_id=NOBODY)))
    done = run(project, "-", stdin=items)
    assert done.exit_code == 1
    assert "\x1b" not in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith("  high    forged")]


def listing(**changed: str) -> bytes:
    from builder.lock.pylock import parse_stack_lock

    lock = parse_stack_lock(LOCK.read_bytes(), file="core")
    rows = {one.project: one.version for one in lock.candidates if "linux/amd64" in one.wheels} | changed
    told = {
        "format": "airflow-kubler inside 1",
        "machine": "x86_64",
        "distributions": [{"name": name, "version": version} for name, version in rows.items()],
    }
    return json.dumps(told).encode()


@pytest.fixture
def locked(project: Path, api: SmallKubeApi) -> SmallKubeApi:
    """An API whose pods run a build whose lock is that of the shipped stack `core`."""
    from builder.digest import Digest
    from builder.ledger.events import Promoted
    from builder.ledger.model import NewEntry
    from tests.support.ledgers import ALICE, make_build

    built = make_build("core", "locked")
    fields = {name: getattr(built, name) for name in built.__struct_fields__}
    built = type(built)(**(fields | {"lock": str(Digest.of(LOCK.read_bytes()))}))
    with SqliteLedger(project / "ledger.db", Ticking(), write=True) as ledger:
        move = Promoted(stack="core", channel="prod", digest=built.digest, before=NEW.digest, rules=digest_of("r"))
        ledger.append([NewEntry(event=built), NewEntry(event=move)], ALICE)
    image = f"{REPOSITORY}@{built.digest}"
    api.objects = [deployed("scheduler", container(image=image, image_id=image), number=number) for number in (1, 2)]
    api.objects += [task("etl", "load", container("base", image=image, image_id=image), phase="Succeeded")]
    return api


def test_every_running_container_is_looked_into(project: Path, locked: SmallKubeApi) -> None:
    asked: list[tuple[str, str]] = []

    def inside(name: str, inner: str, command: Any) -> Said:
        asked.append((name, inner))
        assert command[:2] == ["python", "-c"]
        compile(command[2], "inside", "exec")
        return Said(stdout=listing(pandas="3.0.1") if name.endswith("2") else listing())

    locked.exec = inside
    done = ask(project, "--exec", "--json")
    (found,) = json.loads(done.stdout)["channels"][0]["findings"]
    assert (done.exit_code, found["kind"], found["severity"]) == (1, "distribution added", "high")
    assert found["pods"] == ["airflow-scheduler-7c9d8f6b5-x0002"]
    assert found["mend"] == "kubectl --context=production -n airflow rollout restart deployment/airflow-scheduler"
    assert asked == [(f"airflow-scheduler-7c9d8f6b5-x000{n}", "scheduler") for n in (1, 2)]


@pytest.mark.parametrize("said", [Said(code=127, stderr=b"no python"), Said(stdout=b"hello"), Said(stdout=b"{" * 9999)])
def test_what_does_not_tell_what_is_in_it_is_low_and_no_silence(
    said: Said, project: Path, locked: SmallKubeApi
) -> None:
    locked.exec = lambda *_: said
    done = ask(project, "--exec", "--json")
    (found,) = json.loads(done.stdout)["channels"][0]["findings"]
    assert (done.exit_code, found["kind"], found["severity"]) == (1, "not seen inside", "low")


def test_a_listing_is_held_against_an_image_or_a_channel(project: Path, locked: SmallKubeApi) -> None:
    del locked
    path = project / "listing.json"
    path.write_bytes(listing())
    done = run(project, "freeze", path, *CORE_PROD)
    assert (done.exit_code, done.stdout.endswith(": as its lock says\n")) == (0, True)
    path.write_bytes(listing(pandas="3.0.1", idna="1.0"))
    done = run(project, "freeze", path, *CORE_PROD, "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, [(one["kind"], one["project"]) for one in told["findings"]]) == (
        1, [("distribution changed", "idna"), ("distribution added", "pandas")],
    )  # fmt: skip
    digest = told["digest"]
    assert run(project, "freeze", path, "--image", digest[7:20]).exit_code == 1
    assert "has no build" in run(project, "freeze", path, "--image", digest_of("nobody")).stderr
    assert "does not hold its lock" in run(project, "freeze", path, "--image", OLD.digest).stderr
    assert run(project, "freeze", path).exit_code == 2
    assert run(project, "freeze", path, "--stack", "core", "--channel", "live").exit_code == 1
    path.write_text("bash: pip: command not found\n")
    assert run(project, "freeze", path, *CORE_PROD).exit_code == 3
