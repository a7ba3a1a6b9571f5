"""What images are scanned with, and where they are looked for."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from builder.errors import InvalidInputError, ScanError
from builder.platform import platform_of_machine
from builder.store.location import cache_root
from builder.wiring.registries import make_registry
from builder.wiring.stores import make_artefact_store

if TYPE_CHECKING:
    from builder.ledger.model import LedgerReader
    from builder.lock.model import BaseLock
    from builder.project import Project
    from builder.scan.database import Database
    from builder.scan.database_store import DatabaseStore
    from builder.scan.settings import ScanSettings
    from builder.usecase.scan import ScanTools
    from builder.usecase.scan_fix import FindDeb, OpenSession
    from builder.usecase.scan_target import Places


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanChoice:
    """What a person chose for one scan."""

    program: Path | None = None
    """In the place of the one that is configured, or on PATH."""
    database: str = ""
    """A digest or its beginning, or a folder; the newest that is kept where it is empty."""


def make_database_store() -> DatabaseStore:
    """Open the user's store of databases."""
    from builder.scan.database_store import DatabaseStore

    return DatabaseStore(make_artefact_store())


@contextmanager
def open_scan_tools(
    settings: ScanSettings, choice: ScanChoice, now: int, say: Callable[[str], None]
) -> Iterator[ScanTools]:
    """Make what scans: the program, found and held against its pin, with a database that is young enough.

    Args:
        settings: stacks/scan.toml.
        choice: of this run.
        now: seconds since the epoch.
        say: told what is being done, and what nothing vouches for.

    Raises:
        ToolError: there is no program.
        ScanError: it is another than the pinned one, known to be bad, or its database will not do.
    """
    from builder.scan.canary import make_canary, shipped_canaries
    from builder.scan.confinement import find_confinement
    from builder.scan.database import check_age
    from builder.scan.program import check_hash, check_pin, check_release, check_shut_in, tell_unpinned
    from builder.scan.trivy import NAME, open_trivy
    from builder.usecase.scan import ScanTools

    if settings.pin is not None:
        check_release(NAME, settings.pin.version, context="stacks/scan.toml: trivy.version")
    database = choose_database(settings, choice.database)
    check_age(database, settings.database_age_s, now)
    confinement, why = find_confinement()
    check_shut_in(settings.pin, isolated=confinement.isolated)
    if why:
        say(
            "WARNING: this machine allows no namespaces, so the scanner is not shut in: it could reach the network and "
            f"your files ({why})"
        )
    with ExitStack() as later:
        program = _find_program(settings, choice, later)
        scanner = later.enter_context(
            open_trivy(
                program,
                database.folder,
                database.sha256,
                confinement,
                scratch=cache_root(os.environ) / "tmp",
                admit=partial(check_hash, settings.pin),
            )
        )
        pinned = check_pin(settings.pin, scanner.identity)
        if not pinned:
            say(tell_unpinned(scanner.identity))
        yield ScanTools(
            scanner=scanner,
            database=database,
            canary=make_canary(settings.canaries or shipped_canaries()),
            pinned=pinned,
            now=now,
            say=say,
        )


def choose_database(settings: ScanSettings, named: str) -> Database:
    """Find the database: the one that is named, a folder or a digest; else the pinned, else the newest that is kept.

    Raises:
        ScanError: there is none, or another one is pinned.
    """
    from builder.scan.database_store import open_folder

    if named and Path(named).is_dir():
        found = open_folder(Path(named))
    else:
        found = make_database_store().find(named or settings.database)
    if settings.database and found.sha256.hex != settings.database:
        raise ScanError(
            f"the database is {found.sha256}, and another one is pinned",
            context="stacks/scan.toml: database.sha256",
            hint="airflow-kubler scan db ls shows those that are here",
        )
    return found


def _find_program(settings: ScanSettings, choice: ScanChoice, later: ExitStack) -> Path:
    from builder.scan.program import find_program

    configured = str(_user_settings().get("trivy", ""))
    if settings.image and choice.program is None and not configured:
        from builder.registry.model import parse_reference
        from builder.usecase.scan_program import extract_program

        parent = cache_root(os.environ) / "tmp"
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(later.enter_context(TemporaryDirectory(dir=parent, prefix="scanner-")))
        machine = platform_of_machine(os.uname().machine)
        with make_registry() as registry:
            reference = parse_reference(settings.image)
            extract_program(registry, reference, settings.image_path, machine, folder / "trivy")
        return folder / "trivy"
    return find_program(choice.program, configured, os.environ.get("PATH", os.defpath))


def _user_settings() -> dict[str, Any]:
    """Read `[scan]` of our configuration file: `trivy`, the path of the program."""
    from builder.resolve.surroundings import this_surroundings

    path = this_surroundings().config_home / "airflow-kubler" / "config.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("scan", {})
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"cannot be read: {error}", context=str(path)) from error
    unknown = sorted(set(found) - {"trivy"}) if isinstance(found, dict) else ["scan"]
    if unknown or not isinstance(found.get("trivy", ""), str):
        hint = '[scan] trivy = "/path/of/trivy"'
        raise InvalidInputError("must be a table with trivy, a path", context=f"{path}: scan", hint=hint)
    return dict(found)


@contextmanager
def open_places(project: Project | None, ledger: LedgerReader | None, folder: str) -> Iterator[Places]:
    """Make what finds images, with a folder for those that are pulled, which goes away.

    Args:
        project: of stacks; None where there is none.
        ledger: that may know images.
        folder: of the project, that stacks are built into.
    """
    from builder.usecase.scan_target import Places

    parent = cache_root(os.environ) / "tmp"
    parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=parent, prefix="scan-target-") as room:
        yield Places(
            project=project,
            built=(lambda stack: project.root / folder / stack) if project else None,
            ledger=ledger,
            registry=make_registry,
            room=Path(room),
        )


@contextmanager
def make_fix_finders(
    project: Project, base: BaseLock, say: Callable[[str], None], *, snapshot: str | None
) -> Iterator[tuple[OpenSession, FindDeb]]:
    """Make what looks for fixes: the indexes, or a snapshot of them, and the user's mirrors."""
    from builder.usecase.lock import open_stack
    from builder.usecase.scan_fix_deb import DebFinder
    from builder.wiring.fetching import make_debian_client
    from builder.wiring.locks import make_lock_tools

    with make_lock_tools(project, say, snapshot=snapshot) as tools, make_debian_client() as client:
        yield lambda stack: open_stack(project, tools, stack), DebFinder(base, client)
