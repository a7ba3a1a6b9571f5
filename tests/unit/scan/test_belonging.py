from __future__ import annotations

from dataclasses import replace

import pytest

from builder.digest import Digest
from builder.finding.model import Belonging, Kind, Part
from builder.image.view import LayerView, PlatformView
from builder.lock.model import PlannedLayer, StackLock
from builder.platform import AMD64
from builder.scan.belonging import Landmarks, belonging_of, chain_to, find_landmarks
from tests.support.stack_locks import make_candidate, make_lock

OWNERS = {"core": ("team:platform",), "plugins": ("team:plugins",), "finance": ("team:finance",)}


def view(*names: str) -> PlatformView:
    """An image of these layers; one that begins with `image-` is its base's as it is."""
    layers = tuple(
        LayerView(
            name=name,
            digest=Digest.of(name.encode()),
            diff_id=Digest.of(f"tar of {name}".encode()),
            size=1,
            contents=("sha256:x,", "as", "it", "is") if name.startswith("image-") else (),
        )
        for name in names
    )
    one = Digest.of(b"one")
    return PlatformView(platform=AMD64, manifest_digest=one, config_digest=one, created=0, layers=layers)


def lock() -> StackLock:
    """`finance` on `plugins` on `core`; Airflow's set tested flask 3.0 and requests 2.33."""
    return make_lock(
        make_candidate("apache-airflow", wanted_by=("stack:core",)),
        make_candidate("flask", "3.0", tested="3.0", wanted_by=("apache-airflow",)),
        make_candidate("requests", "2.32", tested="2.33", wanted_by=("flask", "shared")),
        make_candidate("shared", wanted_by=("stack:plugins",)),
        make_candidate("dbt-core", wanted_by=("stack:finance",)),
        make_candidate("agate", wanted_by=("dbt-core",)),
        stack="finance",
        parents=("plugins", "core"),
        plan=(
            PlannedLayer(name="core-01", stack="core", projects=("apache-airflow", "flask", "requests")),
            PlannedLayer(name="plugins-01", stack="plugins", projects=("shared",)),
            PlannedLayer(name="finance-01", stack="finance", projects=("agate", "dbt-core")),
        ),
    )


@pytest.fixture
def marks() -> Landmarks:
    return find_landmarks(lock(), view("base", "python", "core-01", "plugins-01", "finance-01", "files"), OWNERS)


def where(layer: str) -> str:
    return str(Digest.of(f"tar of {layer}".encode()))


@pytest.mark.parametrize(
    ("kind", "name", "layer", "belongs"),
    [
        (Kind.DEB, "bash", "base", (Part.BASE, "", "team:platform")),
        (Kind.OTHER, "openssl", "python", (Part.BASE, "", "team:platform")),
        (Kind.DISTRIBUTION, "apache-airflow", "core-01", (Part.TESTED, "core", "team:platform")),
        (Kind.DISTRIBUTION, "flask", "core-01", (Part.TESTED, "core", "team:platform")),
        (Kind.DISTRIBUTION, "requests", "core-01", (Part.SHARED, "core", "team:platform")),
        (Kind.DISTRIBUTION, "shared", "plugins-01", (Part.SHARED, "plugins", "team:plugins")),
        (Kind.DISTRIBUTION, "agate", "finance-01", (Part.OWN, "finance", "team:finance")),
        (Kind.OTHER, "zip", "plugins-01", (Part.SHARED, "plugins", "team:plugins")),
        (Kind.OTHER, "flask", "finance-01", (Part.OWN, "finance", "team:finance")),
        (Kind.OTHER, "left-pad", "files", (Part.OWN, "finance", "team:finance")),
    ],
)
def test_a_finding_belongs_to_whose_layer_it_lies_in(
    marks: Landmarks, kind: Kind, name: str, layer: str, belongs: tuple[Part, str, str]
) -> None:
    found = belonging_of(kind, name, where(layer), marks)
    assert (found.part, found.stack, *found.owners) == belongs
    assert found.layer == layer


def test_what_lies_in_no_layer_of_the_image_is_the_stacks_own(marks: Landmarks) -> None:
    assert belonging_of(Kind.OTHER, "x", "sha256:elsewhere", marks) == Belonging(
        part=Part.OWN, layer="", stack="finance", owners=("team:finance",)
    )


def test_the_layers_of_a_base_that_is_an_image_are_the_bases() -> None:
    marks = find_landmarks(lock(), view("image-0", "core-01"), OWNERS)
    assert belonging_of(Kind.OTHER, "x", where("image-0"), marks).part is Part.BASE


def test_the_shortest_way_from_who_asks_is_told() -> None:
    candidates = lock().candidates
    assert chain_to(candidates, "agate") == ("stack:finance", "dbt-core", "agate")
    assert chain_to(candidates, "requests") == ("stack:plugins", "shared", "requests")
    assert chain_to(candidates, "unknown") == ("unknown",)
    ring = (make_candidate("a", wanted_by=("b",)), make_candidate("b", wanted_by=("a",)))
    assert chain_to(ring, "a") == ("a",)


def test_owners_that_are_not_known_are_none() -> None:
    marks = replace(find_landmarks(lock(), view("plugins-01"), {}), owners={})
    assert belonging_of(Kind.DISTRIBUTION, "shared", where("plugins-01"), marks).owners == ()
