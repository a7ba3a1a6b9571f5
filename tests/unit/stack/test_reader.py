import datetime as dt

import pytest

from builder.errors import InvalidInputError, SecretFoundError, StackError
from builder.platform import AMD64, ARM64
from builder.stack.model import Divergence, ImageSettings, Stack
from builder.stack.reader import parse_stack
from tests.support.secrets import LOOKS_LIKE_ONE

FILE = "stacks/etl/stack.toml"
LEAST = 'description = "x"\nextends = "core"\n'

FULL = """\
description = "Snowflake and dbt for the finance team"
owners = ["team:finance-data"]

[airflow]
version = "3.3.2"
constraints = "constraints.txt"

[base]
name = "trixie"

[plugins]
requirements = ["apache-airflow-providers-snowflake>=6.5", "dbt-core~=1.9; python_version >= '3.12'"]

[[divergences]]
project = "Pack_Aging"
specifier = "<25"
reason = "awswrangler 3.11 requires it"
owner = "team:finance-data"
expires = 2027-03-31

[image]
platforms = ["linux/arm64", "linux/amd64"]
layers = 40
compression = "gzip"
"""


def parse(text: str, requirements_in: str | None = None) -> Stack:
    return parse_stack(text.encode(), name="etl", file=FILE, requirements_in=requirements_in)


def complaint(text: str, requirements_in: str | None = None) -> str:
    with pytest.raises(InvalidInputError) as caught:
        parse(text, requirements_in)
    return str(caught.value)


def test_every_key_is_read() -> None:
    assert parse(FULL) == Stack(
        name="etl",
        description="Snowflake and dbt for the finance team",
        owners=("team:finance-data",),
        airflow_version="3.3.2",
        constraints="constraints.txt",
        base="trixie",
        requirements=("apache-airflow-providers-snowflake>=6.5", "dbt-core~=1.9; python_version >= '3.12'"),
        divergences=(
            Divergence(
                project="pack-aging",
                specifier="<25",
                reason="awswrangler 3.11 requires it",
                owner="team:finance-data",
                expires=dt.date(2027, 3, 31),
            ),
        ),
        image=ImageSettings(platforms=(AMD64, ARM64), layers=40, compression="gzip"),
    )


def test_a_child_needs_only_a_description_and_its_parent() -> None:
    assert parse(LEAST) == Stack(name="etl", description="x", extends="core")


def test_an_address_may_name_the_constraints() -> None:
    text = LEAST + "airflow.constraints = 'https://x.example/c.txt'"
    assert parse(text).constraints == "https://x.example/c.txt"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ftp://x/c.txt", "'ftp://x/c.txt' is no address of the web\n  write it as https://host/path"),
        ("https:///c.txt", "'https:///c.txt' is no address of the web\n  write it as https://host/path"),
        ("https://[x/c.txt", "is no address\n  write it as https://host/path"),
        (
            "https://me:secret@x/c.txt",
            "holds credentials, which belong in no stack\n  put them into ~/.netrc, and leave them out here",
        ),
    ],
)
def test_other_addresses_are_refused_and_no_password_is_shown(address: str, expected: str) -> None:
    text = complaint(f"{LEAST}airflow.constraints = '{address}'")
    assert text == f"{FILE}: airflow.constraints: {expected}"
    assert "secret" not in text


@pytest.mark.parametrize("project", ["apache-airflow", "Apache_Airflow.Core", "apache-airflow-task-sdk"])
def test_airflow_itself_never_diverges(project: str) -> None:
    row = f"[[divergences]]\nproject='{project}'\nspecifier='<4'\nreason='r'\nowner='o'\nexpires=2027-01-01"
    text = complaint(LEAST + row)
    assert "is Airflow itself, and never diverges" in text
    assert "a stack for another Airflow says it in airflow.version" in text


def test_requirements_in_follows_the_requirements_of_stack_toml() -> None:
    text = LEAST + '[plugins]\nrequirements = ["b"]\n'
    beside = "# tools\n\na>=1  # needed by x\n\tc[d]==2\r\n"
    stack = parse(text, beside)
    assert stack.requirements == ("b", "a>=1", "c[d]==2")
    assert stack.requirements_in == ("a>=1", "c[d]==2")


