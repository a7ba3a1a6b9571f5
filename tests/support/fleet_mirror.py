"""A Debian mirror in a folder that has just what bases have locked, among as many packages as one likes."""

from __future__ import annotations

import hashlib
import lzma
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

from builder.debian.mirrors import is_security
from builder.lock.model import BaseLock, LockedDeb
from tests.support.archive_keys import Signer

_WORDS = [
    "library",
    "tool",
    "for",
    "the",
    "development",
    "files",
    "of",
    "documentation",
    "shared",
    "common",
    "data",
    "runtime",
    "support",
    "Python",
    "Perl",
]


@dataclass(kw_only=True)
class FleetMirror:
    """Publishes the suites of bases; one folder serves all of them."""

    root: Path
    signer: Signer
    locks: tuple[BaseLock, ...]
    others: int = 0
    """How many packages that no base wants stand in each suite that is neither for updates nor for security."""
    versions: dict[str, str] = field(default_factory=dict)
    """By package: its version, in place of the locked one."""

    def publish(self, *, date: int) -> None:
        """Write all suites, signed at a date."""
        others = {architecture: _others(self.others, architecture) for architecture in ("amd64", "arm64")}
        for lock in self.locks:
            for suite in lock.base.suites:
                is_main = not is_security(suite) and not suite.endswith("-updates")
                texts = {
                    platform.architecture: self._packages(lock, suite, platform.architecture)
                    + (others[platform.architecture] if is_main else "")
                    for platform in lock.base.platforms
                }
                self._write(suite, lock.base.components[0], texts, date)

    def _packages(self, lock: BaseLock, suite: str, architecture: str) -> str:
        debs = [deb for deb in (*lock.debs, *lock.compilers) if deb.suite == suite]
        wanted = [deb for deb in lock.debs if any(one.architecture == architecture for one in deb.platforms)]
        names = {deb.package for deb in lock.debs}
        needs = sorted({deb.package for deb in wanted} | {cut.package for cut in lock.base.cuts})
        compilers = sorted({deb.package for deb in lock.compilers} - names)
        first, *_ = lock.base.roots
        first_compiler = next(iter(lock.base.compilers), "")
        depends = {first: needs, first_compiler: compilers}
        return "".join(
            self._paragraph(deb, [name for name in depends.get(deb.package, ()) if name != deb.package])
            for deb in debs
            if any(one.architecture == architecture for one in deb.platforms)
        )

    def _paragraph(self, deb: LockedDeb, depends: Iterable[str]) -> str:
        version = self.versions.get(deb.package, deb.version)
        digest = deb.file.sha256.hex if version == deb.version else hashlib.sha256(version.encode()).hexdigest()
        return paragraph(
            {
                "Package": deb.package,
                "Source": deb.source,
                "Version": version,
                "Architecture": deb.architecture,
                "Depends": ", ".join(depends),
                "Filename": deb.pool_path
                if version == deb.version
                else deb.pool_path.replace(".deb", f"_{version}.deb"),
                "Size": str(deb.file.size),
                "SHA256": digest,
            }
        )

    def _write(self, suite: str, component: str, texts: Mapping[str, str], date: int) -> None:
        folder = self.root / "dists" / suite
        rows = []
        for architecture, text in texts.items():
            place = f"{component}/binary-{architecture}/Packages"
            plain = text.encode()
            packed = lzma.compress(plain, preset=0)
            rows += [
                f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}"
                for data, name in ((plain, place), (packed, f"{place}.xz"))
            ]
            path = folder / f"{place}.xz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(packed)
        lines = [
            "Origin: Debian",
            f"Suite: {suite}",
            f"Codename: {suite}",
            f"Date: {formatdate(date)}",
            f"Components: {component}",
            "SHA256:",
            *rows,
        ]
        (folder / "InRelease").write_bytes(self.signer.sign("".join(f"{line}\n" for line in lines)))


def paragraph(fields: Mapping[str, str]) -> str:
    """Write one package; empty fields are left out."""
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value) + "\n"


def _others(count: int, architecture: str) -> str:
    dice = random.Random(architecture)  # noqa: S311  made-up data
    return "".join(_other(number, architecture, dice) for number in range(count))


def _other(number: int, architecture: str, dice: random.Random) -> str:
    name = f"lib{dice.choice(_WORDS).lower()}{number}"
    return paragraph(
        {
            "Package": name,
            "Version": f"{dice.randrange(9)}.{dice.randrange(40)}-{dice.randrange(9)}",
            "Architecture": architecture,
            "Maintainer": f"{dice.choice(_WORDS)} Maintainers <{name}@example.org>",
            "Installed-Size": str(dice.randrange(10**5)),
            "Depends": ", ".join(f"lib{dice.choice(_WORDS).lower()}{dice.randrange(60_000)}" for _ in range(4)),
            "Description": " ".join(dice.choices(_WORDS, k=6)),
            "Description-md5": dice.randbytes(16).hex(),
            "Homepage": f"https://example.org/{name}",
            "Tag": ", ".join(dice.choices(_WORDS, k=8)),
            "Section": "libs",
            "Priority": "optional",
            "Filename": f"pool/main/l/{name}/{name}_{number}_{architecture}.deb",
            "Size": str(dice.randrange(10**6)),
            "SHA256": dice.randbytes(32).hex(),
        }
    )
