"""Blobs of a registry: found, read with their hash checked, and sent by the cheapest way, resumed where the registry can.

- Reading holds the last chunk back until size and digest of the whole are right; a broken-off body goes on by Range.
- Sending hashes what it sends and finishes only what has the right digest. A blob goes in one PUT: where a PATCH comes before
  it, registries write to disk twice. After a break large ones go on by PATCH from the offset that the registry has, or from the
  beginning where it has forgotten.

Source: opencontainers/distribution-spec 1.1, "Pulling blobs", "Pushing Blobs", "Mounting a blob from another repository".
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import urlencode

from builder.digest import Digest
from builder.errors import DigestMismatchError
from builder.oci.descriptor import Descriptor
from builder.registry.answers import RegistryTroubleError, upload_address, upload_offset
from builder.registry.model import BlobPushed, OpenAt, Outcome, Repository
from builder.registry.session import PUSH, Attempts, Call, Session, Settled
from builder.store.transport import Response, TransportError

_SMALL: Final = 4 << 20
"""Bytes that begin anew after a break: sending them again costs less than asking where it was."""
_MOST_MOUNTS: Final = 4
_GONE: Final = {404, 410, 416}


class _Sent:
    """One blob's bytes on their way: each attempt hashes them from the beginning, until they are known to be right."""

    def __init__(self, context: str, descriptor: Descriptor, open_at: OpenAt, check: Callable[[], None]) -> None:
        self._context = context
        self._descriptor = descriptor
        self._open_at = open_at
        self._check = check
        self._right = False
        self.bytes = 0
        """Handed to the connection, again and again."""

    def chunks(self, offset: int) -> Iterator[bytes]:
        """Give the bytes from an offset; raises DigestMismatchError in place of the last ones where the whole is wrong."""
        if self._right:
            yield from self._counted(self._open_at(offset))
            return
        hashed, size = hashlib.sha256(), 0
        held = b""
        for chunk in self._open_at(0):
            if held:
                yield from self._counted((held,))
            hashed.update(chunk)
            size += len(chunk)
            held = chunk[max(0, offset - (size - len(chunk))) :]
            if size > self._descriptor.size:
                break
        if size != self._descriptor.size or hashed.hexdigest() != self._descriptor.digest.hex:
            raise DigestMismatchError(
                f"the bytes to be sent are {size} of sha256:{hashed.hexdigest()}, expected {self._descriptor.size}",
                context=self._context,
                hint="the layout or cache that they come from is damaged: build again",
            )
        self._right = True
        if held:
            yield from self._counted((held,))

    def _counted(self, chunks: Iterator[bytes] | Sequence[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._check()
            self.bytes += len(chunk)
            yield chunk


class RemoteBlobs:
    """Blobs over a Session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def has_blob(self, repository: Repository, digest: Digest) -> bool:
        """Tell whether a repository holds a blob."""
        return self._has(Call(repository=repository, what=f"blob {digest}", path=f"blobs/{digest}", method="HEAD"))

    def _has(self, call: Call) -> bool:
        status = self._session.settled(call, {200, 404, 405}).status
        if status != 405:
            return status == 200
        # Some registries do not answer HEAD: the head of a GET says the same, its body is left.
        get = Call(repository=call.repository, what=call.what, path=call.path, actions=call.actions)
        with self._session.open(get) as response:
            self._session.check_status(get, response, {200, 404})
            return response.status == 200

    def read_blob(self, repository: Repository, descriptor: Descriptor, begun: Iterable[bytes] = ()) -> Iterator[bytes]:
        """Iterate over a blob, or what is missing of it; the last chunk comes only when size and digest of the whole are right."""
        what, path = f"blob {descriptor.digest}", f"blobs/{descriptor.digest}"
        attempts = self._session.attempts(descriptor.size)
        hashed, size, held = hashlib.sha256(), 0, b""
        for chunk in begun:
            hashed.update(chunk)
            size += len(chunk)
        while True:
            had = size
            headers = {"range": f"bytes={size}-"} if size else {}
            call = Call(repository=repository, what=what, path=path, headers=headers)
            try:
                with self._session.open(call) as response:
                    self._session.check_status(call, response, {200, 206} if size else {200})
                    for chunk in _from(response, call, size, descriptor.size):
                        attempts.check(call)
                        size += len(chunk)
                        hashed.update(chunk)
                        if size > descriptor.size:
                            raise _damaged(call, f"more than the {descriptor.size} bytes of its descriptor came")
                        if held:
                            yield held
                        held = chunk
                if size < descriptor.size:
                    raise _broken(call, f"the answer broke off at {size} of {descriptor.size} bytes")
            except RegistryTroubleError as error:
                attempts.wait(error, progressed=size > had)
                continue
            if hashed.hexdigest() != descriptor.digest.hex:
                raise _damaged(call, f"what came hashes to sha256:{hashed.hexdigest()}")
            if held:
                yield held
            return

    def push_blob(
        self,
        repository: Repository,
        descriptor: Descriptor,
        open_at: OpenAt,
        mount_from: Sequence[Repository] = (),
        *,
        is_missing: bool = False,
    ) -> BlobPushed:
        """Make a repository hold a blob, by the cheapest way: there already, mounted, sent."""
        what, path = f"blob {descriptor.digest}", f"blobs/{descriptor.digest}"
        ask = Call(repository=repository, what=what, path=path, method="HEAD", actions=PUSH)
        if not is_missing and self._has(ask):
            return BlobPushed(outcome=Outcome.PRESENT)
        attempts = self._session.attempts(descriptor.size)
        here = [other for other in mount_from if other.registry == repository.registry and other != repository]
        begun: Settled | None = None
        for other in here[:_MOST_MOUNTS]:
            self._call_off(repository, what, begun)
            begun = self._mount(repository, descriptor, other)
            if begun is not None and begun.status == 201:
                return BlobPushed(outcome=Outcome.MOUNTED)
        call = Call(repository=repository, what=what, actions=PUSH)
        sent = _Sent(call.context, descriptor, open_at, lambda: attempts.check(call))
        self._send(call, descriptor, sent, attempts, begun)
        return BlobPushed(outcome=Outcome.SENT, sent_bytes=sent.bytes)

    def _mount(self, repository: Repository, descriptor: Descriptor, other: Repository) -> Settled | None:
        query = urlencode({"mount": str(descriptor.digest), "from": other.path})
        call = Call(
            repository=repository,
            what=f"blob {descriptor.digest}",
            path=f"blobs/uploads/?{query}",
            method="POST",
            body=b"",
            actions=PUSH,
            mount_from=other,
        )
        try:
            return self._session.settled(call, {201, 202})
        except RegistryTroubleError as error:
            if error.status is None or error.temporary:
                raise
            # The other repository may be closed to this user: then the blob is sent.
            return None

    def _call_off(self, repository: Repository, what: str, begun: Settled | None) -> None:
        """Tell a registry that an upload it began will not come."""
        if begun is None:
            return
        with contextlib.suppress(RegistryTroubleError, TransportError):
            url = upload_address(begun.url, begun.headers)
            call = Call(repository=repository, what=what, url=url, method="DELETE", actions=PUSH)
            with self._session.open(call):
                pass

    def _send(self, call: Call, descriptor: Descriptor, sent: _Sent, attempts: Attempts, begun: Settled | None) -> None:
        """Send until the registry has it; an upload that it has forgotten begins anew."""
        url, offset = ("", 0) if begun is None else (_address(call, begun), 0)
        while True:
            had = offset
            try:
                url = url or self._begin(call, attempts)
                if not offset:
                    self._finish(call, url, descriptor, lambda: sent.chunks(0), descriptor.size)
                else:
                    if offset < descriptor.size:
                        url = self._patch(call, url, offset, descriptor.size, sent)
                        offset = descriptor.size
                    self._finish(call, url, descriptor, b"", 0)
            except RegistryTroubleError as error:
                lost = error.status in _GONE
                if lost:
                    error.temporary = True
                if not lost:
                    url, offset = self._where(call, url, descriptor, error)
                else:
                    url, offset = "", 0
                attempts.wait(error, progressed=offset > had)
            else:
                return

    def _begin(self, call: Call, attempts: Attempts) -> str:
        post = Call(
            repository=call.repository,
            what=call.what,
            path="blobs/uploads/",
            method="POST",
            body=b"",
            actions=PUSH,
        )
        try:
            return _address(call, self._session.settled(post, {202}, attempts))
        except RegistryTroubleError as error:
            error.temporary = False
            if error.status == 404:
                # Of the repository, not of an upload: another try would not make it.
                error.status = None
            raise

    def _patch(self, call: Call, url: str, offset: int, size: int, sent: _Sent) -> str:
        headers = {
            "content-type": "application/octet-stream",
            "content-length": str(size - offset),
            "content-range": f"{offset}-{size - 1}",
        }
        patch = Call(
            repository=call.repository,
            what=call.what,
            url=url,
            method="PATCH",
            headers=headers,
            body=lambda: sent.chunks(offset),
            actions=PUSH,
        )
        with self._session.open(patch) as response:
            self._session.check_status(patch, response, {202, 204})
            _drain(response)
            return _address(call, response)

    def _finish(
        self, call: Call, url: str, descriptor: Descriptor, body: bytes | Callable[[], Iterator[bytes]], size: int
    ) -> None:
        joined = "&" if "?" in url else "?"
        put = Call(
            repository=call.repository,
            what=call.what,
            url=f"{url}{joined}{urlencode({'digest': str(descriptor.digest)})}",
            method="PUT",
            headers={"content-type": "application/octet-stream", "content-length": str(size)},
            body=body,
            actions=PUSH,
        )
        with self._session.open(put) as response:
            self._session.check_status(put, response, {201, 204})
            _drain(response)
            stored = response.headers.get("docker-content-digest", "")
        if stored.startswith("sha256:") and stored != str(descriptor.digest):
            raise _damaged(call, f"the registry says that it stored {stored}")

    def _where(self, call: Call, url: str, descriptor: Descriptor, error: RegistryTroubleError) -> tuple[str, int]:
        """Ask where an upload stands after a break; from the beginning where the registry cannot say."""
        if not url or descriptor.size <= _SMALL or not error.temporary:
            return "", 0
        ask = Call(repository=call.repository, what=call.what, url=url, actions=PUSH)
        try:
            with self._session.open(ask) as response:
                if response.status != 204:
                    return "", 0
                offset = upload_offset(response.headers)
                following = _address(call, response) if "location" in response.headers else url
                return (following, offset) if offset <= descriptor.size else ("", 0)
        except RegistryTroubleError:
            return "", 0


def _address(call: Call, answer: Settled | Response) -> str:
    try:
        return upload_address(answer.url, answer.headers)
    except TransportError as error:
        raise RegistryTroubleError(
            error.message,
            registry=call.repository.registry,
            context=call.context,
            hint="it does not keep to the specification",
        ) from error


def _drain(response: Response) -> None:
    """Read what is left, so that the connection serves again; errors here change nothing."""
    with contextlib.suppress(TransportError):
        for number, _ in enumerate(response.chunks()):
            if number > 16:
                return


def _from(response: Response, call: Call, offset: int, size: int) -> Iterator[bytes]:
    """Give a body from an offset, whether or not the registry heeded the Range."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise _damaged(call, f"it sends {response.headers['content-encoding']} though plain bytes were asked for")
    skip = 0
    if offset:
        if response.status == 200:
            skip = offset
        elif not response.headers.get("content-range", "").startswith(f"bytes {offset}-"):
            raise _broken(call, "it does not continue where asked")
    length = response.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) != size - offset + skip:
        raise _damaged(call, f"it would send {length} bytes where {size - offset + skip} are expected")
    for chunk in response.chunks():
        rest, skip = chunk[skip:], max(0, skip - len(chunk))
        if rest:
            yield rest


def _damaged(call: Call, message: str) -> DigestMismatchError:
    return DigestMismatchError(
        message, context=call.context, hint=f"nothing of it was kept; ask whoever runs {call.repository.registry}"
    )


def _broken(call: Call, message: str) -> RegistryTroubleError:
    return RegistryTroubleError(message, registry=call.repository.registry, context=call.context, temporary=True)
