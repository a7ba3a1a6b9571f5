"""Which input made an image another: each kind of input alone is named as the only one, by images that were really built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from builder.history.causes import CauseKind
from builder.history.explain import Explanation, explain
from builder.history.reasons import headline, tell_layer
from builder.image.compress import ZstdCompressor
from builder.ledger.database import SqliteLedger
from builder.lock.model import LockedFile, PlannedLayer
from builder.platform import AMD64
from builder.stack.model import BaseFile
from builder.usecase.explain import explain_image
from tests.support.made_up import World, bump, make_candidate, make_world
from tests.support.recorded import History, add_candidates, change_base, change_deb, change_stack


@dataclass(frozen=True, kw_only=True)
class Case:
    """A change between two builds."""

    change: Callable[[World], World] = lambda world: world
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    """How the second one is built."""
    says: str
    kinds: tuple[CauseKind, ...]
    layers: tuple[str, ...]
    """Those that changed, on amd64."""


def rebuild_wheel(world: World) -> World:
    again = make_candidate(world.files, "alpha", "1.0", {"alpha/__init__.py": b"x = 1  # built again\n"})
    return change_stack(world, candidates=(again, *world.stack.candidates[1:]))


def ask_for_more(world: World) -> World:
    delta = replace(make_candidate(world.files, "delta", "1", {"delta.py": b""}), wanted_by=("stack:tiny",))
    brought = replace(make_candidate(world.files, "epsilon", "2", {"epsilon.py": b""}), wanted_by=("delta",))
    return add_candidates(world, delta, brought)


def add_file(world: World) -> World:
    data = b"setting = 1\n"
    file = LockedFile(name="x.cfg", size=len(data), sha256=world.files.add(data))
    return change_stack(world, files=(("opt/airflow/x.cfg", file),))


def regroup(world: World) -> World:
    one = PlannedLayer(name="tiny-alpha", stack="tiny", projects=("alpha", "beta"))
    two = PlannedLayer(name="tiny-rest", stack="tiny", projects=("gamma",))
    return change_stack(world, plan=(one, two))


def newer_python(world: World) -> World:
    newer = replace(world, base=replace(world.base, python_version="3.13.6"))
    return change_stack(newer, python_version="3.13.6")


def declare_file(world: World) -> World:
    files = world.base.base.files
    return change_base(world, files=(*files, BaseFile(path="etc/motd", content="hello\n")))


EVERY = ("base", "python", "contract", "tiny-alpha", "tiny-rest")
CASES = {
    "a distribution moved": Case(
        change=bump, says="nothing but alpha 1.0 -> 1.1", kinds=(CauseKind.DISTRIBUTION,), layers=("tiny-alpha",)
    ),
    "a wheel of the same version is another file": Case(
        change=rebuild_wheel,
        says="nothing but alpha 1.0 in another file",
        kinds=(CauseKind.DISTRIBUTION,),
        layers=("tiny-alpha",),
    ),
    "the stack asks for more": Case(
        change=ask_for_more,
        says="nothing but tiny asks for delta",
        kinds=(CauseKind.REQUIREMENT,),
        layers=("tiny-new",),
    ),
    "a deb moved": Case(
        change=lambda world: change_deb(world, "libtiny", "1.0-2"),
        says="nothing but libtiny 1.0-1 -> 1.0-2",
        kinds=(CauseKind.DEB,),
        layers=("base",),
    ),
    "another revision of Python's debs": Case(
        change=lambda world: change_deb(world, "libpython3.13-stdlib", "1.0-2"),
        says="nothing but libpython3.13-stdlib 1.0-1 -> 1.0-2",
        kinds=(CauseKind.DEB,),
        layers=("python",),
    ),
    "Python moved, and with it all bytecode": Case(
        change=newer_python,
        after={"python": "newer"},
        says="nothing but Python 3.13.5 -> 3.13.6",
        kinds=(CauseKind.PYTHON,),
        layers=("python", "contract", "tiny-alpha", "tiny-rest"),
    ),
    "the base declares another file": Case(
        change=declare_file,
        says="nothing but files that the base declares: etc/motd",
        kinds=(CauseKind.BASE,),
        layers=("contract",),
    ),
    "the base leaves out more": Case(
        change=lambda world: change_base(world, exclude=("etc/issue",)),
        says="nothing but what the base leaves out: etc/issue",
        kinds=(CauseKind.BASE,),
        layers=("base",),
    ),
    "the stack has another file": Case(
        change=add_file,
        says="nothing but the stack's files: opt/airflow/x.cfg",
        kinds=(CauseKind.FILES,),
        layers=("files",),
    ),
    "the plan groups otherwise": Case(
        change=regroup,
        says="nothing but the plan groups 3 distributions otherwise",
        kinds=(CauseKind.PLAN,),
        layers=("tiny-alpha", "tiny-rest"),
    ),
    "compression": Case(
        change=lambda world: change_stack(world, compression="gzip"),
        says="nothing but compression zstd -> gzip",
        kinds=(CauseKind.COMPRESSION,),
        layers=EVERY,
    ),
    "another release of the compressor": Case(
        after={"compressor": ZstdCompressor(level=19), "formats": ("segment 1", "layer 1", "zstd 1.6.0")},
        before={"formats": ("segment 1", "layer 1", "zstd 1.5.7")},
        says="nothing but zstd 1.5.7 -> 1.6.0",
        kinds=(CauseKind.FORMATS,),
        layers=EVERY,
    ),
    "another format of segments": Case(
        before={"formats": ("segment 1",)},
        after={"python": "as if a format wrote other bytes", "formats": ("segment 2",)},
        says="nothing but segment 1 -> 2",
        kinds=(CauseKind.FORMATS,),
        layers=("python", "tiny-alpha", "tiny-rest"),
    ),
    "another engine": Case(
        after={"python": "as another engine", "engine": "buildkit", "formats": ()},
        says="nothing but engine airflow-kubler -> buildkit",
        kinds=(CauseKind.ENGINE,),
        layers=("python", "tiny-alpha", "tiny-rest"),
    ),
    "one more platform": Case(
        before={"platforms": (AMD64,)}, says="nothing but linux/arm64 is new", kinds=(CauseKind.PLATFORMS,), layers=()
    ),
    "only words of the lock": Case(
        change=lambda world: change_stack(world, description="Another text"),
        says="no layer changed; nothing but description: Made up -> Another text",
        kinds=(CauseKind.WORDS,),
        layers=(),
    ),
    "two of them": Case(
        change=lambda world: change_deb(bump(world), "libtiny", "1.0-2"),
        says="nothing but alpha 1.0 -> 1.1, libtiny 1.0-1 -> 1.0-2",
        kinds=(CauseKind.DISTRIBUTION, CauseKind.DEB),
        layers=("base", "tiny-alpha"),
    ),
}


def explain_last(history: History) -> Explanation:
    with SqliteLedger(history.path, history.clock, write=False) as ledger:
        found = explain_image(ledger, "tiny").explanation
    assert found is not None
    return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_an_input_that_changed_alone_is_named_alone(case: Case, tmp_path: Path) -> None:
    world, history = make_world(tmp_path), History(tmp_path / "ledger.db")
    history.build(world, **case.before)
    history.build(case.change(world), **case.after)
    found = explain_last(history)
    assert headline(found) == case.says
    assert tuple(cause.kind for cause in found.nothing_but) == case.kinds
    assert found.unexplained == ()
    amd64 = next(one for one in found.platforms if one.platform == AMD64)
    assert tuple(change.pair.name for change in amd64.changes) == case.layers
    assert amd64.same + len([change for change in amd64.changes if change.pair.after]) == len(
        found.after.views()[0].layers
    )


def test_what_a_requirement_brought_is_said_to_be_brought(tmp_path: Path) -> None:
    world, history = make_world(tmp_path), History(tmp_path / "ledger.db")
    history.build(world)
    history.build(ask_for_more(world))
    history.build(world)
    with SqliteLedger(history.path, history.clock, write=False) as ledger:
        builds = ledger.find("stack", "tiny", kinds=("build",))
        there = explain_image(ledger, builds[1].data["digest"], against=builds[2].data["digest"]).explanation
        back = explain_image(ledger, "tiny").explanation
    assert there is not None
    assert back is not None
    assert [(cause.what, cause.brought) for cause in there.causes if cause.kind is CauseKind.DISTRIBUTION] == [
        ("delta 1 is new", "tiny asks for it"),
        ("epsilon 2 is new", "for delta"),
    ]
    assert headline(back) == "nothing but tiny asks for delta no more"
    assert tell_layer(back.platforms[0].changes[0]) == "tiny-new is gone: delta 1 is gone, epsilon 2 is gone"


def test_what_nothing_on_record_explains_is_said_to_be_unexplained(tmp_path: Path) -> None:
    world, history = make_world(tmp_path), History(tmp_path / "ledger.db")
    history.build(world)
    history.build(bump(world), python="a machine that compiles otherwise")
    found = explain_last(history)
    assert found.nothing_but == ()
    assert {change.pair.name for _, change in found.unexplained} == {"python", "tiny-rest"}
    assert headline(found) == "4 layers differ for no reason that is on record"
    assert "nothing on record explains it; a folder's mode" in tell_layer(found.unexplained[0][1])


def test_equal_digests_are_the_same_image(tmp_path: Path) -> None:
    world, history = make_world(tmp_path), History(tmp_path / "ledger.db")
    first = history.build(world)
    history.build(world)
    with SqliteLedger(history.path, history.clock, write=False) as ledger:
        found = explain_image(ledger, "tiny")
        itself = explain_image(ledger, "tiny", against=first.digest).explanation
    assert found.repeats is not None
    assert (found.repeats.entry.number, found.explanation) == (first.entry.number, None)
    assert itself is not None
    assert (itself.same, itself.causes, itself.layers_changed) == (True, (), False)


def test_without_locks_layers_tell_what_moved_and_nothing_is_ruled_out(tmp_path: Path) -> None:
    world, history = make_world(tmp_path), History(tmp_path / "ledger.db")
    history.build(world)
    history.build(bump(world))
    with_locks = explain_last(history)
    before, after = (
        replace(record, lock=None, base=None, missing=("its lock is not in the ledger",))
        for record in (with_locks.before, with_locks.after)
    )
    found = explain(before, after)
    assert [cause.what for cause in found.causes] == ["alpha 1.0 -> 1.1"]
    assert found.nothing_but == ()
    assert headline(found) == "what differs is listed below; not all that it rests on was at hand"
