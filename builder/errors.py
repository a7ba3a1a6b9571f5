"""One error root, one family per stage.

Errors carry data; text is derived from it. A message says what, `context` says where (a file, then a key, as
`stacks/etl/stack.toml: airflow.version`), `hint` says the way out. Exit codes: 1 a negative answer, 2 usage,
3 invalid input, 4 environment, network or tool.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class BuilderError(Exception):
    """Root of every error that this project raises on purpose.

    Args:
        message: one sentence of what is wrong.
        context: where: a file, a key, a wheel and its entry.
        hint: one sentence of what to do.
    """

    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, *, context: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.context = context
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.context}: " if self.context else ""
        way_out = f"\n  {self.hint}" if self.hint else ""
        return f"{where}{self.message}{way_out}"


class InvalidInputError(BuilderError):
    """Something that a person wrote, or that came from outside, cannot be accepted."""

    exit_code: ClassVar[int] = 3


class IssuesError(InvalidInputError):
    """Every issue found in one reading, raised once."""

    def __init__(self, issues: Sequence[BuilderError], *, hint: str = "") -> None:
        super().__init__(f"{len(issues)} problem{'s' if len(issues) != 1 else ''}", hint=hint)
        self.issues = tuple(issues)

    def __str__(self) -> str:
        return "\n".join(str(issue) for issue in self.issues) + (f"\n  {self.hint}" if self.hint else "")


class StackError(InvalidInputError):
    """A stack or base file says something impossible."""


class LockInvalidError(InvalidInputError):
    """A lock file cannot be read or contradicts itself."""


class LockStaleError(BuilderError):
    """A lock does not answer to its inputs any more."""

    exit_code: ClassVar[int] = 1


class ResolutionError(BuilderError):
    """What was asked for cannot be had together."""

    exit_code: ClassVar[int] = 1


class PackageIndexError(BuilderError):
    """A package index or a mirror answered wrongly or not at all."""


class MirrorError(BuilderError):
    """A Debian mirror answered wrongly, not at all, or with an unverifiable signature."""


class FetchError(BuilderError):
    """A locked file cannot be had from any configured place."""


class RegistryError(BuilderError):
    """A registry answered wrongly, refused, or not at all."""


class SecretFoundError(InvalidInputError):
    """What would be kept for ever, or be part of an image, holds a secret."""


class IntegrityError(InvalidInputError):
    """Bytes from outside are not what they claim to be: refused at intake."""


class DigestMismatchError(IntegrityError):
    """Bytes do not hash to the digest that names them."""


class MissingBlobError(BuilderError):
    """The store does not hold a file that the lock names."""


class PlanError(InvalidInputError):
    """Layers cannot be planned within the budget, or a plan contradicts its lock."""


class BuildError(BuilderError):
    """An image could not be assembled."""


class VerifyError(BuilderError):
    """An image differs from what its lock gives."""

    exit_code: ClassVar[int] = 1


class LedgerError(BuilderError):
    """The ledger is damaged, is another's, or does not hold what was asked for."""

    exit_code: ClassVar[int] = 1


class LedgerMovedError(BuilderError):
    """Others wrote in the ledger since it was looked at: nothing was appended, and what was decided must be looked at again."""


class LedgerUnavailableError(BuilderError):
    """The ledger's file cannot be read or written: nothing of what was to be recorded is in it."""


class PromotionError(BuilderError):
    """A channel may not move so, or somebody may not agree to it."""

    exit_code: ClassVar[int] = 1


class ClusterError(BuilderError):
    """A cluster cannot be reached, refuses, or answers wrongly: nothing can be said of what runs there."""


class SignatureError(BuilderError):
    """What should be signed is not, by nobody who is trusted, or for another artifact; or it cannot be signed."""

    exit_code: ClassVar[int] = 1


class ScanError(BuilderError):
    """An image could not be scanned: what a scanner said, or did not say, is never taken for clean."""


class ToolError(BuilderError):
    """A foreign program is missing or failed.

    Args:
        message: what was being done.
        argv: the command, secrets masked.
        exit_status: the program's own status, None where it did not start.
        stderr: the end of what it said.
    """

    def __init__(
        self,
        message: str,
        *,
        argv: Sequence[str] = (),
        exit_status: int | None = None,
        stderr: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, context=argv[0] if argv else "", hint=hint)
        self.argv = tuple(argv)
        self.exit_status = exit_status
        self.stderr = stderr
