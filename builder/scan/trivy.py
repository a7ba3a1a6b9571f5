"""Trivy as a scanner: how it is called over one platform of an image, with a database that lies here, and without network.

What it says on its streams is for people; the report is what it wrote to its file, and counts only where it ended by itself with 0.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from builder.digest import Digest
from builder.errors import ScanError, ToolError
from builder.oci.layout import blob_path
from builder.run.confined import Ended
from builder.scan.canary import ScanImage
from builder.scan.confinement import Confinement, ScanLimits, Task
from builder.scan.copying import copy_hashed
from builder.scan.report import LARGEST, parse_version

NAME: Final = "trivy"
_QUIET_S: Final = 30
_TAIL: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which program scans."""

    name: str
    version: str
    sha256: Digest
    isolated: bool


class Scanner(Protocol):
    """Scans images."""

    @property
    def identity(self) -> Identity:
        """Say which program it is."""

    def scan(self, image: ScanImage, layout: Path) -> bytes:
        """Scan one platform of an image; gives the report as it was written.

        Args:
            image: with the canary on top.
            layout: folder of the layout that holds the image's own blobs.

        Raises:
            ScanError: the scanner did not come to a good end.
        """


class Trivy:
    """A copy of the program and one of its database, in a folder of their own; made by `open_trivy`."""

    def __init__(
        self, program: Path, sha256: Digest, database: Path, confinement: Confinement, limits: ScanLimits
    ) -> None:
        self._program = program
        self._database = database
        self._confinement = confinement
        self._limits = limits
        self.identity = Identity(name=NAME, version=self._ask_version(), sha256=sha256, isolated=confinement.isolated)

    def scan(self, image: ScanImage, layout: Path) -> bytes:
        """Scan one platform of an image."""
        with self._room() as room:
            _write_input(room / "input", image)
            # Beside the input in this folder too, for where nothing is bound.
            (room / "image").symlink_to(layout.resolve())
            report = room / "report.json"
            report.touch()

            def arguments(top: str) -> Sequence[str]:
                return (
                    *("image", "--input", f"{top}/input"),
                    *("--scanners", "vuln", "--list-all-pkgs", "--format", "json"),
                    *("--cache-dir", f"{top}/cache", "--cache-backend", "memory"),
                    *("--skip-db-update", "--skip-java-db-update", "--offline-scan", "--no-progress"),
                    *("--timeout", f"{int(self._limits.wall_s)}s"),
                    *("--output", f"{top}/report.json"),
                )

            task = Task(
                program=self._program,
                arguments=arguments,
                folder=room / "task",
                binds={
                    "input": room / "input",
                    "image": layout,
                    "cache/db/metadata.json": self._database / "metadata.json",
                },
                writable={"cache/db/trivy.db": self._database / "trivy.db", "report.json": report},
                limits=self._limits,
            )
            task.folder.mkdir()
            self._check_end(self._confinement.run(task))
            return _read_report(report)

    def _ask_version(self) -> str:
        with self._room() as room:
            task = Task(
                program=self._program,
                arguments=lambda _: ("--version", "--format", "json"),
                folder=room / "task",
                limits=ScanLimits(wall_s=_QUIET_S, cpu_s=_QUIET_S),
            )
            task.folder.mkdir()
            ended = self._confinement.run(task)
        self._check_end(ended)
        return parse_version(ended.output.encode())

    def _check_end(self, ended: Ended) -> None:
        if ended.timed_out:
            raise ScanError("the scanner came to no end in its time", hint=f"it has {self._limits.wall_s:.0f} s")
        if ended.status:
            killed = f", by signal {ended.status - 128}" if ended.status > 128 else ""
            raise ScanError(
                f"the scanner ended with status {ended.status}{killed}: {ended.output.strip()[-_TAIL:] or 'no word'}"
            )

    @contextmanager
    def _room(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(dir=self._program.parent, prefix="run-") as name:
            yield Path(name)


@contextmanager
def open_trivy(
    program: Path,
    database: Path,
    database_sha256: Digest,
    confinement: Confinement,
    *,
    scratch: Path,
    admit: Callable[[Digest], None] = lambda _: None,
    limits: ScanLimits | None = None,
) -> Iterator[Trivy]:
    """Copy program and database, hashed while they are copied: what is run and read is what was hashed.

    Args:
        program: the file.
        database: folder with `trivy.db` and `metadata.json`.
        database_sha256: of `trivy.db`.
        confinement: how it is run.
        scratch: where the copies lie; gone afterwards.
        admit: given the program's hash before it is run; raises where it is not to be.
        limits: of each scan.

    Raises:
        ScanError: the database is another, or the program is not Trivy.
        ToolError: the program cannot be read.
    """
    limits = limits or ScanLimits()
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="scan-") as name:
        room = Path(name)
        copy, cache = room / NAME, room / "db"
        try:
            sha256 = copy_hashed(program, copy)
        except OSError as error:
            raise ToolError(f"cannot be read: {error.strerror}", argv=[str(program)]) from error
        admit(sha256)
        copy.chmod(0o555)
        cache.mkdir()
        found = copy_hashed(database / "trivy.db", cache / "trivy.db")
        if found != database_sha256:
            raise ScanError(
                f"the database has been changed: it is {found}, not {database_sha256}",
                context=str(database / "trivy.db"),
                hint="take it out, and pull it again: airflow-kubler scan db pull",
            )
        shutil.copyfile(database / "metadata.json", cache / "metadata.json")
        yield Trivy(copy, sha256, cache, confinement, limits)


def _write_input(folder: Path, image: ScanImage) -> None:
    """Lay out the small files, and links to the image's layers, which lie beside them in `image`."""
    for path, data in image.files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    for layer in image.image.manifest.layers:
        place = folder / blob_path(layer.digest)
        if not place.exists():
            place.symlink_to(Path("../../../image") / blob_path(layer.digest))


def _read_report(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(LARGEST + 1)
