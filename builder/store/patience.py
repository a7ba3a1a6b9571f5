"""How long to go on asking somebody who does not answer, or not yet. Imports little: every question begins with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

TEMPORARY_STATUS = {408, 425, 429, 500, 502, 503, 504}
"""Of http: another try may go well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to go on. Clocks and pause are fields so that tests need not wait."""

    tries: int = 5
    """At one address, without any byte coming in between."""
    first_pause_s: float = 0.5
    longest_pause_s: float = 30.0
    deadline_s: float = 900.0
    """For one file, all addresses together."""
    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    """Seconds since the epoch, for a Retry-After that is a date."""
    sleep: Callable[[float], object] | None = None
    """None to sleep until the time is over or the work is called off."""

    def pause(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Wait, until the time is over or the work is called off."""
        (self.sleep or (stop.wait if stop else time.sleep))(seconds)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read Retry-After, seconds or a date, as seconds from now; None where it is neither.

    Args:
        headers: names in lower case.
        now: seconds since the epoch.

    Source: RFC 9110, 10.2.3.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        # Late: it brings what reads mail, and hardly any server sends a date.
        from email.utils import parsedate_to_datetime

        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None
