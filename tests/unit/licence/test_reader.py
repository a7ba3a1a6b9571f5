"""stacks/licences.toml: what it may say, and what each wrong line is told."""

import datetime as dt

import pytest

from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.licence.reader import parse_licence_rules
from builder.licence.rules import Conclusion, Exemption, LicenceRules, Lists, Sort, Subject, Verdict, rules_to_dict
from builder.project import shipped_licences
from tests.support.tools import ROOT

SHA = "a" * 64
FULL = f"""
allow = ["MIT", "bsd-3-clause", "GPL-2.0-only WITH Linux-syscall-note"]
review = ["LGPL-*", "LicenseRef-own"]
deny = ["AGPL-*"]

[debs]
allow = ["GPL-*"]

[[concluded]]
project = "My_Project"
statements = "sha256:{SHA}"
licence = "mit or apache-2.0"
reason = "both texts are there"
owner = "team:x"

[[exceptions]]
source = "gcc-*"
licence = "NOASSERTION"
reason = "Debian main"
owner = "team:x"
expires = 2027-03-31
"""


def complaint(text: str) -> str:
    with pytest.raises(InvalidInputError) as caught:
        parse_licence_rules(text.encode())
    return str(caught.value)


def test_every_key_is_read() -> None:
    assert parse_licence_rules(FULL.encode()) == LicenceRules(
        common=Lists(
            verdicts={
                "MIT": Verdict.ALLOWED,
                "BSD-3-Clause": Verdict.ALLOWED,
                "GPL-2.0-only WITH Linux-syscall-note": Verdict.ALLOWED,
                "LGPL-*": Verdict.REVIEW,
                "LicenseRef-own": Verdict.REVIEW,
                "AGPL-*": Verdict.DENIED,
            }
        ),
        by_sort={Sort.DEB: Lists(verdicts={"GPL-*": Verdict.ALLOWED})},
        conclusions=(
            Conclusion(
                subject=Subject(key="project", name="my-project"),
                statements=Digest(SHA),
                licence="MIT OR Apache-2.0",
                reason="both texts are there",
                owner="team:x",
            ),
        ),
        exemptions=(
            Exemption(
                subject=Subject(key="source", name="gcc-*"),
                licence="NOASSERTION",
                reason="Debian main",
                owner="team:x",
                expires=dt.date(2027, 3, 31),
            ),
        ),
    )


def test_the_digest_names_what_the_rules_mean() -> None:
    rules = parse_licence_rules(FULL.encode())
    assert parse_licence_rules(FULL.replace("mit or", "MIT  or").encode()).digest == rules.digest
    assert parse_licence_rules(FULL.replace("2027-03-31", "2027-04-01").encode()).digest != rules.digest
    assert parse_licence_rules(FULL.replace("Debian main", "free").encode()).digest != rules.digest
    assert rules_to_dict(rules)["format"] == 1


CONCLUDED = f'[[concluded]]\nproject = "x"\nstatements = "sha256:{SHA}"\nlicence = "MIT"\nreason = "r"\nowner = "o"\n'
EXCEPTED = '[[exceptions]]\ndeb = "x"\nlicence = "MIT"\nreason = "r"\nowner = "o"\nexpires = 2027-03-31\n'
FILE = "stacks/licences.toml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1", f"{FILE}: x: unknown key"),
        ("alow = []", f"{FILE}: alow: unknown key\n  did you mean 'allow'?"),
        ("allow = 'MIT'", f"{FILE}: allow: must be an array of texts, is a text"),
        ("allow = ['BSD']", f"{FILE}: allow[0]: 'BSD' is no licence of SPDX's list\n  write one SPDX identifier"),
        ("allow = ['MIT OR ISC']", f"{FILE}: allow[0]: 'MIT OR ISC' is no licence of SPDX's list"),
        ("allow = ['*']", f"{FILE}: allow[0]: '*' is no licence of SPDX's list"),
        ("allow = ['MIT']\ndeny = ['mit']", f"{FILE}: deny[0]: 'MIT' stands in allowed already\n  keep one"),
        ("[debs]\nalow = []", f"{FILE}: debs.alow: unknown key\n  did you mean 'allow'?"),
        ("[deb]\nallow = []", f"{FILE}: deb: unknown key\n  did you mean 'debs'?"),
        (CONCLUDED.replace('project = "x"\n', ""), f"{FILE}: concluded[0].project: 0 of project, deb, source are stated"),
        (f'{CONCLUDED}deb = "y"\n', f"{FILE}: concluded[0].project: 2 of project, deb, source are stated"),
        (CONCLUDED.replace('"x"', '"*"'), f"{FILE}: concluded[0].project: '*' names no package"),
        (CONCLUDED.replace('"x"', '"a*"'), f"{FILE}: concluded[0].project: 'a*' names no package"),
        (CONCLUDED.replace('"x"', '"a b"'), f"{FILE}: concluded[0].project: 'a b' names no package"),
        (CONCLUDED.replace("sha256:", ""), f"{FILE}: concluded[0].statements: not a sha256 digest"),
        (CONCLUDED.replace('"MIT"', '"NOASSERTION"'), f"{FILE}: concluded[0].licence: 'NOASSERTION' is no expression of SPDX"),
        (CONCLUDED.replace('reason = "r"\n', ""), f"{FILE}: concluded[0].reason: is missing"),
        (CONCLUDED * 2, f"{FILE}: concluded[1]: repeats project x sha256:{SHA}"),
        (EXCEPTED.replace("expires = 2027-03-31\n", ""), f"{FILE}: exceptions[0].expires: is missing"),
        (EXCEPTED.replace("2027-03-31", "'2027-03-31'"), f"{FILE}: exceptions[0].expires: must be a date"),
        (EXCEPTED.replace('"MIT"', '"BSD"'), f"{FILE}: exceptions[0].licence: 'BSD' is no expression of SPDX\n  as MIT, or"),
        (EXCEPTED.replace('owner = "o"\n', ""), f"{FILE}: exceptions[0].owner: is missing"),
        (EXCEPTED * 2, f"{FILE}: exceptions[1]: repeats deb x MIT\n  join both"),
        ("[[", f"{FILE}: is not TOML"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_told_with_file_key_and_way_out(text: str, expected: str) -> None:
    assert complaint(text).startswith(expected)


def test_every_issue_is_told_at_once() -> None:
    told = complaint("allow = ['BSD', 'GPL']\n" + CONCLUDED.replace('owner = "o"\n', ""))
    assert [line.split(":")[1] for line in told.splitlines() if line.startswith(FILE)] == [
        " allow[0]",
        " allow[1]",
        " concluded[0].owner",
    ]


def test_what_init_writes_and_what_this_project_has_are_sound() -> None:
    shipped = parse_licence_rules(shipped_licences())
    ours = parse_licence_rules((ROOT / "stacks/licences.toml").read_bytes())
    assert (ours.common, ours.by_sort) == (shipped.common, shipped.by_sort)
    assert (shipped.conclusions, shipped.exemptions) == ((), ())
