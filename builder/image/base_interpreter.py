"""The Python of a base that is an image, on this machine: its files taken out of the layers, run through its own loader."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.entry import EntryKind
from builder.errors import BuildError
from builder.image.base_facts import library_folders, program_loader
from builder.image.base_layers import iter_file
from builder.image.base_tree import BaseTree, read_contents, read_tree
from builder.image.interpreter import OPTIONS, Interpreter, TreeStore, check_version, interpreter_key
from builder.lock.model import BaseLock, LockedImage
from builder.platform import Platform
from builder.store.model import FileStore

_KIND: Final = "interpreter"
_FORMAT: Final = 1
_LEFT_OUT: Final = ("test/", "idlelib/", "site-packages/", "dist-packages/", "ensurepip/")
"""Of the standard library: nothing that compiling needs."""
_LIBRARIES: Final = ("c", "crypt", "dl", "expat", "gcc_s", "m", "pthread", "rt", "util", "z")
"""What Pythons and the modules of `encodings` are linked with."""


def ensure_image_interpreter(
    base_lock: BaseLock, files: FileStore, artefacts: TreeStore, platform: Platform
) -> Interpreter:
    """Take the base's Python out of its layers for this machine, once.

    Args:
        base_lock: of a base that is an image.
        files: holds its layers.
        artefacts: keeps the files taken out.
        platform: of this machine, not of the image.

    Raises:
        BuildError: the base has no image for this machine's platform.
        MissingBlobError: a layer was not fetched.
        ToolError: it does not start, or says another version than the lock.
    """
    image = base_lock.image_for(platform)
    if image is None:
        raise BuildError(
            f"the base has no image for {platform}, which this machine needs to compile bytecode",
            context=f"locks/base.{base_lock.name}.toml",
            hint=f"add {platform} to the base's platforms, or build on {base_lock.base.platforms[0]}",
        )
    key = Digest.of(dump_json([_FORMAT, image.python, *(layer.file.sha256.hex for layer in image.layers)])).hex
    root = artefacts.get(_KIND, key)
    if root is None:
        root = artefacts.put_tree(_KIND, key, lambda folder: _populate(folder, base_lock, image, files))
    return _describe(root, base_lock, image)


def _describe(root: Path, base_lock: BaseLock, image: LockedImage) -> Interpreter:
    program = root / image.python.removeprefix("/")
    home = program.parent.parent
    return Interpreter(
        argv=(str(root / "loader"), "--library-path", str(root / "libraries"), str(program), *OPTIONS),
        env={"PYTHONHOME": str(home), "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"},
        python_version=base_lock.python_version,
        key=interpreter_key(base_lock),
    )


def _populate(folder: Path, base_lock: BaseLock, image: LockedImage, files: FileStore) -> None:
    where = f"base {base_lock.name}"

    def read(paths: set[str]) -> dict[str, bytes]:
        opened = lambda file: iter_file(files, file)  # noqa: E731  shorter than a function of its own
        return dict(read_contents(tree, image.layers, opened, paths, where=where))

    tree = read_tree(image.layers, lambda file: iter_file(files, file), where=where)
    program = image.python.removeprefix("/")
    places = _places(tree, program, image.platform)
    contents = read({real for real, _ in places})
    loader = tree.find_file(program_loader(contents[program]))
    if loader is None:
        raise BuildError("its Python names a loader that it does not hold", context=where)
    contents |= read({loader})
    for real, place in (*places, (loader, "loader")):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[real])
        path.chmod(0o755)
    check_version(_describe(folder, base_lock, image))


def _places(tree: BaseTree, program: str, platform: Platform) -> list[tuple[str, str]]:
    """List what is taken out: the file in the image, and where it is put."""
    minor = program.rpartition("python")[2]
    library = f"{program.rpartition('/bin/')[0]}/lib/python{minor}/"
    left_out = tuple(f"{library}{name}" for name in _LEFT_OUT)
    places = [(program, program)]
    places += [
        (path, path)
        for path, node in tree.nodes.items()
        if node.kind is EntryKind.FILE and path.startswith(library) and not path.startswith(left_out)
    ]
    names = (*(f"lib{name}.so" for name in _LIBRARIES), f"libpython{minor}.so")
    found: dict[str, str] = {}
    for folder in library_folders(tree, program, platform):
        for path in tree.nodes:
            parent, _, name = path.rpartition("/")
            if parent == folder and name.startswith(names) and (real := tree.find_file(path)):
                found.setdefault(name, real)
    return [*places, *((real, f"libraries/{name}") for name, real in sorted(found.items()))]
