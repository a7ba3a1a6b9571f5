import pytest

from builder.deploy.manifest import MAX_BYTES, Array, ManifestError, ManifestSyntaxError, Object, Scalar, parse_manifest


def bomb(levels: int) -> str:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    for number in range(levels):
        before, name = chr(97 + number), chr(98 + number)
        lines.append(f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (bomb(9), "f:6: holds more than 1000000 values, aliases unfolded"),
        ("a: &x [*x]", "f:1: has an alias within its own value"),
        ("a: &x\n  b: *x", "f:2: has an alias within its own value"),
        ("[" * 10_000, "f: is nested deeper than 200"),
        ("- " * 10_000, "f:1: is nested deeper than 200"),
        ('{"a":' * 500 + "1" + "}" * 500, "f: is nested deeper than 200"),
        ("a: !!python/object/apply:os.system [id]", "f:1: has a tag that no manifest has"),
        ("a: !!binary aGk=", "f:1: has a tag that no manifest has"),
        ("a: b\n---\n" * 20_001, "f:40000: holds more than 20000 documents"),
    ],
    ids=["bomb", "loop", "loop in a mapping", "flow", "block", "json", "python", "binary", "documents"],
)
def test_hostile_files_are_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(ManifestError) as told:
        parse_manifest(text, file="f")
    assert str(told.value).startswith(says)
    assert not isinstance(told.value, ManifestSyntaxError)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 3", "f:3: cannot be read one way only: a key stands twice"),
        ('{"a": 1, "a": 2}', "f: cannot be read one way only: a key stands twice"),
        ("? [a]\n: b", "f:3: cannot be read one way only: a key that is no text"),
        ("a: *nowhere", "f:1: cannot be read one way only: an alias of nothing"),
        ("<<: a", "f:2: cannot be read one way only: `<<` merges what is no mapping"),
        ("a: b: c", "f:1: is neither YAML nor JSON"),
        ("a: \x00", "f: is neither YAML nor JSON"),
        ("{{ template }}: b", "f:1: cannot be read one way only: a key that is no text"),
    ],
)
def test_what_cannot_be_read_one_way_is_told_by_line(text: str, says: str) -> None:
    with pytest.raises(ManifestSyntaxError) as told:
        parse_manifest(text, file="f")
    assert str(told.value).startswith(says)


def test_a_file_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(ManifestError, match="is longer than 32 MiB"):
        parse_manifest("x" * (MAX_BYTES + 1), file="f")


def test_what_stands_in_a_secret_is_not_told() -> None:
    with pytest.raises(ManifestSyntaxError) as told:
        parse_manifest("password: hunter2: [", file="f")
    assert "hunter2" not in str(told.value)


def test_scalars_stay_texts() -> None:
    (node,) = parse_manifest("a: 1.10\nb: on\nc: 0o17\nd: ~\ne: '~'\nf:\n", file="f")
    assert isinstance(node, Object)
    assert [node.text(key) for key in "abcdef"] == ["1.10", "on", "0o17", "", "~", ""]
    assert [value.is_null for value in node.values.values() if isinstance(value, Scalar)] == [
        False, False, False, True, False, True,
    ]  # fmt: skip


def test_aliases_and_merges_are_read() -> None:
    (node,) = parse_manifest("a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\nd: {<<: [{y: 5}, *a]}\n", file="f")
    assert isinstance(node, Object)
    assert node.object("b").text("x") == "1"
    assert (node.object("c").text("x"), node.object("c").text("y")) == ("1", "3")
    assert (node.object("d").text("x"), node.object("d").text("y")) == ("1", "5")


def test_documents_that_hold_nothing_are_left_out() -> None:
    nodes = parse_manifest("---\n# nothing\n---\na: b\n---\n---\n- c\n...\n", file="f")
    assert [type(node) for node in nodes] == [Object, Array]
    assert [getattr(node, "line", 0) for node in nodes] == [4, 7]


def test_json_has_escapes_of_its_own() -> None:
    (node,) = parse_manifest('{"a": "\\ud83d\\ude00 \\/", "b": 1e400, "c": null, "d": [true]}', file="f")
    assert isinstance(node, Object)
    assert (node.text("a"), node.text("b"), node.text("c")) == ("\U0001f600 /", "1e400", "")
