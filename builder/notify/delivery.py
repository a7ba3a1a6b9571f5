"""What came of telling somebody."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One that was to be told. It goes by the name of an environment variable: addresses are secrets."""

    target: str
    """As `webhook NIGHTLY_WEBHOOK`."""
    problem: str
    """Empty where it arrived."""
    tries: int = 0

    def render(self) -> str:
        """Say it in a line."""
        tries = f" after {self.tries} tries" if self.tries > 1 else ""
        return f"told {self.target}{tries}" if not self.problem else f"NOT told {self.target}{tries}: {self.problem}"
