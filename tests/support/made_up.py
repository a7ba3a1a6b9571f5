"""Made-up inputs of a build: debs, wheels, locks and an interpreter, small and without network."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from builder.digest import Digest
from builder.image.assemble import Assembly
from builder.image.compress import make_compressor
from builder.image.sources import Intake
from builder.lock.base import dump_base_lock
from builder.lock.model import BaseLock, LockedCandidate, LockedDeb, LockedFile, PlannedLayer, StackLock
from builder.lock.pylock_writer import dump_stack_lock
from builder.platform import AMD64, ARM64, Platform
from builder.stack.inputs import base_inputs_digest
from builder.stack.model import Base, BaseFile
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from builder.wheel.bytecode import Source, bytecode_entries

CREATED = 1_795_000_000
PLATFORMS = (AMD64, ARM64)


class FakeCompiler:
    """Gives as bytecode a function of path and source."""

    def compile(self, sources: Sequence[Source]) -> Sequence[bytes | None]:
        return [b"pyc of " + source.path.encode() + b": " + source.data for source in sources]


class FakeCompilers:
    """An interpreter that needs no unpacking; counts how often it is started."""

    def __init__(self) -> None:
        self.opened = 0

    def key(self, base: BaseLock) -> str:
        return f"fake-{base.python_version}"

    @contextmanager
    def open(self, base: BaseLock, jobs: int) -> Iterator[FakeCompiler]:
        del base, jobs
        self.opened += 1
        yield FakeCompiler()


def make_deb(
    package: str,
    files: Mapping[str, bytes],
    *,
    architecture: str = "amd64",
    version: str = "1.0-1",
    source: str = "",
) -> bytes:
    """Write a deb; a path that ends in a slash is a folder, content that begins with `->` makes a symbolic link."""
    control = f"Package: {package}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: Nobody\n"
    control += f"Source: {source}\n" if source else ""
    members = [
        ("debian-binary", b"2.0\n"),
        ("control.tar.xz", _tar({"control": control.encode()})),
        ("data.tar.xz", _tar(files)),
    ]
    parts = [b"!<arch>\n"]
    for name, data in members:
        parts.append(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode())
        parts.append(data + b"\n" * (len(data) % 2))
    return b"".join(parts)


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz", format=tarfile.GNU_FORMAT) as archive:
        for path, data in files.items():
            entry = tarfile.TarInfo(f"./{path}")
            entry.mode = 0o755 if path.endswith("/") else 0o644
            if path.endswith("/"):
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            elif data.startswith(b"->"):
                entry.type, entry.linkname = tarfile.SYMTYPE, data[2:].decode()
                archive.addfile(entry)
            else:
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def make_wheel(
    project: str, version: str, files: Mapping[str, bytes], *, tag: str = "py3-none-any", level: int | None = None
) -> bytes:
    """Write a wheel with a true RECORD; level is zlib's, of another one it has other bytes."""
    info = f"{project}-{version}.dist-info"
    pure = "true" if tag.endswith("any") else "false"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: {pure}\nTag: {tag}\n".encode(),
    }
    rows = [f"{path},{_record_hash(data)},{len(data)}" for path, data in content.items()]
    content[f"{info}/RECORD"] = ("\n".join([*rows, f"{info}/RECORD,,"]) + "\n").encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in content.items():
            archive.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED, level)
    return buffer.getvalue()


