"""A ledger's service for tests: the application without a network, or the command itself on loopback."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from builder.ledger.database import SqliteLedger
from builder.service.caller import Question, Reply
from builder.web.app import Workers, make_app
from builder.web.desk import Desk
from builder.web.feed import Feed
from builder.web.tokens import READ, RIGHTS, Client, Tokens, hash_token
from builder.wiring.nights import Nights
from builder.wiring.web import add_token, channel_answer
from tests.support.ledgers import Ticking

TOKEN = "a-token-of-workers-0123456789"  # noqa: S105  made up
READING = "a-token-for-reading-0123456789"
WORKERS = Client(name="workers", may=frozenset(RIGHTS))
READER = Client(name="reader", may=frozenset({READ}))
TOKENS = Tokens({hash_token(TOKEN): WORKERS, hash_token(READING): READER})


class AppCaller:
    """A Caller that asks an application without a network, in one event loop."""

    def __init__(self, app: Any, runner: asyncio.Runner, token: str = TOKEN) -> None:
        self.url = "https://ledger.example.org"
        self.asked: list[Question] = []
        self.twice = False
        """Ask each question twice, as where an answer was lost."""
        self.app = app
        self.runner = runner
        self._transport = httpx.ASGITransport(app)
        self._token = token

    def ask(self, question: Question) -> Reply:
        """Ask."""
        self.asked.append(question)
        if self.twice:
            self._once(question)
        return self._once(question)

    def _once(self, question: Question) -> Reply:
        async def ask() -> Reply:
            async with httpx.AsyncClient(transport=self._transport, base_url=self.url) as client:
                response = await client.request(
                    question.method,
                    question.path,
                    params=list(question.parameters),
                    content=question.body,
                    headers={"authorization": f"Bearer {self._token}"},
                )
                return Reply(status=response.status_code, body=response.content)

        return self.runner.run(ask())


@contextmanager
def open_app(path: Path, nights: Path, token: str = TOKEN, tokens: Tokens = TOKENS) -> Iterator[AppCaller]:
    """Open the service of a ledger's file, without a network."""
    with (
        asyncio.Runner() as runner,
        SqliteLedger(path, Ticking(), write=False) as watched,
        closing(Desk(lambda: SqliteLedger(path, Ticking(1_800_000_000), write=True))) as writer,
        closing(Desk(lambda: SqliteLedger(path, Ticking(), write=False))) as reader,
    ):
        workers = Workers(writer=writer, reader=reader, nights=Nights(root=nights), tokens=lambda: tokens)
        yield AppCaller(make_app(Feed(watched), channel_answer, workers), runner, token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A service that runs."""

    url: str
    token: str
    process: subprocess.Popen[str]

    @property
    def environment(self) -> dict[str, str]:
        """What clients need."""
        return {"AIRFLOW_KUBLER_LEDGER": self.url, "AIRFLOW_KUBLER_TOKEN": self.token}


@contextmanager
def serve_workers(ledger: Path, *, port: int = 0) -> Iterator[Served]:
    """Serve a ledger's file to workers, by the command, until the block ends; its nights are beside it."""
    tokens = ledger.parent / "tokens.toml"
    token_file = ledger.parent / "token"
    if not token_file.exists():
        token_file.write_text(add_token(tokens, "workers", RIGHTS))
    words = ["--ledger", str(ledger), "serve", "--port", str(port), "--tokens", str(tokens)]
    process = subprocess.Popen(
        [sys.executable, "-m", "builder", *words], stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.search(r"http://\S+", said)
        assert found, said
        yield Served(url=found[0], token=token_file.read_text(), process=process)
    finally:
        process.terminate()
        process.wait(20)
        if process.stderr is not None:
            process.stderr.close()
