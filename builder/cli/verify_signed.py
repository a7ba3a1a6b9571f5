"""`airflow-kubler verify REFERENCE --key KEY.pub`: who has signed an image, and what is said of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import click

from builder.attest.kinds import SIGNATURE, predicate_type
from builder.cli.output import show_json
from builder.cli.root import Context
from builder.registry.model import parse_reference

if TYPE_CHECKING:
    from builder.attest.trust import Trust
    from builder.ledger.model import LedgerReader
    from builder.registry.model import Reference
    from builder.usecase.verify_signatures import Verified

_F = TypeVar("_F", bound=Callable[..., Any])
_OPTIONS = (
    click.option(
        "--key", "keys", multiple=True, metavar="KEY", help="File of a public key, or env:NAME; may be repeated."
    ),
    click.option("--signed", is_flag=True, help="By keys of stacks/keys.toml, each in what it may."),
    click.option("--certificate-identity", "identity", metavar="ID", help="Signed without a key, by this identity."),
    click.option("--certificate-oidc-issuer", "issuer", metavar="URL", help="That vouches for the identity."),
)


def signer_options(function: _F) -> _F:
    """Add the options that say whose signatures hold: `keys`, `signed`, `identity`, `issuer`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def kind_options(function: _F) -> _F:
    """Add the options that say what must be signed: `kinds`, `builders`."""
    kinds = click.option(
        "--type",
        "kinds",
        multiple=True,
        metavar="KIND",
        help="That must be signed: signature, provenance, sbom-cyclonedx, sbom-spdx, rebuild, scan, or a URI. Default: signature.",
    )
    builders = click.option(
        "--builder-id", "builders", multiple=True, metavar="URI", help="That provenance may name. Default: any of ours."
    )
    return kinds(builders(function))


def names_signers(how: Mapping[str, Any]) -> bool:
    """Tell whether any of the options that say whose signatures hold is given."""
    if bool(how["identity"]) != bool(how["issuer"]):
        raise click.UsageError("--certificate-identity and --certificate-oidc-issuer go together")
    return bool(how["keys"] or how["signed"] or how["identity"])


def look_at(
    context: Context,
    reference: Reference,
    how: Mapping[str, Any],
    kinds: tuple[str, ...],
    *,
    builders: tuple[str, ...] = (),
) -> Verified:
    """Find out what is attached to an image and what of it holds; what of the kinds holds is recorded, of none nothing."""
    from builder.usecase.attached import read_artifact
    from builder.usecase.verify_image import verify_image
    from builder.wiring.recording import open_recorder
    from builder.wiring.registries import make_registry
    from builder.wiring.signing import openers_of

    trust, ledger = _trust(context, how), context.recording()
    identity = (how["identity"], how["issuer"]) if how["identity"] else None
    with ExitStack() as later:
        recorder = later.enter_context(open_recorder(ledger if kinds else None))
        reader: LedgerReader | None = recorder.ledger if recorder is not None else None
        if reader is None and ledger is not None:
            from builder.wiring.ledgers import open_ledger

            reader = later.enter_context(open_ledger(ledger))
        registry = later.enter_context(make_registry())
        found = verify_image(
            registry,
            read_artifact(registry, reference),
            trust=trust,
            openers=openers_of(trust, identity),
            now=int(time.time()),
            ledger=reader,
            builders=builders,
        )
        if recorder is not None:
            recorder.verified(found, kinds)
    return found


def _trust(context: Context, how: Mapping[str, Any]) -> Trust:
    from builder.attest.trust import Trust
    from builder.wiring.signing import load_trust, trust_of_keys

    named = trust_of_keys(how["keys"])
    return Trust(keys=(*named.keys, *load_trust(context.project()).keys)) if how["signed"] else named


def verify_signed(context: Context, text: str, how: Mapping[str, Any], *, as_json: bool) -> int:
    """Verify that each kind asked for is signed; returns the exit status, 1 where a rebuild came out otherwise."""
    from builder.cli.signatures_view import show_verified, verified_json
    from builder.usecase.verify_signatures import is_settled

    kinds = tuple(predicate_type(kind) for kind in how["kinds"] or (SIGNATURE,))
    found = look_at(context, parse_reference(text), how, kinds, builders=how["builders"])
    found.check(kinds)
    show_json(verified_json(found, kinds)) if as_json else show_verified(found, kinds)
    return 0 if is_settled(found, kinds) else 1
