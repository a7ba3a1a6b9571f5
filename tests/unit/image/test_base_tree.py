from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace

import pytest

from builder.entry import EntryKind
from builder.errors import DigestMismatchError, IntegrityError
from builder.image.base_tree import BaseTree, read_contents, read_tree
from builder.image.sealed import seal
from tests.support.base_images import Item, Layers, odd, tar_of


def tree_of(*layers: Mapping[str, Item]) -> BaseTree:
    made = Layers(*map(tar_of, layers))
    return read_tree(made.locked, made.open, where="base x")


def test_whiteouts_hide_what_lower_layers_brought() -> None:
    tree = tree_of(
        {"a/": b"", "a/one": b"1", "a/two": b"2", "b": b"b"},
        {"a/.wh.one": b"", ".wh.b": b"", "c/": b""},
    )
    assert sorted(tree.nodes) == ["a", "a/two", "c"]


def test_an_opaque_whiteout_spares_its_own_layer() -> None:
    below = {"a/": b"", "a/old": b"1", "a/deep/": b"", "a/deep/old": b"1"}
    tree = tree_of(below, {"a/": b"", "a/new": b"2", "a/.wh..wh..opq": b""})
    assert sorted(tree.nodes) == ["a", "a/new"]


def test_a_file_in_the_place_of_a_folder_removes_what_was_below() -> None:
    tree = tree_of({"a/": b"", "a/x": b"1"}, {"a": b"file"})
    assert {path: node.kind for path, node in tree.nodes.items()} == {"a": EntryKind.FILE}


def test_folders_that_no_layer_states_are_made() -> None:
    node = tree_of({"a/b/c": b"1"}).nodes["a/b"]
    assert (node.kind, node.mode) == (EntryKind.DIRECTORY, 0o755)


def test_links_are_followed_within_the_image() -> None:
    tree = tree_of(
        {"usr/": b"", "usr/lib/x.so.1": b"1", "lib": "usr/lib", "x.so": "/lib/../../../lib/x.so.1", "l": "l"}
    )
    assert tree.find_file("x.so") == "usr/lib/x.so.1"
    assert tree.find_file("/lib/x.so.1") == "usr/lib/x.so.1"
    assert tree.find("l") is None
    assert tree.find_file("lib") is None


def test_content_comes_from_the_layer_that_has_the_last_word() -> None:
    hard = odd("hard", tarfile.LNKTYPE, "a")
    made = Layers(tar_of({"a": b"old", "hard": hard}), tar_of({"a": b"new"}))
    tree = read_tree(made.locked, made.open, where="x")
    assert dict(read_contents(tree, made.locked, made.open, ["a", "hard"], where="x")) == {"a": b"new", "hard": b"old"}


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{"../evil": b"1"}], "leads out of the image"),
        ([{"a/../../evil": b"1"}], "leads out of the image"),
        ([{"/etc/passwd": b"1"}], "leads out of the image"),
        ([{"a": "/etc", "a/passwd": b"1"}], "lies below a, which is a link"),
        ([{"a": "/etc"}, {"a/passwd": b"1"}], "lies below a, which is a link"),
        ([{"a": b"1"}, {"a/b": b"1"}], "lies below a, which is a file"),
        ([{"a": "b"}, {"a/.wh.passwd": b""}], "lies below a, which is a link"),
        ([{"a/.wh...": b""}], "a whiteout of nothing"),
        ([{".wh.": b""}], "a whiteout of nothing"),
        ([{".wh..wh.plnk": b""}], "a whiteout of nothing"),
        ([{"a": b"1", ".wh.a": b""}], "hides what its own layer brings"),
        ([{"dev/sda": odd("dev/sda", tarfile.BLKTYPE)}], "a device"),
        ([{"dev/null": odd("dev/null", tarfile.CHRTYPE)}], "a device"),
        ([{"run/pipe": odd("run/pipe", tarfile.FIFOTYPE)}], "a fifo"),
        ([{"h": odd("h", tarfile.LNKTYPE, "etc/shadow")}], "a hard link to what is no file"),
        ([{"h": odd("h", tarfile.LNKTYPE, "../etc/shadow")}], "leads out of the image"),
        ([{"a": b"1", "b": b"2", "c": odd("a", tarfile.REGTYPE)}], "is there twice"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_hostile_layers_are_refused_by_name(layers: list[dict[str, Item]], message: str) -> None:
    with pytest.raises(IntegrityError, match=message) as caught:
        tree_of(*layers)
    assert caught.value.context.startswith(f"base x: layer {len(layers) - 1} (sha256:")


def test_a_layer_that_is_not_its_digest_is_refused() -> None:
    made, other = Layers(tar_of({"a": b"1"})), Layers(tar_of({"a": b"2"}))
    locked = tuple(replace(layer, file=replace(layer.file, size=1 << 20)) for layer in made.locked)
    with pytest.raises(DigestMismatchError, match="expected"):
        read_tree(locked, lambda _: iter(other.blobs), where="x")


def test_a_layer_longer_than_locked_is_refused_at_once() -> None:
    made = Layers(tar_of({"a": b"1"}))
    with pytest.raises(IntegrityError, match="is longer than"):
        read_tree(made.locked, lambda _: iter([made.blobs[0], bytes(10)]), where="x")


def test_what_only_some_readers_would_see_is_refused() -> None:
    one, two = tar_of({"a": b"1"}), tar_of({"b": b"2"})
    for tail in (two, b"x"):
        made = Layers(one + bytes(512) + tail)
        with pytest.raises(IntegrityError, match="goes on behind the end of its tar"):
            read_tree(made.locked, made.open, where="x")
    damaged = bytearray(tar_of({"a": b"1", "b": b"2"}))
    damaged[1024 + 148] ^= 1
    made = Layers(bytes(damaged))
    with pytest.raises(IntegrityError, match="goes on behind the end of its tar"):
        read_tree(made.locked, made.open, where="x")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"uid": "0"}) as archive:
        archive.addfile(tarfile.TarInfo("a"))
    made = Layers(buffer.getvalue())
    with pytest.raises(IntegrityError, match="a global header"):
        read_tree(made.locked, made.open, where="x")


def test_what_is_no_tar_is_refused() -> None:
    made = Layers(b"not a tar" * 100)
    with pytest.raises(IntegrityError, match="cannot be unpacked"):
        read_tree(made.locked, made.open, where="x")


@pytest.mark.parametrize("path", ["/".join("a" * 1500), f"{'a/' * 300}f", "/".join(["n" * 200] * 30)])
def test_paths_that_no_file_system_takes_are_refused(path: str) -> None:
    with pytest.raises(IntegrityError, match="no file system takes"):
        tree_of({path: b"1"})


def test_names_that_are_no_utf8_are_kept_as_text() -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    tree = tree_of({name: b"1"})
    assert list(tree.nodes) == ["caf\\xe9"]
    assert seal(sorted(tree.nodes))


def test_a_file_too_large_for_memory_is_not_read() -> None:
    made = Layers(tar_of({"a": b"1"}))
    tree = read_tree(made.locked, made.open, where="x")
    with pytest.raises(IntegrityError, match="more than is read of one file"):
        list(read_contents(tree, made.locked, made.open, ["a"], where="x", most=0))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_an_extended_header_that_would_fill_the_memory_is_refused(kind: bytes) -> None:
    header = tarfile.TarInfo("h")
    header.type, header.size = kind, 1 << 30
    made = Layers(header.tobuf() + b"\0" * 1024)
    with pytest.raises(IntegrityError, match="an extended header of"):
        read_tree(made.locked, made.open, where="x")
