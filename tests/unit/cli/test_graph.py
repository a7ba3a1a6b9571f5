import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from builder.cli.root import root
from builder.project import create_files

CORE = 'description = "x"\nowners = ["team:a"]\n[airflow]\nversion = "3.3.2"\n[base]\nname = "%s"\n[plugins]\nrequirements=["a"]\n'
CHILD = 'description = "x"\nextends = "%s"\n'
BASE = 'description = "%s"\n[python]\nversion = "3.13"\n[debian]\nrelease = "trixie"\nsuites = ["trixie"]\nroots = ["bash"]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    texts = {
        "stacks/bases/a.toml": BASE % "one",
        "stacks/bases/b.toml": BASE % "two",
        "stacks/core/stack.toml": CORE % "b",
        "stacks/aws/stack.toml": CHILD % "core",
        "stacks/zeta/stack.toml": CHILD % "core",
        "stacks/etl/stack.toml": f'{CHILD % "aws"}[plugins]\nrequirements=["b", "c"]\n',
    }
    create_files(tmp_path, {path: text.encode() for path, text in texts.items()})
    return tmp_path


def graph(folder: Path, *args: str) -> str:
    result = CliRunner().invoke(root, ["--project", str(folder), "graph", *args])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_tree_shows_bases_stacks_and_children(folder: Path) -> None:
    assert graph(folder) == (
        "a  (Debian trixie, Python 3.13)\n"
        "b  (Debian trixie, Python 3.13)\n"
        "└─ core  (Airflow 3.3.2, 1 requirement)\n"
        "   ├─ aws  (adds 0 requirements)\n"
        "   │  └─ etl  (adds 2 requirements)\n"
        "   └─ zeta  (adds 0 requirements)\n"
    )


def test_json_gives_parents_before_children(folder: Path) -> None:
    answer = json.loads(graph(folder, "--json"))
    assert [base["name"] for base in answer["bases"]] == ["a", "b"]
    assert [(stack["name"], stack["parents"]) for stack in answer["stacks"]] == [
        ("core", []),
        ("aws", ["core"]),
        ("etl", ["aws", "core"]),
        ("zeta", ["core"]),
    ]
    assert answer["stacks"][2] == {
        "name": "etl",
        "description": "x",
        "owners": [],
        "base": "b",
        "parents": ["aws", "core"],
        "airflow_version": "3.3.2",
        "platforms": ["linux/amd64", "linux/arm64"],
        "requirements": ["a", "b", "c"],
    }
    assert graph(folder, "--format", "json") == graph(folder, "--json")


def test_dot_leads_from_bases_to_children(folder: Path) -> None:
    assert graph(folder, "--format", "dot").splitlines() == [
        "digraph stacks {",
        "  rankdir=LR;",
        '  "base/a" [shape=box, label="a"];',
        '  "base/b" [shape=box, label="b"];',
        '  "core";',
        '  "base/b" -> "core";',
        '  "aws";',
        '  "core" -> "aws";',
        '  "etl";',
        '  "aws" -> "etl";',
        '  "zeta";',
        '  "core" -> "zeta";',
        "}",
    ]


def test_what_is_wrong_anywhere_is_said_with_status_three(folder: Path) -> None:
    create_files(folder, {"stacks/x/stack.toml": (CORE % "c").encode(), "stacks/y/stack.toml": (CORE % "bb").encode()})
    result = CliRunner().invoke(root, ["--project", str(folder), "graph"])
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == (
        "error: stacks/x/stack.toml: base.name: no base 'c'\n  known bases: a, b\n"
        "error: stacks/y/stack.toml: base.name: no base 'bb'\n  did you mean 'b'?\n"
    )


def test_what_is_wrong_with_bases_is_said_of_all_at_once(folder: Path) -> None:
    create_files(folder, {"stacks/bases/c.toml": b"x =", "stacks/bases/d.toml": (BASE % "d").encode() + b"[x]"})
    result = CliRunner().invoke(root, ["--project", str(folder), "graph"])
    assert (result.exit_code, result.stderr) == (
        3,
        (
            "error: stacks/bases/c.toml: is not TOML: Invalid value (at end of document)\n"
            "error: stacks/bases/d.toml: x: unknown key\n"
            "  known keys: cuts, debian, description, files, python\n"
        ),
    )


def test_a_stack_wants_no_platform_that_its_base_lacks(folder: Path) -> None:
    text = (BASE % "e").replace("suites", 'platforms = ["linux/amd64"]\nsuites')
    create_files(folder, {"stacks/bases/e.toml": text.encode(), "stacks/x/stack.toml": (CORE % "e").encode()})
    result = CliRunner().invoke(root, ["--project", str(folder), "graph"])
    assert (result.exit_code, result.stderr) == (
        3,
        "error: stacks/x/stack.toml: image.platforms: base 'e' has no linux/arm64\n  it has linux/amd64\n",
    )


def test_init_says_what_to_do_next(tmp_path: Path) -> None:
    result = CliRunner().invoke(root, ["init", str(tmp_path / "new"), "--stack", "etl"])
    assert result.exit_code == 0, result.output
    assert result.output.partition("Next:\n")[2] == (
        f"  cd {tmp_path}/new\n"
        "  edit stacks/etl/stack.toml\n"
        "  airflow-kubler lock etl\n"
        "  airflow-kubler fetch etl\n"
        "  airflow-kubler build etl\n"
        "  airflow-kubler run etl -- airflow version\n"
    )
    assert "etl" in graph(tmp_path / "new")
