"""Gives up on hosts that cannot be reached, so that hundreds of files do not each wait for the same dead network."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from builder.store.transport import Response, Transport, TransportError, origin

PATIENCE_S = 8.0
"""How long a host may be out of reach before nobody asks it any more; a change of network or a slow DNS may take this."""
LEAST_TRIES = 4


class ImpatientTransport:
    """A Transport that asks another one, but not for hosts that were out of reach for long.

    Args:
        inner: what asks.
        now: seconds on a clock that only goes forward.
    """

    def __init__(self, inner: Transport, *, now: Callable[[], float] = time.monotonic) -> None:
        self._inner = inner
        self._now = now
        self._lock = threading.Lock()
        self._failing: dict[tuple[str, str, int], tuple[float, int]] = {}

    @contextlib.contextmanager
    def open(self, url: str, headers: Mapping[str, str]) -> Iterator[Response]:
        """Ask for an address; raises a TransportError that is not temporary where the host is given up."""
        host = origin(url)
        since, tries = self._failing.get(host, (0.0, 0))
        if tries >= LEAST_TRIES and self._now() - since > PATIENCE_S:
            raise TransportError("the host cannot be reached", url=url, temporary=False, unreached=True)
        try:
            with self._inner.open(url, headers) as response:
                self._reached(host)
                yield response
        except TransportError as error:
            if error.unreached:
                self._missed(host)
            raise

    def _reached(self, host: tuple[str, str, int]) -> None:
        with self._lock:
            self._failing.pop(host, None)

    def _missed(self, host: tuple[str, str, int]) -> None:
        with self._lock:
            since, tries = self._failing.get(host, (self._now(), 0))
            self._failing[host] = (since, tries + 1)