def _record_hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A store, a cache and two locks that belong together."""

    root: Path
    files: DirectoryFileStore
    artefacts: DirectoryArtefactStore
    base: BaseLock
    stack: StackLock
    compilers: FakeCompilers

    def assembly(self, *, artefacts: DirectoryArtefactStore | None = None, threads: int = 2) -> Assembly:
        compressor = make_compressor(self.stack.compression)
        compiler = FakeCompiler()
        return Assembly(
            intake=Intake(
                files=self.files,
                base=self.base.base,
                python="3.13",
                interpreter="fake",
                bytecode=lambda entries: bytecode_entries(entries, compiler, "3.13"),
                compressor=compressor.name,
            ),
            compressor=compressor,
            artefacts=artefacts or self.artefacts,
            threads=threads,
        )


def make_world(root: Path) -> World:
    """Make a base of three debs and a stack of three distributions for two platforms, one of them native."""
    files = DirectoryFileStore(root / "store")
    debs = (
        *(
            add_deb(files, "libtiny", {"usr/lib/libtiny.so": platform.machine.encode()}, platform)
            for platform in PLATFORMS
        ),
        add_deb(
            files, "base-files", {"etc/": b"", "etc/issue": b"tiny\n", "bin": b"->usr/bin", "usr/bin/sh": b"#!"}, None
        ),
        add_deb(files, "libpython3.13-stdlib", {"usr/lib/python3.13/os.py": b"name = 'posix'\n"}, None),
    )
    base = BaseLock(
        name="tiny",
        inputs=Digest.of(b"base"),
        release="trixie",
        python_version="3.13.5",
        glibc="2.41",
        created=CREATED,
        releases=(),
        debs=tuple(sorted(debs, key=lambda deb: (deb.package, deb.architecture))),
        base=Base(
            name="tiny",
            description="Made up",
            release="trixie",
            suites=("trixie",),
            components=("main",),
            python="3.13",
            platforms=PLATFORMS,
            roots=("base-files",),
            cuts=(),
            files=(
                BaseFile(path="etc/hosts", content="127.0.0.1 localhost\n"),
                BaseFile(path="tmp", kind="directory", mode=0o1777),
            ),
        ),
    )
    candidates = (
        make_candidate(files, "alpha", "1.0", {"alpha/__init__.py": b"x = 1\n"}),
        make_candidate(files, "beta", "2.0", {"beta.py": b"y = 2\n", "beta_data/a.bin": bytes(range(256)) * 40}),
        make_candidate(files, "gamma", "3.0", {"gamma/core.py": b"z = 3\n"}, native=True),
    )
    return World(
        root=root,
        files=files,
        artefacts=DirectoryArtefactStore(root / "cache", durable=False),
        base=base,
        stack=_stack(candidates),
        compilers=FakeCompilers(),
    )


def write_locks(world: World, folder: Path) -> Path:
    """Write both locks as files that belong together."""
    folder.mkdir(parents=True, exist_ok=True)
    base = dump_base_lock(replace(world.base, inputs=base_inputs_digest(world.base.base)))
    (folder / f"base.{world.base.name}.toml").write_bytes(base)
    stack = replace(world.stack, base_lock=Digest.of(base))
    (folder / f"pylock.{stack.stack}.toml").write_bytes(dump_stack_lock(stack))
    return folder


def bump(world: World) -> World:
    """Give the stack another version of one distribution."""
    newer = make_candidate(world.files, "alpha", "1.1", {"alpha/__init__.py": b"x = 11\n"})
    return replace(world, stack=replace(world.stack, candidates=(newer, *world.stack.candidates[1:])))


def _stack(candidates: tuple[LockedCandidate, ...]) -> StackLock:
    return StackLock(
        stack="tiny",
        description="Made up",
        parents=(),
        inputs=Digest.of(b"stack"),
        airflow_version="3.3.2",
        python_version="3.13.5",
        base="tiny",
        base_lock=Digest.of(b"base lock"),
        parent_lock=None,
        constraints=None,
        resolver="none",
        created=CREATED,
        platforms=PLATFORMS,
        compression="zstd",
        candidates=candidates,
        plan=(
            PlannedLayer(name="tiny-alpha", stack="tiny", projects=("alpha",)),
            PlannedLayer(name="tiny-rest", stack="tiny", projects=("beta", "gamma")),
        ),
    )


def add_deb(
    files: DirectoryFileStore, package: str, content: Mapping[str, bytes], platform: Platform | None
) -> LockedDeb:
    """Put a deb into the store; for all platforms where none is named."""
    architecture = platform.architecture if platform else "all"
    data = make_deb(package, content, architecture=architecture)
    name = f"{package}_1.0-1_{architecture}.deb"
    return LockedDeb(
        package=package,
        version="1.0-1",
        architecture=architecture,
        source=package,
        suite="trixie",
        pool_path=f"pool/main/{name}",
        file=LockedFile(name=name, size=len(data), sha256=files.add(data)),
        platforms=(platform,) if platform else PLATFORMS,
    )


def make_candidate(
    files: DirectoryFileStore, project: str, version: str, content: Mapping[str, bytes], *, native: bool = False
) -> LockedCandidate:
    """Lock a made-up distribution for both platforms, its wheels in the store."""
    wheels = {}
    for platform in PLATFORMS:
        tag = f"cp313-cp313-manylinux_2_28_{platform.machine}" if native else "py3-none-any"
        own = {f"{project}/_native.so": platform.machine.encode()} if native else {}
        data = make_wheel(project, version, {**content, **own}, tag=tag)
        wheels[platform.name] = LockedFile(
            name=f"{project}-{version}-{tag}.whl", size=len(data), sha256=files.add(data)
        )
    return LockedCandidate(
        project=project, version=version, wheels=wheels, dependencies=(), wanted_by=(), upload_time=None
    )
