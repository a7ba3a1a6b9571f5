from __future__ import annotations

import datetime as dt
import re
import tomllib
from dataclasses import replace

import pytest
from packaging.pylock import Pylock

from builder.errors import IssuesError, LockInvalidError
from builder.lock.model import BuiltWheel, LockedCandidate, PlannedLayer
from builder.lock.pylock import dump_stack_lock, parse_stack_lock
from builder.platform import AMD64, ARM64
from builder.stack.model import Divergence, IndexRule, ReleaseException, ResolutionRules
from tests.support.stack_locks import make_candidate, make_file, make_lock

FILE = "locks/pylock.etl.toml"


def edit(data: bytes, old: str, new: str) -> bytes:
    text = data.decode()
    assert old in text
    return text.replace(old, new, 1).encode()


def test_a_lock_reads_line_by_line() -> None:
    native = make_candidate(
        "native-one",
        wheels={
            AMD64.name: make_file("native_one-1.0-cp313-cp313-manylinux_2_17_x86_64.whl"),
            ARM64.name: make_file("native_one-1.0-cp313-cp313-manylinux_2_17_aarch64.whl"),
        },
        dependencies=("alpha",),
        upload_time=None,
    )
    text = dump_stack_lock(make_lock(make_candidate(), native)).decode()
    pure = make_file("alpha-1.0-py3-none-any.whl").sha256.hex
    assert text.startswith(
        "# Made by `airflow-kubler lock etl`; not to be edited. `airflow-kubler fetch` fills files/.\n"
        'lock-version = "1.0"\n'
        "environments = [\"sys_platform == 'linux' and platform_machine == 'x86_64'\", "
        "\"sys_platform == 'linux' and platform_machine == 'aarch64'\"]\n"
        'requires-python = "==3.13.*"\n'
        'created-by = "airflow-kubler"\n'
        "\n"
        "[[packages]]\n"
        'name = "alpha"\n'
        'version = "1.0"\n'
        "wheels = [\n"
        f'    {{name = "alpha-1.0-py3-none-any.whl", path = "files/{pure}/alpha-1.0-py3-none-any.whl", '
        f'size = 10, hashes = {{sha256 = "{pure}"}}}},\n'
        "]\n"
        "[packages.tool.airflow-kubler]\n"
        'wanted-by = ["stack:etl"]\n'
        'upload-time = "2026-05-01T10:00:00Z"\n'
    )
    assert 'dependencies = [{name = "alpha"}]\n' in text
    assert '\nwheels = {"linux/amd64" = 0, "linux/arm64" = 1}\n' in text


def test_what_a_platform_lacks_gets_a_marker() -> None:
    only = make_candidate(wheels={AMD64.name: make_file("alpha-1.0-py3-none-any.whl")})
    other = make_candidate(version="2.0", wheels={ARM64.name: make_file("alpha-2.0-py3-none-any.whl")})
    user = make_candidate("beta", dependencies=("alpha",))
    lock = make_lock(only, other, user)
    text = dump_stack_lock(lock).decode()
    assert "marker = \"platform_machine == 'x86_64'\"\n" in text
    assert "marker = \"platform_machine == 'aarch64'\"\n" in text
    assert 'dependencies = [{name = "alpha", version = "1.0"}, {name = "alpha", version = "2.0"}]\n' in text
    assert parse_stack_lock(text.encode(), file=FILE) == lock
    read = Pylock.from_dict(tomllib.loads(text))
    chosen = [
        package.version
        for package in read.packages
        if package.name == "alpha"
        and package.marker is not None
        and package.marker.evaluate({"platform_machine": "aarch64"})
    ]
    assert [str(version) for version in chosen] == ["2.0"]


def test_no_host_stands_in_a_lock() -> None:
    text = dump_stack_lock(make_lock(make_candidate(), make_candidate("beta"))).decode()
    assert "://" not in text
    assert "url" not in text


