"""Why a wheel is refused: one code a kind, so that tests and docs can table them."""

from __future__ import annotations

from enum import StrEnum

from builder.errors import IntegrityError


class Refusal(StrEnum):
    """The kinds of wheel that never enter an image."""

    # The archive.
    NOT_A_ZIP = "not-a-zip"
    TRAILING_BYTES = "trailing-bytes"
    PREPENDED_BYTES = "prepended-bytes"
    GAP = "gap-between-entries"
    OVERLAP = "overlapping-entries"
    TWO_DIRECTORIES = "two-directories"
    COMMENT = "comment"
    ZIP64 = "needless-zip64"
    MULTI_DISK = "multi-disk"
    ENCRYPTED = "encrypted"
    METHOD = "compression-method"
    FLAGS = "unknown-flags"
    EXTRA_FIELD = "extra-field"
    HEADERS_DIFFER = "headers-differ"
    DATA_DESCRIPTOR = "data-descriptor"
    CORRUPT = "corrupt-stream"
    CHECKSUM = "checksum"
    SIZE = "size-lie"
    # Names inside it.
    NAME_ENCODING = "name-encoding"
    NAME_TRAVERSAL = "name-traversal"
    NAME_ABSOLUTE = "name-absolute"
    NAME_BACKSLASH = "name-backslash"
    NAME_CONTROL = "name-control-character"
    NAME_DRIVE = "name-drive-letter"
    NAME_NOT_NORMAL = "name-not-normal"
    NAME_TOO_LONG = "name-too-long"
    WHITEOUT = "name-whiteout"
    DUPLICATE = "duplicate-name"
    CASE_COLLISION = "case-collision"
    FILE_AND_DIRECTORY = "file-and-directory"
    # What entries are, and how much of it.
    SPECIAL_FILE = "special-file"
    SETUID = "setuid"
    TOO_MANY_ENTRIES = "too-many-entries"
    TOO_LARGE = "too-large"
    RATIO = "compression-ratio"
    # The distribution.
    FILE_NAME = "wheel-file-name"
    DIST_INFO_MISSING = "no-dist-info"
    DIST_INFO_SEVERAL = "several-dist-info"
    DIST_INFO_NAME = "dist-info-name"
    METADATA = "metadata"
    NAME_LIE = "metadata-name"
    VERSION_LIE = "metadata-version"
    WHEEL_FILE = "wheel-metadata"
    WHEEL_VERSION = "wheel-version"
    TAGS_LIE = "tags"
    RECORD_MISSING = "record-missing"
    RECORD_SYNTAX = "record-syntax"
    RECORD_ABSENT_FILE = "record-absent-file"
    RECORD_UNLISTED_FILE = "record-unlisted-file"
    RECORD_DUPLICATE = "record-duplicate"
    RECORD_WEAK_HASH = "record-weak-hash"
    RECORD_HASH = "record-hash"
    RECORD_SIZE = "record-size"
    # What it would install.
    ENTRY_POINTS = "entry-points"
    SCRIPT_NAME = "script-name"
    DATA_SCHEME = "data-scheme"
    STARTUP_HOOK = "startup-hook"
    RESERVED_PATH = "reserved-path"
    SAME_DESTINATION = "same-destination"
    DISTRIBUTIONS_OVERLAP = "distributions-overlap"


class WheelRefusedError(IntegrityError):
    """A wheel that is not what it claims to be, or that would do what no wheel may.

    Args:
        kind: which rule it breaks.
        message: one sentence of what is wrong.
        wheel: the wheel's file name.
        entry: the entry, file or script at fault; empty where it is the archive as a whole.
    """

    def __init__(self, kind: Refusal, message: str, *, wheel: str, entry: str = "") -> None:
        shown = _printable(entry)
        super().__init__(
            f"{message} [{kind}]",
            context=f"{_printable(wheel)}: {shown}" if shown else _printable(wheel),
            hint="the wheel is refused whole; take another version, or report it to the project that published it",
        )
        self.kind = kind
        self.wheel = wheel
        self.entry = entry


def _printable(text: str) -> str:
    # Names come from outside: they may hold control characters that would rewrite a terminal or a log line.
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text[:300])
