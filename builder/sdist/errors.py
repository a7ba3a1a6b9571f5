"""Why no wheel comes of an sdist, each kind with its way out."""

from __future__ import annotations

from enum import StrEnum

from builder.errors import IntegrityError

_HINT_WHEEL = "ask for a version that has a wheel, or put a wheel of it on an index of yours"


class Kind(StrEnum):
    """The kinds of sdist that give no wheel here."""

    ARCHIVE = "archive"
    TOO_LARGE = "too-large"
    BUILD_SYSTEM = "build-system"
    REQUIREMENT = "build-requirement"
    FAILED = "build-failed"
    TIME = "build-time"
    COMPILER = "needs-compiler"
    ABI = "not-the-bases-libraries"
    WHEEL = "not-its-wheel"
    NOT_REPRODUCIBLE = "not-reproducible"


_HINTS = {
    Kind.COMPILER: "name Debian packages to compile with in the base's file, as "
    'debian.compilers = ["gcc", "libc6-dev", "libpython3.13-dev"], or use a version that has a wheel',
    Kind.ABI: "name the Debian package of the library in debian.roots of the base's file, not in debian.compilers alone",
}


class SdistError(IntegrityError):
    """An sdist that cannot become a wheel here.

    Args:
        kind: which rule it breaks.
        message: one sentence of what is wrong.
        sdist: the sdist's file name, or project and version.
        entry: the entry at fault.
        output: the end of what the build said; untrusted.
    """

    def __init__(self, kind: Kind, message: str, *, sdist: str, entry: str = "", output: str = "") -> None:
        said = "".join(f"\n  | {line}" for line in printable(output).splitlines()[-12:])
        where = printable(f"{sdist}: {entry}" if entry else sdist).replace("\n", " ")
        super().__init__(f"{printable(message)}{said}", context=where, hint=_HINTS.get(kind, _HINT_WHEEL))
        self.kind = kind
        self.sdist = sdist
        self.output = output


def printable(text: str) -> str:
    """Escape what would rewrite a terminal or a log: it comes from outside."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode() for char in text[-8000:]
    )
