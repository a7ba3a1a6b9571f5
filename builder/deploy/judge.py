"""The verdict on each image that manifests name: whether a channel records its digest, or an entry allows it.

A digest makes an image the same one wherever it comes from, but nobody can pull it from where it is not: its repository has to be one
that the ledger saw it pushed to, or that the project names. Of an image for several platforms both the index, which deployments name,
and a platform's manifest, which a node runs, are recorded; the verdict says which it was.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from builder.deploy.allowed import Allowed
from builder.deploy.image_name import ImageName, parse_image_name
from builder.deploy.place import Found, Place

INDEX: Final = "index"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A digest that a channel stands for."""

    stack: str
    channel: str
    part: str
    """`index`, or a platform."""
    repositories: frozenset[str]
    """That hold it."""


class PlaceReport(msgspec.Struct, frozen=True, kw_only=True):
    """Where an image's name stands."""

    file: Annotated[str, msgspec.Meta(description="As given; - for standard input.")]
    document: Annotated[int, msgspec.Meta(description="Of the file, from 1.")]
    line: Annotated[int, msgspec.Meta(description="Of the file, from 1; 0 where it is not known.")]
    kind: str
    namespace: Annotated[str, msgspec.Meta(description="Empty where the manifest names none.")]
    name: str
    path: Annotated[str, msgspec.Meta(description='As spec.containers[0].image; within texts data["a.yaml"]: spec....')]


class ImageReport(msgspec.Struct, frozen=True, kw_only=True):
    """An image's name at one place, and the verdict on it."""

    image: str
    ok: bool
    rule: Annotated[
        str,
        msgspec.Meta(
            description="What decided: channel, platform, allowed; or unpinned, other digest, other repository, expired, "
            "no image name."
        ),
    ]
    detail: str
    place: PlaceReport


class UnseenReport(msgspec.Struct, frozen=True, kw_only=True):
    """Something that decides what runs, and cannot be read from what was given."""

    what: str
    place: PlaceReport


class ChannelReport(msgspec.Struct, frozen=True, kw_only=True):
    """A channel that was checked against."""

    stack: str
    channel: str
    digest: str


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `deploy check --json`."""

    ok: bool
    channels: tuple[ChannelReport, ...]
    objects: Annotated[int, msgspec.Meta(description="Kubernetes objects that were searched.")]
    images: Annotated[tuple[ImageReport, ...], msgspec.Meta(description="In the order of files.")]
    unseen: tuple[UnseenReport, ...]
    choosers: Annotated[
        tuple[PlaceReport, ...],
        msgspec.Meta(description="Resources that choose images later, so that what they write is to be checked."),
    ]


def judge_image(
    found: Found, recorded: Mapping[str, Recorded], allowed: Sequence[Allowed], today: dt.date
) -> ImageReport:
    """Judge one image's name.

    Args:
        found: untrusted.
        recorded: by digest.
        allowed: beside these.
        today: for entries that end.
    """
    ok, rule, detail = _judge(parse_image_name(found.image), recorded, allowed, today)
    return ImageReport(image=found.image[:600], ok=ok, rule=rule, detail=detail, place=report_place(found.place))


def report_place(place: Place) -> PlaceReport:
    """Write a place for a report."""
    return PlaceReport(
        file=place.file,
        document=place.document,
        line=place.line,
        kind=place.kind,
        namespace=place.namespace,
        name=place.name,
        path=place.path,
    )


def _judge(
    image: ImageName | None, recorded: Mapping[str, Recorded], allowed: Sequence[Allowed], today: dt.date
) -> tuple[bool, str, str]:
    """Give verdict, rule and detail."""
    if image is None:
        return False, "no image name", "is no name of an image"
    one = recorded.get(image.digest)
    if one is not None and image.repository in one.repositories:
        rule, part = ("channel", "") if one.part == INDEX else ("platform", f"{one.part} of ")
        return True, rule, f"{part}{one.stack} {one.channel}"
    entry = next((entry for entry in allowed if entry.fits(image)), None)
    if entry is None:
        return False, *_refusal(image, one)
    if entry.expires is not None and entry.expires < today:
        return False, "expired", f"{entry.where} allowed it until {entry.expires}"
    return True, "allowed", entry.where


def _refusal(image: ImageName, one: Recorded | None) -> tuple[str, str]:
    """Give rule and detail of an image that nothing speaks for."""
    if one is not None:
        what = f"is {one.stack} {one.channel} by digest, but the ledger saw none pushed to that repository"
        return "other repository", what
    if image.digest:
        return "other digest", "neither a channel given here nor an entry has this digest"
    what = f"the tag {image.tag!r}" if image.tag else "neither tag nor digest"
    return "unpinned", f"names {what}: what runs is not known"
