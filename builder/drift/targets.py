"""stacks/deploy.toml, as far as drift reads it: which pods should run what a channel stands for.

    [[targets]]
    cluster = "production"                       # any where it is left out
    namespaces = ["airflow", "airflow-*"]        # all where it is left out
    selector = { tier = "airflow" }              # labels that a pod has
    stack = "core"
    channel = "prod"
    allowed = ["registry.example.org/mirror/statsd-exporter"]   # other images that may run there
    containers = ["istio-proxy"]                 # names beside those of Airflow's chart

A pod belongs to the first target that claims it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from builder.drift.images import NamedImage, full_repository, parse_image
from builder.drift.model import Pod, Target
from builder.errors import InvalidInputError
from builder.stack.names import check_name
from builder.stack.table import Table, parse_table

_NAMESPACE: Final = re.compile(r"[a-z0-9*?]([a-z0-9*?-]{0,61}[a-z0-9*?])?\Z")
_CHANNEL: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?\Z")


def parse_targets(data: bytes, *, file: str) -> tuple[Target, ...]:
    """Read `[[targets]]`; other tables of the file are other verbs' own.

    Raises:
        StackError: it is not TOML.
        IssuesError: with everything that is wrong.
    """
    table = parse_table(data, file=file)
    targets = tuple(_target(row) for row in table.tables("targets"))
    table.issues.raise_any()
    return targets


def _target(row: Table) -> Target:
    stack, channel = row.text("stack", required=True) or "", row.text("channel", required=True) or ""
    if stack and (issue := check_name(stack, context=row.key("stack"))) is not None:
        row.wrong("stack", issue.message)
    if channel and not _CHANNEL.match(channel):
        row.wrong("channel", f"not the name of a channel: {channel[:80]!r}")
    selector = row.table("selector")
    labels = tuple((name, selector.text(name) or "") for name in sorted(selector.keys()))
    for name, value in labels:
        if not _LABEL.match(name) or not _LABEL.match(value):
            row.wrong("selector", f"not a label: {name[:80]}={value[:80]}")
    target = Target(
        stack=stack,
        channel=channel,
        cluster=row.text("cluster") or "",
        namespaces=row.texts("namespaces") or (),
        selector=labels,
        allowed=row.texts("allowed") or (),
        containers=row.texts("containers") or (),
    )
    for name in target.namespaces:
        if not _NAMESPACE.match(name):
            row.wrong("namespaces", f"not the name of a namespace: {name[:80]!r}")
    for image in target.allowed:
        named = parse_image(image)
        if named.tag or (("@" in image) and not named.digest) or not named.repository:
            row.wrong("allowed", f"not `repository` or `repository@sha256:...`: {image[:120]!r}")
    row.close()
    return target


def parse_selector(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Read labels as `name=value`, each alone or joined by commas; raises InvalidInputError."""
    found: dict[str, str] = {}
    for part in ",".join(texts).split(",") if texts else ():
        name, equals, value = part.partition("=")
        if not equals or not _LABEL.match(name) or (value and not _LABEL.match(value)):
            raise InvalidInputError(f"not a label: {part[:80]!r}", hint="write it as name=value")
        found[name] = value
    return tuple(sorted(found.items()))


def namespaces_of(targets: Sequence[Target], cluster: str) -> tuple[str, ...] | None:
    """List the namespaces that targets of a cluster name; empty for all, None where there are no such targets."""
    mine = [target for target in targets if target.cluster in {"", cluster}]
    if not mine:
        return None
    names = {name for target in mine for name in target.namespaces}
    every = any(not target.namespaces for target in mine) or any("*" in name or "?" in name for name in names)
    return () if every else tuple(sorted(names))


def target_of(pod: Pod, targets: Sequence[Target], cluster: str) -> Target | None:
    """Find the target that a pod belongs to."""
    return next((target for target in targets if target.claims(pod, cluster)), None)


def is_allowed(target: Target, named: NamedImage, running: str) -> bool:
    """Tell whether a target lets another image run.

    Args:
        target: whose rules.
        named: what the spec names.
        running: the digest that the node tells; an entry with a digest lets that one alone.
    """
    for text in target.allowed:
        entry = parse_image(text)
        if full_repository(entry.repository) == full_repository(named.repository) and (
            not entry.digest or entry.digest in {named.digest, running}
        ):
            return True
    return False
