"""What serves a ledger over HTTP."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import InvalidInputError, ToolError

if TYPE_CHECKING:
    from builder.ledger.model import LedgerReader
    from builder.web.app import Workers
    from builder.web.tokens import Tokens

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ForWorkers:
    """What a service has for workers."""

    tokens: Path
    """File of who may ask."""
    nights: Path
    """Folder of nights."""


def serve_ledger(path: Path, listen: Listen, told: Callable[[str], None], workers: ForWorkers | None = None) -> None:
    """Serve a ledger until the process is told to end.

    Args:
        path: of the ledger.
        listen: where.
        told: the address, once it answers.
        workers: makes it the writer for those that have no file of the ledger; None for reading only.

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
    from builder.wiring.ledgers import open_ledger_file

    with ExitStack() as later:
        ledger = later.enter_context(open_ledger_file(path))
        config = uvicorn.Config(
            make_app(Feed(ledger), channel_answer, _open_workers(path, workers, later) if workers else None),
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


def _open_workers(path: Path, workers: ForWorkers, later: ExitStack) -> Workers:
    from builder.web.app import Workers
    from builder.web.desk import Desk
    from builder.wiring.ledgers import open_ledger_file
    from builder.wiring.nights import Nights

    writer = Desk(lambda: open_ledger_file(path, write=True))
    reader = Desk(lambda: open_ledger_file(path))
    for desk in (writer, reader):
        later.callback(desk.close)
    tokens = TokenFile(workers.tokens)
    tokens()
    return Workers(writer=writer, reader=reader, nights=Nights(root=workers.nights), tokens=tokens)


class TokenFile:
    """Tokens as their file has them now: who is taken out of it is known no more, without a restart.

    Args:
        file: of tokens.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read: tuple[tuple[int, int, int], Tokens] | None = None

    def __call__(self) -> Tokens:
        """Give them; raises IssuesError, StackError, ToolError where the file is none: then nobody is known."""
        from builder.web.tokens import parse_tokens

        try:
            found = self._file.stat()
            state = (found.st_mtime_ns, found.st_size, found.st_ino)
            if self._read is None or self._read[0] != state:
                self._read = (state, parse_tokens(self._file.read_bytes(), file=str(self._file)))
        except OSError as error:
            raise ToolError(f"tokens cannot be read: {error}", hint="airflow-kubler serve --new-token NAME") from error
        return self._read[1]


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


def add_token(file: Path, name: str, may: Sequence[str]) -> str:
    """Make a token, and put its hash into a file of tokens, which is made where it is not there.

    Args:
        file: of tokens.
        name: of the client.
        may: its rights, as builder.web.tokens has them.

    Raises:
        InvalidInputError: the name is none, or is there already.
        IssuesError: the file is none.
    """
    import json
    import secrets

    from builder.atomic import replacing
    from builder.stack.names import is_name
    from builder.web.tokens import hash_token, parse_tokens

    if not is_name(name):
        hint = "use lower-case letters and digits, with single hyphens between"
        raise InvalidInputError(f"{name[:80]!r} is no name", context="--new-token", hint=hint)
    before = file.read_text() if file.exists() else ""
    known = parse_tokens(before.encode(), file=str(file)).clients.values() if before.strip() else ()
    if any(client.name == name for client in known):
        raise InvalidInputError(
            f"has {name} already", context=str(file), hint="take its rows out first, or name another"
        )
    token = secrets.token_urlsafe(32)
    row = f'[tokens.{name}]\nsha256 = "{hash_token(token)}"\nmay = {json.dumps(list(may))}\n'
    with replacing(file, mode=0o600, durable=True) as stream:
        stream.write(f"{before.rstrip()}\n\n{row}".lstrip().encode())
    return token
