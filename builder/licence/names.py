"""Spellings of licences that leave no doubt, and those that do.

What stands here says one thing only. `BSD`, `Apache`, `GPL` or `Python license` do not: there are several of each.

Source: SPDX licence list; PEP 639 on ambiguous classifiers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from builder.licence.expression import all_of, any_of, canonical_expression

_LONGEST: Final = 200
"""Characters of a field that may be a name: a longer one is a text."""
_OR: Final = re.compile(r"\s+(?:-or-|or)\s+", re.IGNORECASE)
_AND: Final = re.compile(r"\s+and\s+", re.IGNORECASE)
_NOISE: Final = re.compile(r"[\s,;:\"'()]+")

_SPELLINGS: Final[Mapping[str, Sequence[str]]] = {
    "Apache-2.0": (
        "apache 2",
        "apache 2.0",
        "apache2",
        "apache2.0",
        "apache-2",
        "apache v2",
        "apache v2.0",
        "apache 2.0 license",
        "apache license 2",
        "apache license 2.0",
        "apache license v2",
        "apache license v2.0",
        "apache license version 2",
        "apache license version 2.0",
        "apache license-2.0",
        "apache software license 2.0",
        "apache software license version 2.0",
        "asl 2.0",
        "apache license 2.0 apache-2.0",
    ),
    "BSD-2-Clause": (
        "2-clause bsd",
        "2-clause bsd license",
        "bsd 2-clause",
        "bsd 2-clause license",
        "bsd-2-clause license",
        "simplified bsd",
        "simplified bsd license",
    ),
    "BSD-3-Clause": (
        "3-clause bsd",
        "3-clause bsd license",
        "bsd 3-clause",
        "bsd 3 clause",
        "bsd 3-clause license",
        "bsd-3-clause license",
        "bsd license 3-clause",
        "modified bsd license",
        "new bsd",
        "new bsd license",
        "revised bsd license",
    ),
    "ISC": ("isc license", "isc license iscl"),
    "MIT": ("expat", "mit license", "mit-license", "the mit license", "the mit license mit", "mit license mit"),
    "MPL-2.0": (
        "mozilla public license 2.0",
        "mozilla public license 2.0 mpl 2.0",
        "mozilla public license version 2.0",
        "mpl 2.0",
        "mpl2",
        "mpl-2",
    ),
    "PSF-2.0": ("psf license version 2",),
    "Unlicense": ("the unlicense", "the unlicense unlicense"),
    "ZPL-2.1": ("zpl 2.1", "zope public license 2.1"),
    "Zlib": ("zlib license", "zlib/libpng license"),
}
_NAMES: Final = {name: identifier for identifier, names in _SPELLINGS.items() for name in names}

CLASSIFIERS: Final[Mapping[str, str]] = {
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "Eclipse Public License 1.0 (EPL-1.0)": "EPL-1.0",
    "Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
    "European Union Public Licence 1.2 (EUPL 1.2)": "EUPL-1.2",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "Historical Permission Notice and Disclaimer (HPND)": "HPND",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PostgreSQL License": "PostgreSQL",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Universal Permissive License (UPL)": "UPL-1.0",
    "Zero-Clause BSD (0BSD)": "0BSD",
    "zlib/libpng License": "Zlib",
}
"""What one classifier, without what stands before it, says beyond doubt."""

FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "Apache Software License": ("Apache-",),
    "Artistic License": ("Artistic-",),
    "BSD License": ("BSD-", "0BSD"),
    "GNU Affero General Public License v3": ("AGPL-3.0",),
    "GNU General Public License (GPL)": ("GPL-",),
    "GNU General Public License v2 (GPLv2)": ("GPL-2.0",),
    "GNU General Public License v3 (GPLv3)": ("GPL-3.0",),
    "GNU Lesser General Public License v2 (LGPLv2)": ("LGPL-2.",),
    "GNU Lesser General Public License v3 (LGPLv3)": ("LGPL-3.0",),
    "GNU Library or Lesser General Public License (LGPL)": ("LGPL-",),
    "Python License (CNRI Python License)": ("CNRI-Python", "Python-"),
    "Zope Public License": ("ZPL-",),
}
"""How identifiers begin that a classifier in doubt may stand for: it settles nothing, and may contradict."""

FIELD_FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "apache": ("Apache-",),
    "apache license": ("Apache-",),
    "apache software license": ("Apache-",),
    "asl": ("Apache-",),
    "bsd": ("BSD-", "0BSD"),
    "bsd license": ("BSD-", "0BSD"),
    "bsd-like": ("BSD-",),
    "bsd style": ("BSD-",),
}
"""The same for what people write in a field."""

_SAYS_NOTHING: Final = frozenset({"", "unknown", "license", "see license", "see license file"})


def says_nothing(field: str) -> bool:
    """Tell whether a field was filled in without a statement."""
    return _plain(field) in _SAYS_NOTHING


def family_of(field: str) -> tuple[str, ...]:
    """List how identifiers begin that a field in doubt may stand for; empty where even that is not known."""
    return FIELD_FAMILIES.get(_plain(field), ())


def parse_names(text: str) -> str:
    """Read what people write where a licence is asked for, as an expression; empty where it leaves a doubt.

    >>> parse_names("MIT -or- Apache License 2.0")
    'Apache-2.0 OR MIT'
    >>> parse_names("BSD")
    ''
    """
    if len(text) > _LONGEST or "\n" in text.strip():
        return ""
    if found := _parse_name(text):
        return found
    for pattern, join in ((_OR, any_of), (_AND, all_of)):
        parts = pattern.split(text)
        read = [_parse_name(part) for part in parts]
        if len(parts) > 1 and all(read):
            return join(read)
    return ""


def _parse_name(text: str) -> str:
    return canonical_expression(text.strip()) or _NAMES.get(_plain(text), "")


def _plain(text: str) -> str:
    return _NOISE.sub(" ", text.lower().replace("licence", "license")).strip(" .")
