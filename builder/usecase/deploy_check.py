"""Deploy check: whether all that manifests would run is what channels stand for, or what is allowed beside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from builder.deploy.allowed import allow_reference
from builder.deploy.collect import collect_images
from builder.deploy.image_name import parse_image_name
from builder.deploy.judge import (
    INDEX,
    ChannelReport,
    CheckReport,
    ImageReport,
    Recorded,
    UnseenReport,
    judge_image,
    report_place,
)
from builder.errors import InvalidInputError
from builder.ledger.model import LedgerReader
from builder.ledger.queries import ChannelState, find_image, places_of
from builder.usecase.digest import find_channel, load_deploy_rules
from builder.usecase.manifests import read_manifests


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """What is to be checked against what."""

    channels: tuple[tuple[str, str], ...]
    """Stacks and channels: several where teams share what is rendered."""
    files: tuple[Path, ...]
    allow: tuple[str, ...] = ()
    """References beside those of the project's deploy.toml."""
    stacks_folder: Path | None = None
    today: dt.date


def check_manifests(
    ledger: LedgerReader, request: CheckRequest, *, standard_input: BinaryIO | None = None
) -> CheckReport:
    """Check each name of an image in the manifests.

    Raises:
        LedgerError: a channel stands for nothing.
        InvalidInputError: a file is refused, or there is nothing in them to check: an empty pipe is no answer.
    """
    states = tuple(find_channel(ledger, stack, channel) for stack, channel in request.channels)
    rules = load_deploy_rules(request.stacks_folder)
    allowed = (*rules.allowed, *map(allow_reference, request.allow))
    files = tuple(read_manifests(request.files, standard_input=standard_input))
    found = collect_images(files, ledger.values("repository"))
    if not found.images:
        raise InvalidInputError(
            f"{found.objects} Kubernetes objects in {len(files)} files, and none names an image",
            context=", ".join(file.name for file in files)[:200],
            hint="there is nothing to check: see whether what should have rendered them failed",
        )
    recorded = _recorded(ledger, states, rules.repositories)
    images = tuple(_explain(ledger, judge_image(one, recorded, allowed, request.today)) for one in found.images)
    return CheckReport(
        ok=all(image.ok for image in images) and not found.unseen,
        channels=tuple(ChannelReport(stack=one.stack, channel=one.channel, digest=one.digest) for one in states),
        objects=found.objects,
        images=images,
        unseen=tuple(UnseenReport(what=one.what, place=report_place(one.place)) for one in found.unseen),
        choosers=tuple(map(report_place, found.choosers)),
    )


def _recorded(
    ledger: LedgerReader, states: Sequence[ChannelState], repositories: frozenset[str]
) -> Mapping[str, Recorded]:
    """List what channels stand for, by digest: indexes, and platforms' manifests where the build is recorded."""
    found: dict[str, Recorded] = {}
    for state in states:
        image = find_image(ledger, state.digest)
        parts = {state.digest: INDEX}
        parts |= {one.manifest: one.platform for one in (image.built.platforms if image else ())}
        holding = repositories | {place.repository for place in places_of(ledger, state.digest)}
        for digest, part in parts.items():
            one = Recorded(stack=state.stack, channel=state.channel, part=part, repositories=holding)
            found.setdefault(digest, one)
    return found


def _explain(ledger: LedgerReader, report: ImageReport) -> ImageReport:
    """Say of another digest what the ledger knows of it."""
    if report.rule != "other digest":
        return report
    name = parse_image_name(report.image)
    found = find_image(ledger, name.digest) if name else None
    if found is None:
        return report
    detail = f"is {found.built.stack} as built by entry {found.entry.number}, which no channel given here stands for"
    return msgspec.structs.replace(report, detail=detail)
