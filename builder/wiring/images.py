"""What builds, checks and runs images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from builder.platform import platform_of_machine
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.location import cache_root
from builder.wiring.fetching import make_build_room
from builder.wiring.stores import make_artefact_store, make_build_store, make_file_store

if TYPE_CHECKING:
    from builder.platform import Platform
    from builder.project import Project
    from builder.run.model import Engine, RunnableImage
    from builder.usecase.build import BuildTools, Compilers, Watch
    from builder.usecase.rebuild import RebuildRoom


def make_compilers() -> Compilers:
    """Make what starts a base's own Python on this machine."""
    from builder.image.compilers import StoreCompilers

    return StoreCompilers(make_file_store(), make_artefact_store(), platform_of_machine(os.uname().machine))


def build_tools(jobs: int, watch: Watch | None = None) -> BuildTools:
    """Make what `build` builds with: the user's store and cache, bases' interpreters on this machine."""
    from builder.usecase.build import BuildTools

    return BuildTools(
        files=make_file_store(),
        artefacts=make_build_store(),
        compilers=make_compilers(),
        jobs=jobs,
        watch=watch,
    )


@contextmanager
def make_rebuild_room(jobs: int, watch: Watch, *, wheels: bool = False) -> Iterator[RebuildRoom]:
    """Make a folder that goes away, with a store and a cache of its own, both empty: nothing of the user's is read."""
    from tempfile import TemporaryDirectory

    from builder.image.compilers import StoreCompilers
    from builder.store.files import DirectoryFileStore
    from builder.usecase.build import BuildTools
    from builder.usecase.rebuild import RebuildRoom

    parent = cache_root(os.environ) / "tmp"
    parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=parent, prefix="rebuild-") as folder:
        root = Path(folder)
        files, artefacts = DirectoryFileStore(root), DirectoryArtefactStore(root, durable=False)
        compilers = StoreCompilers(files, artefacts, platform_of_machine(os.uname().machine))
        tools = BuildTools(files=files, artefacts=artefacts, compilers=compilers, jobs=jobs, watch=watch)
        # What wheels are built of was brought before: a store that lacks it says so by name.
        wheel_room = make_build_room(lambda _files, _debs: None, files, artefacts) if wheels else None
        host = platform_of_machine(os.uname().machine)
        yield RebuildRoom(folder=root, store=files, tools=tools, host=host, wheels=wheel_room)


@contextmanager
def scratch_build_tools(jobs: int, watch: Watch) -> Iterator[BuildTools]:
    """Make what `verify` builds with: the user's store of files, and a cache that is empty and goes away."""
    from tempfile import TemporaryDirectory

    from builder.image.compilers import StoreCompilers
    from builder.usecase.build import BuildTools

    files = make_file_store()
    parent = cache_root(os.environ) / "tmp"
    parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=parent, prefix="verify-") as folder:
        artefacts = DirectoryArtefactStore(Path(folder), durable=False)
        compilers = StoreCompilers(files, artefacts, platform_of_machine(os.uname().machine))
        yield BuildTools(files=files, artefacts=artefacts, compilers=compilers, jobs=jobs, watch=watch)


def make_engines() -> tuple[Engine, ...]:
    """Make every engine that runs containers, in the order of builder.run.engines.NAMES."""
    from builder.run.docker import DockerEngine
    from builder.run.oci_runtime import OciRuntimeEngine
    from builder.run.podman import PodmanEngine
    from builder.run.userns import UserNamespaceEngine

    store = make_artefact_store()
    runtimes = (OciRuntimeEngine("runc", store), OciRuntimeEngine("crun", store))
    return (*runtimes, UserNamespaceEngine(store), PodmanEngine(), DockerEngine())


def make_image_builder(project: Project, jobs: int, watch: Watch) -> Callable[[str, Platform], RunnableImage]:
    """Make what builds a stack for one platform, into the project's build/run, and says where it lies."""
    from builder.image.layout_reader import FolderLayout
    from builder.oci.layout import parse_layout
    from builder.run.model import RunnableImage
    from builder.usecase.build import BuildRequest, build

    def build_image(stack: str, platform: Platform) -> RunnableImage:
        output = project.root / "build" / "run" / f"{stack}-{platform.architecture}"
        request = BuildRequest(stack=stack, locks=project.locks_folder, output=output, platforms=(platform,))
        build(request, build_tools(jobs, watch))
        layout = parse_layout(FolderLayout(output))
        return RunnableImage(stack=stack, layout=output, reference=layout.name, image=layout.platforms[0])

    return build_image
