"""Texts within manifests: what structure they have, and which words of them name images.

A text is read as YAML or JSON where its name or looks say so, as settings where it has sections, else word by word. Of words, these
name images: what carries a digest, and a tag behind a registry's host, behind a repository that the ledger knows, or behind Airflow's
official one. A bare word with a colon is anything.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from typing import Final

from builder.deploy.image_name import LONGEST, ImageName, parse_image_name

_WORD: Final = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9\[\]._/:@-]*")
_STRUCTURED_NAME: Final = re.compile(r"\.(?:ya?ml|json)\Z", re.IGNORECASE)
_IMAGE_LINE: Final = re.compile(
    r"""^[ \t]*(?:-[ \t]+)?(?P<quote>["']?)(?:[A-Za-z_]*[iI]mage)(?P=quote)[ \t]*:[ \t]*["']?(?P<value>[^\s"'#,}]+)""",
    re.MULTILINE,
)
_SECTION: Final = re.compile(r"^[ \t]*\[[A-Za-z0-9_.= -]+\][ \t]*$", re.MULTILINE)
_OFFICIAL: Final = "docker.io/apache/airflow"


def looks_structured(name: str, text: str) -> bool:
    """Tell whether a text is worth reading as YAML or JSON."""
    if text.lstrip()[:1] in {"{", "["} or _STRUCTURED_NAME.search(name):
        return True
    return "\n" in text and _IMAGE_LINE.search(text) is not None


def parse_settings(text: str) -> ConfigParser | None:
    """Read a text as settings in sections, as airflow.cfg is; None where it is nothing of the kind.

    Raises:
        ConfigError: it is Airflow's, and cannot be read one way only.
    """
    if not _SECTION.search(text):
        return None
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except ConfigError:
        if "[kubernetes_executor]" in text or "worker_container_" in text:
            raise
        return None
    return parser


def iter_image_lines(text: str) -> Iterator[str]:
    """List what stands behind `image:` at the beginnings of lines: for what looks structured and cannot be read."""
    for found in _IMAGE_LINE.finditer(text):
        yield found["value"]


def iter_image_words(text: str, known: Collection[str]) -> Iterator[str]:
    """List the words that name images.

    Args:
        text: any.
        known: repositories of the ledger, as `registry.example.org/team/airflow`.
    """
    for found in _WORD.finditer(text):
        word = found[0].rstrip(".:/-@")
        if len(word) > LONGEST or not (":" in word or "@" in word):
            continue
        image = parse_image_name(word)
        if image is not None and _is_meant(image, known):
            yield word


def _is_meant(image: ImageName, known: Collection[str]) -> bool:
    if image.digest:
        return True
    return bool(image.tag) and (image.names_registry or image.repository == _OFFICIAL or image.repository in known)
