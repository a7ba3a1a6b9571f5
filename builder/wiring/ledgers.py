"""What opens ledgers, and who is said to write in them."""

from __future__ import annotations

import os
import pwd
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from builder import __version__
from builder.errors import InvalidInputError, LedgerUnavailableError
from builder.ledger.entry import Actor
from builder.secrecy import Redactor, secrets_of

if TYPE_CHECKING:
    from builder.ledger.database import SqliteLedger
    from builder.ledger.model import Ledger
    from builder.service.address import LedgerPlace, ServiceAddress
    from builder.service.caller import Caller


_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]+")


def clock() -> int:
    """Read seconds since the epoch."""
    return int(time.time())


@contextmanager
def open_ledger(place: LedgerPlace, *, write: bool = False) -> Iterator[Ledger]:
    """Open a ledger that is there, in a file or behind its service; raises LedgerUnavailableError, LedgerError."""
    if isinstance(place, Path):
        with open_ledger_file(place, write=write) as ledger:
            yield ledger
        return
    from builder.service.ledger import RemoteLedger

    with open_service(place) as caller:
        yield RemoteLedger(caller, place.scope)


@contextmanager
def open_ledger_file(path: Path, *, write: bool = False) -> Iterator[SqliteLedger]:
    """Open a ledger's file; raises LedgerUnavailableError, LedgerError."""
    from builder.ledger.database import SqliteLedger

    with SqliteLedger(path, clock, write=write) as ledger:
        yield ledger


@contextmanager
def open_service(address: ServiceAddress) -> Iterator[Caller]:
    """Open what asks a ledger's service, with this user's token."""
    from builder.service.caller import FOR_PEOPLE, FOR_WORKERS, HttpCaller

    patience = FOR_PEOPLE if address.scope is None else FOR_WORKERS
    with HttpCaller(address.url, _token(os.environ), patience) as caller:
        yield caller


def _token(environment: Mapping[str, str]) -> str:
    """Find the token that the service knows this client by: in a variable, or in the file that one names; empty for none."""
    from builder.service.address import TOKEN_VARIABLE

    named = environment.get(f"{TOKEN_VARIABLE}_FILE", "")
    where = f"{TOKEN_VARIABLE}_FILE" if named else TOKEN_VARIABLE
    try:
        token = (Path(named).read_text() if named else environment.get(TOKEN_VARIABLE, "")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerUnavailableError(f"cannot be read: {error}", context=where) from error
    if token and not _TOKEN.fullmatch(token):
        # It is not repeated.
        hint = "it is one line of letters, digits and - . _ ~ + / ="
        raise InvalidInputError("holds no token", context=where, hint=hint)
    return token


def begin_ledger(path: Path, origin: str) -> None:
    """Make a ledger; raises LedgerUnavailableError where something is there already."""
    from builder.ledger.database import create_ledger

    create_ledger(path, origin, this_actor(), clock)


def this_actor() -> Actor:
    """Say who runs this program, as far as the machine knows; nobody has proved it."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = str(os.geteuid())
    return Actor(
        name=name,
        method="local",
        host=socket.gethostname(),
        run=_run_address(os.environ),
        program=f"airflow-kubler {__version__}",
    )


def _run_address(environment: Mapping[str, str]) -> str:
    """Find the address of the run of a continuous integration: GitHub Actions, GitLab, Jenkins."""
    server, repository, run = (
        environment.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    )
    if server and repository and run:
        return f"{server}/{repository}/actions/runs/{run}"
    return Redactor(secrets_of(environment))(environment.get("CI_JOB_URL") or environment.get("BUILD_URL") or "")
