"""Chat and mail, by apprise: one address for each of a hundred services.

Addresses hold tokens: neither they nor what apprise logs of them is told to anybody.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from builder.errors import ToolError
from builder.notify.delivery import Delivery
from builder.store.patience import Patience

if TYPE_CHECKING:
    from apprise import Apprise

PATIENCE: Final = Patience(tries=3, first_pause_s=2.0, longest_pause_s=10.0)
Tone = Literal["success", "warning", "failure", "info"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is told."""

    title: str
    body: str
    """Markdown; apprise makes of it what a service takes."""
    tone: Tone


def tell(addresses: str, note: Note, *, target: str, patience: Patience = PATIENCE) -> Delivery:
    """Tell a service, or several whose addresses stand side by side; never raises for what a service does.

    Args:
        addresses: as apprise reads them, with spaces between them.
        note: what is told.
        target: the name that they go by.
        patience: how often to try.

    Raises:
        ToolError: apprise is not installed.
    """
    try:
        import apprise
    except ImportError as error:
        hint = "pip install 'airflow-kubler[notify]'"
        raise ToolError("apprise is not installed, which reaches chats and mail", hint=hint) from error
    with _silent():
        # No files of its own, no templates, no pictures of another host.
        asset = apprise.AppriseAsset(
            app_id="airflow-kubler",
            app_desc="airflow-kubler",
            image_url_mask="",
            storage_mode=apprise.PersistentStoreMode.MEMORY,
            async_mode=False,
        )
        services = [apprise.Apprise(asset=asset) for _ in addresses.split()]
        if not services or not all(one.add(url) for one, url in zip(services, addresses.split(), strict=True)):
            return Delivery(target=target, problem="it holds an address that apprise does not know")
        left = services
        for number in range(1, patience.tries + 1):
            # Only those that did not get it: nobody is told twice.
            left = [one for one in left if not _notify(one, note)]
            if not left or number == patience.tries:
                break
            patience.pause(min(patience.first_pause_s * 2 ** (number - 1), patience.longest_pause_s))
    problem = f"{len(left)} of {len(services)} did not take it" if left else ""
    return Delivery(target=target, problem=problem, tries=number)


def _notify(service: Apprise, note: Note) -> bool:
    import apprise

    return bool(
        service.notify(
            body=note.body,
            title=note.title,
            notify_type=apprise.NotifyType(note.tone),
            body_format=apprise.NotifyFormat.MARKDOWN,
        )
    )


@contextmanager
def _silent() -> Iterator[None]:
    logger = logging.getLogger("apprise")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
