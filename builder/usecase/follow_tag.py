"""Follow: tags of registries that stand for what a channel stands for. The ledger leads, and the tag comes after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from builder.digest import Digest
from builder.errors import PromotionError, RegistryError
from builder.ledger.entry import Actor
from builder.ledger.events import Pushed
from builder.ledger.model import Ledger, LedgerReader, NewEntry
from builder.ledger.parts import TagMove
from builder.ledger.queries import channel_state, places_of
from builder.policy.rules import ChannelRules
from builder.registry.model import Reference, Registry, parse_repository
from builder.usecase.ship import tag_image

_TRIES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedTag:
    """A tag of a repository."""

    reference: Reference
    digest: Digest
    before: Digest | None

    @property
    def is_moved(self) -> bool:
        """Whether it stood for something else."""
        return self.before != self.digest


def check_followable(ledger: LedgerReader, stack: str, rules: ChannelRules, digest: str) -> None:
    """Refuse, before anything is written, where no tag can follow; raises PromotionError."""
    where = f"{stack} {rules.channel}"
    if not rules.tag:
        hint = f'say tag = "{{stack}}-{rules.channel}" of the channel in stacks/channels.toml'
        raise PromotionError("no tag follows the channel", context=where, hint=hint)
    if not places_of(ledger, digest):
        hint = f"airflow-kubler push REPOSITORY {stack}"
        raise PromotionError(f"{digest} has been pushed nowhere, so no tag can stand for it", context=where, hint=hint)


def follow_tag(
    ledger: Ledger, registry: Registry, stack: str, rules: ChannelRules, actor: Actor
) -> tuple[FollowedTag, ...]:
    """Make the tag of a channel stand for what the channel stands for, in each repository that has the image.

    The channel is looked at again afterwards: where somebody moved it meanwhile, the tag follows that move, so that of two who
    promote at once the later one's image stays.

    Raises:
        PromotionError: no tag can follow.
        RegistryError: a registry fails, or lacks the image; the channel stands all the same.
    """
    moved: tuple[FollowedTag, ...] = ()
    for _ in range(_TRIES):
        state = channel_state(ledger, stack, rules.channel)
        if state is None:
            return ()
        check_followable(ledger, stack, rules, state.digest)
        places = sorted(parse_repository(place.repository) for place in places_of(ledger, state.digest))
        digest, tag = Digest.parse(state.digest), rules.tag_for(stack)
        moved = tuple(_move(ledger, registry, place.at(tag), digest, stack, actor) for place in places)
        again = channel_state(ledger, stack, rules.channel)
        if again is not None and again.digest == state.digest:
            return moved
    raise RegistryError("the channel is moved again and again", context=f"{stack} {rules.channel}", hint="run it again")


def _move(
    ledger: Ledger, registry: Registry, reference: Reference, digest: Digest, stack: str, actor: Actor
) -> FollowedTag:
    """Move one tag, and put it on record where it stood for something else."""
    place, tag = reference.repository, reference.point
    tagged = tag_image(registry, place.at(digest), (tag,))
    followed = FollowedTag(reference=reference, digest=digest, before=tagged.before[tag])
    if followed.is_moved:
        move = TagMove(tag=tag, before=str(followed.before) if followed.before else "")
        event = Pushed(digest=str(digest), repository=str(place), stack=stack, tags=(move,))
        ledger.append([NewEntry(event=event)], actor)
    return followed
