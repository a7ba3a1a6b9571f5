"""The Kubernetes API by its official client: what runs, page by page, and a command in a container.

Rules:
- Pods come whole or not at all: half a list is never taken for what runs.
- Pages are of one state of the cluster. Where it forgets that state (410) the list is begun anew; after that it is asked for in
  one piece.
- Again after 408, 429, 5xx, resets and silence, exactly as Retry-After says or with growing pauses, up to a deadline.
- Objects are handed on as JSON values: the client's own models refuse what lacks a field.
- Jobs and ConfigMaps may be refused: what is not known without them is noted.

Source: Kubernetes API concepts, "Retrieving large results sets in chunks"; kubernetes 34 to 37 of PyPI.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from builder.cluster.answers import ClusterTroubleError, Refused, tell
from builder.errors import ClusterError
from builder.store.patience import Patience

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_PAGE: Final = 250
MOST_PAGE_BYTES: Final = 64 << 20
_MOST_OUTPUT_BYTES: Final = 64 << 20
_CHUNK: Final = 1 << 16
_RESTARTS: Final = 2
_TIMEOUTS_S: Final = (10.0, 60.0)
"""For a connection, and for the next bytes on it."""
_ERROR_CHANNEL: Final = 3
DEFAULT_PATIENCE: Final = Patience(deadline_s=300.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """Objects that are listed."""

    name: str
    plural: str
    api: str
    one: str
    """The client's method for one namespace."""
    every: str
    must: bool
    without: str = ""
    """What is not known without them."""


_KINDS: Final = (
    _Kind(
        name="Pod",
        plural="pods",
        api="CoreV1Api",
        one="list_namespaced_pod",
        every="list_pod_for_all_namespaces",
        must=True,
    ),
    _Kind(
        name="Job",
        plural="jobs",
        api="BatchV1Api",
        one="list_namespaced_job",
        every="list_job_for_all_namespaces",
        must=False,
        without="CronJobs are told by the names of their jobs",
    ),
    _Kind(
        name="ConfigMap",
        plural="configmaps",
        api="CoreV1Api",
        one="list_namespaced_config_map",
        every="list_config_map_for_all_namespaces",
        must=False,
        without="what airflow.cfg says of worker images is not known",
    ),
)


class _Page(msgspec.Struct):
    """A list, its items unread."""

    kind: str = ""
    items: list[msgspec.Raw] | None = None
    metadata: dict[str, Any] = {}


class _TooLargeError(Exception):
    """A page is larger than anybody should hold."""


