from __future__ import annotations

import pytest

from builder.errors import StackError
from builder.image.base_facts import BaseFacts, Image, airflow_passwd, find_facts
from builder.image.base_tree import read_tree
from builder.platform import AMD64, ARM64, Platform
from tests.support.base_images import Item, Layers, program, root, tar_of


def facts_of(items: dict[str, Item], platform: Platform = AMD64, *, path: str = "", minor: str = "3.13") -> BaseFacts:
    layers = Layers(tar_of(items))
    tree = read_tree(layers.locked, layers.open, where="base x")
    image = Image(tree=tree, layers=layers.locked, open_layer=layers.open, platform=platform, where="base x")
    return find_facts(image, minor=minor, python_path=path)


@pytest.mark.parametrize("platform", [AMD64, ARM64], ids=str)
def test_facts_are_read_without_running_anything(platform: Platform) -> None:
    facts = facts_of(root(platform), platform)
    assert (facts.release, facts.python, facts.python_version) == ("trixie", "/usr/bin/python3.13", "3.13.5")
    assert (facts.glibc, facts.init) == ("2.41", ("/usr/bin/dumb-init", "--"))
    assert facts.packages == ("libc6=2.41-12",)


@pytest.mark.parametrize("folder", ["usr/local", "usr/python", "opt/python"])
def test_python_is_found_where_official_images_have_it(folder: str) -> None:
    items = root()
    for path in ("bin/python3.13", "lib/python3.13/os.py", "lib/python3.13/encodings/__init__.py"):
        items[f"{folder}/{path}"] = items.pop(f"usr/{path}")
    assert facts_of(items).python == f"/{folder}/bin/python3.13"


def test_a_link_to_python_is_followed() -> None:
    items = root() | {"usr/local/bin/python3.13": "../../bin/python3.13"}
    assert facts_of(items).python == "/usr/bin/python3.13"


def test_the_interpreter_may_be_in_its_library() -> None:
    items = root(python=program(texts=("door",)))
    items["usr/lib/libpython3.13.so.1.0"] = program()
    assert facts_of(items).python_version == "3.13.5"


def test_a_version_at_the_end_of_a_longer_text_is_found() -> None:
    items = root(python=program(texts=("/build/Python-3.13.5", ".cpython-313-x86_64-linux-gnu.so")))
    assert facts_of(items).python_version == "3.13.5"


def test_tini_serves_as_init() -> None:
    items = root()
    items["usr/bin/tini"] = items.pop("usr/bin/dumb-init")
    assert facts_of(items).init == ("/usr/bin/tini", "-g", "--")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"usr/bin/python3.13": None}, "has no Python 3.13 at"),
        ({"usr/bin/python3.13": program(loader="/lib/ld-musl-x86_64.so.1")}, "is linked with musl"),
        ({"usr/bin/python3.13": program(ARM64)}, "is for linux/arm64, the image calls itself linux/amd64"),
        ({"usr/bin/python3.13": program(loader="")}, "names no dynamic loader"),
        ({"usr/bin/python3.13": b"#!/bin/sh\n" * 20}, "is no program"),
        ({"usr/bin/python3.13": program(texts=("x",))}, "does not say that it is CPython 3.13"),
        (
            {"usr/bin/python3.13": program(texts=("3.13.5", ".cpython-313t-x86_64-linux-gnu.so"))},
            "has the ABI cpython-313t-x86_64-linux-gnu",
        ),
        ({"usr/lib/x86_64-linux-gnu/libc.so.6": None}, "has no glibc"),
        ({"usr/lib/x86_64-linux-gnu/libc.so.6": b"?"}, "does not say which glibc"),
        ({"usr/lib/python3.13/os.py": None}, "without its standard library"),
        ({"usr/bin/dumb-init": None}, "has neither dumb-init nor tini"),
        ({"usr/bin/bash": None}, "has no /bin/bash"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_what_nothing_can_stand_on_is_refused_with_the_reason(change: dict[str, Item | None], message: str) -> None:
    items = {path: item for path, item in (root() | change).items() if item is not None}
    with pytest.raises(StackError, match=message) as caught:
        facts_of(items)
    assert caught.value.context.startswith("base x")


def test_another_python_is_named() -> None:
    with pytest.raises(StackError, match=r"it has /usr/bin/python3\.13"):
        facts_of(root(), minor="3.12")


def test_airflows_user_is_added_where_the_image_has_none() -> None:
    text = airflow_passwd("root:x:0:0::/:/bin/sh", uid=50000, home="/home/airflow", where="x")
    assert text == "root:x:0:0::/:/bin/sh\nairflow:x:50000:0:Airflow:/home/airflow:/bin/bash\n"
    assert airflow_passwd(text, uid=50000, home="/home/airflow", where="x") is None


def test_another_user_airflow_is_refused() -> None:
    with pytest.raises(StackError, match="its user airflow is not 50000"):
        airflow_passwd("airflow:x:1000:1000::/:\n", uid=50000, home="/", where="x")
