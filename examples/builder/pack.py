"""Pack airflow-kubler as it is committed into an sdist, for `lock` to build: python3 pack.py [FOLDER [REVISION]].

The same content gives the same bytes: in any clone, of whichever commit, with whatever git, zlib, umask, user and clock.
So entries are sorted and stored, have one time, and of a file's mode only whether it can be executed.
"""

from __future__ import annotations

import io
import posixpath
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("LICENSE", "README.md", "builder", "pyproject.toml", "stacks/bases")
"""What the wheel is made of, and what is linked into it: a change of tests or pages makes no other image."""
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first time that zip knows."""


def read_commit(revision: str) -> dict[str, tuple[bytes, int]]:
    """Read the parts as they are committed: content and permission bits, by path."""
    argv = ["git", "-C", str(ROOT), "archive", "--format=tar", revision, "--", *PARTS]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True)
    files: dict[str, tuple[bytes, int]] = {}
    links: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive:
            if member.issym():
                links[member.name] = posixpath.normpath(posixpath.join(member.name, "..", member.linkname))
            elif content := archive.extractfile(member):
                files[member.name] = content.read(), 0o755 if member.mode & 0o100 else 0o644
    return files | {name: content for link, target in links.items() for name, content in follow(link, target, files)}


def follow(link: str, target: str, files: dict[str, tuple[bytes, int]]) -> list[tuple[str, tuple[bytes, int]]]:
    """Name what a link to a file or folder stands for; one that leads out of the parts is an error."""
    found = [(path, files[path]) for path in files if f"{path}/".startswith(f"{target}/")]
    if not found:
        sys.exit(f"{link} leads to {target}, which is not packed: add it to PARTS")
    return [(link + path.removeprefix(target), content) for path, content in found]


def dump_sdist(files: dict[str, tuple[bytes, int]], top: str) -> bytes:
    """Write a zip; bytes are stable."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for path, (content, mode) in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{top}/{path}", EARLIEST)
            entry.create_system = 3  # Unix, whatever this machine is
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, content)
    return stream.getvalue()


def main(folder: str = str(Path(__file__).with_name("dists")), revision: str = "HEAD") -> None:
    """Put the sdist into the folder that stacks/indexes.toml names, in place of the one before."""
    files = read_commit(revision)
    version = tomllib.loads(files["pyproject.toml"][0].decode())["project"]["version"]
    top = f"airflow_kubler-{version}"
    Path(folder).mkdir(exist_ok=True)
    for old in Path(folder).glob("airflow_kubler-*.zip"):
        old.unlink()
    (Path(folder) / f"{top}.zip").write_bytes(dump_sdist(files, top))


if __name__ == "__main__":
    main(*sys.argv[1:])
