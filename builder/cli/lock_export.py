"""`airflow-kubler lock export`: a lock as other tools read it."""

from __future__ import annotations

import click

from builder.cli.options import stack_argument
from builder.cli.root import Context


@click.command()
@stack_argument
@click.pass_obj
def command(context: Context, stack: str) -> None:
    """Write the lock of STACK as other tools read it."""
    del context, stack
    raise NotImplementedError
