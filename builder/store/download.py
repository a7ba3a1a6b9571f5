"""Downloads locked files in parallel: what arrives under a file's name is the locked file, or nothing is.

For each file its addresses are tried in order. Each gets a bounded number of tries: again after 429, 5xx, a reset or a
broken-off body (continued by Range), with growing pauses or as Retry-After says; on to the next address after a refusal or
wrong bytes. No more than the locked size is ever read.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Protocol

from builder.errors import DigestMismatchError, FetchError
from builder.lock.model import LockedFile
from builder.store.model import Progress
from builder.store.patience import TEMPORARY_STATUS, Patience, retry_after
from builder.store.transport import Response, Transport, TransportError, shown

DEFAULT_WORKERS = 8
_GONE = {404, 410}


class Part(Protocol):
    """A download under way; `PartialFile` is one."""

    size: int

    def append(self, chunk: bytes) -> None:
        """Write the next bytes."""

    def reset(self) -> None:
        """Forget what came so far."""

    def finish(self) -> None:
        """Check the whole and put it under its name."""


class PartialStore(Protocol):
    """The part of a store that downloads are written to."""

    def partial(
        self, file: LockedFile, *, timeout_s: float = ..., given_up: Callable[[], bool] = ...
    ) -> contextlib.AbstractContextManager[Part | None]:
        """Hold the right to download a file; yields None where it is held already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file, and the addresses where it may be had, best first."""

    file: LockedFile
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A file that could not be had, and why not at each address tried."""

    file: LockedFile
    reasons: tuple[str, ...]
    gone: bool
    """Every address answered that there is no such file: asking again is of no use."""


class _RefusedError(FetchError):
    """An address will not give the file."""

    def __init__(self, message: str, *, url: str, gone: bool = False) -> None:
        super().__init__(message, context=shown(url))
        self.gone = gone


class _LaterError(FetchError):
    """An address may give the file later."""

    def __init__(self, message: str, *, url: str, after_s: float | None = None) -> None:
        super().__init__(message, context=shown(url))
        self.after_s = after_s


def download(
    wanted: Sequence[Wanted],
    store: PartialStore,
    transport: Transport,
    *,
    workers: int = DEFAULT_WORKERS,
    patience: Patience | None = None,
    progress: Progress = lambda _: None,
) -> tuple[Failure, ...]:
    """Download files into a store, the largest first.

    Returns:
        The files that could not be had, in the order asked for; empty where all is well.

    Raises:
        OSError: the disk is full or not writable; nothing incomplete is left under a file's name.
    """
    if not wanted:
        return ()
    stop = threading.Event()
    patience = patience or Patience()

    def get(item: Wanted) -> Failure | None:
        return _get(item, store, _Job(item.file, transport, patience, progress, stop))

    with ThreadPoolExecutor(max_workers=min(workers, len(wanted)), thread_name_prefix="download") as pool:
        largest_first = sorted(range(len(wanted)), key=lambda index: -wanted[index].file.size)
        futures = {index: pool.submit(get, wanted[index]) for index in largest_first}
        try:
            for future in as_completed(futures.values()):
                future.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    results = (futures[index].result() for index in range(len(wanted)))
    return tuple(result for result in results if result is not None)


def _get(wanted: Wanted, store: PartialStore, job: _Job) -> Failure | None:
    """Get one file; returns None where it is in the store."""
    reasons: list[str] = []
    gone = bool(wanted.urls)
    with store.partial(wanted.file, timeout_s=job.patience.deadline_s, given_up=job.stop.is_set) as part:
        if part is None:
            job.report(wanted.file.size)
            return None
        for url in wanted.urls:
            try:
                job.take_from(url, part)
            except (_RefusedError, _LaterError, TransportError, DigestMismatchError) as error:
                reasons.append(f"{shown(url)}: {error.message}")
                gone = gone and isinstance(error, _RefusedError) and error.gone
            else:
                return None
    return Failure(file=wanted.file, reasons=tuple(reasons), gone=gone)


class _CalledOffError(Exception):
    """Another worker met an error that ends everything."""


class _Job:
    """One file's download."""

    def __init__(
        self, file: LockedFile, transport: Transport, patience: Patience, progress: Progress, stop: threading.Event
    ) -> None:
        self.file = file
        self.patience = patience
        self.stop = stop
        self._transport = transport
        self._progress = progress
        self._deadline = patience.now() + patience.deadline_s
        self._reported = 0

    def report(self, size: int) -> None:
        """Tell how far the file is; less than before where bytes were thrown away."""
        if size != self._reported:
            self._progress(size - self._reported)
            self._reported = size

    def take_from(self, url: str, part: Part) -> None:
        """Try one address until it gives the file, refuses, or patience ends."""
        failed = 0
        begun_anew = False
        while True:
            had = part.size
            try:
                self._stream(url, part)
                part.finish()
            except DigestMismatchError:
                # What was continued may have been begun elsewhere and be wrong: once from the beginning, then give up.
                if had == 0 or begun_anew:
                    raise
                begun_anew = True
            except (_LaterError, TransportError) as error:
                failed = 1 if part.size > had else failed + 1
                self._pause(error, failed)
            else:
                return
            finally:
                self.report(part.size)

    def _pause(self, error: _LaterError | TransportError, failed: int) -> None:
        """Wait before another try; raises the error where there is to be none."""
        final = isinstance(error, TransportError) and not error.temporary
        if final or failed >= self.patience.tries:
            raise error
        pause = self.patience.first_pause_s * 2 ** (failed - 1)
        if isinstance(error, _LaterError) and error.after_s is not None:
            pause = error.after_s
        pause = min(pause, self.patience.longest_pause_s)
        if self.patience.now() + pause > self._deadline:
            raise error
        self.patience.pause(pause, self.stop)

    def _stream(self, url: str, part: Part) -> None:
        if self.stop.is_set():
            raise _CalledOffError
        if part.size and part.size == self.file.size:
            return
        headers = {"range": f"bytes={part.size}-"} if part.size else {}
        with self._transport.open(url, headers) as response:
            self._check_head(response, part)
            for chunk in response.chunks():
                if self.stop.is_set():
                    raise _CalledOffError
                if self.patience.now() > self._deadline:
                    raise _RefusedError(f"too slow: not done after {self.patience.deadline_s:.0f} s", url=url)
                part.append(chunk)
                self.report(part.size)
        if part.size < self.file.size:
            raise _LaterError(f"the answer broke off at {part.size} of {self.file.size} bytes", url=url)

    def _check_head(self, response: Response, part: Part) -> None:
        """Read an answer's head: whether its body is what we want, and where it belongs."""
        status, headers, url = response.status, response.headers, response.url
        if status in TEMPORARY_STATUS:
            raise _LaterError(f"HTTP {status}", url=url, after_s=retry_after(headers, self.patience.wall()))
        if status not in {200, 206} and not (status == 416 and part.size):
            raise _RefusedError(f"HTTP {status}", url=url, gone=status in _GONE)
        if part.size and not (status == 206 and headers.get("content-range", "").startswith(f"bytes {part.size}-")):
            part.reset()
            if status in {206, 416}:
                raise _LaterError("it does not continue where asked", url=url)
        if (encoding := headers.get("content-encoding", "").lower()) not in {"", "identity"}:
            raise _RefusedError(f"it sends {encoding} though the plain file was asked for", url=url)
        left = self.file.size - part.size
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length) != left:
            raise _RefusedError(f"it would send {length} bytes where {left} are locked", url=url)
