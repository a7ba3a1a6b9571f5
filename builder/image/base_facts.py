"""What must be known of a base that is an image: its Python, C library, init and users, read from its files, run by nobody.

So an image of another architecture is looked at as well as one of this machine's. What Airflow's images cannot stand on is
refused with the reason and a way out.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from builder.digest import Digest
from builder.errors import StackError
from builder.image.base_tree import BaseTree, OpenLayer, read_contents
from builder.lock.model import LockedLayer
from builder.platform import PLATFORMS, Platform

_FOLDERS: Final = ("/usr/local/bin", "/usr/bin", "/usr/python/bin", "/opt/python/bin")
"""Where Pythons are looked for, in the order of PATH; the last two are those of official images."""
_INITS: Final = (
    ("/usr/bin/dumb-init", "--"),
    ("/usr/local/bin/dumb-init", "--"),
    # -g: signals reach the whole group, as DUMB_INIT_SETSID=1 has it.
    ("/usr/bin/tini", "-g", "--"),
    ("/usr/local/bin/tini", "-g", "--"),
    ("/sbin/tini", "-g", "--"),
)
_MACHINES: Final = {62: "linux/amd64", 183: "linux/arm64", 3: "i386", 40: "32-bit arm", 243: "riscv64", 22: "s390x"}
_STATUS: Final = "var/lib/dpkg/status"
_LIBC: Final = re.compile(rb"GNU C Library [^\n]*? release version ([0-9]+\.[0-9]+)")
_INIT_WAY: Final = "take one with bash and dumb-init, or add them: a Dockerfile over your image may"
_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]*\Z")
_DEB_VERSION: Final = re.compile(r"[A-Za-z0-9.+~:-]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFacts:
    """What was found."""

    release: str
    """As `trixie`: the codename, else name and version of os-release."""
    python: str
    """Path, as `/usr/bin/python3.13`, links followed."""
    python_version: str
    """Full."""
    python_build: Digest
    glibc: str
    init: tuple[str, ...]
    passwd: str
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Layers with their tree."""

    tree: BaseTree
    layers: Sequence[LockedLayer]
    open_layer: OpenLayer
    platform: Platform
    where: str
    """Names it in errors."""


def find_facts(image: Image, *, minor: str, python_path: str = "") -> BaseFacts:
    """Look a base over.

    Args:
        image: its layers.
        minor: the Python wanted, as `3.13`.
        python_path: where it is; empty to look for it.

    Raises:
        StackError: nothing of ours can stand on it.
        IntegrityError: a layer is refused.
    """
    tree, where = image.tree, image.where
    python = _find_python(tree, minor, python_path, where)
    binary = _resolved(tree, python)
    library = _library(tree, binary, minor)
    libc = _find_libc(image)
    texts = [path for path in map(tree.find_file, ("etc/os-release", "etc/passwd", _STATUS)) if path]
    texts += [path for path in _status_folder(tree) if not path.endswith(".md5sums")]
    wanted = {path for path in (binary, library, libc, *texts) if path}
    found = dict(read_contents(tree, image.layers, image.open_layer, wanted, where=where))
    builds = [found[path] for path in (binary, library) if path]
    _check_program(found[binary], image, python)
    _check_library(tree, binary, minor, where)
    if libc is None:
        raise StackError(
            "has no glibc (libc.so.6)", context=where, hint="wheels are made for glibc: take an image of Debian's kind"
        )
    release = _os_release(_text(found, tree, "etc/os-release"))
    return BaseFacts(
        release=release,
        # The program itself: a virtual environment looks for the standard library from there.
        python=f"/{binary}",
        python_version=_version(builds, minor, image, python),
        python_build=Digest.of(b"".join(Digest.of(data).hex.encode() for data in builds)),
        glibc=_glibc(found[libc], where),
        init=_find_init(tree, where),
        passwd=_text(found, tree, "etc/passwd"),
        packages=_packages([found[path] for path in texts if "dpkg/status" in path]),
    )


