"""A verb that does its work on names, and has further verbs below it, as `lock STACK` beside `lock export STACK`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import click

from builder.cli.root import Verb


class VerbWithSubverbs(click.Command):
    """A command whose first argument may name one of its subverbs, which is imported and run in its place.

    Names of subverbs must be names that the command's own first argument cannot have.
    """

    subverbs: ClassVar[Mapping[str, Verb]] = {}

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the arguments, with the subverb that they name first, or as the verb's own."""
        if not args or args[0] not in self.subverbs:
            return super().make_context(info_name, args, parent, **extra)
        name, *rest = args
        return self._load(name).make_context(f"{info_name} {name}", rest, parent, **extra)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subverbs below the options, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.summary) for name, verb in self.subverbs.items()])
        super().format_epilog(ctx, formatter)

    def _load(self, name: str) -> click.Command:
        module, _, attribute = self.subverbs[name].target.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is no click command")
        return command
