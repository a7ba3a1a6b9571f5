"""Tags of registries that follow a channel: the ledger leads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import PromotionError, RegistryError
from builder.ledger.events import Pushed
from builder.ledger.parts import TagMove
from builder.ledger.queries import event_of
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe
from builder.registry.model import ManifestBytes, Reference, Repository
from builder.usecase.follow_tag import check_followable, follow_tag
from tests.support.channels import ALICE, BOB, Scene, channels

HERE, THERE = "r.example.org/team/airflow", "mirror.example.org/airflow"
RULES = '[[channels]]\nname = "prod"\ntag = "{stack}-prod"\n'


class Held:
    """Registries in memory, as far as tags go: the bytes of a manifest do not matter."""

    def __init__(self) -> None:
        self.names: dict[str, ManifestBytes] = {}
        self.before_push: Callable[[], object] = lambda: None

    def keep(self, repository: str, digest: str) -> None:
        made = ManifestBytes(data=digest.encode(), media_type=media.INDEX, digest=Digest.parse(digest))
        self.names[f"{repository}@{digest}"] = made

    def manifest(self, reference: Reference) -> ManifestBytes | None:
        return self.names.get(str(reference))

    def push_manifest(
        self, repository: Repository, data: bytes, media_type: str, tag: str | None = None, *, is_new: bool = False
    ) -> Descriptor:
        del is_new
        self.before_push()
        self.names[f"{repository}:{tag}"] = self.names[f"{repository}@{data.decode()}"]
        return describe(media_type, data)

    def standing(self, repository: str, tag: str = "core-prod") -> str | None:
        found = self.names.get(f"{repository}:{tag}")
        return str(found.digest) if found else None


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path, RULES) as made:
        yield made


def pushed(scene: Scene, registry: Held, name: str, *repositories: str) -> str:
    digest = scene.build(name)
    for repository in repositories:
        scene.record(Pushed(digest=digest, repository=repository, stack="core", sent_bytes=1))
        registry.keep(repository, digest)
    return digest


def follow(scene: Scene, registry: Held) -> list[tuple[str, str, bool]]:
    found = follow_tag(scene.ledger, registry, "core", scene.rules("prod"), ALICE)  # type: ignore[arg-type]
    return [(str(one.reference), str(one.digest), one.is_moved) for one in found]


def test_the_tag_follows_in_every_repository_that_has_the_image(scene: Scene) -> None:
    registry = Held()
    digest = pushed(scene, registry, "one", THERE, HERE)
    scene.move("prod", digest)
    assert follow(scene, registry) == [(f"{THERE}:core-prod", digest, True), (f"{HERE}:core-prod", digest, True)]
    assert registry.standing(HERE) == registry.standing(THERE) == digest
    moves = [event_of(entry, Pushed) for entry in scene.ledger.find("repository", HERE, kinds=("push",), limit=1)]
    assert [(move.digest, move.tags) for move in moves] == [(digest, (TagMove(tag="core-prod"),))]
    size = scene.ledger.head().size
    assert follow(scene, registry) == [(f"{THERE}:core-prod", digest, False), (f"{HERE}:core-prod", digest, False)]
    assert scene.ledger.head().size == size


def test_a_channel_that_moves_meanwhile_takes_the_tag_along(scene: Scene) -> None:
    registry = Held()
    one, two = (pushed(scene, registry, name, HERE) for name in ("one", "two"))
    scene.move("prod", one)
    later = iter([two])
    registry.before_push = lambda: [scene.move("prod", digest, BOB) for digest in later]
    follow(scene, registry)
    assert registry.standing(HERE) == two


def test_a_channel_that_stands_for_nothing_has_no_tag(scene: Scene) -> None:
    assert follow(scene, Held()) == []


def test_what_no_tag_can_follow_is_told_before_anything_is_written(scene: Scene) -> None:
    digest = scene.build()
    with pytest.raises(PromotionError, match=f"core prod: {digest} has been pushed nowhere"):
        check_followable(scene.ledger, "core", scene.rules("prod"), digest)
    scene.channels = channels('[[channels]]\nname = "prod"\n')
    with pytest.raises(PromotionError) as caught:
        check_followable(scene.ledger, "core", scene.rules("prod"), digest)
    assert str(caught.value) == (
        'core prod: no tag follows the channel\n  say tag = "{stack}-prod" of the channel in stacks/channels.toml'
    )


def test_an_image_that_is_gone_from_the_registry_is_told(scene: Scene) -> None:
    registry = Held()
    scene.move("prod", pushed(scene, registry, "one", HERE))
    registry.names.clear()
    with pytest.raises(RegistryError, match="there is no such image"):
        follow(scene, registry)
