"""What all settings are read from. Imports little: registries need it, and no index."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What settings are read from: the environment and the places of configuration files."""

    variables: Mapping[str, str]
    home: Path
    prefix: Path
    """Of the Python environment, where pip's site file lies."""
    etc: Path = Path("/etc")

    @property
    def config_home(self) -> Path:
        """The user's folder of configuration files."""
        return Path(self.variables.get("XDG_CONFIG_HOME") or self.home / ".config")

    @property
    def config_dirs(self) -> tuple[Path, ...]:
        """System-wide folders of configuration files, least important last, as XDG orders them."""
        named = self.variables.get("XDG_CONFIG_DIRS") or str(self.etc / "xdg")
        return tuple(Path(part) for part in named.split(os.pathsep) if part)


def this_surroundings() -> Surroundings:
    """Describe this process's surroundings."""
    return Surroundings(variables=dict(os.environ), home=Path.home(), prefix=Path(sys.prefix))


def certificate_of(around: Surroundings) -> Path | None:
    """Find the trusted authorities that the usual variables name."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        value = around.variables.get(name)
        if value and Path(value).is_file():
            return Path(value)
    return None
