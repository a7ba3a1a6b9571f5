"""One piece of hostile material: a file of its own, and what has to come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Reader = Callable[[bytes, str], object]
"""Given bytes and the name of the file that they come from."""

FILE_NAMES = {
    "wheels": "wheels.tar",
    "answer": "demo-1.0-py3-none-any.whl",
    "store": "store.tar",
    "exchanged-store": "stores.tar",
    "wheel": "demo-1.0-py3-none-any.whl",
    "deb": "hello_1.0-1_amd64.deb",
    "sdist": "demo-1.0.tar.gz",
    "layer": "layer.tar",
    "layout": "layout.tar",
    "packages": "Packages",
    "release": "InRelease",
    "page": "simple.json",
    "pack": "snapshot.tar",
    "stack-lock": "pylock.etl.toml",
    "base-lock": "base.trixie.toml",
    "segments-lock": "segments.toml",
    "stack": "stack.toml",
    "base": "base.toml",
    "channels": "channels.toml",
    "deploy-rules": "deploy.toml",
    "import": "requirements.txt",
    "registry": "manifest.json",
    "manifest": "manifest.json",
    "ledger-entry": "entry.json",
    "ledger-document": "document.bin",
    "checkpoint": "head.txt",
    "kubernetes": "manifests.yaml",
    "installed": "freeze.txt",
    "elf": "library.so",
    "migration": "0001_revision.py",
}
"""How a file of a kind is called, where the material does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Hostile bytes."""

    threat: str
    """Row of the threat list, as `A1`."""
    kind: str
    """Of the reader that they are for: a key of `READERS`."""
    name: str
    """What it does, in a few words."""
    make: Callable[[], bytes]
    refused: str
    """What the error must say. Empty where the thing as a whole is read, and nothing that is called `evil` comes out."""
    file_name: str = ""

    @property
    def called(self) -> str:
        """Name the file."""
        return self.file_name or FILE_NAMES[self.kind]