def test_order_of_wheels_in_memory_is_no_matter() -> None:
    candidate = make_candidate()
    turned = replace(candidate, wheels=dict(reversed(list(candidate.wheels.items()))))
    assert dump_stack_lock(make_lock(candidate)) == dump_stack_lock(make_lock(turned))


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ("format = 1", "format = 2", "tool.airflow-kubler.format", "unknown format 2"),
        ("format = 1", "format = true", "tool.airflow-kubler.format", "unknown format True"),
        ('lock-version = "1.0"', 'lock-version = "2.0"', "lock-version", "unknown format '2.0'"),
        ("[tool.airflow-kubler]", "[tool.other]", "tool.airflow-kubler", "is no lock of a stack"),
    ],
    ids=["format", "format-type", "lock-version", "foreign"],
)
def test_unknown_formats_are_refused(old: str, new: str, key: str, message: str) -> None:
    bad = edit(dump_stack_lock(make_lock(make_candidate())), old, new)
    with pytest.raises(LockInvalidError, match=re.escape(f"{FILE}: {key}: {message}")) as caught:
        parse_stack_lock(bad, file=FILE)
    assert "airflow-kubler lock" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "size = 10",
            "size = -1",
            "packages[0].wheels[0].size: must be a whole number, not negative, below 9007199254740992",
        ),
        ('path = "files/', 'path = "../', "packages[0].wheels[0].path: must be files/<sha256>/<name>"),
        (
            '{name = "alpha-1.0-py3',
            '{name = "../x',
            "packages[0].wheels[0].name: is not the name of a wheel: '../x-none-any.whl'",
        ),
        ('sha256 = "', 'sha256 = "X', "packages[0].wheels[0].hashes.sha256: must be 64 hexadecimal characters"),
        ('name = "alpha"', 'name = "beta"', "packages[0].wheels[0].name: is no wheel of 'beta'"),
        ('\nversion = "1.0"', '\nversion = "9.0"', "packages[0].wheels[0].name: is no wheel of alpha 9.0"),
        (
            "created = 1795000000",
            "created = 99999999999999",
            "tool.airflow-kubler.created: must be a whole number, not negative, below 68719476736",
        ),
        ('name = "alpha"', 'name = "Alpha"', "packages[0].name: is not a normalised name: 'Alpha'"),
        ('stack = "etl"', 'stak = "etl"', "tool.airflow-kubler.stak: unknown key"),
        ('stack = "etl"', 'stak = "etl"', "tool.airflow-kubler.stack: must be a text, not empty"),
        (
            'inputs = "sha256:',
            'inputs = "md5:',
            "tool.airflow-kubler.inputs: must be sha256:<64 hexadecimal characters>",
        ),
        (
            '"linux/amd64", ',
            '"linux/arm64", ',
            "tool.airflow-kubler.platforms: must be sorted, none twice, at least one",
        ),
        ('"linux/amd64", ', '"linux/amd63", ', "tool.airflow-kubler.platforms: unknown platform 'linux/amd63'"),
        (
            'projects = ["alpha"]',
            "projects = []",
            "tool.airflow-kubler.plan: does not hold every project of the lock once",
        ),
        ('"3.13.5"', '"3.13"', "tool.airflow-kubler.python-version: must be three numbers, as 3.13.5"),
        ('created-by = "airflow-kubler"', 'created-by = "x"', "created-by: must be 'airflow-kubler'"),
        (
            'wanted-by = ["stack:etl"]',
            "wanted-by = 3",
            "packages[0].tool.airflow-kubler.wanted-by: must be an array of texts",
        ),
        ('\nversion = "1.0"\n', '\nversion = "1.0"\nurl = "x"\n', "packages[0].url: unknown key"),
        ("parents = []", "parents = []\nplans = 1", "tool.airflow-kubler.plans: unknown key"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(old: str, new: str, expected: str) -> None:
    bad = edit(dump_stack_lock(make_lock(make_candidate())), old, new)
    with pytest.raises(IssuesError) as caught:
        parse_stack_lock(bad, file=FILE)
    assert f"{FILE}: {expected}" in [str(issue) for issue in caught.value.issues]


def test_everything_wrong_is_told_at_once() -> None:
    bad = edit(
        edit(dump_stack_lock(make_lock(make_candidate())), "size = 10", 'size = "x"'), 'stack = "etl"', "stack = 3"
    )
    with pytest.raises(IssuesError) as caught:
        parse_stack_lock(bad, file=FILE)
    assert len(caught.value.issues) == 2


def test_a_project_twice_on_a_platform_is_refused() -> None:
    twice = make_lock(make_candidate(), make_candidate(version="2.0"))
    with pytest.raises(IssuesError, match="'alpha' stands twice for linux/amd64"):
        parse_stack_lock(dump_stack_lock(twice), file=FILE)


def test_candidates_out_of_order_are_refused() -> None:
    lock = make_lock(make_candidate(), make_candidate("beta"))
    turned = replace(lock, candidates=tuple(reversed(lock.candidates)))
    with pytest.raises(IssuesError, match="are not in order"):
        parse_stack_lock(dump_stack_lock(turned), file=FILE)


def test_a_version_may_be_spelt_in_another_way() -> None:
    wheel = make_file("alpha-1.0.0-py3-none-any.whl")
    lock = make_lock(make_candidate(wheels={"linux/amd64": wheel, "linux/arm64": wheel}))
    assert parse_stack_lock(dump_stack_lock(lock), file=FILE) == lock


@pytest.mark.parametrize("path", ["etc/../../x", "/etc/x", "etc/.wh.passwd", "etc/.wh..wh..opq", "etc/a\nb"])
def test_a_file_outside_the_image_is_refused(path: str) -> None:
    lock = make_lock(make_candidate(), files=((path, make_file("x")),))
    with pytest.raises(IssuesError, match=r"files\[0\]\.path: is not a plain path in the image"):
        parse_stack_lock(dump_stack_lock(lock), file=FILE)


def test_a_plan_with_a_stranger_is_refused() -> None:
    lock = make_lock(make_candidate(), plan=(PlannedLayer(name="a", stack="etl", projects=("alpha", "beta")),))
    with pytest.raises(IssuesError, match="does not hold every project"):
        parse_stack_lock(dump_stack_lock(lock), file=FILE)


def test_a_hand_that_changed_no_meaning_is_noticed_all_the_same() -> None:
    bad = dump_stack_lock(make_lock(make_candidate())).replace(b"size = 10", b"size = 0xA")
    with pytest.raises(LockInvalidError, match="was changed by hand"):
        parse_stack_lock(bad, file=FILE)


@pytest.mark.parametrize("data", [b"<<<<<<< HEAD\n", b"\xff", b"a = 1\na = 2", b"a = " + b"[" * 5000], ids=range(4))
def test_what_is_no_toml_is_refused(data: bytes) -> None:
    with pytest.raises(LockInvalidError, match=f"{FILE}: is not TOML"):
        parse_stack_lock(data, file=FILE)


def test_a_huge_file_is_not_read() -> None:
    with pytest.raises(LockInvalidError, match="at most"):
        parse_stack_lock(b"#" * (17 << 20), file=FILE)


def divergence(project: str = "alpha", specifier: str = "<25") -> Divergence:
    return Divergence(
        project=project, specifier=specifier, reason="awswrangler 3.11", owner="team:x", expires=dt.date(2027, 3, 31)
    )


def test_what_is_stated_reads_line_by_line() -> None:
    candidate = make_candidate(
        tested="2.0",
        index="internal",
        built=BuiltWheel(
            sdist=make_file("alpha-1.0.tar.gz"), requires=(("wheel", "0.46", make_file("wheel-0.46-py3-none-any.whl")),)
        ),
    )
    lock = make_lock(
        candidate,
        divergences=(divergence(),),
        resolution=ResolutionRules(
            as_of=dt.datetime(2026, 11, 1, 23, 59, 59, tzinfo=dt.UTC),
            cooldown_days=7,
            resolver="uv",
            sdists=False,
            exceptions=(ReleaseException(project="a", specifier="==1", reason="CVE-1"),),
        ),
        index_rules=(
            IndexRule(name="default", cooldown_days=7),
            IndexRule(name="here", folder="dists"),
            IndexRule(name="internal", reserved=("acme-*",)),
        ),
    )
    text = dump_stack_lock(lock).decode()
    sdist, wheel = make_file("alpha-1.0.tar.gz").sha256.hex, make_file("wheel-0.46-py3-none-any.whl").sha256.hex
    assert (
        'tested = "2.0"\n'
        'index = "internal"\n'
        f'built = {{sdist = {{name = "alpha-1.0.tar.gz", size = 10, sha256 = "{sdist}"}}, requires = [{{project = "wheel", '
        f'version = "0.46", name = "wheel-0.46-py3-none-any.whl", size = 10, sha256 = "{wheel}"}}]}}\n'
    ) in text
    assert (
        "divergences = [\n"
        '    {project = "alpha", specifier = "<25", reason = "awswrangler 3.11", owner = "team:x", expires = "2027-03-31"},\n'
        "]\n"
        'resolution = {as-of = "2026-11-01T23:59:59Z", cooldown = "7d", resolver = "uv", sdists = false, '
        'exceptions = [{project = "a", specifier = "==1", reason = "CVE-1"}]}\n'
        "indexes = [\n"
        '    {name = "default", cooldown = "7d"},\n'
        '    {name = "here", folder = "dists"},\n'
        '    {name = "internal", reserved = ["acme-*"]},\n'
        "]\n"
    ) in text
    assert parse_stack_lock(text.encode(), file=FILE) == lock


AIRFLOW = "stack for another Airflow says it in airflow.version, then lock it again"


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        (
            make_candidate("apache-airflow", "3.4.0"),
            "apache-airflow moved to 3.4.0, while the lock is for Airflow 3.3.2\n  never edit a lock; a " + AIRFLOW,
        ),
        (
            make_candidate("apache-airflow-core", "3.3.1"),
            "apache-airflow-core moved to 3.3.1, while the lock is for Airflow 3.3.2\n  never edit a lock; a "
            + AIRFLOW,
        ),
        (
            make_candidate("apache-airflow-task-sdk", "1.3.3", tested="1.3.2"),
            "apache-airflow-task-sdk moved to 1.3.3 from 1.3.2, which was tested with Airflow\n"
            "  never edit a lock; a " + AIRFLOW,
        ),
        (
            make_candidate("beta", "2.0", tested="1.9"),
            "beta is 2.0, tested was 1.9, and no divergence says why\n  add a divergence to stack.toml, or lock again",
        ),
        (
            make_candidate("alpha", "25.0", tested="24.2"),
            "alpha is 25.0, which its divergence <25 does not allow\n  add a divergence to stack.toml, or lock again",
        ),
    ],
    ids=["airflow", "core", "task-sdk", "no-divergence", "other-divergence"],
)
def test_a_lock_that_moved_what_must_not_move_is_refused(candidate: LockedCandidate, expected: str) -> None:
    data = dump_stack_lock(make_lock(candidate, divergences=(divergence(),)))
    with pytest.raises(IssuesError) as caught:
        parse_stack_lock(data, file=FILE)
    assert f"{FILE}: packages[0].version: {expected}" in str(caught.value)
    assert all(isinstance(issue, LockInvalidError) for issue in caught.value.issues)


