"""A signed POST, by Standard Webhooks 1.0: who has the secret knows who sent it, when, and that it is whole.

- Every try has the same `webhook-id`, so that a receiver does twice what it was told twice only if it wants to; and a time and signature of
  its own, for receivers refuse old ones.
- Again after 408, 425, 429, 5xx, resets and silence, with growing pauses or exactly as Retry-After says, up to a deadline.
- Redirects are not followed: the body is for whom the address names.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from builder.errors import InvalidInputError
from builder.notify.delivery import Delivery
from builder.store.patience import TEMPORARY_STATUS, Patience, retry_after

if TYPE_CHECKING:
    import httpx

PATIENCE: Final = Patience(tries=5, first_pause_s=1.0, longest_pause_s=30.0, deadline_s=180.0)
_SILENCE_S: Final = 15.0
_PREFIX: Final = "whsec_"
_LEAST_SECRET: Final = 16
"""Bytes; Standard Webhooks asks for 24 to 64, others write less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent."""

    id: str
    """The same whenever the same thing is told."""
    body: bytes
    """JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a try went."""

    problem: str
    """Empty where it arrived."""
    temporary: bool = False
    after_s: float | None = None
    """Asked by the receiver."""


def parse_secret(text: str) -> bytes:
    """Read a secret: `whsec_` and base64.

    Raises:
        InvalidInputError: it is none, or too short to hold anything off; it is not repeated.
    """
    try:
        secret = base64.b64decode(text.strip().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) < _LEAST_SECRET:
        raise InvalidInputError(
            f"holds no secret of {_LEAST_SECRET} bytes or more in base64", hint="make one: openssl rand -base64 32"
        )
    return secret


def sign(secret: bytes, message: Message, timestamp: int) -> dict[str, str]:
    """Make the headers of a message, sent at a time in seconds since the epoch."""
    signed = f"{message.id}.{timestamp}.".encode() + message.body
    signature = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": message.id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}


def send(url: str, secret: bytes, message: Message, *, target: str, patience: Patience = PATIENCE) -> Delivery:
    """Send a message until it arrives or there is no hope; never raises for what the receiver does.

    Args:
        url: http or https.
        secret: as of `parse_secret`.
        message: what is told.
        target: the name that it goes by.
        patience: how long to go on.
    """
    import httpx

    deadline = patience.now() + patience.deadline_s
    answer = Answer(problem="was not tried")
    with httpx.Client(follow_redirects=False, timeout=_SILENCE_S) as client:
        for number in range(1, patience.tries + 1):
            answer = _post(client, url, sign(secret, message, int(patience.wall())), message.body, patience)
            if not answer.problem or not answer.temporary or number == patience.tries:
                return Delivery(target=target, problem=answer.problem, tries=number)
            pause = answer.after_s
            if pause is None:
                pause = min(patience.first_pause_s * 2 ** (number - 1), patience.longest_pause_s)
            if patience.now() + pause > deadline:
                problem = f"{answer.problem}; the next try would come after {patience.deadline_s:.0f} s in all"
                return Delivery(target=target, problem=problem, tries=number)
            patience.pause(pause)
    return Delivery(target=target, problem=answer.problem)


def _post(client: httpx.Client, url: str, headers: dict[str, str], body: bytes, patience: Patience) -> Answer:
    import httpx

    headers |= {"content-type": "application/json", "user-agent": "airflow-kubler"}
    try:
        # The answer's body is nobody's business, and may be endless.
        with client.stream("POST", url, content=body, headers=headers) as response:
            return _judge(
                response.status_code, {name.lower(): text for name, text in response.headers.items()}, patience
            )
    except httpx.InvalidURL:
        return Answer(problem="it holds no address that can be sent to")
    except (httpx.UnsupportedProtocol, httpx.LocalProtocolError):
        return Answer(problem="it holds no address of http or https")
    except httpx.HTTPError as error:
        # Its text may repeat the address.
        return Answer(problem=_words(type(error).__name__), temporary=True)


def _judge(status: int, headers: dict[str, str], patience: Patience) -> Answer:
    if 200 <= status < 300:
        return Answer(problem="")
    found = Answer(problem=f"answered {status}")
    if status in TEMPORARY_STATUS:
        return replace(found, temporary=True, after_s=retry_after(headers, patience.wall()))
    return found


def _words(name: str) -> str:
    """Say what kind of trouble it was, as `connect error`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
