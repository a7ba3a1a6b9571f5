"""A project folder: stacks/ and locks/ on disk. The edge that reads them; the meaning is in stack/ and lock/.

stacks/<name>/stack.toml  requirements.in  files/        stacks/bases/<name>.toml
stacks/indexes.toml  stacks/channels.toml  stacks/keys.toml  stacks/licences.toml
stacks/scan.toml  stacks/vex/*.json  stacks/<name>/vex/*.json
locks/pylock.<name>.toml  locks/base.<name>.toml         locks/files/<sha256>/<file name>
locks/constraints.<Airflow>-py<Python>.txt  locks/constraints.<stack>.txt
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TypeVar

from builder.atomic import replacing
from builder.digest import Digest
from builder.errors import BuilderError, IssuesError, StackError
from builder.secrecy import refuse_secret
from builder.stack.base import parse_base
from builder.stack.model import Base, EffectiveStack, IndexRule, Stack
from builder.stack.names import check_name, nearest
from builder.stack.reader import is_address, parse_stack
from builder.stack.rules import parse_index_rules

_T = TypeVar("_T")
_BASES = "bases"
_LOCK_MODE = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder that holds stacks/ and locks/."""

    root: Path

    @property
    def stacks_folder(self) -> Path:
        """The folder of stacks and bases."""
        return self.root / "stacks"

    @property
    def locks_folder(self) -> Path:
        """The folder of locks."""
        return self.root / "locks"

    @property
    def files_folder(self) -> Path:
        """The folder of locked files, by hash; not tracked by git."""
        return self.locks_folder / "files"

    @property
    def channels_path(self) -> Path:
        """The file that says when channels may move, there or not."""
        return self.stacks_folder / "channels.toml"

    @property
    def keys_path(self) -> Path:
        """The file that says whose signatures hold, there or not."""
        return self.stacks_folder / "keys.toml"

    @property
    def licences_path(self) -> Path:
        """The file that says which licences images may hold, there or not."""
        return self.stacks_folder / "licences.toml"

    @property
    def scan_path(self) -> Path:
        """The file that says how images are scanned, there or not."""
        return self.stacks_folder / "scan.toml"

    def waiver_paths(self, stacks: Iterable[str] | None = None) -> tuple[tuple[str, Path], ...]:
        """List the files of waivers, each with the stack that it is for, empty for all: by their place.

        Args:
            stacks: whose files are listed beside those for all; every stack's where nothing is given.
        """
        folders = [("", self.stacks_folder / "vex")]
        names = self.stack_names() if stacks is None else sorted(stacks)
        folders += [(name, self.stacks_folder / name / "vex") for name in names]
        return tuple((stack, path) for stack, folder in folders for path in sorted(folder.glob("*.json")))

    @property
    def nightly_path(self) -> Path:
        """The file that says what a night does, there or not."""
        return self.stacks_folder / "nightly.toml"

    def stack_names(self) -> tuple[str, ...]:
        """List the stacks, sorted: each folder that holds a stack.toml."""
        return tuple(sorted(path.parent.name for path in self.stacks_folder.glob("*/stack.toml")))

    def base_names(self) -> tuple[str, ...]:
        """List the bases, sorted."""
        return tuple(sorted(path.stem for path in (self.stacks_folder / _BASES).glob("*.toml")))

    def stack_lock_path(self, name: str) -> Path:
        """Name the lock of a stack, there or not."""
        return self.locks_folder / f"pylock.{name}.toml"

    def base_lock_path(self, name: str) -> Path:
        """Name the lock of a base, there or not."""
        return self.locks_folder / f"base.{name}.toml"

    def save_lock(self, path: Path, data: bytes) -> None:
        """Write a lock by one rename, so that no one ever sees half of it; unchanged bytes are left alone."""
        if path.is_file() and path.read_bytes() == data:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, mode=_LOCK_MODE, durable=True) as stream:
            stream.write(data)

    def load_stack(self, name: str) -> Stack:
        """Read one stack."""
        if name not in self.stack_names():
            raise StackError(f"no stack {name!r}", context="stacks", hint=nearest(name, self.stack_names(), "stack"))
        return self._read_stack(name)

    def _read_stack(self, name: str) -> Stack:
        folder = self.stacks_folder / name
        requirements_in = folder / "requirements.in"
        return parse_stack(
            (folder / "stack.toml").read_bytes(),
            name=name,
            file=f"stacks/{name}/stack.toml",
            requirements_in=_read_text(requirements_in, self.root) if requirements_in.is_file() else None,
        )

    def load_stacks(self) -> Mapping[str, Stack]:
        """Read all stacks, by name.

        Raises:
            IssuesError: with the issues of all files.
        """
        return _load_each(self.stack_names(), self._read_stack)

    def load_base(self, name: str) -> Base:
        """Read one base."""
        if name not in self.base_names():
            raise StackError(f"no base {name!r}", context="stacks/bases", hint=nearest(name, self.base_names(), "base"))
        path = self.stacks_folder / _BASES / f"{name}.toml"
        base = parse_base(path.read_bytes(), name=name, file=f"stacks/bases/{name}.toml")
        return self._with_dockerfile(base) if base.dockerfile else base

    def _with_dockerfile(self, base: Base) -> Base:
        """Fill in what a Dockerfile's base depends on beside its own file: the Dockerfile, and the locks below."""
        origin = base.dockerfile
        if origin is None:
            return base
        path = self.root / origin.file
        if not path.is_file():
            raise StackError(
                f"no {origin.file} at the top of the project", context=f"stacks/bases/{base.name}.toml: dockerfile.file"
            )
        paths = [self.base_lock_path(name) for _, name in origin.foundations]
        below = b"".join(Digest.of(path.read_bytes() if path.is_file() else b"").hex.encode() for path in paths)
        sha256 = Digest.of(path.read_bytes()).hex
        return replace(base, dockerfile=replace(origin, sha256=sha256, parent=Digest.of(below).hex))

    def load_bases(self) -> Mapping[str, Base]:
        """Read all bases, by name.

        Raises:
            IssuesError: with the issues of all files.
        """
        return _load_each(self.base_names(), self.load_base)

    def load_index_rules(self) -> tuple[IndexRule, ...]:
        """Read what holds for indexes, by name; empty where there is no stacks/indexes.toml."""
        path = self.stacks_folder / "indexes.toml"
        return parse_index_rules(path.read_bytes(), file="stacks/indexes.toml") if path.is_file() else ()

    def index_folders(self) -> tuple[tuple[str, Path], ...]:
        """List the folders of this project that wheels and sdists come from, each with the name that it has as an index."""
        return tuple((rule.name, self.root / rule.folder) for rule in self.load_index_rules() if rule.folder)

    def constraints_path(self, stack: EffectiveStack) -> Path | None:
        """Name the file that fetched constraints are kept in, there or not; None where none are fetched.

        The official set is shared by all stacks of one Airflow and Python; that of an address by the stack which names it
        and its children.
        """
        if stack.constraints == "official":
            python = self.load_base(stack.base).python
            return self.locks_folder / f"constraints.{stack.airflow_version}-py{python}.txt"
        if is_address(stack.constraints):
            return self.locks_folder / f"constraints.{stack.constraints_from or stack.name}.txt"
        return None

    def load_constraints(self, stack: EffectiveStack) -> bytes | None:
        """Read the constraints that a stack holds to, from the project's own files; None for `none`.

        Raises:
            StackError: the file is not there: of fetched ones the first `lock` makes it.
        """
        if stack.constraints == "none":
            return None
        kept = self.constraints_path(stack)
        if kept is not None:
            if kept.is_file():
                return kept.read_bytes()
            raise StackError(
                "is not there",
                context=kept.relative_to(self.root).as_posix(),
                hint=f"fetch it with: airflow-kubler lock {stack.name}",
            )
        owner, _, beside = stack.constraints.partition("/")
        folder = (self.stacks_folder / owner).resolve()
        path = (folder / beside).resolve()
        if not (path.is_relative_to(folder) and path.is_file()):
            raise StackError(
                f"no file {beside!r} beside it",
                context=f"stacks/{owner}/stack.toml: airflow.constraints",
                hint='write "official", "none", an https address, or the path of a file in the folder of the stack',
            )
        return path.read_bytes()

    def stack_files(self, name: str) -> tuple[tuple[str, bytes], ...]:
        """Read stacks/<name>/files: path below it and content, sorted by path.

        Raises:
            IssuesError: something there is neither file nor folder; links may lead out of the project.
        """
        top = self.stacks_folder / name / "files"
        if top.is_symlink():
            raise StackError("is a link", context=f"stacks/{name}/files", hint="put the files themselves there")
        if not top.is_dir():
            return ()
        found: list[tuple[str, bytes]] = []
        issues: list[StackError] = []
        for path in sorted(top.rglob("*")):
            mode = path.lstat().st_mode
            relative = path.relative_to(top).as_posix()
            if stat.S_ISREG(mode):
                data = path.read_bytes()
                refuse_secret(data.decode("utf-8", "replace"), context=f"stacks/{name}/files/{relative}")
                found.append((relative, data))
            elif not stat.S_ISDIR(mode):
                kind = "a link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
                issues.append(StackError(f"is {kind}", context=f"stacks/{name}/files/{relative}"))
        if issues:
            raise IssuesError(issues, hint="put the files themselves there")
        return tuple(sorted(found))


