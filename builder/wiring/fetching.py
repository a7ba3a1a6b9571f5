"""What gets files: from indexes, mirrors and archives, or built anew."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from builder.platform import platform_of_machine
from builder.store.location import cache_root
from builder.wiring.stores import make_artefact_store, make_file_store, make_transport

if TYPE_CHECKING:
    from builder.debian.client import MirrorClient
    from builder.debian.mirrors import Mirrors
    from builder.lock.model import BaseLock, LockedCandidate, LockedLayer
    from builder.project import Project
    from builder.resolve.settings import IndexSettings
    from builder.store.artefacts import DirectoryArtefactStore
    from builder.store.files import DirectoryFileStore
    from builder.usecase.build_sdist import BuildRoom
    from builder.usecase.fetch import Obtain, Sources


def make_mirrors() -> Mirrors:
    """Read where Debian's archives are, from our configuration file or apt's sources."""
    from builder.debian.mirrors import load_mirrors
    from builder.resolve.surroundings import this_surroundings

    return load_mirrors(config=this_surroundings().config_home / "airflow-kubler" / "config.toml")


@contextmanager
def make_debian_client() -> Iterator[MirrorClient]:
    """Make what asks Debian's mirrors."""
    import time

    from builder.debian.client import MirrorClient
    from builder.resolve.user_settings import load_index_settings

    with make_transport(load_index_settings()) as transport:
        yield MirrorClient(transport, make_file_store(), make_mirrors(), now=int(time.time()))


def make_fetch_sources(settings: IndexSettings, project: Project | None = None) -> Sources:
    """Make what tells `fetch` where files may be had; apt's sources are read only where a deb is missing.

    Args:
        settings: of the indexes.
        project: whose base files say where images of bases lie; None where no layer is asked for.
    """
    from functools import cache, partial

    from builder.debian.mirrors import load_mirrors
    from builder.resolve.settings import is_local
    from builder.resolve.simple import find_file_urls, recall_urls
    from builder.resolve.surroundings import this_surroundings
    from builder.usecase.fetch import Sources

    config = this_surroundings().config_home / "airflow-kubler" / "config.toml"
    mirrors = cache(partial(load_mirrors, config=config))
    artefacts = make_artefact_store()
    return Sources(
        deb_urls=lambda deb: tuple(f"{url}/{quote(deb.pool_path)}" for url in mirrors().mirror_urls(deb.suite)),
        remembered=lambda digest: tuple(
            url for url in recall_urls(artefacts, settings, digest) if is_local(url) or not settings.offline
        ),
        find=partial(find_file_urls, settings),
        rebuild=_rebuild,
        layer=_layer_of(project) if project else None,
    )


def _layer_of(project: Project) -> Callable[[BaseLock, LockedLayer], Iterable[bytes]]:
    def layer(base: BaseLock, layer: LockedLayer) -> Iterator[bytes]:
        from builder.oci.descriptor import Descriptor
        from builder.wiring.bases import open_image_source

        descriptor = Descriptor(media_type=layer.media_type, digest=layer.file.sha256, size=layer.file.size)
        with open_image_source(project, project.load_base(base.name)) as source:
            yield from source.blob(descriptor)

    return layer


def _rebuild(candidate: LockedCandidate, base: BaseLock, obtain: Obtain) -> None:
    from builder.usecase.build_sdist import rebuild

    rebuild(candidate, base, make_build_room(obtain))


def make_build_room(
    obtain: Obtain, files: DirectoryFileStore | None = None, artefacts: DirectoryArtefactStore | None = None
) -> BuildRoom:
    """Make what sdists are built with on this machine; with stores of its own in the place of the user's."""
    from builder.sdist.cell import Cell
    from builder.sdist.compile_cell import CompileCell
    from builder.usecase.build_sdist import BuildRoom

    return BuildRoom(
        files=files or make_file_store(),
        artefacts=artefacts or make_artefact_store(),
        runner=Cell(cache_root(os.environ) / "tmp"),
        compiler=CompileCell(os.environ, cache_root(os.environ) / "tmp"),
        platform=platform_of_machine(os.uname().machine),
        obtain=obtain,
    )
