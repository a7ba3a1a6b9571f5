"""An OCI layout written into a folder, so that a killed build leaves the old image or the new one.

Invariants: a blob gets its name when it is whole and checked; `index.json` is replaced by one rename, after all blobs;
what it does not refer to is removed after that, so that equal images are equal folders; builds at the same time write one
after the other.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Collection, Iterator
from pathlib import Path

from builder.atomic import TEMPORARY_PREFIX, alone_in
from builder.errors import BuildError, MissingBlobError
from builder.image.layer import Layer
from builder.image.layout_reader import FolderLayout
from builder.image.output import Blobs, DamagedLayerError, verify_blob
from builder.image.verified import VerifiedFiles
from builder.oci.layout import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, REF_NAME


def write_layout(folder: Path, blobs: Blobs, verified: VerifiedFiles | None = None) -> None:
    """Make a folder hold exactly this image; blobs that are there already are kept.

    Args:
        folder: it is made where it is not there.
        blobs: the image's.
        verified: layers that were hashed when another image was written.

    Raises:
        BuildError: the folder holds something else.
        DamagedLayerError: a cached layer is not what its record says.
    """
    _check_folder(folder, blobs.layout_index)
    target = folder / "blobs" / "sha256"
    target.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        _write(folder / LAYOUT_FILE, LAYOUT_BYTES)
        for digest, data in blobs.documents:
            _write(target / digest.hex, data)
        for layer in blobs.layers:
            _place(layer, target / layer.digest.hex, verified or VerifiedFiles())
        _write(folder / INDEX_FILE, blobs.layout_index)
        _remove_others(target, {name for name, _ in blobs.sizes()})
        # Leftovers of builds that were killed.
        _remove_others(folder, {LAYOUT_FILE, INDEX_FILE, "blobs"})


def _remove_others(folder: Path, known: Collection[str]) -> None:
    for entry in list(os.scandir(folder)):
        if entry.name not in known:
            Path(entry.path).unlink()


def _check_folder(folder: Path, ours: bytes) -> None:
    """Refuse to write among things that are no layout."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BuildError("is no folder", context=str(folder), hint="name a new folder, or a file that ends in .tar")
    foreign = sorted(entry.name for entry in os.scandir(folder) if entry.name not in {LAYOUT_FILE, INDEX_FILE, "blobs"})
    foreign = [name for name in foreign if not name.startswith(TEMPORARY_PREFIX)]
    if foreign:
        raise BuildError(f"holds {foreign[0]}, it is no image layout", context=str(folder), hint="name a new folder")
    with contextlib.suppress(MissingBlobError):
        if _image_names(FolderLayout(folder).read(INDEX_FILE)) - _image_names(ours):
            raise BuildError("holds another image", context=str(folder), hint="name a new folder, or remove this one")


def _image_names(index: bytes) -> set[str]:
    """List the names of a layout's images; the empty name where there is none, or no reading."""
    try:
        return {entry["annotations"][REF_NAME] for entry in json.loads(index)["manifests"]}
    except (ValueError, LookupError, TypeError):
        return {""}


def _write(path: Path, data: bytes) -> None:
    """Put a document there unless it is there already."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    with _temporary(path) as temporary:
        temporary.write_bytes(data)
        temporary.chmod(0o644)
        temporary.replace(path)


def _place(layer: Layer, path: Path, verified: VerifiedFiles) -> None:
    """Link a layer from the cache, or copy it where links do not reach; checked before it gets its name."""
    with contextlib.suppress(FileNotFoundError):
        if path.lstat().st_size == layer.size and not path.is_symlink():
            return
    with _temporary(path) as temporary:
        try:
            before = layer.path.lstat()
            temporary.hardlink_to(layer.path)
        except OSError:
            _copy(layer, temporary)
            verify_blob(temporary, layer)
            temporary.replace(path)
            return
        linked = temporary.lstat()
        if not verified.holds(layer.digest, before, linked):
            verify_blob(temporary, layer)
        temporary.replace(path)
        verified.note(layer.digest, linked, path.lstat())


def _copy(layer: Layer, path: Path) -> None:
    """Copy to another file system; copy_file_range(2) would not cross to one of another kind."""
    import shutil

    try:
        shutil.copyfile(layer.path, path)
    except FileNotFoundError:
        raise DamagedLayerError(layer) from None
    path.chmod(0o444)


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Give a new name beside a path; whatever is left under it is removed."""
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
