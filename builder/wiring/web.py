"""What serves a ledger over HTTP."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import ToolError

if TYPE_CHECKING:
    from builder.ledger.model import LedgerReader

_KEEP_ALIVE_S = 75
_LAST_WORDS_S = 3
"""For streams to end when the service does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where the service listens."""

    host: str
    port: int
    """0 for any that is free."""
    certificate: Path | None = None
    key: Path | None = None
    most: int = 2000
    """Connections at a time; more are told to come again."""


def serve_ledger(path: Path, listen: Listen, told: Callable[[str], None]) -> None:
    """Serve a ledger until the process is told to end.

    Args:
        path: of the ledger.
        listen: where.
        told: the address, once it answers.

    Raises:
        LedgerUnavailableError: there is no ledger, or it cannot be opened.
        ToolError: what serves is not installed.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise ToolError(
            "the service needs starlette and uvicorn", hint='install them with: pip install "airflow-kubler[serve]"'
        ) from error
    from builder.web.app import make_app
    from builder.web.feed import Feed
    from builder.wiring.ledgers import open_ledger

    with open_ledger(path) as ledger:
        config = uvicorn.Config(
            make_app(Feed(ledger), channel_answer),
            ssl_certfile=listen.certificate,
            ssl_keyfile=listen.key,
            limit_concurrency=listen.most,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_LAST_WORDS_S,
            log_level="warning",
            access_log=False,
            server_header=False,
        )
        with _listening(listen) as listener:
            host, port = listener.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            told(f"{'https' if listen.certificate else 'http'}://{shown}:{port}")
            uvicorn.Server(config).run(sockets=[listener])


def _listening(listen: Listen) -> socket.socket:
    """Listen already: who connects before the first answer waits for it, and is not refused."""
    try:
        family, *_, address = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family, backlog=2048)
    except OSError as error:
        raise ToolError(
            f"cannot listen on {listen.host} port {listen.port}: {error.strerror or error}",
            hint="name another by --host and --port",
        ) from error


def channel_answer(ledger: LedgerReader, stack: str, channel: str) -> dict[str, Any] | None:
    """Say what a channel stands for: the JSON of `digest --format json`."""
    import msgspec

    from builder.usecase.digest import answer_channel

    answer = answer_channel(ledger, stack, channel)
    return None if answer is None else msgspec.to_builtins(answer)
