"""The commands of docs/serve.md for workers, run as they stand there, over TLS; a client shows its token to nobody else."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from builder.ledger.model import NewEntry
from tests.support.ledgers import events_of_every_kind, make_build, make_ledger
from tests.support.secure_registries import make_authority, make_certificate
from tests.support.tools import ROOT

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/serve.md").read_text().partition("\n## For workers\n")[2]
COMMANDS = [shlex.split(line) for line in re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)]
ADDRESS = "https://ledger.example.org:8443"


def run(words: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    assert words[0] == "airflow-kubler"
    return subprocess.run(
        [sys.executable, "-m", "builder", *words[1:]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path, str]]:
    """A service as the page starts it, on a port that is free; gives its address, certificate and token."""
    make_ledger(tmp_path / "ledger.db", [NewEntry(event=event) for event in events_of_every_kind()])
    authority = make_authority(tmp_path, "authority")
    made = make_certificate(authority, "service", alternative="IP:127.0.0.1")
    token, serve, *_ = COMMANDS
    said = run(token, tmp_path, {"AIRFLOW_KUBLER_LEDGER": str(tmp_path / "ledger.db")})
    assert said.returncode == 0, said.stderr
    words = [*serve[1 : serve.index("--host")], "--port", "0"]
    names = {"tls.crt": str(made.file), "tls.key": str(made.key)}
    argv = [sys.executable, "-m", "builder", "--ledger", "ledger.db", *(names.get(word, word) for word in words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(argv, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = re.search(r"on (https://\S+)$", process.stderr.readline().strip())
        assert found
        try:
            yield found[1], authority.file, said.stdout.strip()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def test_the_pages_commands_work_in_their_order(server: tuple[str, Path, str], tmp_path: Path) -> None:
    address, certificate, token = server
    *_, export, log, digest = COMMANDS
    assert export == ["export", f"AIRFLOW_KUBLER_LEDGER={ADDRESS}"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    known = {"AIRFLOW_KUBLER_LEDGER": address, "AIRFLOW_KUBLER_TOKEN": token, "SSL_CERT_FILE": str(certificate)}
    assert "prod" in run(log, elsewhere, known).stdout
    assert make_build().digest in run(digest, elsewhere, known).stdout
    record = ["airflow-kubler", "record", "test", make_build().digest, "--name", "smoke", "--passed"]
    assert run(record, elsewhere, known).returncode == 0
    assert "workers" in run([*log, "--json"], elsewhere, known).stdout


def test_a_service_that_nobody_vouches_for_is_not_told_the_token(server: tuple[str, Path, str], tmp_path: Path) -> None:
    address, _, token = server
    said = run(
        ["airflow-kubler", "log", "core"], tmp_path, {"AIRFLOW_KUBLER_LEDGER": address, "AIRFLOW_KUBLER_TOKEN": token}
    )
    assert said.returncode == 4
    assert "SSL_CERT_FILE" in said.stderr
    assert token not in said.stderr


def test_what_needs_the_file_says_so(server: tuple[str, Path, str], tmp_path: Path) -> None:
    address, certificate, token = server
    known = {"AIRFLOW_KUBLER_LEDGER": address, "AIRFLOW_KUBLER_TOKEN": token, "SSL_CERT_FILE": str(certificate)}
    for words in (["ledger", "verify"], ["ledger", "export"], ["serve"]):
        said = run(["airflow-kubler", *words], tmp_path, known)
        assert said.returncode == 3
        assert "this needs the ledger's file" in said.stderr
    assert run(["airflow-kubler", "ledger", "head"], tmp_path, known).returncode == 0


def test_a_token_in_a_file_is_taken(server: tuple[str, Path, str], tmp_path: Path) -> None:
    address, certificate, token = server
    (tmp_path / "token").write_text(f"{token}\n")
    known = {"AIRFLOW_KUBLER_LEDGER": address, "SSL_CERT_FILE": str(certificate)}
    log = ["airflow-kubler", "log", "core"]
    assert run(log, tmp_path, {**known, "AIRFLOW_KUBLER_TOKEN_FILE": str(tmp_path / "token")}).returncode == 0
    said = run(log, tmp_path, {**known, "AIRFLOW_KUBLER_TOKEN_FILE": str(tmp_path / "nowhere")})
    assert said.returncode == 4
    assert "AIRFLOW_KUBLER_TOKEN_FILE" in said.stderr


@pytest.mark.parametrize("token", ["geheim-one\ngeheim-two", "gehéim", "geheim und mehr"])
def test_a_token_that_is_none_is_refused_at_once_and_not_repeated(
    server: tuple[str, Path, str], tmp_path: Path, token: str
) -> None:
    address, certificate, _ = server
    known = {"AIRFLOW_KUBLER_LEDGER": address, "SSL_CERT_FILE": str(certificate), "AIRFLOW_KUBLER_TOKEN": token}
    said = run(["airflow-kubler", "log", "core"], tmp_path, known)
    assert said.returncode == 3
    assert "AIRFLOW_KUBLER_TOKEN: holds no token" in said.stderr
    assert "geh" not in said.stderr