def open_project(folder: Path) -> Project:
    """Take a folder as project; raises StackError where it holds no stacks/."""
    if not (folder / "stacks").is_dir():
        raise StackError(
            "holds no folder stacks/", context=str(folder), hint=f"start one with: airflow-kubler init {folder}"
        )
    project = Project(root=folder.resolve())
    _check_names(project)
    return project


def find_project(start: Path) -> Project:
    """Find the nearest folder, from `start` upwards, that holds stacks/."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / "stacks").is_dir():
            return open_project(folder)
    raise StackError(
        "neither this folder nor one above it holds stacks/",
        context=str(start),
        hint="start one with: airflow-kubler init DIR, or name it with: airflow-kubler --project DIR ...",
    )


def shipped_bases() -> Mapping[str, bytes]:
    """Read the base files that come with this program, by name."""
    folder = resources.files("builder") / "bases"
    return {
        entry.name.removesuffix(".toml"): entry.read_bytes()
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    }


def shipped_channels() -> bytes:
    """Read the rules of channels that new projects begin with."""
    return (resources.files("builder") / "policy" / "channels.toml").read_bytes()


def shipped_licences() -> bytes:
    """Read the rules of licences that new projects begin with."""
    return (resources.files("builder") / "licence" / "licences.toml").read_bytes()


def create_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Create files below a folder, by relative path; nothing is overwritten, and nothing written if a file is there.

    Raises:
        IssuesError: naming each file that is there already.
    """
    there = [StackError("is there already", context=str(folder / path)) for path in files if (folder / path).exists()]
    if there:
        raise IssuesError(there, hint="name another folder, or move these away")
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as stream:
            stream.write(data)


def _load_each(names: Iterable[str], load: Callable[[str], _T]) -> dict[str, _T]:
    """Load what has these names; raises IssuesError with the issues of all that cannot be."""
    found: dict[str, _T] = {}
    issues: list[BuilderError] = []
    for name in names:
        try:
            found[name] = load(name)
        except IssuesError as error:
            issues.extend(error.issues)
        except StackError as error:
            issues.append(error)
    if issues:
        raise IssuesError(issues)
    return found


def _check_names(project: Project) -> None:
    issues = [
        issue
        for name, where in (
            *((name, f"stacks/{name}") for name in project.stack_names()),
            *((name, f"stacks/bases/{name}.toml") for name in project.base_names()),
        )
        if (issue := check_name(name, context=where))
    ]
    if issues:
        raise IssuesError(issues)


def _read_text(path: Path, root: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise StackError("is not UTF-8", context=path.relative_to(root).as_posix()) from error
