import datetime as dt

import pytest

from builder.errors import InvalidInputError
from builder.stack.model import IndexRule, ReleaseException, ResolutionRules
from builder.stack.reader import parse_stack
from builder.stack.rules import apply_rules, parse_index_rules

FILE = "stacks/etl/stack.toml"
INDEXES = "stacks/indexes.toml"


def parse(text: str) -> ResolutionRules:
    data = f'description = "x"\nextends = "core"\n{text}'.encode()
    return parse_stack(data, name="etl", file=FILE).resolution


def complaint(text: str) -> str:
    with pytest.raises(InvalidInputError) as caught:
        parse(text)
    return str(caught.value)


def index_complaint(text: str) -> str:
    with pytest.raises(InvalidInputError) as caught:
        parse_index_rules(text.encode(), file=INDEXES)
    return str(caught.value)


def test_every_rule_is_read() -> None:
    text = """
[resolution]
as-of = 2026-11-01T08:00:00+02:00
cooldown = "7d"
resolver = "pip-tools"
sdists = false
[[resolution.exceptions]]
project = "Foo_Bar"
specifier = "==1.2.3"
reason = "CVE-2026-1234"
"""
    assert parse(text) == ResolutionRules(
        as_of=dt.datetime(2026, 11, 1, 6, tzinfo=dt.UTC),
        cooldown_days=7,
        resolver="pip-tools",
        sdists=False,
        exceptions=(ReleaseException(project="foo-bar", specifier="==1.2.3", reason="CVE-2026-1234"),),
    )


def test_nothing_stated_is_no_rule() -> None:
    assert parse("") == parse("[resolution]") == ResolutionRules()


def test_a_date_is_that_whole_day_in_utc() -> None:
    assert parse("resolution.as-of = 2026-11-01").as_of == dt.datetime(2026, 11, 1, 23, 59, 59, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "as-of = 2026-11-01T06:00:00",
            "as-of: has no offset, so it is another time in each place\n  write Z for UTC behind it",
        ),
        (
            "as-of = '2026-11-01'",
            "as-of: must be a date as 2026-11-01 or a time as 2026-11-01T06:00:00Z, without quotes, is a text",
        ),
        ("as-of = 0001-01-01", "as-of: is in the year 1\n  write a day on which there were releases"),
        ("cooldown = 7", 'cooldown: must be a text, is a whole number\n  write days in quotes, as "7d"; "0d" for none'),
        ("cooldown = '1w'", 'cooldown: \'1w\' is no number of days\n  write days in quotes, as "7d"; "0d" for none'),
        ("resolver = 'pip'", "resolver: unknown value 'pip'\n  known values: pip-tools, uv"),
        ("sdists = 'no'", "sdists: must be true or false, is a text"),
        ("cool-down = '7d'", "cool-down: unknown key\n  did you mean 'cooldown'?"),
    ],
)
def test_wrong_rules_are_refused_with_their_key(text: str, expected: str) -> None:
    assert complaint(f"[resolution]\n{text}") == f"{FILE}: resolution.{expected}"


def test_an_exception_must_say_which_release_and_why() -> None:
    assert complaint("[[resolution.exceptions]]\nproject = 'a'\nspecifier = 'new'") == (
        f"{FILE}: resolution.exceptions[0].specifier: 'new' is no version specifier\n"
        '  write it as "<25" or ">=2,<3"\n'
        f"{FILE}: resolution.exceptions[0].reason: is missing\n"
        "  say why it cannot wait, as the vulnerability that it mends"
    )


def test_no_project_is_excepted_twice() -> None:
    row = "[[resolution.exceptions]]\nproject = 'a'\nspecifier = '==1'\nreason = 'r'\n"
    assert "'a' is excepted twice" in complaint(row + row)


def test_rules_of_nobody_are_no_rules() -> None:
    assert apply_rules(()) == ResolutionRules()


def test_rules_of_indexes_are_read_by_name() -> None:
    text = """
[[indexes]]
name = "internal"
reserved = ["Acme_*", "acme-*", "finance"]
cooldown = "0d"
[[indexes]]
name = "default"
cooldown = "7d"
"""
    assert parse_index_rules(text.encode(), file=INDEXES) == (
        IndexRule(name="default", cooldown_days=7),
        IndexRule(name="internal", reserved=("acme-*", "finance"), cooldown_days=0),
    )


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            "name = 'a'\nurl = 'https://me:secret@x'",
            "indexes[0].url: is an address, and none stands here\n  put it into the user's settings of uv or pip",
        ),
        (
            "name = 'https://x'",
            (
                "indexes[0].name: 'https://x' is no name of an index\n"
                "  only its name stands here; the address belongs into the user's settings of uv or pip"
            ),
        ),
        (
            "name = 'a'\nreserved = ['*']",
            (
                "indexes[0].reserved[0]: '*' is no pattern of projects\n"
                "  write a project's name, or its beginning and a star, as acme-*"
            ),
        ),
        (
            "cooldown = '1d'",
            'indexes[0].name: is missing\n  the name that the user\'s settings give it, or "default"',
        ),
        ("name = 'a'\nreservd = ['b']", "indexes[0].reservd: unknown key\n  did you mean 'reserved'?"),
    ],
)
def test_wrong_rules_of_indexes_are_refused(row: str, expected: str) -> None:
    assert index_complaint(f"[[indexes]]\n{row}\n") == f"{INDEXES}: {expected}"


def test_no_index_and_no_pattern_stands_twice() -> None:
    text = index_complaint(
        "[[indexes]]\nname='a'\nreserved=['x-*']\n" * 2 + "[[indexes]]\nname='b'\nreserved=['x-*']\n"
    )
    assert "indexes[1].name: 'a' stands twice\n  join both tables" in text
    assert "indexes[2].reserved: 'x-*' is reserved for 'a' already" in text


def test_an_index_may_be_a_folder_of_the_project() -> None:
    text = '[[indexes]]\nname = "here"\nfolder = "dists/own"\nreserved = ["acme-*"]\n'
    assert parse_index_rules(text.encode(), file=INDEXES) == (
        IndexRule(name="here", folder="dists/own", reserved=("acme-*",)),
    )


@pytest.mark.parametrize("folder", ["/srv/wheels", "../wheels", "a/../../b", ".", "a\\\\b"])
def test_a_folder_of_an_index_never_lies_outside_of_the_project(folder: str) -> None:
    assert "is no folder of this project" in index_complaint(f'[[indexes]]\nname = "here"\nfolder = "{folder}"\n')


@pytest.mark.parametrize("name", ["default", "find-links"])
def test_a_place_of_the_users_settings_is_no_folder_of_the_project(name: str) -> None:
    assert "give the folder a name of its own" in index_complaint(f"[[indexes]]\nname = '{name}'\nfolder = 'dists'\n")


def test_a_folder_has_no_cooldown() -> None:
    assert index_complaint("[[indexes]]\nname = 'here'\nfolder = 'dists'\ncooldown = '7d'\n") == (
        f"{INDEXES}: indexes[0].cooldown: means nothing for a folder, whose files have no upload times\n"
        "  take it out: what lies in the project's own folder was chosen by who put it there"
    )
