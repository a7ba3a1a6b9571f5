"""Installs wheels in a step of a Dockerfile: a second reading of the rules in docs/wheels.md, to check the first by.

Runs inside the image's own Python, 3.11 or later, with the standard library alone and the compiler of bytecode beside it
(compile_worker.py). Nothing of the engine's reading of wheels is shared: archives are read by `zipfile`, tables by `csv`,
entry points by `configparser`. Files of the distributions are data: nothing of them is run.

    install_wheels.py LAYER OUT

LAYER holds `layer.json` and the wheels that it lists by sha256; OUT takes the files, as they are to lie below /.
"""

from __future__ import annotations

import base64
import configparser
import csv
import hashlib
import io
import json
import os
import re
import stat
import sys
import zipfile
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INSTALLER = b"airflow-kubler\n"
WRAPPER = """\
#!/{prefix}/bin/python
# -*- coding: utf-8 -*-
import sys
from {module} import {first}
if __name__ == "__main__":
    if sys.argv[0].endswith("-script.pyw"):
        sys.argv[0] = sys.argv[0][:-11]
    elif sys.argv[0].endswith(".exe"):
        sys.argv[0] = sys.argv[0][:-4]
    sys.exit({attribute}())
"""
_MADE_BY_INSTALLERS = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


class Target:
    """A folder that takes files as they are to lie below /, and gives folders the mode and owner that they have there.

    Args:
        out: the folder.
        mtime: of every file, in seconds since the epoch.
    """

    def __init__(self, out: Path, mtime: int) -> None:
        self._out = out
        self._mtime = mtime

    def write(self, path: str, data: bytes, *, program: bool) -> None:
        """Write a file; ValueError for a path that climbs."""
        parts = path.split("/")
        if any(part in {"", ".", ".."} for part in parts):
            message = f"a path that climbs: {path!r}"
            raise ValueError(message)
        for end in range(1, len(parts)):
            self._ensure_folder("/".join(parts[:end]))
        place = self._out / path
        place.write_bytes(data)
        place.chmod(0o755 if program else 0o644)
        os.utime(place, (self._mtime, self._mtime))

    def _ensure_folder(self, path: str) -> None:
        place = self._out / path
        if place.is_dir():
            return
        place.mkdir()
        try:
            there = os.lstat(f"/{path}")
        except FileNotFoundError:
            place.chmod(0o755)
            return
        if not stat.S_ISDIR(there.st_mode):
            message = f"/{path} is no folder"
            raise ValueError(message)
        place.chmod(stat.S_IMODE(there.st_mode))
        if os.geteuid() == 0:
            os.chown(place, there.st_uid, there.st_gid)


def installed_files(data: bytes, name: str, *, python: str, prefix: str) -> dict[str, tuple[bytes, bool]]:
    """List what a wheel installs, bytecode aside: content, and whether it is a program, by path.

    Args:
        data: the wheel.
        name: its file name.
        python: major and minor, as `3.13`.
        prefix: the virtual environment, relative to /.
    """
    site = f"{prefix}/lib/python{python}/site-packages"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        content = {info.filename: archive.read(info) for info in infos}
        marked = {info.filename for info in infos if (info.external_attr >> 16) & stat.S_IXUSR}
    stem = "-".join(name.split("-")[:2])
    info_folder = _only(
        {path.split("/")[0] for path in content if path.count("/") == 1 and path.endswith(".dist-info/RECORD")}
    )
    project = re.sub(r"[-_.]+", "-", stem.split("-", maxsplit=1)[0]).lower()
    data_folder = f"{info_folder.removesuffix('.dist-info')}.data"
    roots = {
        "purelib": site,
        "platlib": site,
        "scripts": f"{prefix}/bin",
        "headers": f"{prefix}/include/site/python{python}/{project}",
        "data": prefix,
    }
    made: dict[str, tuple[bytes, bool]] = {}
    promised = _read_record(content[f"{info_folder}/RECORD"])
    kept: dict[str, tuple[str, str]] = {}
    for path, body in content.items():
        folder, _, rest = path.partition("/")
        if (folder == info_folder and rest in _MADE_BY_INSTALLERS) or _is_shipped_bytecode(path):
            continue
        written, target = body, f"{site}/{path}"
        program = (path in marked and body[:2] == b"#!") or (path in marked and body[:4] == b"\x7fELF")
        if folder == data_folder:
            scheme, _, below = rest.partition("/")
            target = f"{roots[scheme]}/{below}"
            if scheme == "scripts":
                program = True
                if body.startswith(b"#!python"):
                    written = b"#!/%s/bin/python\n" % prefix.encode() + body.partition(b"\n")[2]
        made[target] = (written, program)
        if written == body and path in promised:
            kept[target] = promised[path]
    for script, text in _wrappers(content.get(f"{info_folder}/entry_points.txt", b""), prefix).items():
        made[f"{prefix}/bin/{script}"] = (text, True)
        kept.pop(f"{prefix}/bin/{script}", None)
    made[f"{site}/{info_folder}/INSTALLER"] = (INSTALLER, False)
    record = f"{site}/{info_folder}/RECORD"
    made[record] = (_record({path: body for path, (body, _) in made.items()}, kept, record, site, prefix), False)
    return made


