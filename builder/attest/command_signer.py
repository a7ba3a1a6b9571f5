"""A key that a program has, as the command line of a cloud's key service.

The program is called without a shell. Called as written, it gets the bytes to sign on standard input, and gives the signature (ECDSA
with SHA-256 over them) in DER or base64 on standard output. Called with one argument more, `public-key`, it gives its public key
in PEM. So `openssl dgst -sha256 -sign key.pem` signs; a script of five lines around it, or around a cloud's client, does both.

It gets little of our environment: PATH, HOME and the like, and the variables that AIRFLOW_KUBLER_KEY_ENV names. No password of ours
is among them unless it is named there.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Thread
from typing import IO, Final

from builder.attest.keys import PublicKey, parse_public_key, read_signature
from builder.errors import InvalidInputError, SignatureError, ToolError

PUBLIC_KEY: Final = "public-key"
_HANDED_ON: Final = ("PATH", "HOME", "USER", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_MORE: Final = "AIRFLOW_KUBLER_KEY_ENV"
_MOST_BYTES: Final = 1 << 16
"""Of what it says."""
_TIMEOUT_S: Final = 60.0
_PATIENCE_S: Final = 2.0
"""For output that is still held open once the program has ended."""
_SHOWN: Final = 2000
"""Characters of its errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSigner:
    """A program that signs."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    """All that it gets."""
    public: PublicKey
    timeout_s: float = _TIMEOUT_S

    @classmethod
    def of(cls, command: str, environment: Mapping[str, str], *, timeout_s: float = _TIMEOUT_S) -> CommandSigner:
        """Ask a program for its public key.

        Args:
            command: program and arguments, quoted as for a shell, which does not see them.
            environment: of this process.
            timeout_s: seconds that each call may take.

        Raises:
            InvalidInputError: the command cannot be split, is empty, or gave no public key.
            ToolError: it cannot be run, failed, said too much or took too long.
        """
        try:
            argv = tuple(shlex.split(command))
        except ValueError as error:
            raise InvalidInputError(
                f"cannot be split into words: {error}", context=f"command:{command[:80]}"
            ) from error
        if not argv:
            raise InvalidInputError("names no program", context="command:", hint="write command:PROGRAM ARGUMENT...")
        names = (*_HANDED_ON, *environment.get(_MORE, "").replace(",", " ").split())
        given = {name: environment[name] for name in names if name in environment} | {"LC_ALL": "C.UTF-8"}
        answer = _run((*argv, PUBLIC_KEY), b"", given, timeout_s)
        public = parse_public_key(answer, file=f"what `{argv[0]} ... {PUBLIC_KEY}` gave")
        return cls(argv=argv, environment=given, public=public, timeout_s=timeout_s)

    def sign(self, data: bytes) -> bytes:
        """Have it sign; raises SignatureError where it gives none, ToolError where it fails."""
        return read_signature(_run(self.argv, data, self.environment, self.timeout_s), context=self.argv[0])


def _run(argv: tuple[str, ...], data: bytes, environment: Mapping[str, str], timeout_s: float) -> bytes:
    """Run a program with bounds on its time and on what it says; where it takes too long, what it started is ended with it."""
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
            # Not buffered: a stream that somebody holds open can be closed while it is waited for.
            bufsize=0,
        )
    except OSError as error:
        raise ToolError(
            f"the program that signs cannot be run: {error.strerror}", argv=argv[:1], hint="is it on PATH?"
        ) from error
    with process:
        said, complained = _Reader(process.stdout), _Reader(process.stderr)
        Thread(target=_feed, args=(process.stdin, data), daemon=True).start()
        try:
            status: int | None = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            status = None
        if status is None or not (said.ended() and complained.ended()):
            # Something is left of its group, so the number is no other's yet.
            _end(process.pid)
    _check_end(argv[0], status, timeout_s, said.data, complained.data)
    return said.data


def _check_end(program: str, status: int | None, timeout_s: float, said: bytes, complained: bytes) -> None:
    stderr = "".join(c if c.isprintable() or c == "\n" else "?" for c in complained.decode(errors="replace"))[-_SHOWN:]
    what, hint = "", ""
    if status is None:
        what = f"took more than {timeout_s:g} s"
    elif len(said) > _MOST_BYTES:
        what = f"said more than {_MOST_BYTES} bytes"
    elif status:
        what = f"failed with status {status}"
        hint = f"variables that it needs are named in {_MORE}; it is called with `{PUBLIC_KEY}` for its public key"
    if what:
        raise ToolError(f"the program that signs {what}", argv=(program,), exit_status=status, stderr=stderr, hint=hint)
    if not said:
        raise SignatureError("the program that signs said nothing", context=program)


class _Reader:
    """Reads a stream in a thread, up to a bound; who writes more is cut off."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self.data = b""
        self._thread = Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes] | None) -> None:
        with contextlib.suppress(OSError, ValueError):
            while stream is not None and len(self.data) <= _MOST_BYTES and (more := stream.read(_MOST_BYTES + 1)):
                self.data += more
            if stream is not None:
                stream.close()

    def ended(self) -> bool:
        """Tell whether the stream came to its end soon after the program."""
        self._thread.join(_PATIENCE_S)
        return not self._thread.is_alive()


def _feed(stream: IO[bytes] | None, data: bytes) -> None:
    # A program may give its answer without having read all.
    with contextlib.suppress(OSError, ValueError):
        while stream is not None and data:
            data = data[stream.write(data) :]
        if stream is not None:
            stream.close()


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
