from __future__ import annotations

import csv

import pytest

from builder.entry import Entry
from builder.wheel.install import install_entries
from builder.wheel.wheel import Wheel, read_wheel
from tests.support.wheels import WheelParts, hash_of

PREFIX = "home/airflow/.local"
SITE = f"{PREFIX}/lib/python3.13/site-packages"


def read(parts: WheelParts) -> Wheel:
    return read_wheel(parts.pack(), file_name=parts.file_name)


def install(parts: WheelParts) -> dict[str, Entry]:
    return {entry.path: entry for entry in install_entries(read(parts), python="3.13")}


def test_files_land_by_scheme() -> None:
    parts = WheelParts(
        name="De_mo",
        files={
            "demo/__init__.py": b"",
            "De_mo-1.0.data/purelib/pure.py": b"p",
            "De_mo-1.0.data/platlib/plat.py": b"q",
            "De_mo-1.0.data/scripts/run": b"#!python -E\nx",
            "De_mo-1.0.data/headers/demo.h": b"h",
            "De_mo-1.0.data/data/share/demo.txt": b"d",
        },
    )
    paths = {path for path in install(parts) if "dist-info" not in path}

    assert paths == {
        f"{SITE}/demo/__init__.py",
        f"{SITE}/pure.py",
        f"{SITE}/plat.py",
        f"{PREFIX}/bin/run",
        f"{PREFIX}/include/site/python3.13/de-mo/demo.h",
        f"{PREFIX}/share/demo.txt",
    }


@pytest.mark.parametrize(
    ("script", "installed"),
    [
        (b"#!python\nx", b"#!/home/airflow/.local/bin/python\nx"),
        (b"#!pythonw\nx", b"#!/home/airflow/.local/bin/python\nx"),
        (b"#!python3 -E\r\nx", b"#!/home/airflow/.local/bin/python\nx"),
        (b"#!/bin/sh\nx", b"#!/bin/sh\nx"),
        (b"\x7fELF", b"\x7fELF"),
    ],
)
def test_scripts_run_by_the_environments_python_and_are_executable(script: bytes, installed: bytes) -> None:
    entry = install(WheelParts(files={"demo-1.0.data/scripts/run": script}))[f"{PREFIX}/bin/run"]

    assert (entry.data, entry.mode) == (installed, 0o755)


def test_console_script_is_written_as_uv_writes_it() -> None:
    parts = WheelParts(entry_points=b"[console_scripts]\nrun = demo.cli:App.main [extra]\n\n[other]\nx = not checked\n")
    entry = install(parts)[f"{PREFIX}/bin/run"]

    assert entry.mode == 0o755
    assert entry.data.decode() == (
        "#!/home/airflow/.local/bin/python\n"
        "# -*- coding: utf-8 -*-\n"
        "import sys\n"
        "from demo.cli import App\n"
        'if __name__ == "__main__":\n'
        '    if sys.argv[0].endswith("-script.pyw"):\n'
        "        sys.argv[0] = sys.argv[0][:-11]\n"
        '    elif sys.argv[0].endswith(".exe"):\n'
        "        sys.argv[0] = sys.argv[0][:-4]\n"
        "    sys.exit(App.main())\n"
    )


def test_modes_are_normalised() -> None:
    files = {"tool": b"\x7fELF", "text.py": b"#!/bin/sh", "data.txt": b"plain", "library.so": b"\x7fELF"}
    entries = install(WheelParts(files=files, executable=("tool", "text.py", "data.txt")))

    modes = {name: entries[f"{SITE}/{name}"].mode for name in files}
    assert modes == {"tool": 0o755, "text.py": 0o755, "data.txt": 0o644, "library.so": 0o644}
    assert {(entry.uid, entry.gid) for entry in entries.values()} == {(0, 0)}


def test_record_is_sorted_true_and_names_scripts() -> None:
    parts = WheelParts(entry_points=b"[console_scripts]\nrun = demo:x\n")
    entries = install(parts)
    rows = list(csv.reader(entries[f"{SITE}/demo-1.0.dist-info/RECORD"].data.decode().splitlines()))

    assert rows == sorted(rows)
    assert ["demo-1.0.dist-info/RECORD", "", ""] in rows
    assert [row[0] for row in rows][:1] == ["../../../bin/run"]
    for path, digest, size in rows:
        data = entries[f"{SITE}/{path}" if not path.startswith("..") else f"{PREFIX}/{path[9:]}"].data
        assert path.endswith("RECORD") or (digest, size) == (hash_of(data), str(len(data)))
    assert len(rows) == len(entries)


def test_installers_files_are_ours_and_shipped_bytecode_is_left_out() -> None:
    files = {
        "demo/__pycache__/x.cpython-313.pyc": b"lie",
        "demo/sourceless.pyc": b"kept",
        "demo-1.0.dist-info/INSTALLER": b"evil",
        "demo-1.0.dist-info/REQUESTED": b"",
        "demo-1.0.dist-info/direct_url.json": b"{}",
    }
    entries = install(WheelParts(files=files))
    names = {path.removeprefix(f"{SITE}/") for path in entries}

    assert entries[f"{SITE}/demo-1.0.dist-info/INSTALLER"].data == b"airflow-kubler\n"
    assert names == {
        "demo/sourceless.pyc",
        *(f"demo-1.0.dist-info/{name}" for name in ("INSTALLER", "METADATA", "RECORD", "WHEEL")),
    }


def test_entries_are_sorted_and_unique() -> None:
    paths = [entry.path for entry in install_entries(read(WheelParts()), python="3.11")]

    assert paths == sorted(set(paths))
    assert all("python3.11" in path for path in paths)
