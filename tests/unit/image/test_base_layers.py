from __future__ import annotations

from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import IssuesError, MissingBlobError
from builder.image.base_layers import check_base_ownership, ensure_tree, open_base_image
from builder.image.base_tree import BaseTree, read_tree
from builder.image.parts import image_contract
from builder.lock.model import BaseLock, LockedImage
from builder.platform import AMD64
from builder.recent import Recent
from builder.stack.base import parse_base
from builder.stack.inputs import base_inputs_digest
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from tests.support.base_images import Layers, root, tar_of

LAYERS = Layers(tar_of(root()), tar_of({"srv/": b"", "srv/data": b"1", "opt": "srv"}))


def lock_of(passwd: str = "") -> BaseLock:
    text = b'description = "x"\n[image]\nlayout = "x"\nplatforms = ["linux/amd64"]\n[python]\nversion = "3.13"\n'
    base = parse_base(text, name="theirs", file="f")
    image = LockedImage(
        platform=AMD64,
        manifest=Digest.of(b""),
        layers=LAYERS.locked,
        python="/usr/local/bin/python3.13",
        python_build=Digest.of(b""),
        init=("/usr/bin/tini", "-g", "--"),
        passwd=passwd,
        packages=(),
    )
    return BaseLock(
        name="theirs",
        inputs=base_inputs_digest(base),
        release="trixie",
        python_version="3.13.5",
        glibc="2.41",
        created=0,
        releases=(),
        debs=(),
        base=base,
        images=(image,),
    )


def test_layers_are_used_as_they_lie_in_the_store(tmp_path: Path) -> None:
    files, artefacts = DirectoryFileStore(tmp_path), DirectoryArtefactStore(tmp_path)
    lock = lock_of()
    with pytest.raises(MissingBlobError, match="a layer of base theirs") as caught:
        open_base_image(lock, lock.images[0], files, artefacts, Recent(1))
    assert caught.value.hint == "run `airflow-kubler fetch`, or `airflow-kubler lock --base theirs`"
    for blob in LAYERS.blobs:
        files.add(blob)
    opened = open_base_image(lock, lock.images[0], files, artefacts, Recent(1))
    assert [(layer.digest, layer.diff_id, layer.path.read_bytes()) for layer in opened.layers] == [
        (locked.file.sha256, locked.diff_id, blob) for locked, blob in zip(LAYERS.locked, LAYERS.blobs, strict=True)
    ]
    assert opened.directories()["usr/bin"].mode == 0o755
    assert ensure_tree(lock.images[0], files, artefacts, where="x") == opened.tree


def test_a_tree_that_is_at_hand_is_not_read_again(tmp_path: Path) -> None:
    files, artefacts, lock = DirectoryFileStore(tmp_path), DirectoryArtefactStore(tmp_path), lock_of()
    for blob in LAYERS.blobs:
        files.add(blob)
    trees: Recent[str, BaseTree] = Recent(1)
    first = open_base_image(lock, lock.images[0], files, artefacts, trees)
    kept = next(path for path in (tmp_path / "artefacts/base-tree").rglob("*") if path.is_file())
    kept.unlink()
    assert open_base_image(lock, lock.images[0], files, artefacts, trees) == first
    assert not kept.exists()
    files.path(LAYERS.locked[0].file.sha256).unlink()
    with pytest.raises(MissingBlobError):
        open_base_image(lock, lock.images[0], files, artefacts, trees)


def test_a_damaged_tree_of_the_cache_is_read_anew(tmp_path: Path) -> None:
    files, artefacts = DirectoryFileStore(tmp_path), DirectoryArtefactStore(tmp_path)
    for blob in LAYERS.blobs:
        files.add(blob)
    image = lock_of().images[0]
    tree = ensure_tree(image, files, artefacts, where="x")
    kept = next(path for path in (tmp_path / "artefacts/base-tree").rglob("*") if path.is_file())
    kept.chmod(0o644)
    kept.write_bytes(b"?" + kept.read_bytes()[1:])
    assert ensure_tree(image, files, artefacts, where="x") == tree


def test_what_would_hide_a_file_of_the_base_is_refused() -> None:
    tree = read_tree(LAYERS.locked, LAYERS.open, where="x")
    owned = [
        ("contract", ["etc/passwd", "entrypoint"], ["etc", "home/airflow"]),
        ("bad==1", ["srv/data", "srv/data/below"], ["srv/data", "opt", "opt/airflow"]),
    ]
    with pytest.raises(IssuesError) as caught:
        check_base_ownership(tree, owned, replaced=frozenset({"etc/passwd"}))
    assert [(issue.context, issue.message) for issue in caught.value.issues] == [
        ("srv/data", "is in the base already, bad==1 would replace it"),
        ("srv/data", "is no folder in the base, bad==1 needs one there"),
        ("opt", "is no folder in the base, bad==1 needs one there"),
    ]


def test_the_contract_leads_to_the_images_own_python_and_keeps_its_users() -> None:
    lock = lock_of("root:x:0:0::/:\n")
    entries = {entry.path: entry for entry in image_contract(lock, lock.images[0]).entries}
    assert entries["home/airflow/.local/bin/python"].target == "/usr/local/bin/python3.13"
    assert b"home = /usr/local/bin\n" in entries["home/airflow/.local/pyvenv.cfg"].data
    assert entries["etc/passwd"].data.startswith(b"root:x:0:0::/:\nairflow:x:50000:0:")
    has = lock_of("me:x:50000:0::/:\n")
    assert "etc/passwd" not in {entry.path for entry in image_contract(has, has.images[0]).entries}
