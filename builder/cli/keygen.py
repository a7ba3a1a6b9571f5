"""`airflow-kubler keygen`: a key pair that signs images."""

from __future__ import annotations

import os
from pathlib import Path

import click

from builder.attest.key_place import password_of
from builder.cli.output import note, show_text
from builder.wiring.signing import write_key_pair


@click.command()
@click.argument("prefix", default="airflow-kubler", type=click.Path(path_type=Path))
def command(prefix: Path) -> None:
    """Make a key that signs images: PREFIX.key keeps the private half, PREFIX.pub the public one.

    ECDSA on P-256, as cosign takes it. The private half is encrypted by the password in AIRFLOW_KUBLER_KEY_PASSWORD (or
    COSIGN_PASSWORD); without one it is written plain. Keys that sign heads of a ledger are others: `ledger keygen`.
    """
    password = password_of(os.environ)
    private, public = write_key_pair(prefix, password)
    if not password:
        note(f"{private} is not encrypted: set AIRFLOW_KUBLER_KEY_PASSWORD before, or keep it where nobody reads it")
    show_text(f"{private}\n{public}")
