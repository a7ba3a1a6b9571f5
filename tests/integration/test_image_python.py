"""A Python of nobody's package, in usr/local of an image: this test's own, locked, taken out and started."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from builder.image.interpreter import ensure_interpreter, interpreter_key
from builder.platform import platform_of_machine
from builder.stack.base import parse_base
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from builder.usecase.lock_base_image import lock_image_base
from builder.wiring.bases import LayoutImageSource
from tests.support.base_images import Item, Layers, root, tar_of, write_layout
from tests.support.tools import give_up

pytestmark = pytest.mark.tools
PLATFORM = platform_of_machine(os.uname().machine)
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
LEFT_OUT = ("/test/", "/site-packages/", "/dist-packages/", "/__pycache__/", "/config-")


def own_python() -> dict[str, Item]:
    """List this Python's files below usr/local, with the libraries that it is linked with."""
    prefix = Path(sys.base_prefix)
    program = prefix / f"bin/python{MINOR}"
    library = prefix / f"lib/python{MINOR}"
    if not (program.is_file() and (library / "os.py").is_file()):
        give_up("this Python lies in no prefix of its own")
    found: dict[str, Item] = {f"usr/local/bin/python{MINOR}": program.read_bytes()}
    for path in sorted(library.rglob("*")):
        name = f"usr/local/{path.relative_to(prefix)}"
        if path.is_file() and not path.is_symlink() and not any(part in name for part in LEFT_OUT):
            found[name] = path.read_bytes()
    told = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    for name in re.findall(r"(/\S+) \(", told):
        found[f"usr/lib/{PLATFORM.multiarch}/{Path(name).name}"] = Path(name).read_bytes()
    return found


def test_a_python_of_nobodys_package_is_locked_and_started(tmp_path: Path) -> None:
    debian = {path: item for path, item in root(PLATFORM).items() if "python3.13" not in path and "libc.so" not in path}
    folders: dict[str, Item] = {"lib": "usr/lib", "lib64": f"usr/lib/{PLATFORM.multiarch}"}
    write_layout(tmp_path / "theirs", {PLATFORM: Layers(tar_of(debian | folders | own_python()))})
    text = f'description = "x"\n[image]\nlayout = "theirs"\nplatforms = ["{PLATFORM}"]\n[python]\nversion = "{MINOR}"\n'
    base = parse_base(text.encode(), name="theirs", file="f")
    files = DirectoryFileStore(tmp_path / "cache")
    lock = lock_image_base(base, LayoutImageSource(tmp_path / "theirs", "", name="theirs"), files)
    assert lock.images[0].python == f"/usr/local/bin/python{MINOR}"
    assert lock.python_version == platform.python_version()
    assert re.fullmatch(rf"cpython-{re.escape(lock.python_version)}-image-[0-9a-f]{{64}}", interpreter_key(lock))
    found = ensure_interpreter(lock, files, DirectoryArtefactStore(tmp_path / "cache"), PLATFORM)
    code = "import encodings.shift_jis, sys; print(sys.prefix, sys.version.split()[0])"
    done = subprocess.run([*found.argv, "-c", code], env=dict(found.env), capture_output=True, text=True, check=True)
    assert done.stdout.split() == [found.env["PYTHONHOME"], lock.python_version]
