"""Options of `drift`: which cluster, which pods, which channel, from when on it matters."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from builder.cli.root import Context
from builder.drift.model import Severity

if TYPE_CHECKING:
    from builder.cluster.connect import Address
    from builder.cluster.documents import Document
    from builder.drift.model import Target

_F = TypeVar("_F", bound=Callable[..., Any])
_UNNAMED = "unnamed"


def cluster_options(function: _F) -> _F:
    """Add what says which cluster and which pods."""
    options = (
        click.option("--stack", metavar="STACK", help="What the pods should run, with --channel."),
        click.option("--channel", metavar="CHANNEL", help="What the pods should run, with --stack."),
        click.option("--namespace", "-n", "namespaces", multiple=True, metavar="NAME", help="To look at; repeatable."),
        click.option("--all-namespaces", "-A", "everywhere", is_flag=True, help="Look at all."),
        click.option("--selector", "-l", multiple=True, metavar="NAME=VALUE", help="Labels of the pods; with --stack."),
        click.option("--allow", multiple=True, metavar="IMAGE", help="Another image that may run; with --stack."),
        click.option("--cluster", metavar="NAME", help="What the cluster is called in [[targets]] and in the ledger."),
        click.option("--kubeconfig", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE"),
        click.option("--context", "kube_context", metavar="NAME", help="Of the kubeconfig. Default: its current one."),
        click.option("--in-cluster", is_flag=True, help="Ask as the service account of this pod."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _severity(ctx: click.Context, param: click.Parameter, value: str) -> Severity:
    del ctx, param
    return Severity[value.upper()]


def severity_option(function: _F) -> _F:
    """Add `--fail-on`, given as a Severity."""
    return click.option(
        "--fail-on",
        type=click.Choice([one.word for one in Severity]),
        default=Severity.LOW.word,
        callback=_severity,
        help="Least severity for exit status 1. Default: low.",
    )(function)


def read_targets(
    context: Context, given: Mapping[str, Any], *, printed: bool
) -> tuple[tuple[Target, ...], tuple[str, ...] | None, Address]:
    """Read what should run where: from the options, else from stacks/deploy.toml.

    Args:
        context: of the root command.
        given: the options.
        printed: pods come from files, which name no cluster.

    Returns:
        Targets; namespaces to look at, None for those of the targets; the cluster's address.
    """
    from builder.cluster.connect import Address
    from builder.drift.targets import parse_selector, parse_targets

    from_options = bool(given["stack"] or given["channel"])
    if from_options and not (given["stack"] and given["channel"]):
        raise click.UsageError("--stack and --channel go together")
    if (given["selector"] or given["allow"]) and not from_options:
        raise click.UsageError("--selector and --allow go with --stack and --channel; else [[targets]] say it")
    if given["everywhere"] and given["namespaces"]:
        raise click.UsageError("--namespace or --all-namespaces, not both")
    if given["inside"] and printed:
        raise click.UsageError("--exec needs the cluster itself, not what kubectl printed")
    if from_options and not (printed or given["namespaces"] or given["everywhere"] or given["selector"]):
        raise click.UsageError("say which pods: --namespace, --selector or --all-namespaces")
    namespaces: tuple[str, ...] | None = given["namespaces"] or (() if given["everywhere"] or printed else None)
    if from_options:
        from builder.drift.model import Target

        target = Target(
            stack=given["stack"],
            channel=given["channel"],
            namespaces=given["namespaces"],
            selector=parse_selector(given["selector"]),
            allowed=given["allow"],
        )
        targets: tuple[Target, ...] = (target,)
    else:
        path = context.project().stacks_folder / "deploy.toml"
        targets = parse_targets(path.read_bytes(), file="stacks/deploy.toml") if path.is_file() else ()
    if not targets:
        raise click.UsageError(
            "nothing says what should run: write [[targets]] in stacks/deploy.toml, or give --stack and --channel"
        )
    name = given["cluster"] or (_only_cluster(targets) if printed else "")
    return (
        targets,
        namespaces,
        Address(
            kubeconfig=given["kubeconfig"],
            context=given["kube_context"] or "",
            in_cluster=given["in_cluster"],
            name=name,
        ),
    )


def _only_cluster(targets: Sequence[Target]) -> str:
    """Find the cluster that printed pods are of."""
    names = {target.cluster for target in targets if target.cluster}
    if len(names) > 1:
        raise click.UsageError(f"say by --cluster which it is: {', '.join(sorted(names))}")
    return next(iter(names), _UNNAMED)


def read_documents(files: Sequence[Path]) -> tuple[Document, ...]:
    """Read what kubectl printed; `-` is standard input."""
    from builder.cluster.documents import Document

    return tuple(
        Document(data=sys.stdin.buffer.read(), file="standard input")
        if str(path) == "-"
        else Document(data=path.read_bytes(), file=str(path))
        for path in files
    )
