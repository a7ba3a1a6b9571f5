"""Every module has bytecode that the base's own Python takes without compiling anything.

The one exception is a link of the standard library to /etc (sitecustomize.py): that is configuration, and bytecode that is
never checked would be believed whatever someone mounts there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping

import pytest

from builder.image.interpreter import Interpreter, ensure_interpreter
from builder.platform import platform_of_machine
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from builder.store.location import cache_root
from tests.conftest import Build, Kubler
from tests.support.core_image import SITE, Layers, base_lock, stack_lock
from tests.support.tools import ROOT

pytestmark = [pytest.mark.network, pytest.mark.slow]

_IMPORTS = "import airflow.cli.cli_parser, airflow.providers.cncf.kubernetes.operators.pod, psycopg2, sqlite3, ssl"


def _interpreter(base: str) -> Interpreter:
    """Have the base's Python, as builds have it."""
    root = cache_root(os.environ)
    store, artefacts = DirectoryFileStore(root), DirectoryArtefactStore(root)
    return ensure_interpreter(base_lock(base), store, artefacts, platform_of_machine(os.uname().machine))


def _python_files(layers: Layers, minor: str) -> Mapping[str, bytes]:
    folders = (SITE.format(python=minor), f"usr/lib/python{minor}/")
    suffixes = (".py", ".pyc")
    return dict(layers.contents(lambda path: path.startswith(folders) and path.endswith(suffixes)))


def _bytecode_path(source: str, minor: str) -> str:
    folder, _, name = source.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.cpython-{minor.replace('.', '')}.pyc"


def _requests(files: Mapping[str, bytes], minor: str) -> Iterator[bytes]:
    for path, source in files.items():
        if path.endswith(".py"):
            bytecode = files.get(_bytecode_path(path, minor))
            size = None if bytecode is None else len(bytecode)
            yield json.dumps({"path": f"/{path}", "source": len(source), "bytecode": size}).encode() + b"\n"
            yield source
            yield bytecode or b""


@pytest.mark.parametrize(("stack", "architecture"), [("core", "amd64"), ("core", "arm64"), ("core-py311", "amd64")])
def test_the_base_takes_the_bytecode_of_every_module(build_stack: Build, stack: str, architecture: str) -> None:
    built = build_stack(stack, "zstd")
    lock = stack_lock(stack)
    minor = lock.python_version.rpartition(".")[0]
    files = _python_files(Layers(folder=built.folder, image=built.platform(architecture)), minor)
    sources = {path for path in files if path.endswith(".py")}
    orphans = {path for path in files if path.endswith(".pyc")} - {_bytecode_path(path, minor) for path in sources}
    assert orphans == set()
    assert len(sources) > 5_000

    python = _interpreter(lock.base)
    done = subprocess.run(
        [*python.argv, str(ROOT / "tests/support/import_from_cache.py")],
        env=dict(python.env),
        input=b"".join(_requests(files, minor)),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == {}


@pytest.mark.tools
@pytest.mark.parametrize("stack", ["core", "core-py311"])
def test_a_process_of_the_image_compiles_nothing(build_stack: Build, kubler: Kubler, stack: str) -> None:
    build_stack(stack, "zstd")
    said = kubler("run", stack, "--", "python", "-v", "-c", _IMPORTS).stderr
    loaded = re.findall(r"^# code object from '?(/[^'\n]+)'?$", said, re.MULTILINE)
    assert len(loaded) > 1_000
    assert {path for path in loaded if not path.endswith(".pyc")} <= {_configuration(stack)}


def _configuration(stack: str) -> str:
    minor = stack_lock(stack).python_version.rpartition(".")[0]
    return f"/usr/lib/python{minor}/sitecustomize.py"