class KubernetesCluster:
    """A Cluster behind its API.

    Args:
        api: the client, set up.
        name: of the cluster.
        context: as kubectl names it; empty where it does not.
        patience: how long to go on for each list.
        most_page_bytes: that are held at a time; a larger page is asked for in smaller ones.
    """

    def __init__(
        self,
        api: ApiClient,
        *,
        name: str,
        context: str,
        patience: Patience = DEFAULT_PATIENCE,
        most_page_bytes: int = MOST_PAGE_BYTES,
    ) -> None:
        self.name = name
        self.context = context
        self._api = api
        self._patience = patience
        self._most_page_bytes = most_page_bytes
        self._notes: list[str] = []

    def notes(self) -> tuple[str, ...]:
        """List what was refused, beside pods."""
        return tuple(dict.fromkeys(self._notes))

    def objects(self, namespaces: Sequence[str]) -> Iterator[object]:
        """Iterate over pods, jobs and ConfigMaps; raises ClusterError where not all pods can be had."""
        for kind in _KINDS:
            for namespace in namespaces or ("",):
                try:
                    items = self._list(kind, namespace)
                except Refused as error:
                    if kind.must:
                        raise
                    self._notes.append(f"{error.message}: {kind.without}")
                    continue
                for item in items:
                    yield _decode(item, kind.name)

    def _list(self, kind: _Kind, namespace: str) -> list[msgspec.Raw]:
        """Read a whole list."""
        deadline = self._patience.now() + self._patience.deadline_s
        where = f"{kind.plural} of {namespace or 'all namespaces'}"
        for attempt in range(_RESTARTS + 1):
            try:
                return self._pages(kind, namespace, where, deadline, limit=_PAGE if attempt < _RESTARTS else 0)
            except ClusterTroubleError as error:
                if error.status != 410:
                    raise
        raise ClusterError("forgets the state of its lists before they are read", context=f"{self.name}: {where}")

    def _pages(self, kind: _Kind, namespace: str, where: str, deadline: float, *, limit: int) -> list[msgspec.Raw]:
        found: list[msgspec.Raw] = []
        after = ""
        while True:
            try:
                page = self._page(kind, namespace, where, deadline, limit=limit, after=after)
            except _TooLargeError:
                if limit == 1:
                    raise ClusterError(
                        f"one object has more than {self._most_page_bytes} bytes", context=f"{self.name}: {where}"
                    ) from None
                limit = max(1, (limit or _PAGE) // 5)
                continue
            found += (item for item in page.items or () if kind.must or _matters(kind, item))
            after = page.metadata.get("continue") or ""
            if not after or not isinstance(after, str):
                return found

    def _page(self, kind: _Kind, namespace: str, where: str, deadline: float, *, limit: int, after: str) -> _Page:
        """Read a page, trying again where another try may go well."""
        import kubernetes.client

        api = getattr(kubernetes.client, kind.api)(self._api)
        call: Callable[..., Any] = getattr(api, kind.one if namespace else kind.every)
        words = (namespace,) if namespace else ()
        options: dict[str, Any] = {"limit": limit} if limit else {}
        options |= {"_continue": after} if after else {}
        failed = 0
        while True:
            try:
                with tell(f"{self.name}: {where}", self._patience.wall):
                    response = call(*words, _preload_content=False, _request_timeout=_TIMEOUTS_S, **options)
                    return _parse_page(self._read(response, deadline))
            except ClusterTroubleError as error:
                failed += 1
                self._wait(error, failed, deadline)

    def _read(self, response: Any, deadline: float) -> bytes:
        """Read an answer's body, while it comes in time."""
        body = bytearray()
        with contextlib.closing(response):
            while chunk := response.read1(_CHUNK):
                body += chunk
                if len(body) > self._most_page_bytes:
                    raise _TooLargeError
                if self._patience.now() > deadline:
                    raise ClusterTroubleError(f"too slow: not done after {self._patience.deadline_s:.0f} s")
        return bytes(body)

    def _wait(self, error: ClusterTroubleError, failed: int, deadline: float) -> None:
        """Wait before another try; raises the error where there is to be none."""
        patience = self._patience
        pause = min(patience.first_pause_s * 2.0 ** (failed - 1), patience.longest_pause_s)
        pause = pause if error.after_s is None else error.after_s
        if not error.temporary or failed >= patience.tries:
            raise error.again(f", after {failed} tries" if failed > 1 else "")
        if patience.now() + pause > deadline:
            raise error.again(f"; it asks to wait {pause:.0f} s, which is past the deadline")
        patience.pause(pause)

    def run(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> bytes:
        """Run a command in a container, and give what it says on standard output.

        Raises:
            ClusterError: it does not start, fails, says too much, or takes longer than the deadline.
        """
        from kubernetes.client import CoreV1Api
        from kubernetes.stream import stream

        with tell(f"{namespace}/{pod}/{container}", self._patience.wall):
            talk = stream(
                CoreV1Api(self._api).connect_get_namespaced_pod_exec,
                pod,
                namespace,
                container=container,
                command=list(command),
                stdin=False,
                stdout=True,
                stderr=True,
                tty=False,
                _preload_content=False,
            )
            try:
                return self._listen(talk)
            finally:
                # Its own close waits for an answer, and leaves the socket open where the other end was first.
                talk.sock.shutdown()

    def _listen(self, talk: Any) -> bytes:
        deadline = self._patience.now() + self._patience.deadline_s
        said, errors = [], ""
        size = 0
        while talk.is_open():
            talk.update(timeout=1)
            said.append(talk.read_stdout(timeout=0) if talk.peek_stdout() else "")
            errors = (errors + (talk.read_stderr(timeout=0) if talk.peek_stderr() else ""))[-2000:]
            size += len(said[-1])
            if size > _MOST_OUTPUT_BYTES:
                raise ClusterError(f"says more than {_MOST_OUTPUT_BYTES} bytes")
            if self._patience.now() > deadline:
                raise ClusterError(f"the command is not done after {self._patience.deadline_s:.0f} s")
        _check_status(talk.read_channel(_ERROR_CHANNEL), errors)
        return "".join(said).encode("utf-8", "replace")


def _check_status(text: str, errors: str) -> None:
    """Raise where a command did not end well: the last word of the API on it."""
    try:
        status = json.loads(text)
    except (ValueError, RecursionError):
        status = None
    if not isinstance(status, dict) or status.get("status") != "Success":
        said = str(status.get("message", "")) if isinstance(status, dict) else "the connection broke off"
        last = errors.strip().splitlines()[-1:] or [""]
        raise ClusterError(f"the command failed: {said[:200]}{last[0] and f': {last[0][:200]}'}")


def _matters(kind: _Kind, item: msgspec.Raw) -> bool:
    """Tell whether an object is of use: most ConfigMaps are large and hold no airflow.cfg."""
    return kind.name != "ConfigMap" or b'"airflow.cfg"' in bytes(item)


def _parse_page(body: bytes) -> _Page:
    try:
        page = msgspec.json.decode(body, type=_Page)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise ClusterTroubleError(f"an answer that is no list: {str(error)[:120]}", temporary=True) from error
    named = page.kind.endswith("List") or (
        not page.kind and page.items is not None and "resourceVersion" in page.metadata
    )
    if not named:
        # Whatever answers so is no API, and must not be taken for a cluster where nothing runs.
        raise ClusterTroubleError(f"an answer that is no list but {page.kind[:80] or 'of no kind'}")
    return page


def _decode(item: msgspec.Raw, kind: str) -> Mapping[str, Any]:
    """Read an object; one that cannot be read stands for itself, without a name."""
    try:
        value = json.loads(bytes(item))
    except (ValueError, RecursionError):
        value = None
    return {**value, "kind": kind} if isinstance(value, dict) else {"kind": kind}
