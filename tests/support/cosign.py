"""The real cosign, offline: without its transparency log and without its roots of trust, by a key alone."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.tools import require_tool

PASSWORD = "secret"  # noqa: S105  of keys that live as long as a test


@dataclass
class Cosign:
    """cosign in a folder of its own."""

    folder: Path
    program: str = field(init=False)
    keys: int = 0

    def __post_init__(self) -> None:
        self.program = require_tool("cosign")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.must("signing-config", "create", "--out", "signing.json")
        self.must("trusted-root", "create", "--out", "root.json")

    def run(self, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *map(str, argv)],
            cwd=self.folder,
            env=dict(os.environ) | {"COSIGN_PASSWORD": PASSWORD, "HOME": str(self.folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def must(self, *argv: str | Path) -> str:
        done = self.run(*argv)
        assert done.returncode == 0, f"{argv}: {done.stderr[-2000:]}"
        return done.stdout

    def make_key(self, name: str) -> Path:
        """Make a key pair of cosign's; gives the private half."""
        self.keys += 1
        name = f"{name}-{self.keys}"
        self.must("generate-key-pair", "--output-key-prefix", name)
        return self.folder / f"{name}.key"

    def sign(self, key: Path, reference: str) -> str:
        return self.must("sign", "--yes", "--key", key, *self._writing(), reference)

    def attest(self, key: Path, kind: str, predicate: Path, reference: str) -> str:
        return self.must(
            "attest", "--yes", "--key", key, "--type", kind, "--predicate", predicate, *self._writing(), reference
        )

    def verify(self, key: Path, reference: str) -> subprocess.CompletedProcess[str]:
        return self.run("verify", "--key", key, *self._reading(), reference)

    def verify_attestation(self, key: Path, kind: str, reference: str) -> subprocess.CompletedProcess[str]:
        return self.run("verify-attestation", "--key", key, "--type", kind, *self._reading(), reference)

    def _writing(self) -> tuple[str, ...]:
        return "--signing-config", "signing.json", "--trusted-root", "root.json", "--allow-http-registry"

    def _reading(self) -> tuple[str, ...]:
        return "--insecure-ignore-tlog=true", "--trusted-root", "root.json", "--allow-http-registry"
