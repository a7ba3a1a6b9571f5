"""Digest: the image that a channel stands for, in the form that a deploy tool reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builder.deploy.allowed import FILE, DeployRules, parse_deploy_rules
from builder.deploy.answer import DigestAnswer, MoveAnswer, PlaceAnswer, PlatformAnswer
from builder.deploy.forms import choose_form, render_form
from builder.deploy.helm import Pin, parse_chart_version
from builder.deploy.image_name import parse_image_name
from builder.deploy.kustomize import replaced_names, worker_reference, worker_settings
from builder.deploy.options import FormOptions, Patch, check_label
from builder.errors import InvalidInputError, LedgerError
from builder.ledger.events import Built, Locked
from builder.ledger.model import LedgerReader
from builder.ledger.queries import (
    ChannelState,
    Place,
    channel_state,
    channels_of,
    complete_digest,
    event_of,
    find_image,
    places_of,
)
from builder.registry.model import check_tag, parse_repository


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestRequest:
    """What was asked for, as it was written."""

    stack: str
    channel: str = ""
    digest: str = ""
    """In place of a channel: of an index, or its beginning."""
    format_name: str = "ref"
    form: str = ""
    repository: str = ""
    chart_version: str = ""
    pin: str = ""
    name: str = ""
    namespace: str = ""
    images: tuple[str, ...] = ()
    manifests: tuple[Path, ...] = ()
    stacks_folder: Path | None = None
    """Of the project, whose deploy.toml names further images; None where there is none."""


def render_digest(ledger: LedgerReader, request: DigestRequest) -> str:
    """Render the answer: bytes are a function of ledger, request and the files that it names.

    Raises:
        LedgerError: there is no such channel or image, or the image is in no repository that the ledger saw.
        InvalidInputError: an option is wrong, or the image is in several repositories and none was chosen.
    """
    form = choose_form(request.format_name, request.form)
    options = FormOptions(
        form=form,
        is_other_form=bool(request.form) and form != choose_form(request.format_name, ""),
        chart=parse_chart_version(request.chart_version) if request.chart_version else None,
        pin=Pin(request.pin) if request.pin else None,
        name=request.name,
        namespace=request.namespace,
        images=tuple(map(_image_name, request.images)),
        others=tuple(
            (entry.values, entry.image) for entry in load_deploy_rules(request.stacks_folder).allowed if entry.values
        ),
    )
    image = find_answer(ledger, request)
    if request.manifests:
        options = with_patches(image, options, request.manifests)
    return render_form(request.format_name, image, options)


def find_answer(ledger: LedgerReader, request: DigestRequest) -> DigestAnswer:
    """Find the image, and where to pull it from."""
    # What a ledger says goes into shells and manifests: it is to be no more than a name there.
    stack = check_label(request.stack, "a stack")
    state = find_channel(ledger, stack, check_tag(request.channel)) if not request.digest else None
    digest = state.digest if state else complete_digest(ledger, request.digest)
    built = _built(ledger, digest, stack)
    return _answer(ledger, stack, digest, state, built, _choose(places_of(ledger, digest), request.repository, digest))


def answer_channel(ledger: LedgerReader, stack: str, channel: str) -> DigestAnswer | None:
    """Say what a channel stands for; None where it has never been moved.

    Of several repositories it is the one of the latest push, of none an empty one: who asks has no way to choose.
    """
    state = channel_state(ledger, stack, channel)
    if state is None:
        return None
    places = places_of(ledger, state.digest)
    image = find_image(ledger, state.digest)
    place = places[0] if places else Place(repository="", tag="")
    return _answer(ledger, stack, state.digest, state, image.built if image else None, place)


def find_channel(ledger: LedgerReader, stack: str, channel: str) -> ChannelState:
    """Find what a channel stands for; raises LedgerError where it has never been moved."""
    state = channel_state(ledger, stack, channel)
    if state is None:
        known = ", ".join(one.channel for one in channels_of(ledger, stack))
        hint = f"it has {known}" if known else "no channel of it has ever been moved"
        raise LedgerError("stands for nothing", context=f"channel {channel!r} of {stack!r}", hint=hint)
    return state


def load_deploy_rules(stacks_folder: Path | None) -> DeployRules:
    """Read what a project allows beside its channels; nothing where it says nothing."""
    path = stacks_folder / FILE if stacks_folder else None
    if path is None or not path.is_file():
        return DeployRules()
    return parse_deploy_rules(path.read_bytes(), file=f"{path.parent.name}/{FILE}")


def with_patches(image: DigestAnswer, options: FormOptions, files: Sequence[Path]) -> FormOptions:
    """Add the patches of ConfigMaps in rendered manifests.

    Raises:
        InvalidInputError: nothing in them names Airflow's image in a text.
    """
    from builder.deploy.repin import find_patches
    from builder.usecase.manifests import read_manifests

    names = {name.repository for text in replaced_names(image, options) if (name := parse_image_name(text))}
    reference, worker = worker_reference(image, options), worker_settings(image, options)
    patches: list[Patch] = []
    for file in read_manifests(files):
        patches.extend(find_patches(file.documents, names, reference, worker, file=file.name))
    if not patches:
        raise InvalidInputError(
            "no ConfigMap there names the image in a pod template or in airflow.cfg",
            context="--manifests",
            hint="give the manifests as rendered, and --image with the name they have for Airflow's image",
        )
    return replace(options, patches=tuple(patches), manifests=tuple(map(str, files)))


def _answer(
    ledger: LedgerReader,
    stack: str,
    digest: str,
    state: ChannelState | None,
    built: Built | None,
    place: Place,
) -> DigestAnswer:
    platforms = built.platforms if built else ()
    return DigestAnswer(
        stack=stack,
        channel=state.channel if state else "",
        digest=digest,
        repository=place.repository,
        tag=place.tag,
        reference=f"{place.repository}@{digest}" if place.repository else "",
        airflow=built.airflow or _airflow(ledger, built.lock) if built else "",
        lock=built.lock if built else "",
        platforms=tuple(PlatformAnswer(platform=one.platform, manifest=one.manifest) for one in platforms),
        places=tuple(PlaceAnswer(repository=one.repository, tag=one.tag) for one in places_of(ledger, digest)),
        move=_move(state) if state else None,
    )


def _image_name(text: str) -> str:
    name = parse_image_name(text)
    if name is None or name.tag or name.digest:
        raise InvalidInputError("is no name of an image without tag", context=f"--image {text[:200]!r}")
    return text


def _built(ledger: LedgerReader, digest: str, stack: str) -> Built | None:
    """Find the build of an index; raises LedgerError where the digest is another stack's, or a platform's."""
    found = find_image(ledger, digest)
    if found is None:
        return None
    built = found.built
    if built.stack != stack:
        raise LedgerError(f"is an image of {built.stack!r}, not of {stack!r}", context=digest)
    if built.digest != digest:
        hint = f"deployments name its index: {built.digest}"
        raise LedgerError("is one platform's part of an image", context=digest, hint=hint)
    return built


def _choose(places: Sequence[Place], wanted: str, digest: str) -> Place:
    """Choose the repository to pull from."""
    if wanted:
        repository = str(parse_repository(wanted))
        return next((one for one in places if one.repository == repository), Place(repository=repository, tag=""))
    if len(places) == 1:
        (place,) = places
        return Place(repository=str(parse_repository(place.repository)), tag=place.tag and check_tag(place.tag))
    if not places:
        hint = "push it with this ledger, or name a repository that has it by --repository"
        raise LedgerError("is in no repository that the ledger saw", context=digest, hint=hint)
    names = ", ".join(place.repository for place in places)
    raise InvalidInputError(
        f"is in {len(places)} repositories: {names}", context=digest, hint="choose one by --repository"
    )


def _airflow(ledger: LedgerReader, lock: str) -> str:
    found = ledger.find("lock", lock, kinds=(Locked.kind,), limit=1)
    return event_of(found[0], Locked).airflow if found else ""


def _move(state: ChannelState) -> MoveAnswer:
    return MoveAnswer(
        entry=state.entry.number,
        time=state.entry.moment,
        by=state.entry.actor.name,
        before=state.promoted.before,
        rollback=state.promoted.rollback,
        database=state.promoted.database,
    )
