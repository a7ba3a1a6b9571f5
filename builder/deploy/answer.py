"""What a channel stands for, as deploy tools get it: the shape of `digest --format json` and of `serve`, whose schema is published.

A field keeps its name and meaning for good; new ones may come. docs/schemas/digest.json is made from these types.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

DigestText = Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]{64}$")]


class PlatformAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One platform of an image."""

    platform: Annotated[str, msgspec.Meta(description="As linux/amd64.")]
    manifest: Annotated[DigestText, msgspec.Meta(description="Of its manifest: what a node of that platform runs.")]


class PlaceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A repository that holds the image."""

    repository: Annotated[str, msgspec.Meta(description="As registry.example.org/team/airflow.")]
    tag: Annotated[str, msgspec.Meta(description="Its immutable tag there; empty where it has none.")]


class MoveAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The move that brought a channel here."""

    entry: Annotated[int, msgspec.Meta(description="Number of its entry in the ledger.")]
    time: Annotated[str, msgspec.Meta(description="As 2026-11-30T07:23:11Z.")]
    by: str
    before: Annotated[str, msgspec.Meta(description="Digest that the channel stood for; empty for the first.")]
    rollback: bool
    database: Annotated[
        str, msgspec.Meta(description="What it means for the metadata database: safe, needs migration, needs backup.")
    ]


class DigestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An image, by digest, and where to pull it from."""

    stack: str
    channel: Annotated[str, msgspec.Meta(description="Empty where the image was asked for by its digest.")]
    digest: Annotated[DigestText, msgspec.Meta(description="Of the image index: what deployments name.")]
    repository: Annotated[
        str,
        msgspec.Meta(
            description="Where to pull it from, as registry.example.org/team/airflow; empty where the ledger saw no push."
        ),
    ]
    tag: Annotated[str, msgspec.Meta(description="Its immutable tag there; empty where it has none.")]
    reference: Annotated[str, msgspec.Meta(description="repository@digest; empty as repository is.")]
    airflow: Annotated[str, msgspec.Meta(description="Version of Airflow in it; empty where it is not recorded.")]
    lock: Annotated[str, msgspec.Meta(description="Digest of the lock it was built from; empty where not recorded.")]
    platforms: Annotated[tuple[PlatformAnswer, ...], msgspec.Meta(description="By name.")]
    places: Annotated[tuple[PlaceAnswer, ...], msgspec.Meta(description="All that the ledger saw, the latest first.")]
    move: Annotated[MoveAnswer | None, msgspec.Meta(description="null where the image was asked for by its digest.")]
