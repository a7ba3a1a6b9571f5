"""What `deploy check` shows: for people, and for GitHub Actions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from builder.deploy.judge import CheckReport, PlaceReport
from builder.deploy.place import Place


def render_report(report: CheckReport) -> str:
    """Render what is wrong, place by place, and what all the rest is."""
    lines = [_line(f"{_where(place)}: {what}") for place, what in _iter_wrong(report)]
    counted = Counter(
        (image.detail if image.rule != "allowed" else f"allowed by {image.detail}")
        for image in report.images
        if image.ok
    )
    for detail, count in sorted(counted.items(), key=lambda item: (-item[1], item[0])):
        lines.append(f"{_counted(count, 'image')} {'is' if count == 1 else 'are'} {detail}")
    lines.extend(_line(f"{_where(place)}: chooses images later: check what it writes") for place in report.choosers)
    wrong = sum(not image.ok for image in report.images)
    total = f"{_counted(len(report.images), 'image')} in {_counted(report.objects, 'object')}"
    lines.append(f"{total}: {wrong} not pinned to what is recorded" if wrong else f"{total}: all pinned")
    if report.unseen:
        lines[-1] += f", {len(report.unseen)} that nobody can see"
    return "\n".join(lines)


def render_annotations(report: CheckReport) -> str:
    """Render what is wrong as GitHub Actions' workflow commands, with the counts behind."""
    lines = []
    for place, what in _iter_wrong(report):
        position = f"file={_property(place.file)}" + (f",line={place.line}" if place.line else "")
        text = f"{_named(place)}: {what}"
        lines.append(f"::error {position},title=not pinned::{_message(text)}")
    return "\n".join([*lines, render_report(report).splitlines()[-1]])


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _line(text: str) -> str:
    """Keep what a manifest says on its line: the next one might be a command to who reads the output."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _iter_wrong(report: CheckReport) -> Iterator[tuple[PlaceReport, str]]:
    for image in report.images:
        if not image.ok:
            yield image.place, f"{image.image}: {image.detail}"
    for one in report.unseen:
        yield one.place, one.what


def _where(place: PlaceReport) -> str:
    return str(
        Place(
            file=place.file,
            document=place.document,
            kind=place.kind,
            namespace=place.namespace,
            name=place.name,
            path=place.path,
            line=place.line,
        )
    )


def _named(place: PlaceReport) -> str:
    named = "/".join(part for part in (place.namespace, place.name) if part)
    return f"{place.kind} {named}: {place.path}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
