"""What a cluster answers when it does not answer: errors of the official client, told in this project's words."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from builder.errors import ClusterError
from builder.store.patience import TEMPORARY_STATUS, retry_after

_LONGEST: Final = 300
_HINTS: Final = {
    401: "log in to the cluster anew: kubectl auth whoami shows who you are there",
    403: "ask who runs the cluster for `list` on pods: kubectl auth can-i list pods shows whether you may",
    404: "the address of the kubeconfig's context is not that of a cluster's API",
    429: "the cluster limits how often it may be asked: try again later",
}
_UNREACHED: Final = "look whether kubectl get pods answers with the same kubeconfig and context"


class ClusterTroubleError(ClusterError):
    """A cluster refused, failed or fell silent.

    Args:
        message: what happened.
        context: what was asked for.
        status: of the answer; 0 where there was none.
        temporary: another try may go well.
        after_s: how long it asks to wait.
        hint: the way out.
    """

    def __init__(
        self,
        message: str,
        *,
        context: str = "",
        status: int = 0,
        temporary: bool = False,
        after_s: float | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, context=context, hint=hint)
        self.status = status
        self.temporary = temporary
        self.after_s = after_s

    def again(self, more: str) -> ClusterTroubleError:
        """Say the same with more words, for good."""
        return type(self)(f"{self.message}{more}", context=self.context, status=self.status, hint=self.hint)


class Refused(ClusterTroubleError):  # noqa: N818 - what it is, beside its family's name
    """The one who asks may not know, or there is nothing of the kind."""


@contextlib.contextmanager
def tell(context: str, wall: Callable[[], float]) -> Iterator[None]:
    """Tell errors of the client and what is below it.

    Args:
        context: what is asked for.
        wall: seconds since the epoch, for a Retry-After that is a date.
    """
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError
    from websocket import WebSocketException

    try:
        yield
    except ApiException as error:
        raise translate(error, context, wall()) from error
    except ClusterTroubleError as error:
        if error.context:
            raise
        raise type(error)(
            error.message,
            context=context,
            status=error.status,
            temporary=error.temporary,
            after_s=error.after_s,
            hint=error.hint,
        ) from error
    except ClusterError as error:
        raise ClusterError(error.message, context=context, hint=error.hint) from error
    except (HTTPError, WebSocketException, OSError) as error:
        what = f"no answer: {_reason(error)}"
        raise ClusterTroubleError(what, context=context, temporary=True, hint=_UNREACHED) from error


def translate(error: Any, context: str, now: float) -> ClusterTroubleError:
    """Tell an answer that is an error.

    Args:
        error: an ApiException of the client.
        context: what was asked for.
        now: seconds since the epoch.
    """
    status = int(error.status or 0)
    headers: Mapping[str, str] = {str(name).lower(): str(value) for name, value in (error.headers or {}).items()}
    said = _message(error.body) or " ".join(str(error.reason or "").split())
    kind = Refused if status in {401, 403, 404} else ClusterTroubleError
    what = f"{status} {said}" if status else f"no answer: {said}"
    return kind(
        what[:_LONGEST].strip(),
        context=context,
        status=status,
        temporary=status in TEMPORARY_STATUS,
        after_s=retry_after(headers, now),
        hint=_HINTS.get(status, "" if status else _UNREACHED),
    )


def _message(body: object) -> str:
    """Read what a Status says."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    said = value.get("message") if isinstance(value, dict) else ""
    return " ".join(said.split()) if isinstance(said, str) else ""


def _reason(error: BaseException) -> str:
    """Find the innermost words: urllib3 wraps them in its pool and its retries."""
    inner = getattr(error, "reason", None) or error.__cause__
    if isinstance(inner, BaseException) and not isinstance(error, OSError):
        return _reason(inner)
    return " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST]