def _only(names: set[str]) -> str:
    (name,) = names
    return name


def _is_shipped_bytecode(path: str) -> bool:
    return path.endswith(".pyc") and "__pycache__" in path.split("/")


def _read_record(data: bytes) -> dict[str, tuple[str, str]]:
    rows = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
    return {row[0]: (row[1], str(int(row[2]))) for row in rows if row and row[1]}


def _wrappers(entry_points: bytes, prefix: str) -> dict[str, bytes]:
    reader = configparser.RawConfigParser(delimiters=("=",), strict=False)
    reader.optionxform = str  # type: ignore[assignment,method-assign]  # Names of scripts keep their case.
    reader.read_string(entry_points.decode("utf-8"))
    made = {}
    for group in ("console_scripts", "gui_scripts"):
        for name, value in reader.items(group) if reader.has_section(group) else ():
            module, _, attribute = value.partition("[")[0].partition(":")
            attribute = attribute.strip()
            text = WRAPPER.format(
                prefix=prefix, module=module.strip(), first=attribute.split(".")[0], attribute=attribute
            )
            made[name.strip()] = text.encode()
    return made


def _record(
    files: dict[str, bytes], promised: dict[str, tuple[str, str]], record: str, site: str, prefix: str
) -> bytes:
    def shown(path: str) -> str:
        if path.startswith(f"{site}/"):
            return path.removeprefix(f"{site}/")
        return f"../../../{path.removeprefix(f'{prefix}/')}"

    def vouched(body: bytes) -> tuple[str, str]:
        digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode().rstrip("=")
        return f"sha256={digest}", str(len(body))

    rows = [(shown(path), *(promised.get(path) or vouched(body))) for path, body in files.items()]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(sorted([*rows, (shown(record), "", "")]))
    return text.getvalue().encode()


def bytecode_files(files: dict[str, tuple[bytes, bool]], python: str, prefix: str) -> dict[str, bytes]:
    """Compile what Python imports; what does not compile gets none."""
    from compile_worker import compile_source  # type: ignore[import-not-found]  # Lies beside this file.

    tag = f"cpython-{python.replace('.', '')}"
    made = {}
    for path, (body, _) in files.items():
        if path.startswith(f"{prefix}/lib/python") and path.endswith(".py"):
            folder, _, name = path.rpartition("/")
            compiled = compile_source(f"/{path}", body)
            if compiled is not None:
                made[f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"] = compiled
    return made


def install(layer: Path, out: Path) -> None:
    """Install the wheels of a layer; ValueError for one that is not as locked."""
    settings: dict[str, Any] = json.loads((layer / "layer.json").read_bytes())
    python, prefix = settings["python"], settings["prefix"]
    out.mkdir(exist_ok=True)
    target = Target(out, settings["mtime"])
    for wheel in settings["wheels"]:
        data = (layer / wheel["name"]).read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != wheel["sha256"]:
            message = f"{wheel['name']}: sha256 is {found}, the lock says {wheel['sha256']}"
            raise ValueError(message)
        files = installed_files(data, wheel["name"], python=python, prefix=prefix)
        for path, (body, program) in sorted(files.items()):
            target.write(path, body, program=program)
        for path, body in sorted(bytecode_files(files, python, prefix).items()):
            target.write(path, body, program=False)


def main() -> None:
    """Run as a step of a Dockerfile."""
    os.umask(0o022)
    sys.path.insert(0, str(Path(__file__).parent))
    import warnings

    warnings.simplefilter("ignore")
    install(Path(sys.argv[1]), Path(sys.argv[2]))


if __name__ == "__main__":
    main()
