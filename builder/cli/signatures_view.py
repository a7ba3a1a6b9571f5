"""How signatures are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from builder.attest.kinds import PREDICATE_TYPES, PROVENANCE, kind_of
from builder.attest.provenance import SLSA_BUILD_LEVEL
from builder.attest.provenance_check import Claims
from builder.cli.output import render_table, show_text
from builder.usecase.sign import Sealed
from builder.usecase.verify_signatures import Judged, RebuildClaim, Verified, disputed_by, is_settled, reproduced_by

_SHORT = len("sha256:") + 12


def sealed_json(sealed: Sealed) -> dict[str, Any]:
    """Say what was signed."""
    return {
        "subject": str(sealed.artifact.reference),
        "kind": kind_of(sealed.predicate_type),
        "predicate_type": sealed.predicate_type,
        "signer": sealed.signer,
        "manifest": str(sealed.manifest),
        "bundle": str(sealed.bundle.digest),
        "new": sealed.is_new,
    }


def show_sealed(sealed: Iterable[Sealed]) -> None:
    """Print what was signed, a line each."""
    for one in sealed:
        there = "" if one.is_new else " (was there)"
        show_text(f"{one.artifact.repository}@{one.manifest}{there}")
        show_text(f"{kind_of(one.predicate_type)} of {one.artifact.reference} by {one.signer}")


def judged_json(judged: Judged) -> dict[str, Any]:
    """Say of a bundle whether it holds."""
    value: dict[str, Any] = {
        "manifest": str(judged.attached.manifest),
        "bundle": str(judged.attached.bundle.digest),
        "kind": kind_of(judged.predicate_type),
        "predicate_type": judged.predicate_type,
        "signer": judged.signer,
        "name": judged.name,
        "holds": judged.holds,
    }
    if judged.why:
        value["why"] = judged.why
    if isinstance(judged.found, RebuildClaim):
        value |= {"same": judged.found.same, "rebuilder": judged.found.rebuilder}
    if isinstance(judged.found, Claims):
        value |= {"builder": judged.found.builder, "invocation": judged.found.invocation}
    return value


def level_json(verified: Verified) -> dict[str, Any]:
    """Say what may be said of how an image was built: never more than anybody's word and a key prove."""
    claims = [one.found for one in verified.held(PREDICATE_TYPES[PROVENANCE]) if isinstance(one.found, Claims)]
    if not claims:
        return {}
    return {
        "slsa_build_level": SLSA_BUILD_LEVEL,
        "hermetic": all(claim.hermetic for claim in claims),
        "pinned_dependencies": "all" if all(claim.pinned_dependencies for claim in claims) else "",
        "reproduced_by": list(reproduced_by(verified)),
    }


def verified_json(verified: Verified, predicate_types: Sequence[str]) -> dict[str, Any]:
    """Say what holds, of the kinds that were asked for."""
    return {
        "reference": str(verified.artifact.reference),
        "digest": str(verified.artifact.digest),
        "verified": is_settled(verified, predicate_types),
        "kinds": {
            kind_of(uri): [judged_json(one) for one in verified.held(uri)] for uri in dict.fromkeys(predicate_types)
        },
        **level_json(verified),
    }


def show_verified(verified: Verified, predicate_types: Sequence[str]) -> None:
    """Print what holds, a line each, and what it means."""
    show_text(str(verified.artifact.reference))
    for uri in dict.fromkeys(predicate_types):
        for one in verified.held(uri):
            show_text(f"{kind_of(uri)}: holds, signed by {one.name}{_found(one)}")
    for name in disputed_by(verified):
        show_text(f"differs: {name} rebuilt it to another image")
    for key, value in level_json(verified).items():
        shown = ", ".join(value) or "nobody" if isinstance(value, list) else str(value).lower()
        show_text(f"{key}: {shown}")


def _found(judged: Judged) -> str:
    if isinstance(judged.found, Claims):
        return f"; built by {_line(judged.found.builder)} from {judged.found.dependencies} files"
    if isinstance(judged.found, RebuildClaim):
        return "; the same digest" if judged.found.same else f"; another image: {_line(judged.found.difference)}"
    return ""


def _line(text: str, most: int = 200) -> str:
    """Show what others wrote on one line of its own."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:most])


def render_attached(verified: Verified, *, has_keys: bool) -> str:
    """Render what is attached to an artifact: by whom, and whether it holds."""
    rows = []
    for one in verified.judged:
        signer = one.name or ("identity" if one.attached.bundle.is_keyless else f"hint {one.attached.bundle.hint[:12]}")
        state = "holds" if one.holds else one.why if has_keys else "not verified: no keys given"
        rows.append(
            (
                _line(kind_of(one.predicate_type), 60) or "-",
                _line(signer, 60),
                _line(state, 300),
                str(one.attached.manifest)[:_SHORT],
            )
        )
    rows += [("-", "-", _line(one.why, 300), str(one.manifest)[:_SHORT]) for one in verified.passed_over]
    if not rows:
        return f"{verified.artifact.reference}: nothing is attached"
    return f"{verified.artifact.reference}\n{render_table(('kind', 'signer', 'state', 'manifest'), rows)}"
