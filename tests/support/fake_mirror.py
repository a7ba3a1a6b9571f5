"""A mirror of Debian in a folder, signed with a key that lives for a test only."""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

from builder.debian.mirrors import Mirror
from tests.support.archive_keys import Signer
from tests.support.packages import paragraphs

NOW = 1_800_000_000
PACKAGES = """\
bash 5 | Depends: libc6 (>= 2), debconf
libc6 2.41-1+deb13u1
python3.13-minimal 3.13.5-2 | Depends: libc6
tzdata 2026a | Architecture: all
"""


@dataclass
class FakeMirror:
    """A mirror of one suite in a folder."""

    root: Path
    signer: Signer
    suite: str = "trixie"
    packages: str = PACKAGES
    """One line a package; see packages.py."""
    plain: str = ""
    """A Packages file as it stands, in place of `packages`."""
    date: int = NOW - 1000
    valid_until: int | None = None
    spoil_index: Callable[[bytes], bytes] = field(default=lambda data: data)
    spoil_release: Callable[[bytes], bytes] = field(default=lambda data: data)
    by_hash: bool = True
    codename: str = ""

    def publish(self) -> Mirror:
        """Write the suite's files as they are now."""
        folder = self.root / "dists" / self.suite
        index = folder / "main/binary-amd64"
        index.mkdir(parents=True, exist_ok=True)
        plain = (self.plain or paragraphs(self.packages)).encode()
        packed = lzma.compress(plain)
        digest = hashlib.sha256(packed).hexdigest()
        served = self.spoil_index(packed)
        (index / "Packages.xz").write_bytes(served)
        if self.by_hash:
            (index / "by-hash/SHA256").mkdir(parents=True, exist_ok=True)
            (index / "by-hash/SHA256" / digest).write_bytes(served)
        lines = [
            "Origin: Debian",
            f"Suite: {self.codename or self.suite}",
            f"Codename: {self.codename or self.suite}",
            f"Date: {formatdate(self.date)}",
            *([f"Valid-Until: {formatdate(self.valid_until)}"] if self.valid_until else []),
            *(["Acquire-By-Hash: yes"] if self.by_hash else []),
            "Components: main",
            "SHA256:",
            f" {hashlib.sha256(plain).hexdigest()} {len(plain)} main/binary-amd64/Packages",
            f" {digest} {len(packed)} main/binary-amd64/Packages.xz",
        ]
        text = "".join(f"{line}\n" for line in lines)
        (folder / "InRelease").write_bytes(self.spoil_release(self.signer.sign(text)))
        return Mirror(url=self.root.as_uri(), security=self.suite.endswith("-security"), keyrings=(self.signer.public,))
