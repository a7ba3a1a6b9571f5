"""Where Debian's archives are: the user's configuration, else apt's own sources. No host is built in.

- Our configuration file's `[debian]` wins where it says something: `mirror`, `security-mirror`, `archives`, `keyring`.
- Else apt's sources for Debian: entries whose suite is a Debian release. URIs of `*-security` suites serve security
  suites, the others the rest, whatever release this machine itself runs.
- apt's `mirror+file:` lists are read; `http`, `https` and `file` URIs are used; others are passed over.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from builder.errors import InvalidInputError, MirrorError

_RELEASES = "stable|oldstable|oldoldstable|testing|unstable|sid|buster|bullseye|bookworm|trixie|forky|duke"
_SUITE = re.compile(rf"(?:{_RELEASES})(?:-(?:updates|security|backports|proposed-updates)|/updates)?/?\Z")
_ONE_LINE = re.compile(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+[^\s#]+)*)")
_CONFIG_KEYS = frozenset({"mirror", "security-mirror", "archives", "keyring"})
_DEFAULT_KEYRINGS = (
    "usr/share/keyrings/debian-archive-keyring.gpg",
    "usr/share/keyrings/debian-archive-keyring.pgp",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """One place that serves Debian's archive or its security archive."""

    url: str
    """Without a slash at its end; may hold a user name and password: never show it, see `redact`."""
    security: bool
    keyrings: tuple[bytes, ...] = ()
    """Keys that its Release files may be signed with; empty where the archive's usual ones hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    """`[debian]` of the configuration file; empty where it says nothing."""

    mirror: str
    security_mirror: str
    archives: tuple[str, ...]
    keyring: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrors:
    """Every configured place, in the order to ask them."""

    mirrors: tuple[Mirror, ...]
    archives: tuple[str, ...] = ()
    """Places that keep superseded debs under the same pool paths; asked last, for files only."""
    keyrings: tuple[bytes, ...] = ()
    """The archive's usual keys."""

    def serving(self, suite: str) -> tuple[Mirror, ...]:
        """List the mirrors of a suite's archive.

        Raises:
            MirrorError: none is configured.
        """
        security = is_security(suite)
        found = tuple(mirror for mirror in self.mirrors if mirror.security == security)
        if not found:
            key = "security-mirror" if security else "mirror"
            hint = f"add Debian to apt's sources, or set `{key}` in [debian] of the configuration file"
            raise MirrorError(f"no Debian mirror is configured for {suite}", hint=hint)
        return found

    def mirror_urls(self, suite: str) -> tuple[str, ...]:
        """List the addresses below which a suite's pool paths can be asked for; empty where none is configured."""
        security = is_security(suite)
        urls = (mirror.url for mirror in self.mirrors if mirror.security == security)
        return tuple(dict.fromkeys((*urls, *self.archives)))


def is_security(suite: str) -> bool:
    """Tell whether a suite is of the security archive: `trixie-security`, and `buster/updates` of old."""
    return suite.rstrip("/").endswith(("-security", "/updates"))


def load_mirrors(*, config: Path, root: Path = Path("/")) -> Mirrors:
    """Read the configuration file and apt's sources.

    Args:
        config: our configuration file; need not exist.
        root: the file system that holds etc/apt and the keyrings.

    Raises:
        InvalidInputError: the configuration file's `[debian]` cannot be understood.
    """
    settings = _load_settings(config)
    named = ((settings.mirror, False), (settings.security_mirror, True))
    configured = [Mirror(url=_clean_url(url), security=security) for url, security in named if url]
    kinds = {mirror.security for mirror in configured}
    apt = [mirror for mirror in load_apt_mirrors(root) if mirror.security not in kinds]
    keyrings = [Path(settings.keyring)] if settings.keyring else [root / name for name in _DEFAULT_KEYRINGS]
    return Mirrors(
        mirrors=tuple(dict.fromkeys((*configured, *apt))),
        archives=tuple(map(_clean_url, settings.archives)),
        keyrings=tuple(data for path in keyrings if (data := _read(path))),
    )


def load_apt_mirrors(root: Path) -> list[Mirror]:
    """Read apt's sources for Debian below a root, in apt's order."""
    folder = root / "etc/apt"
    paths = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    mirrors: list[Mirror] = []
    for path in paths:
        text = _read(path).decode(errors="replace") if path.is_file() else ""
        if path.suffix == ".list":
            mirrors += parse_one_line_sources(text, root=root)
        elif path.suffix == ".sources":
            mirrors += parse_deb822_sources(text, root=root)
    return list(dict.fromkeys(mirrors))