def test_a_lock_in_which_airflow_diverges_is_refused() -> None:
    data = dump_stack_lock(make_lock(make_candidate(), divergences=(divergence("apache-airflow-task-sdk", "<2"),)))
    with pytest.raises(IssuesError, match=r"divergences\[0\].project: 'apache-airflow-task-sdk' is Airflow itself"):
        parse_stack_lock(data, file=FILE)


def test_a_divergence_that_allows_it_moves_a_candidate() -> None:
    lock = make_lock(make_candidate("alpha", "24.0b1", tested="25.0"), divergences=(divergence(),))
    assert parse_stack_lock(dump_stack_lock(lock), file=FILE) == lock


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"2027-03-31"', '"soon"', "divergences[0].expires: must be a date, as 2027-03-31"),
        ('cooldown = "7d"', 'cooldown = "7"', "resolution.cooldown: must be days, as 7d"),
        ("sdists = false", 'sdists = "no"', "resolution.sdists: must be true or false"),
        ("23:59:59Z", "never", "resolution.as-of: must be a time in UTC, as 2026-11-01T06:00:00Z"),
    ],
)
def test_wrong_rules_in_a_lock_are_named_by_their_key(old: str, new: str, expected: str) -> None:
    rules = ResolutionRules(
        as_of=dt.datetime(2026, 11, 1, 23, 59, 59, tzinfo=dt.UTC), cooldown_days=7, resolver="uv", sdists=False
    )
    data = dump_stack_lock(make_lock(make_candidate(), divergences=(divergence(),), resolution=rules))
    with pytest.raises(IssuesError) as caught:
        parse_stack_lock(edit(data, old, new), file=FILE)
    assert f"{FILE}: tool.airflow-kubler.{expected}" in str(caught.value)


def test_a_file_that_leads_elsewhere_is_no_sdist() -> None:
    built = BuiltWheel(sdist=make_file("../alpha-1.0.tar.gz"), requires=())
    with pytest.raises(IssuesError, match=r"built\.sdist\.name: is no name of a file"):
        parse_stack_lock(dump_stack_lock(make_lock(make_candidate(built=built))), file=FILE)
