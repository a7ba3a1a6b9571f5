"""Images that the ledger knows, by whatever people call them: digest, reference, tag, stack, stack and channel."""

from __future__ import annotations

from collections.abc import Iterator

from builder.errors import LedgerError
from builder.history.image import ImageRecord, read_record
from builder.ledger.entry import Entry
from builder.ledger.events import Built, Pushed
from builder.ledger.model import LedgerReader
from builder.ledger.queries import RecordedImage, channel_state, complete_digest, event_of, find_image, iter_found

_WAYS = "name a digest or its beginning, a reference, a tag, a stack, or STACK@CHANNEL"
_MOST_STACKS = 5000


def find_digest(ledger: LedgerReader, text: str) -> str:
    """Find the digest that a text names.

    Args:
        ledger: that knows it.
        text: `sha256:cc9974...` or its beginning, with or without `sha256:`; `registry/repository:tag` or
            `...@sha256:...`; `stack@channel`; the name of a stack, which means its newest build; a tag alone.

    Raises:
        LedgerError: the ledger knows no such image.
        InvalidInputError: it is the beginning of no name.
    """
    if text.startswith("sha256:"):
        return complete_digest(ledger, text)
    if "/" in text:
        return _of_reference(ledger, text)
    stack, at, channel = text.partition("@")
    if at:
        state = channel_state(ledger, stack, channel)
        if state is None:
            raise _unknown_channel(ledger, stack, channel)
        return state.digest
    newest = ledger.find("stack", text, kinds=(Built.kind,), limit=1)
    if newest:
        return event_of(newest[0], Built).digest
    tags = ledger.values("tag", f"{text} ", limit=1000)
    if tags:
        return _of_tag(ledger, text, tags)
    if not text or set(text) - set("0123456789abcdef"):
        raise LedgerError("the ledger knows no such image", context=text[:80], hint=_WAYS)
    return complete_digest(ledger, text)


def find_recorded(ledger: LedgerReader, text: str) -> RecordedImage:
    """Find the build of the image that a text names.

    Raises:
        LedgerError: the ledger knows no such image, or none that was built on record.
    """
    digest = find_digest(ledger, text)
    found = find_image(ledger, digest)
    if found is None:
        raise LedgerError(
            "the ledger has no build of it",
            context=digest,
            hint="it was built before the ledger was begun, or elsewhere: airflow-kubler log shows what is known",
        )
    return found


def open_record(
    ledger: LedgerReader, found: RecordedImage, *, name: str = "", like: ImageRecord | None = None
) -> ImageRecord:
    """Read the documents of a recorded build; locks that it shares with another image are not read again."""
    return read_record(found.built, found.entry, ledger.document, name=name, like=like)


def iter_builds_before(ledger: LedgerReader, entry: Entry, built: Built) -> Iterator[RecordedImage]:
    """Iterate over the builds of a stack before one, the newest first."""
    for one in iter_found(ledger, "stack", built.stack, kinds=(Built.kind,), before=entry.number, first=1):
        yield RecordedImage(built=event_of(one, Built), entry=one)


def build_before(ledger: LedgerReader, entry: Entry, built: Built) -> RecordedImage | None:
    """Find the image that a stack had before this one: the nearest build with another digest."""
    others = (found for found in iter_builds_before(ledger, entry, built) if found.built.digest != built.digest)
    return next(others, None)


def _of_reference(ledger: LedgerReader, text: str) -> str:
    from builder.registry.model import parse_reference

    reference = parse_reference(text)
    if reference.digest is not None:
        return str(reference.digest)
    found = ledger.find("tag", f"{reference.tag} {reference.repository}", kinds=(Pushed.kind,), limit=1)
    if not found:
        raise LedgerError(
            "the ledger knows no push of this tag",
            context=text[:300],
            hint="name it by digest, as airflow-kubler ls says",
        )
    return event_of(found[0], Pushed).digest


def _of_tag(ledger: LedgerReader, tag: str, values: tuple[str, ...]) -> str:
    """Find what a tag stands for, by the newest push in each repository: they must agree."""
    digests: dict[str, str] = {}
    for value in values:
        (entry,) = ledger.find("tag", value, kinds=(Pushed.kind,), limit=1)
        digests.setdefault(event_of(entry, Pushed).digest, value.partition(" ")[2])
    if len(digests) > 1:
        places = ", ".join(list(digests.values())[:3])
        raise LedgerError("stands for several images", context=tag, hint=f"name its repository too: {places}")
    return next(iter(digests))


def _unknown_channel(ledger: LedgerReader, stack: str, channel: str) -> LedgerError:
    known = [value.split(" ", 1)[1] for value in ledger.values("channel", f"{stack} ", limit=20)]
    if known:
        hint = f"known: {', '.join(known)}"
    else:
        hint = check_stack(ledger, stack) or f"airflow-kubler promote {stack} --to {channel}"
    return LedgerError("was never moved to any image", context=f"{stack}@{channel}", hint=hint)


def check_stack(ledger: LedgerReader, stack: str) -> str:
    """Say what may have been meant by a stack that the ledger does not know; empty where it knows it."""
    if ledger.find("stack", stack, limit=1):
        return ""
    from difflib import get_close_matches

    known = ledger.values("stack", limit=_MOST_STACKS)
    near = get_close_matches(stack, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    more = f" and {len(known) - 5} more" if len(known) > 5 else ""
    return f"known stacks: {', '.join(known[:5])}{more}" if known else "the ledger tells of no stack yet"