def test_a_stack_without_parent_must_say_airflow_and_base() -> None:
    assert complaint('description = "x"') == (
        f"{FILE}: airflow.version: is missing\n"
        '  a stack that extends no other must say it, as version = "3.3.2"\n'
        f"{FILE}: base.name: is missing\n"
        "  a stack that extends no other must say it; bases are the files of stacks/bases/"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("owner = ['a']", "owner: unknown key\n  did you mean 'owners'?"),
        ("[plugin]\nx = 1", "plugin: unknown key\n  did you mean 'plugins'?"),
        ("[image]\ncompresion = 'zstd'", "image.compresion: unknown key\n  did you mean 'compression'?"),
        ("[base]\nqqq = 'zstd'", "base.qqq: unknown key\n  known keys: name"),
        ('"a b" = 1', "'a b': unknown key\n" + "  known keys: airflow, base, description, divergences, extends, "
         "image, owners, plugins, resolution"),
        ("[[divergences]]\nproject='p'\nspecifier='<1'\nreason='r'\nowner='o'\nexpires=2027-01-01\nuntil=1",
         "divergences[0].until: unknown key\n  known keys: expires, owner, project, reason, specifier"),
    ],
    ids=["top", "table", "in-table", "far", "quoted", "row"],
)  # fmt: skip
def test_unknown_keys_are_refused_with_the_nearest_known_one(text: str, expected: str) -> None:
    assert complaint(LEAST + text) == f"{FILE}: {expected}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("owners = 'a'", "owners: must be an array of texts, is a text"),
        ("owners = [1]", "owners[0]: must be a text, is a whole number"),
        ("owners = ['a', 'a']", "owners[1]: repeats 'a'"),
        ("owners = ['']", "owners[0]: is empty"),
        ("airflow = true", "airflow: must be a table, is a truth value"),
        ("divergences = {}", "divergences: must be an array of tables: [[divergences]], is a table"),
        ("divergences = [1.5]", "divergences[0]: must be a table, is a decimal number"),
        ("image.layers = true", "image.layers: must be a whole number, is a truth value"),
        ("image.layers = 101", "image.layers: must be from 8 to 100, is 101"),
        ("image.layers = 99999999999999999999", "image.layers: must be from 8 to 100, is far off"),
        ("image.platforms = []", "image.platforms: is empty\n  leave the key out to take over what holds otherwise"),
        (
            "image.platforms = ['linux/s390x']",
            "image.platforms[0]: unknown platform 'linux/s390x'\n  known platforms: linux/amd64, linux/arm64",
        ),
        ("image.compression = 'zst'", "image.compression: unknown value 'zst'\n  did you mean 'zstd'?"),
        ("airflow.version = 3.3", "airflow.version: must be a text, is a decimal number"),
        (
            "airflow.version = '>=3'",
            "airflow.version: '>=3' is no version\n  write one release of Airflow, as \"3.3.2\"",
        ),
        ("airflow.version = 'v3.3'", "airflow.version: 'v3.3' is not how this version is written\n  write '3.3'"),
        (
            "airflow.constraints = '../c.txt'",
            (
                "airflow.constraints: '../c.txt' leads out of the stack's folder\n"
                '  write "official", "none", an https address, or the path of a file in the folder of the stack'
            ),
        ),
        (
            "base.name = 'Trixie.1'",
            (
                "base.name: 'Trixie.1' cannot name a stack or a base\n"
                "  use lower-case letters and digits, with single hyphens between, at most 64 characters"
            ),
        ),
    ],
)
def test_wrong_values_are_refused_with_their_key(text: str, expected: str) -> None:
    assert complaint(LEAST + text) == f"{FILE}: {expected}"


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        (
            "Apache.Airflow[s3,amazon]>=3",
            (
                "'Apache.Airflow[s3,amazon]>=3' bounds Airflow, whose version stands in airflow.version alone\n"
                "  leave its version out: write Apache.Airflow[amazon,s3]"
            ),
        ),
        (
            "apache-airflow==3.*",
            (
                "'apache-airflow==3.*' bounds Airflow, whose version stands in airflow.version alone\n"
                "  leave its version out: write apache-airflow"
            ),
        ),
        (
            "apache-airflow-task-sdk==1.3.2",
            (
                "'apache-airflow-task-sdk==1.3.2' pins a part of Airflow, whose version goes with airflow.version\n"
                "  leave its version out: write apache-airflow-task-sdk"
            ),
        ),
        (
            "a @ file:///tmp/a.whl",
            "'a @ file:///tmp/a.whl' names a URL or path\n  put a wheel of it on an index and require it by name and version",
        ),
        (
            "a b",
            (
                "'a b' is no requirement: Expected semicolon (after name with no version specifier) or end\n"
                "  write it as PEP 508 has it: name, extras, versions, marker"
            ),
        ),
    ],
)
def test_requirements_are_names_with_versions_only(requirement: str, expected: str) -> None:
    text = f"{LEAST}[plugins]\nrequirements = ['{requirement}']"
    assert complaint(text) == f"{FILE}: plugins.requirements: {expected}"
    assert complaint(LEAST, f"\n{requirement}\n") == f"stacks/etl/requirements.in: line 2: {expected}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-rcommon.in", "option '-r' is not read\n  put its lines here, or into the stack that this one extends"),
        (
            "--requirement=a",
            "option '--requirement' is not read\n  put its lines here, or into the stack that this one extends",
        ),
        ("-c c.txt", "option '-c' is not read\n  name the file in stack.toml: airflow.constraints"),
        ("-e .", "option '-e' is not read\n  build a wheel of it and put it on an index; images are made of wheels"),
        (
            "--extra-index-url x",
            (
                "option '--extra-index-url' is not read\n"
                "  indexes are taken from the settings of pip or uv of who locks; leave the option out"
            ),
        ),
        ("a==1 \\", "goes on in the next line\n  write each requirement on one line"),
    ],
)
def test_options_in_requirements_in_are_refused_with_a_way_out(line: str, expected: str) -> None:
    assert complaint(LEAST, line) == f"stacks/etl/requirements.in: line 1: {expected}"


