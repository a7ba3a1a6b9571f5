"""Images beside a channel's that manifests may name: `stacks/deploy.toml`, and what a command says.

    repositories = ["mirror.example.org/team/airflow"]   # hold channels' images too, though nothing of ours pushed them there

    [[allow]]
    image = "quay.io/prometheus/statsd-exporter:v0.28.0@sha256:..."
    values = "statsd"                # digest --format helm pins it, at images.statsd of the chart

    [[allow]]
    image = "registry.example.org/mirror/git-sync:v4.4.2"
    tag-allowed = true               # an exception: it needs a reason and an end
    reason = "the mirror keeps no digests before spring"
    expires = 2027-03-31

An entry holds for a repository and a digest; a tag beside a digest is for readers, as it is for container engines.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from builder.deploy.helm import IMAGES
from builder.deploy.image_name import ImageName, parse_image_name
from builder.errors import InvalidInputError
from builder.stack.table import Table, one_of, parse_table

FILE = "deploy.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """An image that may run beside a channel's."""

    image: ImageName
    where: str
    """Who says so, as `stacks/deploy.toml: allow[0]`."""
    values: str = ""
    """Its key below `images` of the official chart; empty where it has none."""
    reason: str = ""
    expires: dt.date | None = None
    """The last day of an entry without digest; None for one with it."""

    def fits(self, image: ImageName) -> bool:
        """Tell whether this is about an image."""
        if image.repository != self.image.repository:
            return False
        if self.image.digest:
            return image.digest == self.image.digest
        return not image.digest and image.tag == self.image.tag


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRules:
    """What `stacks/deploy.toml` says."""

    allowed: tuple[Allowed, ...] = ()
    repositories: frozenset[str] = frozenset()
    """That hold channels' images beside those that the ledger saw pushes to."""


def parse_deploy_rules(data: bytes, *, file: str) -> DeployRules:
    """Read `stacks/deploy.toml`.

    Raises:
        IssuesError: with everything that is wrong.
        StackError: the file is not TOML at all.
    """
    top = parse_table(data, file=file)
    found: list[Allowed] = []
    for row in top.tables("allow"):
        entry = _read(row, f"{file}: {row.key('').removesuffix('.')}")
        row.close()
        if entry is None:
            continue
        if any(str(entry.image) == str(other.image) for other in found):
            row.wrong("image", "stands twice")
        if entry.values and any(entry.values == other.values for other in found):
            row.wrong("values", f"{entry.values!r} stands twice", hint="the chart has one image there")
        found.append(entry)
    repositories = _read_repositories(top)
    # Of `drift`, which reads them itself.
    top.tables("targets")
    top.close()
    top.issues.raise_any()
    return DeployRules(allowed=tuple(found), repositories=repositories)


def _read_repositories(top: Table) -> frozenset[str]:
    found = set()
    for text in top.texts("repositories") or ():
        image = parse_image_name(text)
        if image is None or image.tag or image.digest:
            top.wrong(
                "repositories", f"{text[:200]!r} is no repository", hint="write it as mirror.example.org/team/airflow"
            )
        else:
            found.add(image.repository)
    return frozenset(found)


def allow_reference(text: str) -> Allowed:
    """Read what a command allows.

    Raises:
        InvalidInputError: it has no digest, or is no name of an image.
    """
    image = parse_image_name(text)
    if image is None or not image.digest:
        what = "is no name of an image" if image is None else "names no digest, so it may be anything tomorrow"
        hint = "write it as repository@sha256:...; an exception by tag stands in stacks/deploy.toml, with its end"
        raise InvalidInputError(what, context=f"--allow {text[:200]}", hint=hint)
    return Allowed(image=image, where="--allow")


def _read(row: Table, where: str) -> Allowed | None:
    text = row.text("image", required=True, hint="write it as repository:tag@sha256:...")
    values = one_of(row, "values", row.text("values"), IMAGES) or ""
    by_tag = row.truth("tag-allowed") or False
    reason = row.text("reason", required=by_tag, hint="why no digest can be had") or ""
    expires = row.date("expires", required=by_tag, hint="the last day on which the tag may run")
    if text is None:
        return None
    image = parse_image_name(text)
    if image is None:
        row.wrong("image", f"{text[:200]!r} is no name of an image")
        return None
    if not image.digest and not by_tag:
        hint = 'add @sha256:...; where none can be had, "tag-allowed = true" with a reason and an end'
        row.wrong("image", "names no digest, so it may be anything tomorrow", hint=hint)
    if not image.digest and not image.tag:
        row.wrong("image", "names neither tag nor digest")
    if image.digest and (by_tag or expires):
        row.wrong("tag-allowed" if by_tag else "expires", "is for images without digest, and this one has one")
    if values and not image.digest:
        row.wrong("values", "pins an image by its digest, and this one has none")
    return Allowed(image=image, where=where, values=values, reason=reason, expires=expires)
