"""Rules of time, yanks, quarantine and several indexes, by `lock` of the command line against indexes on the loopback."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.index_project import STACK, IndexProject, make_index_project
from tests.support.index_server import Index, PageStyle, Said, serve

OLD = "2024-01-10T00:00:00Z"
PASSWORD = "no-one-may-see-this"  # noqa: S105  of an index of this test
TIMELESS = "index 'default' gives no upload time of timeless-1.0-py3-none-any.whl, and a rule of time is in force"
RESERVED = '[[indexes]]\nname = "internal"\nreserved = ["acme-*"]\n'


def young(days: int) -> str:
    """Name a moment so many days ago."""
    return (dt.datetime.now(dt.UTC) - dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def exception(project: str, specifier: str) -> str:
    """Write an exception with its reason."""
    return f'[[resolution.exceptions]]\nproject = "{project}"\nspecifier = "{specifier}"\nreason = "CVE-2026-1"\n'


@pytest.fixture
def index() -> Iterator[Index]:
    """An index with Airflow, and `alpha` in two releases of which one is three days old."""
    made = Index()
    made.offer("apache-airflow", "3.3.2", said=Said(uploaded=OLD))
    made.offer("alpha", "1.0", said=Said(uploaded=OLD))
    made.offer("alpha", "2.0", said=Said(uploaded=young(3)))
    with serve(made) as served:
        yield served


@pytest.fixture
def internal() -> Iterator[Index]:
    """A second index, with nothing on it yet."""
    with serve(Index()) as served:
        yield served


@pytest.fixture
def project(tmp_path: Path, index: Index) -> IndexProject:
    """A project over the first index."""
    return make_index_project(tmp_path, [("default", index)])


@pytest.mark.parametrize("rule", ['cooldown = "7d"', "as-of = 2025-06-01", "as-of = 2025-06-01T12:00:00Z"])
def test_a_rule_of_time_chooses_the_older_release(project: IndexProject, rule: str) -> None:
    project.ask_for("alpha", rules=f"[resolution]\n{rule}\n")
    project.run("lock", STACK)
    assert project.versions() == {"alpha": "1.0"}
    project.ask_for("alpha")
    project.run("lock", STACK, "--upgrade")
    assert project.versions() == {"alpha": "2.0"}


def test_a_cooldown_of_an_index_holds_there(project: IndexProject) -> None:
    project.ask_for("alpha", indexes='[[indexes]]\nname = "default"\ncooldown = "7d"\n')
    project.run("lock", STACK)
    assert project.versions() == {"alpha": "1.0"}


def test_an_exception_with_its_reason_lets_one_young_release_through(project: IndexProject, index: Index) -> None:
    index.offer("alpha", "2.1", said=Said(uploaded=young(1)))
    index.offer("beta", "1.0", said=Said(uploaded=OLD))
    index.offer("beta", "2.0", said=Said(uploaded=young(3)))
    project.ask_for("alpha", "beta", rules=f'[resolution]\ncooldown = "7d"\n{exception("alpha", "==2.0")}')
    project.run("lock", STACK)
    assert project.versions() == {"alpha": "2.0", "beta": "1.0"}
    assert [row.reason for row in project.lock.resolution.exceptions] == ["CVE-2026-1"]


def test_an_exception_without_a_reason_is_refused(project: IndexProject, index: Index) -> None:
    project.ask_for("alpha", rules=exception("alpha", "==2.0").replace('reason = "CVE-2026-1"\n', ""))
    assert "reason" in project.run("lock", STACK, status=3).stderr
    assert index.asked == []


@pytest.mark.parametrize("html", [False, True])
def test_an_index_without_upload_times_is_an_error_under_a_rule_of_time(
    project: IndexProject, index: Index, *, html: bool
) -> None:
    index.offer("timeless", "1.0", said=Said(uploaded=None))
    index.styles["timeless"] = PageStyle(html=html)
    project.ask_for("timeless", rules='[resolution]\ncooldown = "7d"\n')
    said = project.run("lock", STACK, status=4)
    assert said.stderr.splitlines()[-2:] == [
        f"error: timeless: {TIMELESS}",
        "  take the rule out, or use an index that gives upload times (PEP 700)",
    ]
    assert not project.lock_path.exists()


@pytest.mark.parametrize("reason", ["breaks everything", ""])
@pytest.mark.parametrize("html", [False, True])
def test_a_yanked_release_is_refused_without_a_reason(
    project: IndexProject, index: Index, reason: str, *, html: bool
) -> None:
    index.offer("bad", "1.0", said=Said(uploaded=OLD, yanked=reason))
    index.styles["bad"] = PageStyle(html=html)
    project.ask_for("bad==1.0")
    said = project.run("lock", STACK, status=1)
    assert f"bad 1.0 was yanked{f': {reason}' if reason else ''}" in said.flat
    assert "[[resolution.exceptions]]" in said.flat
    project.ask_for("bad==1.0", rules=exception("bad", "==1.0"))
    project.run("lock", STACK)
    assert project.versions() == {"bad": "1.0"}


def test_a_release_that_was_not_yanked_wins_over_a_newer_one_that_was(project: IndexProject, index: Index) -> None:
    index.offer("alpha", "3.0", said=Said(uploaded=OLD, yanked=""))
    project.ask_for("alpha")
    project.run("lock", STACK)
    assert project.versions() == {"alpha": "2.0"}


@pytest.mark.parametrize("html", [False, True])
def test_a_project_in_quarantine_is_refused_whatever_a_reason_says(
    project: IndexProject, index: Index, *, html: bool
) -> None:
    index.offer("poisoned", "1.0", said=Said(uploaded=OLD))
    index.styles["poisoned"] = PageStyle(status="quarantined", status_reason="malware", html=html)
    for rules in ("", exception("poisoned", "==1.0")):
        project.ask_for("poisoned", rules=rules)
        said = project.run("lock", STACK, status=1)
        assert "stack finance asks for poisoned: poisoned is quarantined on its index: malware" in said.flat
        assert "no exception lets it through" in said.flat


def test_what_an_index_takes_back_after_locking_is_seen(project: IndexProject, index: Index) -> None:
    index.style = PageStyle(max_age_s=0, etag=True)
    project.ask_for("alpha")
    for _ in range(2):
        project.run("lock", STACK)
    assert project.versions() == {"alpha": "2.0"}
    index.said["alpha-2.0-py3-none-any.whl"] = Said(uploaded=OLD, yanked="breaks everything")
    project.run("lock", STACK)
    assert project.versions() == {"alpha": "1.0"}
    before = project.lock_path.read_bytes()
    index.styles["alpha"] = PageStyle(max_age_s=0, status="quarantined")
    assert "alpha is quarantined on its index" in project.run("lock", STACK, status=1).flat
    assert project.lock_path.read_bytes() == before


@pytest.mark.parametrize("status", ["archived", "deprecated"])
def test_other_statuses_refuse_nothing(project: IndexProject, index: Index, status: str) -> None:
    index.styles["alpha"] = PageStyle(status=status)
    project.ask_for("alpha")
    project.run("lock", STACK)
    assert project.versions() == {"alpha": "2.0"}


def test_what_is_not_for_the_bases_python_is_no_candidate(project: IndexProject, index: Index) -> None:
    index.offer("alpha", "4.0", said=Said(uploaded=OLD, requires_python=">=3.14"))
    index.offer("alpha", "3.0", said=Said(uploaded=OLD, requires_python="<3.13"))
    project.ask_for("alpha")
    project.run("lock", STACK)
    assert project.versions() == {"alpha": "2.0"}


def test_a_higher_version_on_another_index_never_wins(tmp_path: Path, index: Index, internal: Index) -> None:
    internal.offer("acme-tools", "1.0", "acme-core")
    internal.offer("acme-core", "1.0")
    index.offer("acme-tools", "99.0")
    index.offer("acme-core", "99.0")
    project = make_index_project(tmp_path, [("internal", internal), ("default", index)])
    project.ask_for("acme-tools", "alpha")
    project.run("lock", STACK)
    assert project.versions() == {"acme-core": "1.0", "acme-tools": "1.0", "alpha": "2.0"}
    assert {row.project: row.index for row in project.lock.candidates} == {
        "acme-core": "internal",
        "acme-tools": "internal",
        "alpha": None,
        "apache-airflow": None,
    }
    assert not index.projects_asked() & {"acme-core", "acme-tools"}


def test_a_project_stays_with_its_index_though_an_earlier_one_gets_it(
    tmp_path: Path, index: Index, internal: Index
) -> None:
    project = make_index_project(tmp_path, [("internal", internal), ("default", index)])
    project.ask_for("alpha")
    before = project.relock()
    internal.offer("alpha", "99.0")
    assert project.relock("--refresh", "--upgrade") == before


def test_a_reserved_name_is_never_asked_of_another_index(tmp_path: Path, index: Index, internal: Index) -> None:
    index.offer("acme-secret", "99.0")
    internal.offer("acme-tools", "1.0", "acme-secret")
    project = make_index_project(tmp_path, [("internal", internal), ("default", index)])
    for requirement in ("acme-secret", "acme-tools", "acme-secret==99.0"):
        project.ask_for(requirement, indexes=RESERVED)
        said = project.run("lock", STACK, status=1)
        assert "acme-secret" in said.stderr
    assert "acme-secret" in internal.projects_asked()
    assert not any("acme" in path for path in index.asked)
    assert not project.lock_path.exists()


def test_a_reserved_name_whose_index_is_not_configured_is_asked_of_none(project: IndexProject, index: Index) -> None:
    index.offer("acme-tools", "99.0")
    project.ask_for("acme-tools", indexes=RESERVED)
    said = project.run("lock", STACK, status=4)
    assert "acme-tools comes from index 'internal' alone, which your settings do not name" in said.stderr
    assert not any("acme" in path for path in index.asked)


def test_an_index_that_does_not_answer_is_not_passed_over(tmp_path: Path, index: Index, internal: Index) -> None:
    internal.login = "nobody:knows"
    index.offer("acme-tools", "99.0")
    project = make_index_project(tmp_path, [("internal", internal), ("default", index)])
    project.ask_for("acme-tools")
    assert "401" in project.run("lock", STACK, status=4).stderr
    assert not index.projects_asked() & {"acme-tools"}


@pytest.mark.parametrize("way", ["address", "variables", "netrc"])
def test_a_lock_names_the_index_and_neither_host_nor_credentials_anywhere(
    tmp_path: Path, index: Index, internal: Index, way: str
) -> None:
    internal.login = f"me:{PASSWORD}"
    internal.offer("acme-tools", "1.0", said=Said(uploaded=OLD, hashed=False, sized=False, metadata=way == "netrc"))
    project = make_index_project(tmp_path, [("internal", internal), ("default", index)])
    match way:
        case "address":
            url = internal.simple.replace("://", f"://me:{PASSWORD}@")
            project = project.with_settings(UV_INDEX=f"internal={url}")
        case "variables":
            project = project.with_settings(UV_INDEX_INTERNAL_USERNAME="me", UV_INDEX_INTERNAL_PASSWORD=PASSWORD)
        case _:
            netrc = project.home / ".netrc"
            netrc.write_text(f"machine 127.0.0.1 login me password {PASSWORD}\n")
            netrc.chmod(0o600)
    project.ask_for("acme-tools", indexes=RESERVED)
    said = project.run("lock", STACK).text
    lock = project.lock_path.read_text()
    assert 'index = "internal"' in lock
    assert "127.0.0.1" not in lock
    assert "http" not in lock
    said += project.run("--debug", "lock", STACK, "--refresh").text
    project.ask_for("acme-tools==7", "acme-none", indexes=RESERVED)
    said += project.run("--debug", "lock", STACK, status=1).text
    internal.login = "me:changed"
    said += project.run("--debug", "lock", STACK, "--refresh", status=4).text
    assert PASSWORD not in said
    assert project.holders(b"Name: acme-tools")
    assert [path.name for path in project.holders(PASSWORD.encode())] == ([".netrc"] if way == "netrc" else [])
