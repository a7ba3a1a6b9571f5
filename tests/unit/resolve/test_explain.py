from __future__ import annotations

import traceback

from builder.resolve.conflict import LINE_WIDTH, MOST_LINES, ConflictError, Edit, Fix, conflict_to_dict
from builder.resolve.explain import cut_lines, explain_clash
from builder.resolve.problem import Demand, Kind


def demand(kind: Kind, text: str, source: str = "stack:finance") -> Demand:
    return Demand(kind=kind, text=text, source=source)


def test_more_lines_than_fit_are_counted() -> None:
    assert cut_lines(["a", "b", "c", "d"]) == ("a", "b", "c", "d")
    assert cut_lines(["a", "b", "c", "d", "e"]) == ("a", "b", "c", "and 2 more (--debug shows all)")


def test_no_line_is_longer_than_it_may_be() -> None:
    (line,) = cut_lines(["x" * 500])
    assert len(line) == LINE_WIDTH
    assert line.endswith(" ...")


def test_a_large_knot_stays_within_its_lines() -> None:
    core = [demand(Kind.TESTED, f"project-{number}=={number}", "constraints.txt") for number in range(40)]
    core += [demand(Kind.ASKED, f"plugin-{number}", f"stack:{number}") for number in range(9)]
    lines = explain_clash(core, None, airflow="3.3.2", wanted_by={})
    assert len(lines) == MOST_LINES - 1
    assert all(len(line) <= LINE_WIDTH for line in lines)
    assert "(--debug shows all)" in lines[-1]


def test_markers_are_not_shown() -> None:
    core = [demand(Kind.ASKED, 'alpha[more]>=2; python_version > "3.8"')]
    assert explain_clash(core, None, airflow="3.3.2", wanted_by={}) == ("stack finance asks for alpha[more]>=2",)


def error() -> ConflictError:
    return ConflictError(
        label="stacks/finance/stack.toml",
        target="linux/amd64, Python 3.13.5",
        lines=["stack finance asks for a"],
        fixes=[
            Fix(kind="version", text="ask for a==1", edits=(Edit(file="f", instead_of='"a"', write=('"a==1"',)),)),
            Fix(kind="divergence", text="accept", edits=(Edit(write=("airflow-kubler lock finance --accept",)),)),
        ],
        parts=["stack finance asks for a"],
        derivation="Because a ... we can conclude",
    )


def test_text_is_derived_from_lines_and_fixes() -> None:
    assert str(error()).splitlines() == [
        "stacks/finance/stack.toml: nothing satisfies all of this on linux/amd64, Python 3.13.5:",
        "  stack finance asks for a",
        "  what resolves, each tried:",
        "  1. ask for a==1",
        '       f: "a" -> "a==1"',
        "  2. accept",
        "       $ airflow-kubler lock finance --accept",
    ]
    assert error().exit_code == 1


def test_the_resolvers_own_words_stand_in_the_trace_alone() -> None:
    found = error()
    assert "Because" not in str(found)
    assert "Because a ... we can conclude" in "".join(traceback.format_exception(found))


def test_the_json_form_holds_lines_and_edits() -> None:
    found = conflict_to_dict(error())
    assert found["lines"] == ["stack finance asks for a"]
    assert found["fixes"][0]["edits"] == [{"file": "f", "instead_of": '"a"', "write": ['"a==1"']}]
    assert found["fixes"][1]["edits"][0]["file"] is None