def test_a_divergence_must_say_why_who_and_until_when() -> None:
    assert complaint(LEAST + "[[divergences]]\nproject = 'a'\n") == (
        f"{FILE}: divergences[0].specifier: is missing\n"
        '  write the versions allowed, as "<25"\n'
        f"{FILE}: divergences[0].reason: is missing\n"
        f"{FILE}: divergences[0].owner: is missing\n"
        f"{FILE}: divergences[0].expires: is missing\n"
        "  say until when it holds; it must be looked at again then"
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("'a'", "'-'", "divergences[0].project: '-' is no name of a project"),
        (
            "'<1'",
            "'1'",
            'divergences[0].specifier: \'1\' is no version specifier\n  write it as "<25" or ">=2,<3"',
        ),
        (
            "2027-01-01",
            "'2027-01-01'",
            (
                "divergences[0].expires: must be a date as 2027-03-31, without quotes, is a text\n"
                "  say until when it holds; it must be looked at again then"
            ),
        ),
        ("'r'", "' r'", "divergences[0].reason: begins or ends with a space"),
        ("'r'", '"r\\n"', "divergences[0].reason: holds line ends or control characters"),
        ("project = 'a'\n", "", "divergences[0].project: is missing"),
    ],
)
def test_a_divergence_must_be_well_said(old: str, new: str, expected: str) -> None:
    row = "[[divergences]]\nproject = 'a'\nspecifier = '<1'\nreason = 'r'\nowner = 'o'\nexpires = 2027-01-01\n"
    assert complaint(LEAST + row.replace(old, new)) == f"{FILE}: {expected}"


def test_a_project_may_diverge_only_once() -> None:
    row = "[[divergences]]\nproject = '%s'\nspecifier = '<1'\nreason = 'r'\nowner = 'o'\nexpires = 2027-01-01\n"
    assert complaint(LEAST + row % "a.b" + row % "A-B") == (
        f"{FILE}: divergences[1].project: 'a-b' diverges twice\n  join both specifiers with a comma"
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a = [", "is not TOML: Invalid value (at end of document)"),
        (b"a = '\xff'", "is not UTF-8"),
        (b"a = " + b"[" * 5000, "is nested too deep"),
        (b"#" * (1 << 20) + b"#", "is 1048577 bytes long, at most 1048576 are read"),
    ],
    ids=["syntax", "encoding", "depth", "size"],
)
def test_what_is_no_toml_is_refused_by_file(data: bytes, expected: str) -> None:
    with pytest.raises(StackError) as caught:
        parse_stack(data, name="etl", file=FILE)
    assert str(caught.value) == f"{FILE}: {expected}"


def test_a_number_too_long_to_read_is_refused() -> None:
    with pytest.raises(StackError, match="is not TOML: Exceeds the limit"):
        parse_stack(b"a = " + b"9" * 5000, name="etl", file=FILE)


def test_a_wrong_parent_name_does_not_hide_behind_missing_keys() -> None:
    assert complaint("description = 'x'\nextends = 1") == f"{FILE}: extends: must be a text, is a whole number"


@pytest.mark.parametrize("line", ["# {}", 'description = "{}"'])
def test_a_secret_anywhere_in_the_file_is_refused_and_not_repeated(line: str) -> None:
    secret = LOOKS_LIKE_ONE["a token of GitHub"]
    text = 'owners = ["team:x"]\n[airflow]\nversion = "3.3.2"\n[base]\nname = "trixie"\n'
    text = (line.format(secret) if line[0] != "#" else f'description = "x"\n{line.format(secret)}') + "\n" + text
    with pytest.raises(SecretFoundError) as refused:
        parse_stack(text.encode(), name="etl", file="stack.toml")
    assert "stack.toml: holds what looks like a token of GitHub" in str(refused.value)
    assert secret not in str(refused.value)
