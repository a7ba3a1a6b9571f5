"""What a Debian package's copyright file says, where machines can read it; where they cannot, nothing.

Of each paragraph of files the licence is taken, all of them joined by AND: which of them a binary package holds the file does
not say. Names that the format or SPDX defines are SPDX's; others are the package's own, `LicenseRef-<source>-<name>`, with its
text. `MIT` is one of those unless the text is that licence word for word, since Debian uses it for several.

Source: DEP 5, machine-readable debian/copyright 1.0.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any, Final

from builder.digest import Digest
from builder.licence.expression import all_of, any_of, canonical_expression
from builder.licence.model import Licence, LicenceRef, shorten
from builder.licence.texts import match_text

_FORMAT: Final = re.compile(r"\A\s*Format:\s*\S*(?:copyright-format/1\.0|dep5)", re.IGNORECASE)
_LONGEST: Final = 4 << 20
_LONGEST_TEXT: Final = 1 << 16
"""Characters of a licence's own text that are kept."""
_GNU: Final = re.compile(r"(A?GPL|LGPL|GFDL|GFDL-NIV)-([0-9](?:\.[0-9])?)(\+?)\Z", re.IGNORECASE)
_AMBIGUOUS: Final = frozenset({"mit", "artistic", "bsd", "gpl", "lgpl", "gfdl"})
PUBLIC_DOMAIN: Final = "LicenseRef-public-domain"
"""The format defines the word: no licence is needed, for any purpose."""
_NAMES: Final[Mapping[str, str]] = {
    "cc0": "CC0-1.0",
    "expat": "MIT",
    "perl": "Artistic-1.0-Perl OR GPL-1.0-or-later",
    "public-domain": PUBLIC_DOMAIN,
    "gpl-2 with linux-syscall-note exception": "GPL-2.0-only WITH Linux-syscall-note",
    "gpl-3+ with bison-2.2 exception": "GPL-3.0-or-later WITH Bison-exception-2.2",
    "gpl-2+ with libtool exception": "GPL-2.0-or-later WITH Libtool-exception",
    "gpl-2+ with font exception": "GPL-2.0-or-later WITH Font-exception-2.0",
    "gpl-2+ with classpath exception": "GPL-2.0-or-later WITH Classpath-exception-2.0",
}


def parse_copyright(data: bytes, *, source: str) -> Licence:
    """Read a copyright file.

    Args:
        data: untrusted.
        source: name of the source package: what names of its own are told apart by.

    Returns:
        Without expression where it is written for people only, or is damaged.
    """
    text = data.decode("utf-8", "replace")
    digest = Digest.of(data)
    unread = Licence(source="copyright", said=shorten(text), said_digest=digest)
    if len(data) > _LONGEST or not _FORMAT.match(text):
        return unread
    paragraphs = _read(text)
    if paragraphs is None:
        return unread
    names, texts = paragraphs
    reader = _Names(source, texts)
    terms = [reader.read(name) for name in names]
    if not all(terms):
        return unread
    return Licence(
        expression=all_of(terms),
        source="copyright",
        said_digest=digest,
        refs=tuple(reader.refs[name] for name in sorted(reader.refs)),
    )


def _read(text: str) -> tuple[tuple[str, ...], Mapping[str, str]] | None:
    """Read the licences of its paragraphs of files, sorted, and the texts that stand for names; None where it is damaged."""
    # Late: only who reads copyright files pays for it.
    from debian.copyright import Copyright, MachineReadableFormatError, NotMachineReadableError

    # It warns of what it mends, as an old address of the format.
    logging.getLogger("debian.copyright").disabled = True
    try:
        found: Any = Copyright(text.splitlines(), strict=False)
        stated = [one.license for one in found.all_files_paragraphs()]
        alone = [one.license for one in found.all_license_paragraphs()]
    except (MachineReadableFormatError, NotMachineReadableError, ValueError, KeyError, TypeError):
        return None
    names = {licence.synopsis.strip() if licence else "" for licence in stated}
    texts: dict[str, str] = {}
    for licence in (*alone, *stated):
        if licence and licence.text.strip():
            texts.setdefault(_plain(licence.synopsis), licence.text.strip())
    return (tuple(sorted(names)), texts) if names and "" not in names else None


def _plain(name: str) -> str:
    return " ".join(name.lower().split())


class _Names:
    """Reads the names of one file; those of its own are gathered in `refs`."""

    def __init__(self, source: str, texts: Mapping[str, str]) -> None:
        self._source = source
        self._texts = texts
        self.refs: dict[str, LicenceRef] = {}

    def read(self, synopsis: str) -> str:
        """Read what stands behind `License:`; `and` binds more than `or`, a comma before either less."""
        for separator, join in ((", or ", any_of), (", and ", all_of), (" or ", any_of), (" and ", all_of)):
            parts = synopsis.split(separator)
            names = [part.strip(" ,") for part in parts]
            if len(names) > 1 and all(names):
                return join([self.read(name) for name in names])
        return self._one(synopsis)

    def _one(self, name: str) -> str:
        plain = _plain(name)
        if plain in _NAMES:
            found = _NAMES[plain]
            if found == PUBLIC_DOMAIN:
                self.refs[found] = LicenceRef(id=found, name="public-domain", text="")
            return found
        known = _gnu(plain) or self._of_spdx(name, plain) or match_text(self._texts.get(plain, ""))
        return known or self._own(name)

    @staticmethod
    def _of_spdx(name: str, plain: str) -> str:
        if plain in _AMBIGUOUS:
            return ""
        spelled = name.replace("-WITH-", " WITH ")
        return canonical_expression(spelled) or canonical_expression(f"{spelled}.0")

    def _own(self, name: str) -> str:
        words = re.sub(r"[^A-Za-z0-9.]+", "-", name.replace("+", "-or-later")).strip("-.")
        identifier = f"LicenseRef-{re.sub(r'[^A-Za-z0-9.]+', '-', self._source)}-{words or 'unnamed'}"
        number, free = 1, identifier
        while free in self.refs and self.refs[free].name != name:
            number, free = number + 1, f"{identifier}-{number + 1}"
        text = self._texts.get(_plain(name), "")[:_LONGEST_TEXT]
        self.refs[free] = LicenceRef(id=free, name=name, text=text)
        return free


def _gnu(plain: str) -> str:
    match = _GNU.match(plain)
    if match is None:
        return ""
    name, version = match[1].upper(), match[2] if "." in match[2] else f"{match[2]}.0"
    later = "or-later" if match[3] else "only"
    free = name == "GFDL-NIV"
    return canonical_expression(f"{'GFDL' if free else name}-{version}{'-no-invariants' if free else ''}-{later}")