def _find_python(tree: BaseTree, minor: str, stated: str, where: str) -> str:
    places = (stated,) if stated else tuple(f"{folder}/python{minor}" for folder in _FOLDERS)
    for place in places:
        if tree.find_file(place):
            return place
    others = sorted(
        {
            f"{folder}/{name}"
            for folder in _FOLDERS
            for name in (f"python3.{number}" for number in range(5, 30))
            if tree.find_file(f"{folder}/{name}")
        }
    )
    what = f"; it has {', '.join(others)}" if others else ""
    raise StackError(
        f"has no Python {minor} at {' or '.join(places)}{what}",
        context=where,
        hint="take an image with it, change python.version of the base, or state python.path",
    )


def _resolved(tree: BaseTree, path: str) -> str:
    found = tree.find_file(path)
    assert found is not None  # noqa: S101  it was found just before
    return found


def _library(tree: BaseTree, binary: str, minor: str) -> str | None:
    """Find the shared library that holds the interpreter, where the program is only its door."""
    name = f"libpython{minor}.so.1.0"
    prefix = binary.rpartition("/bin/")[0]
    return next(
        (
            found
            for folder in (f"{prefix}/lib", *_library_folders(tree))
            if (found := tree.find_file(f"{folder}/{name}"))
        ),
        None,
    )


def _library_folders(tree: BaseTree) -> tuple[str, ...]:
    names = [f"{top}lib/{platform.multiarch}" for top in ("", "usr/") for platform in PLATFORMS.values()]
    found = [tree.find(name) for name in (*names, "lib64", "usr/lib64", "lib", "usr/lib", "usr/local/lib")]
    return tuple(dict.fromkeys(folder for folder in found if folder))


def library_folders(tree: BaseTree, binary: str, platform: Platform) -> tuple[str, ...]:
    """List the folders of shared libraries that the interpreter may need, links followed, best first."""
    prefix = binary.rpartition("/bin/")[0]
    others = {other.multiarch for other in PLATFORMS.values()} - {platform.multiarch}
    folders = (tree.find(f"{prefix}/lib"), *_library_folders(tree))
    return tuple(dict.fromkeys(folder for folder in folders if folder and folder.rpartition("/")[2] not in others))


def _find_libc(image: Image) -> str | None:
    folders = (f"lib/{image.platform.multiarch}", f"usr/lib/{image.platform.multiarch}", "lib64", "usr/lib64", "lib")
    found = (image.tree.find_file(f"{folder}/libc.so.6") for folder in folders)
    return next((path for path in found if path), None)


def _check_program(data: bytes, image: Image, python: str) -> None:
    """Refuse a program that is not of the platform, or of another C library."""
    context = f"{image.where}: {python}"
    if data[:4] != b"\x7fELF" or len(data) < 64:
        raise StackError("is no program", context=context, hint="state python.path of the interpreter itself")
    machine = _MACHINES.get(struct.unpack_from("<H", data, 18)[0], "another architecture")
    if machine != image.platform.name or data[4] != 2:
        raise StackError(f"is for {machine}, the image calls itself {image.platform}", context=context)
    loader = program_loader(data)
    if "musl" in loader:
        raise StackError(
            f"is linked with musl ({loader})",
            context=context,
            hint="most wheels of Airflow's dependencies are made for glibc: take an image of Debian's kind, not of Alpine's",
        )
    if not loader:
        raise StackError("names no dynamic loader", context=context, hint="a static Python loads no native wheel")


def program_loader(data: bytes) -> str:
    """Read the dynamic loader that a 64-bit ELF program names (PT_INTERP); empty where it names none."""
    try:
        offset, size, count = (*struct.unpack_from("<Q", data, 32), *struct.unpack_from("<HH", data, 54))
        for number in range(count):
            kind, _, start, _, _, length = struct.unpack_from("<IIQQQQ", data, offset + number * size)
            if kind == 3:
                return data[start : start + length].rstrip(b"\0").decode("ascii", "replace")
    except struct.error:
        pass
    return ""


def _check_library(tree: BaseTree, binary: str, minor: str, where: str) -> None:
    library = f"{binary.rpartition('/bin/')[0]}/lib/python{minor}"
    for name in ("os.py", "encodings/__init__.py"):
        if not tree.find_file(f"{library}/{name}"):
            raise StackError(
                f"has Python without its standard library: no {library}/{name}",
                context=where,
                hint=f"Debian's is in libpython{minor}-stdlib",
            )


