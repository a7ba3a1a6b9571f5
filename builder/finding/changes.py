"""What two scans have apart: fixed, new, and what stayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from builder.finding.model import Finding, order_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """From one image to another; each the worst first."""

    fixed: tuple[Finding, ...]
    """As the image before has them."""
    new: tuple[Finding, ...]
    stayed: tuple[Finding, ...]


def compare_findings(before: Sequence[Finding], after: Sequence[Finding]) -> Changes:
    """Compare findings by key: one that stays in another version of the same thing has stayed."""
    old, now = {one.key for one in before}, {one.key for one in after}
    return Changes(
        fixed=tuple(sorted((one for one in before if one.key not in now), key=order_of)),
        new=tuple(sorted((one for one in after if one.key not in old), key=order_of)),
        stayed=tuple(sorted((one for one in after if one.key in old), key=order_of)),
    )
