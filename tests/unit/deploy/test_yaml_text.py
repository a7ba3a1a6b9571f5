import yaml

from builder.deploy.yaml_text import Marked, Tree, quote_yaml, render_yaml


def test_words_that_readers_take_for_something_else_are_quoted() -> None:
    for text in (
        "on",
        "No",
        "y",
        "null",
        "~",
        "1.10",
        "0x1",
        "1e3",
        "",
        " a",
        "a: b",
        "#a",
        "{{ x }}",
        "*a",
        "&a",
        "- a",
    ):
        assert quote_yaml(text).startswith('"'), text
        assert yaml.safe_load(quote_yaml(text)) == text


def test_a_comment_stands_behind_its_value() -> None:
    assert render_yaml({"a": Marked("b:c", "d")}) == 'a: "b:c" # d\n'


def test_documents_are_parted_and_the_header_is_above_all() -> None:
    assert render_yaml({"a": "b"}, {"c": ["d", {"e": True, "f": 1}]}, header="h") == (
        "# h\na: b\n---\nc:\n  - d\n  - e: true\n    f: 1\n"
    )


def test_a_text_of_several_lines_stands_as_it_is() -> None:
    value: Tree = {"a": "x\n  y: z\n", "b": ["p\nq"]}
    assert render_yaml(value) == "a: |\n  x\n    y: z\nb:\n  - |-\n    p\n    q\n"
