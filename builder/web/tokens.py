"""Who may ask for more than everybody: clients known by a token, of which the service keeps a hash.

[tokens.nightly-workers]
sha256 = "…"              # of the token
may = ["read", "write"]
expires = 2027-03-31      # may be left out
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from builder.errors import StackError
from builder.ledger.events import Approved, Promoted
from builder.stack.names import is_name
from builder.stack.table import one_of, parse_table

READ: Final = "read"
WRITE: Final = "write"
RIGHTS: Final = (READ, WRITE, "promote", "approve")
_OF_KINDS: Final[Mapping[str, str]] = {Promoted.kind: "promote", Approved.kind: "approve"}
"""Kinds of entries that `write` is not enough for."""
_HEX: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who has a token."""

    name: str
    may: frozenset[str]
    expires: dt.date | None = None
    """The last day on which it is known."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Clients by the hash of their token."""

    clients: Mapping[str, Client]

    def find(self, authorization: str, today: dt.date) -> Client | None:
        """Find who has the token of an Authorization header; None for nobody, and where it has expired."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        # By hash: how long it takes tells nothing of a token.
        client = self.clients.get(hash_token(token.strip()))
        return None if client is None or (client.expires and client.expires < today) else client


def right_for(kind: str) -> str:
    """Say what a client must be allowed to append an entry of a kind."""
    return _OF_KINDS.get(kind, WRITE)


def hash_token(token: str) -> str:
    """Hash a token; tokens are random and long, so that no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def parse_tokens(data: bytes, *, file: str) -> Tokens:
    """Read a file of tokens.

    Raises:
        IssuesError: with everything that is wrong.
        StackError: it is not TOML at all.
    """
    top = parse_table(data, file=file)
    found: dict[str, Client] = {}
    rows = top.table("tokens")
    for name in rows.keys():  # noqa: SIM118  a Table is no mapping
        row = rows.table(name)
        if not is_name(name):
            rows.wrong(name[:80], "is no name", hint="write lower case letters, digits and hyphens")
        digest = row.text("sha256") or ""
        if not _HEX.fullmatch(digest):
            row.wrong("sha256", "is no sha256 of a token", hint="airflow-kubler serve --new-token NAME makes one")
        elif digest in found:
            row.wrong("sha256", f"is that of {found[digest].name} too")
        may = row.texts("may")
        found[digest] = Client(
            name=name,
            may=frozenset(one for one in ((READ,) if may is None else may) if one_of(row, "may", one, RIGHTS)),
            expires=row.date("expires"),
        )
        row.close()
    rows.close()
    top.close()
    top.issues.raise_any()
    if not found:
        raise StackError("names nobody", context=file, hint="airflow-kubler serve --new-token NAME makes one")
    return Tokens(found)
