"""What entries of several kinds are put together from: values without a kind of their own."""

from __future__ import annotations

from typing import Annotated

import msgspec

DigestText = Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]{64}$")]


class Move(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A project or Debian package in another version."""

    name: str
    before: str = ""
    """Empty where it was not there."""
    after: str = ""
    """Empty where it is gone."""


class BuiltPlatform(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One platform of an image. Its manifest and config are among the documents."""

    platform: str
    manifest: DigestText
    config: DigestText
    layers: int
    size_bytes: int
    """Of compressed layers."""


class Revisions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an image's code expects one database schema to be, by Alembic."""

    owner: str
    """The distribution that brings the migrations, as `apache-airflow-core`."""
    version_table: str = "alembic_version"
    heads: tuple[str, ...]
    """Sorted; none where they cannot be known without running its code."""
    history: str = ""
    """Digest of the document that lists all revisions with what they come after; empty where it is not known."""
    manager: str = ""
    """Path of the database manager, as `airflow db-manager` takes it; empty for Airflow's own schema."""


class TagMove(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tag of a repository that stands for another digest now."""

    tag: str
    before: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule of a channel, and what was found."""

    rule: str
    met: bool
    found: str = ""
    evidence: tuple[int, ...] = ()
    """Numbers of entries."""
    skipped: bool = False
    """Need not be met: a rollback to what the channel stood for before."""


class SeenImage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An image that runs somewhere."""

    digest: DigestText
    """Of its index where the ledger knows it, else what the node told."""
    pods: int
    """That are there and not finished."""
    workloads: tuple[str, ...] = ()
    """As `airflow/deployment/scheduler`, sorted."""
    finished: int = 0
    """Pods that ran it and are still listed."""


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that runs and should not."""

    kind: str
    severity: str
    where: str
    what: str
    mend: str = ""
    pods: int = 0
    """How many it holds for, where it is about pods."""


class StackResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a stack came out of a night."""

    stack: str
    result: str
    """`done`, `unchanged`, `waiting`, `failed` or `held`."""
    digest: str = ""
    """Of its image after the night; empty where there is none."""
    same: bool = False
    """Built again, the image is the one before."""
