"""What may be asked of a form, and the names that go into it.

Names are checked before they are written anywhere: a form is committed and applied, so that nothing in it may be more than a name.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final

from packaging.version import Version

from builder.deploy.answer import DigestAnswer
from builder.deploy.helm import Pin, airflow_values, merge_values, other_values
from builder.deploy.image_name import ImageName
from builder.deploy.yaml_text import Tree
from builder.errors import InvalidInputError

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A text of a ConfigMap that shall be another."""

    config_map: str
    namespace: str
    key: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FormOptions:
    """What was asked for beside the image."""

    form: str = ""
    """Of the format's forms."""
    is_other_form: bool = False
    """It is not the format's first one."""
    chart: Version | None = None
    pin: Pin | None = None
    name: str = ""
    """Of what the tool calls the installation; the format's default where empty."""
    namespace: str = ""
    images: tuple[str, ...] = ()
    """Names of images in manifests that are to be replaced."""
    others: tuple[tuple[str, ImageName], ...] = ()
    """What is not Airflow, by its key in the chart's values."""
    patches: tuple[Patch, ...] = ()
    manifests: tuple[str, ...] = ()
    """Names of the files that patches were made from."""


def header(image: DigestAnswer, format_name: str, options: FormOptions) -> str:
    """Say in one line how a form is made."""
    said = [
        ("--channel", image.channel),
        ("--digest", "" if image.channel else image.digest),
        ("--format", format_name),
        ("--form", options.form if options.is_other_form else ""),
        ("--repository", image.repository if len(image.places) > 1 else ""),
        ("--chart-version", str(options.chart or "")),
        ("--pin", options.pin.value if options.pin else ""),
        ("--name", options.name),
        ("--namespace", options.namespace),
        *(("--image", name) for name in options.images),
        *(("--manifests", name) for name in options.manifests),
    ]
    words = (f"{name} {_word(value)}" for name, value in said if value)
    return " ".join(["airflow-kubler digest", image.stack, *words])


def _word(text: str) -> str:
    """Write a word of a command; a comment ends with its line, so that nothing may break it."""
    return shlex.quote(text) if text.isprintable() else repr(text)


def check_label(text: str, what: str) -> str:
    """Give a name back where Kubernetes takes it for one; raises InvalidInputError."""
    if not _LABEL.match(text):
        hint = "lower-case letters, digits and `-`, at most 63, with a letter or digit at both ends"
        raise InvalidInputError(f"is no name of {what}", context=repr(text[:80]), hint=hint)
    return text


def choose_pin(image: DigestAnswer, options: FormOptions) -> Pin:
    """Choose how the digest is written.

    Raises:
        InvalidInputError: a tag is wanted, and the image has none.
    """
    if options.pin is Pin.TAG and not image.tag:
        raise InvalidInputError(
            "has no tag there that the ledger knows", context=image.reference, hint="pin it by `--pin digest`"
        )
    return options.pin or (Pin.TAG if image.tag else Pin.DIGEST)


def chart_values(image: DigestAnswer, options: FormOptions) -> dict[str, Tree]:
    """Make the values for the official chart, Airflow's own images and the others that are known."""
    pin = choose_pin(image, options)
    values = airflow_values(image.repository, image.tag, image.digest, pin, options.chart)
    return dict(merge_values(values, other_values(options.others)))
