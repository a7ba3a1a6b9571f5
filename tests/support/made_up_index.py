"""The loopback index over what a test makes up, for real resolvers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from packaging.utils import canonicalize_name

from builder.digest import Digest
from builder.resolve.model import IndexAddress
from builder.snapshot.model import DEFAULT_INDEX, OfferedFile
from builder.snapshot.rules import ViewRules
from builder.snapshot.server import INDEX_URL, LoopbackIndex
from builder.snapshot.view import IndexView
from builder.snapshot.world import World
from tests.support.memory_snapshots import MadeUpUpstream, MemoryStore

NOW = 1_780_000_000
"""2026-05-28."""


def offer_wheel(
    upstream: MadeUpUpstream,
    project: str,
    version: str,
    *requires: str,
    tag: str = "py3-none-any",
    extras: Sequence[str] = (),
    requires_python: str | None = None,
    yanked: str | None = None,
) -> OfferedFile:
    """Offer a wheel, spelled as the project spells itself."""
    name = f"{project.replace('-', '_')}-{version}-{tag}.whl"
    file = OfferedFile(
        name=name,
        url=f"https://{DEFAULT_INDEX}.example/files/{name}",
        sha256=Digest.of(f"{name}{requires}".encode()).hex,
        size=1000,
        upload_time="2026-05-01T10:00:00Z",
        requires_python=requires_python,
        yanked=yanked,
    )
    lines = ["Metadata-Version: 2.1", f"Name: {project}", f"Version: {version}"]
    lines += [f"Requires-Python: {requires_python}"] if requires_python else []
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    lines += [f"Requires-Dist: {text}" for text in requires]
    key = DEFAULT_INDEX, canonicalize_name(project)
    upstream.offers[key] = tuple(sorted((*upstream.offers.get(key, ()), file), key=lambda item: item.name))
    upstream.texts[name] = ("\n".join(lines) + "\n\n").encode()
    return file


@contextmanager
def served(
    upstream: MadeUpUpstream, rules: ViewRules | None = None, *, python_version: str = ""
) -> Iterator[IndexAddress]:
    """Serve what is offered on the loopback, as resolvers see it."""
    rules = replace(rules or ViewRules(), python_version=python_version)
    view = IndexView(World(upstream, MemoryStore(), now=NOW), rules)
    with LoopbackIndex() as server:
        yield IndexAddress(url=INDEX_URL, proxy=server.serve(view))
