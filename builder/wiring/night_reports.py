"""The reports of a night: JSON, Markdown and a page in its folder, the JSON in the ledger too."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from builder.wiring.nights import REPORT

if TYPE_CHECKING:
    from builder.ledger.events import Nightly
    from builder.ledger.model import LedgerReader
    from builder.nightly.settings import NotifySettings
    from builder.nightly.summary import NightSummary
    from builder.notify.chat import Tone
    from builder.notify.delivery import Delivery
    from builder.service.address import LedgerPlace
    from builder.usecase.nightly import NightShelf


_LOOKED_AT: Final = 30
"""Nights on record that are looked at: others may have been recorded by other machines meanwhile."""


def close_night(nights: NightShelf, summary: NightSummary, ledger: LedgerPlace | None) -> None:
    """Write a night's reports into its folder, and the night itself into the ledger."""
    from builder.canonical import dump_json
    from builder.digest import Digest
    from builder.ledger.events import Nightly
    from builder.ledger.parts import StackResult
    from builder.nightly.markdown import render_markdown
    from builder.nightly.summary import summary_to_dict
    from builder.wiring.recording import open_recorder

    data = dump_json(summary_to_dict(summary))
    texts = {"report.md": render_markdown(summary), "report.html": make_page(nights, summary, ledger)}
    for name, content in ((REPORT, data), *((name, text.encode()) for name, text in texts.items())):
        nights.keep(summary.night, name, content)
    with open_recorder(ledger) as recorder:
        if recorder is not None:
            results = tuple(
                StackResult(stack=one.name, result=str(one.result), digest=one.digest, same=one.is_same)
                for one in summary.stacks
            )
            event = Nightly(night=summary.night, began=summary.began, results=results, report=str(Digest.of(data)))
            if not _is_recorded(recorder.ledger, event):
                recorder.told(event, data)


def _is_recorded(ledger: LedgerReader, night: Nightly) -> bool:
    """Tell whether a night is on record: it may have been killed after that, and closed again."""
    from builder.ledger.events import Nightly
    from builder.ledger.queries import event_of

    last = (event_of(entry, Nightly) for entry in ledger.find("kind", Nightly.kind, limit=_LOOKED_AT))
    return any((one.night, one.began) == (night.night, night.began) for one in last)


def make_page(nights: NightShelf, summary: NightSummary, ledger: LedgerPlace | None) -> str:
    """Make a night's page, with plots of the nights before it on disk and on record."""
    from contextlib import ExitStack

    from builder.picture.night_page import render_night_page
    from builder.usecase.night_trend import read_trend
    from builder.wiring.ledgers import open_ledger

    with ExitStack() as later:
        reader = later.enter_context(open_ledger(ledger)) if ledger is not None else None
        trend = read_trend(nights, reader, summary)
    return render_night_page(summary, trend)


def tell_night(
    nights: NightShelf,
    summary: NightSummary,
    settings: NotifySettings,
    say: Callable[[str], None],
    environ: Mapping[str, str] = os.environ,
) -> tuple[Delivery, ...]:
    """Tell of a night who wants to know; what does not arrive is said, and fails nothing.

    Args:
        nights: with the night's reports.
        summary: the night.
        settings: who wants to know, and when.
        say: told of each.
        environ: holds addresses and secrets.
    """
    from builder.nightly.notice import wants

    if not wants(settings, summary):
        return ()
    done = []
    for delivery in _deliver(nights, summary, settings, environ):
        say(delivery.render())
        done.append(delivery)
    return tuple(done)


def _deliver(
    nights: NightShelf, summary: NightSummary, settings: NotifySettings, environ: Mapping[str, str]
) -> Iterator[Delivery]:
    if settings.webhook:
        yield _attempt(f"webhook {settings.webhook}", lambda: _send_webhook(nights, summary, settings, environ))
    for name in settings.apprise:
        yield _attempt(f"chat {name}", lambda name=name: _tell_chat(summary, name, environ))  # type: ignore[misc]


def _attempt(target: str, deliver: Callable[[], Delivery]) -> Delivery:
    """Turn whatever goes wrong into words: a night that is done does not fail for who could not be told."""
    from builder.errors import BuilderError
    from builder.notify.delivery import Delivery

    try:
        return deliver()
    except BuilderError as error:
        hint = f"; {error.hint}" if error.hint else ""
        return Delivery(target=target, problem=f"{error.message}{hint}")
    except Exception as error:  # noqa: BLE001  a hundred services of others' making stand behind this
        # Its text may repeat an address.
        return Delivery(target=target, problem=f"it went wrong: {type(error).__name__}")


def _send_webhook(
    nights: NightShelf, summary: NightSummary, settings: NotifySettings, environ: Mapping[str, str]
) -> Delivery:
    from builder.canonical import dump_json
    from builder.digest import Digest
    from builder.nightly.notice import make_notice, notice_id
    from builder.notify.webhook import Message, parse_secret, send

    url, secret = _variable(environ, settings.webhook), _variable(environ, settings.webhook_secret)
    report = nights.report(summary.night)
    body = dump_json(make_notice(summary, str(Digest.of(report)) if report is not None else ""))
    message = Message(id=notice_id(summary), body=body)
    return send(url, parse_secret(secret), message, target=f"webhook {settings.webhook}")


def _tell_chat(summary: NightSummary, name: str, environ: Mapping[str, str]) -> Delivery:
    from builder.nightly.notice import render_notice
    from builder.notify.chat import Note, tell

    title, body = render_notice(summary)
    tone: Tone = "failure" if not summary.is_good else "warning" if summary.waiting else "success"
    return tell(_variable(environ, name), Note(title=title, body=body, tone=tone), target=f"chat {name}")


def _variable(environ: Mapping[str, str], name: str) -> str:
    from builder.errors import InvalidInputError

    value = environ.get(name, "").strip()
    if not value:
        raise InvalidInputError(f"the environment variable {name} is not set or empty")
    return value
