"""A key that lives for one test only, to sign Release files with."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Signer:
    """A throw-away key."""

    home: Path
    public: bytes

    def sign(self, text: str) -> bytes:
        """Sign a text, in clear."""
        return self._gpg("--clearsign", "--output", "-", data=text.encode())

    def _gpg(self, *arguments: str, data: bytes = b"") -> bytes:
        argv = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--yes", *arguments]
        return subprocess.run(argv, input=data, capture_output=True, check=True).stdout


@contextmanager
def new_signer() -> Iterator[Signer]:
    """Make a key; its agent ends with it."""
    # Not pytest's folder: the agent's socket has a path of at most 107 bytes.
    home = Path(tempfile.mkdtemp(prefix="gpg-"))
    argv = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    generate = [*argv, "--passphrase", "", "--quick-gen-key", "Nobody <nobody@example.org>", "ed25519", "sign", "never"]
    try:
        subprocess.run(generate, check=True, capture_output=True)
        public = subprocess.run([*argv, "--export"], check=True, capture_output=True).stdout
        yield Signer(home, public)
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=False)
        shutil.rmtree(home, ignore_errors=True)