def parse_one_line_sources(text: str, *, root: Path) -> list[Mirror]:
    """Read a `.list` file: `deb [options] URI suite components`. Source: sources.list(5)."""
    mirrors: list[Mirror] = []
    for line in text.splitlines():
        if match := _ONE_LINE.match(line.strip()):
            options = dict(option.partition("=")[::2] for option in (match[1] or "").split())
            signed_by = options.get("signed-by", "").replace(",", " ")
            if options.get("enabled", "yes") != "no":
                mirrors += _mirrors([match[2]], [match[3]], match[4].split(), signed_by, root)
    return mirrors


def parse_deb822_sources(text: str, *, root: Path) -> list[Mirror]:
    """Read a `.sources` file. Source: sources.list(5), "DEB822-STYLE FORMAT"."""
    from debian.deb822 import Deb822

    mirrors: list[Mirror] = []
    for paragraph in Deb822.iter_paragraphs(text, use_apt_pkg=False):
        fields = {name.lower(): value for name, value in paragraph.items()}
        if fields.get("enabled", "yes").strip().lower() in {"no", "false", "0"}:
            continue
        if "deb" in fields.get("types", "").split():
            suites, components = fields.get("suites", "").split(), fields.get("components", "").split()
            mirrors += _mirrors(fields.get("uris", "").split(), suites, components, fields.get("signed-by", ""), root)
    return mirrors


def _mirrors(
    uris: Sequence[str], suites: Sequence[str], components: Sequence[str], signed_by: str, root: Path
) -> Iterable[Mirror]:
    if "main" not in components:
        return
    keyrings = _signed_by(signed_by, root)
    for uri in uris:
        for url in _expanded(uri, root):
            for suite in suites:
                if _SUITE.match(suite) and urlsplit(url).scheme in {"http", "https", "file"}:
                    yield Mirror(url=_clean_url(url), security=is_security(suite), keyrings=keyrings)


def _expanded(uri: str, root: Path) -> list[str]:
    """Read a `mirror+file:` list, whose lines are addresses, perhaps with options after a tab."""
    if not uri.startswith("mirror+file:"):
        return [uri]
    text = _read(root / urlsplit(uri).path.lstrip("/")).decode(errors="replace")
    return [line.split()[0] for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _signed_by(value: str, root: Path) -> tuple[bytes, ...]:
    """Read the keys of a Signed-By: paths, or a key block whose empty lines are written as a dot."""
    if "BEGIN PGP PUBLIC KEY BLOCK" in value:
        lines = ("" if line.strip() == "." else line.strip() for line in value.strip().splitlines())
        return ("\n".join(lines).encode() + b"\n",)
    paths = (root / word.lstrip("/") for word in value.split() if word.startswith("/"))
    return tuple(data for path in paths if (data := _read(path)))


def _load_settings(config: Path) -> _Settings:
    """Read `[debian]` of the configuration file."""
    text = _read(config)
    try:
        table = tomllib.loads(text.decode()).get("debian", {})
    except (ValueError, RecursionError) as exc:
        raise InvalidInputError(f"not a TOML file: {exc}", context=str(config)) from exc
    where = f"{config}: debian"
    if not isinstance(table, dict):
        raise InvalidInputError("must be a table", context=where)
    if unknown := sorted(table.keys() - _CONFIG_KEYS):
        hint = f"known keys: {', '.join(sorted(_CONFIG_KEYS))}"
        raise InvalidInputError(f"unknown key {unknown[0]!r}", context=where, hint=hint)
    archives = table.get("archives", [])
    values = [table[key] for key in ("mirror", "security-mirror", "keyring") if key in table]
    if not isinstance(archives, list) or not all(isinstance(value, str) and value for value in [*values, *archives]):
        raise InvalidInputError("addresses and paths must be texts, `archives` an array of them", context=where)
    return _Settings(
        mirror=table.get("mirror", ""),
        security_mirror=table.get("security-mirror", ""),
        archives=tuple(archives),
        keyring=table.get("keyring", ""),
    )


def _clean_url(url: str) -> str:
    return url.rstrip("/")


def _read(path: Path) -> bytes:
    """Read a file; empty where there is none, or where this user may not."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