def _version(builds: Sequence[bytes], minor: str, image: Image, python: str) -> str:
    """Find version and ABI in the interpreter: the texts that it would print."""
    nodot = minor.replace(".", "")
    context = f"{image.where}: {python}"
    pattern = re.escape(minor.encode()) + rb"\.[0-9]{1,3}(?:(?:a|b|rc)[0-9]+)?)\+?(?=\0)"
    # NOTE: linkers let a text share the end of a longer one: the version may be the end of a path it was built in.
    found = _texts(rb"\0(" + pattern, builds) or _texts(rb"(?<![0-9.])(" + pattern, builds)
    if len(found) != 1:
        what = f"says {', '.join(sorted(found))}" if found else f"does not say that it is CPython {minor}"
        raise StackError(what, context=context, hint="state python.path of another interpreter")
    abis = _texts(rb"\.(cpython-3[0-9a-z]+-[a-z0-9_-]+)\.so\0", builds)
    wanted = f"cpython-{nodot}-{image.platform.multiarch}"
    if abis != {wanted}:
        raise StackError(
            f"has the ABI {', '.join(sorted(abis)) or 'of no CPython'}, wheels are made for {wanted}",
            context=context,
            hint="take a plain build of CPython: not free-threaded, not for debugging",
        )
    version: str = min(found)
    return version


def _texts(pattern: bytes, builds: Sequence[bytes]) -> set[str]:
    return {match.decode() for data in builds for match in re.findall(pattern, data)}


def _glibc(data: bytes, where: str) -> str:
    match = _LIBC.search(data)
    if match is None:
        raise StackError("its libc.so.6 does not say which glibc it is", context=where)
    version: bytes = match[1]
    return version.decode()


def _find_init(tree: BaseTree, where: str) -> tuple[str, ...]:
    missing = [path for path in ("/bin/bash", "/usr/bin/env") if not tree.find_file(path)]
    if missing:
        raise StackError(f"has no {missing[0]}, which /entrypoint needs", context=where, hint=_INIT_WAY)
    for init in _INITS:
        if tree.find_file(init[0]):
            return init
    raise StackError(
        "has neither dumb-init nor tini: as process 1 Airflow would reap no children", context=where, hint=_INIT_WAY
    )


def _os_release(text: str) -> str:
    values: dict[str, str] = dict(re.findall(r'^([A-Z_]+)="?([^"\n]*)"?$', text, re.MULTILINE))
    release = values.get("VERSION_CODENAME") or f"{values.get('ID', 'linux')}{values.get('VERSION_ID', '')}"
    return re.sub(r"[^a-z0-9._-]", "", release.lower()) or "linux"


def _status_folder(tree: BaseTree) -> Iterable[str]:
    return (path for path, node in tree.nodes.items() if path.startswith(f"{_STATUS}.d/") and node.kind == "file")


def _packages(texts: Sequence[bytes]) -> tuple[str, ...]:
    """List the Debian packages of dpkg's own records; what is no record is passed over: nothing is built from these."""
    found: set[str] = set()
    for text in texts:
        for paragraph in text.decode("utf-8", "replace").split("\n\n"):
            fields = dict(re.findall(r"^(Package|Version|Status): *(\S.*?) *$", paragraph, re.MULTILINE))
            name, version = fields.get("Package", ""), fields.get("Version", "")
            installed = fields.get("Status", "install ok installed").endswith(" installed")
            if installed and _PACKAGE.match(name) and _DEB_VERSION.match(version):
                found.add(f"{name}={version}")
    return tuple(sorted(found))


def _text(found: Mapping[str, bytes], tree: BaseTree, path: str) -> str:
    real = tree.find_file(path)
    return found[real].decode("utf-8", "replace") if real else ""


def airflow_passwd(passwd: str, *, uid: int, home: str, where: str) -> str | None:
    """Give etc/passwd with Airflow's user; None where the image has it.

    Raises:
        StackError: the name is another user's.
    """
    rows = [line.split(":") for line in passwd.splitlines() if line.count(":") >= 3]
    if any(row[2] == str(uid) for row in rows):
        return None
    if any(row[0] == "airflow" for row in rows):
        raise StackError(
            f"its user airflow is not {uid}", context=where, hint=f"remove that user, or give it uid {uid}"
        )
    head = passwd if not passwd or passwd.endswith("\n") else f"{passwd}\n"
    return f"{head}airflow:x:{uid}:0:Airflow:{home}:/bin/bash\n"
