"""What talks to registries."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.registry.model import Registry


@contextmanager
def make_registry() -> Iterator[Registry]:
    """Open all registries, with the user's credentials, certificates and `[registries]` of our configuration file."""
    from builder.registry.client import open_registry
    from builder.registry.credentials import UserCredentials
    from builder.registry.settings import load_registry_settings
    from builder.resolve.surroundings import certificate_of, this_surroundings

    around = this_surroundings()
    settings = load_registry_settings(
        around.config_home / "airflow-kubler" / "config.toml", certificate=certificate_of(around)
    )
    with open_registry(settings, UserCredentials(os.environ, Path.home())) as registry:
        yield registry
