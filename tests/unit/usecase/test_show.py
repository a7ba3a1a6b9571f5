"""All that is known of an image is gathered, whatever it is called by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import InvalidInputError, LedgerError
from builder.history.reasons import headline
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Event, Promoted, Pushed, Rebuilt, Seen, Tested
from builder.ledger.parts import SeenImage, TagMove
from builder.usecase.recorded import find_digest, find_recorded
from builder.usecase.show import Shown, show_image
from tests.support.ledgers import digest_of
from tests.support.made_up import bump, make_world
from tests.support.recorded import History, Recorded

REPOSITORY, OTHER = "registry.example.org/team/airflow", "other.example.org/airflow"
RULES = digest_of("rules")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "ledger.db")


@pytest.fixture
def images(history: History, tmp_path: Path) -> tuple[Recorded, Recorded]:
    """Two images of a stack; the second is pushed, and a channel stands for it."""
    world = make_world(tmp_path)
    one, two = history.build(world), history.build(bump(world))
    history.append(
        Pushed(digest=one.digest, repository=REPOSITORY, tags=(TagMove(tag="tiny-20261130.01"), TagMove(tag="dev"))),
        Pushed(digest=two.digest, repository=REPOSITORY, tags=(TagMove(tag="tiny-20261130.02"), TagMove(tag="dev"))),
        Pushed(digest=two.digest, repository=OTHER, tags=(TagMove(tag="dev"),)),
        Promoted(stack="tiny", channel="prod", digest=two.digest, rules=RULES),
    )
    return one, two


def show(history: History, text: str) -> Shown:
    with SqliteLedger(history.path, history.clock, write=False) as ledger:
        return show_image(ledger, text)


@pytest.fixture
def ledger(history: History, images: tuple[Recorded, Recorded]) -> Iterator[SqliteLedger]:
    assert images
    with SqliteLedger(history.path, history.clock, write=False) as opened:
        yield opened


def test_an_image_has_many_names(ledger: SqliteLedger, images: tuple[Recorded, Recorded]) -> None:
    one, two = images
    names = {
        one.digest: one,
        one.digest[7:17]: one,
        one.digest[:20]: one,
        "tiny-20261130.01": one,
        f"{REPOSITORY}:tiny-20261130.01": one,
        f"{REPOSITORY}@{one.digest}": one,
        f"{REPOSITORY}:whatever@{one.digest}": one,
        "tiny": two,
        "dev": two,
        f"{REPOSITORY}:dev": two,
        "tiny@prod": two,
        str(two.image.platforms[0].descriptor.digest): two,
    }
    for name, image in names.items():
        assert find_recorded(ledger, name).built.digest == image.digest, name


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("nonesuch", "nonesuch: the ledger knows no such image"),
        ("", "the ledger knows no such image"),
        ("abcd1234abcd", "abcd1234abcd: the ledger knows no such digest"),
        ("tiny@staging", "tiny@staging: was never moved to any image\n  known: prod"),
        ("tniy@prod", "tniy@prod: was never moved to any image\n  did you mean 'tiny'?"),
        (f"{REPOSITORY}:gone", f"{REPOSITORY}:gone: the ledger knows no push of this tag"),
        (f"sha256:{'0' * 64}", f"sha256:{'0' * 64}: the ledger has no build of it"),
    ],
)
def test_a_name_of_nothing_is_told(ledger: SqliteLedger, name: str, what: str) -> None:
    with pytest.raises(LedgerError) as error:
        find_recorded(ledger, name)
    assert str(error.value).startswith(what)


def test_a_reference_that_is_none_is_invalid(ledger: SqliteLedger) -> None:
    with pytest.raises(InvalidInputError, match="does not name its registry"):
        find_digest(ledger, "team/airflow:dev")


def test_a_tag_of_several_images_wants_its_repository(history: History, images: tuple[Recorded, Recorded]) -> None:
    history.append(Pushed(digest=images[0].digest, repository=OTHER, tags=(TagMove(tag="dev"),)))
    with pytest.raises(LedgerError, match="stands for several images\n  name its repository too: "):
        show(history, "dev")
    assert show(history, f"{OTHER}:dev").digest == images[0].digest


def test_what_is_known_of_an_image_is_gathered(history: History, images: tuple[Recorded, Recorded]) -> None:
    one, two = images
    history.append(
        Tested(digest=two.digest, name="stack", passed=True),
        Rebuilt(digest=two.digest, same=True, by="second"),
    )
    found = show(history, str(two.image.platforms[1].descriptor.digest))
    assert (found.digest, found.times_built, found.asked) == (
        two.digest,
        1,
        str(two.image.platforms[1].descriptor.digest),
    )
    assert [entry.kind for entry in found.findings] == ["rebuild", "test"]
    assert [(place.repository, place.tag) for place in found.places] == [
        (OTHER, "dev"),
        (REPOSITORY, "tiny-20261130.02"),
    ]
    assert [state.channel for state in found.channels] == ["prod"]
    assert found.explanation is not None
    assert (found.explanation.before.digest, headline(found.explanation)) == (
        one.digest,
        "nothing but alpha 1.0 -> 1.1",
    )
    assert found.locked is not None
    assert found.locked.number == two.entry.number - 1
    assert show(history, one.digest).explanation is None


def test_who_built_it_first_is_told_and_how_often_it_was_built(history: History, tmp_path: Path) -> None:
    world = make_world(tmp_path)
    first = history.build(world)
    history.build(bump(world))
    history.build(world)
    found = show(history, first.digest)
    assert found.record is not None
    assert found.record.entry == first.entry
    assert found.times_built == 2
    # The build before the latest one that gave it.
    assert found.explanation is not None
    assert headline(found.explanation) == "nothing but alpha 1.1 -> 1.0"


def test_an_image_that_was_not_built_on_record_is_shown_as_far_as_it_is_known(history: History) -> None:
    foreign = digest_of("foreign")
    history.append(
        Pushed(digest=foreign, repository=REPOSITORY, stack="old", tags=(TagMove(tag="old-1"),)),
        Promoted(stack="old", channel="prod", digest=foreign, rules=RULES),
        Tested(digest=foreign, name="stack", passed=False),
    )
    found = show(history, "old@prod")
    assert (found.record, found.times_built) == (None, 0)
    assert ([place.tag for place in found.places], [state.channel for state in found.channels]) == (["old-1"], ["prod"])
    assert [entry.kind for entry in found.findings] == ["test"]
    with pytest.raises(LedgerError, match="the ledger does not know it"):
        show(history, digest_of("nobody's"))


def seen(cluster: str, *digests: str, namespaces: tuple[str, ...] = (), stack: str = "") -> Event:
    images = tuple(SeenImage(digest=digest, pods=2, workloads=("airflow/deployment/x",)) for digest in sorted(digests))
    return Seen(cluster=cluster, namespaces=namespaces, images=images, stack=stack)


def where(history: History, image: Recorded) -> list[tuple[str, tuple[str, ...], bool]]:
    return [(one.cluster, one.namespaces, one.runs) for one in show(history, image.digest).deployed]


def test_an_image_runs_where_the_last_look_saw_it(history: History, images: tuple[Recorded, Recorded]) -> None:
    one, two = images
    platform = str(one.image.platforms[0].descriptor.digest)
    history.append(seen("east", one.digest), seen("west", one.digest), seen("west", two.digest))
    assert where(history, one) == [("east", (), True), ("west", (), False)]
    assert where(history, two) == [("west", (), True)]
    # A container runtime may tell the digest of the platform's manifest.
    history.append(seen("east", platform))
    assert where(history, one) == [("east", (), True), ("west", (), False)]
    assert show(history, one.digest).deployed[0].pods == 2


def test_a_look_at_other_namespaces_or_another_stack_says_nothing(
    history: History, images: tuple[Recorded, Recorded]
) -> None:
    one, two = images
    history.append(
        seen("east", one.digest, namespaces=("a",)),
        seen("east", two.digest, namespaces=("b",)),
        seen("east", two.digest, namespaces=("a",), stack="other"),
    )
    assert where(history, one) == [("east", ("a",), True)]
    history.append(seen("east", two.digest, namespaces=("a", "b")))
    assert where(history, one) == [("east", ("a",), False)]
    history.append(seen("west", one.digest), seen("west", two.digest, namespaces=("a",)))
    assert where(history, one)[0] == ("west", (), True)
    history.append(seen("west"))
    assert where(history, one) == [("east", ("a",), False), ("west", (), False)]
