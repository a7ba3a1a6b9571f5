"""A world in which nights are run: an index, one team's own index, a mirror and a registry on the loopback; stacks on two bases.

The mirror has the debs of the shipped base, from the user's store. Indexes have made-up wheels.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from builder.digest import Digest
from builder.ledger.database import SqliteLedger
from builder.ledger.entry import Actor, Entry
from builder.lock.base import parse_base_lock
from builder.lock.model import LockedDeb
from builder.platform import AMD64
from builder.policy.reader import parse_channels
from builder.store.location import cache_root
from builder.usecase.approve import ApproveRequest, approve
from tests.support.archive_keys import Signer
from tests.support.fake_mirror import FakeMirror
from tests.support.index_project import IndexProject
from tests.support.index_server import Index, Said, serve
from tests.support.registries import SmallRegistry
from tests.support.tools import ROOT, give_up

STACKS: Mapping[str, tuple[str, str, str]] = {
    "deb": ("trixie", "", "alpha"),
    "provider": ("still", "", "apache-airflow-providers-acme"),
    "yanked": ("still", "", "gamma"),
    "down": ("still", "", "acme-tool"),
    "clash": ("still", "", "delta>=2"),
    "child": ("still", "clash", "alpha"),
    "waits": ("still", "", "zeta"),
    "fails": ("still", "", "omega"),
    "quiet": ("still", "", "alpha"),
}
"""Stack to its base, its parent and what it asks for."""
OWNERS = {name: f"team:{name}" for name in STACKS}
FIXED = "hostname"
"""A deb that `trixie` has, and `still` has not."""
WHEELS = (
    ("apache-airflow", "3.3.2"),
    ("alpha", "1.0"),
    ("apache-airflow-providers-acme", "1.0"),
    ("gamma", "1.0"),
    ("gamma", "2.0"),
    ("delta", "1.0"),
    ("delta", "2.0"),
    ("zeta", "1.0"),
    ("omega", "1.0"),
)
_TEST = """\
python3 -c 'import omega; assert omega.VERSION == "1.0", f"omega {omega.VERSION} is not known to work"'
"""
"""Of the stack `fails`."""
_STACK_TOML = """\
description = "Made up"
owners = ["{owner}"]
{head}
[plugins]
requirements = ["{asks}"]
[image]
platforms = ["linux/amd64"]
"""
_OWN_HEAD = '[airflow]\nversion = "3.3.2"\nconstraints = "none"\n[base]\nname = "{base}"'
CHANNELS = """\
[[channels]]
name = "dev"

[[channels]]
name = "prod"
after = "dev"

[[channels]]
name = "prod"
stacks = ["waits"]
approvals = 1
"""
_INDEXES = '[[indexes]]\nname = "default"\nreserved = ["acme-*"]\n'
_NIGHTLY = (
    '[nightly]\nscan = false\nsuites = ["stack"]\nrepository = "{host}/team/airflow"\nchannels = ["dev", "prod"]\n'
)
_LATER_S = 600


@dataclass(kw_only=True)
class NightWorld:
    """The world, and the project in it."""

    project: IndexProject
    index: Index
    team_index: Index
    """Has `acme-*` alone; asked for nothing else."""
    team_is_up: ExitStack
    registry: SmallRegistry
    mirror: FakeMirror
    debs: dict[str, str] = field(default_factory=dict)
    """Packages that the mirror offers: their paragraphs."""

    def night(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """Run a night by the command line; returns its report."""
        found: dict[str, Any] = json.loads(self.project.run("nightly", "--json", *arguments, status=status).stdout)
        return found

    def plan(self, status: int = 1) -> dict[str, Any]:
        """Ask what a night would do."""
        return self.night("--plan", status=status)

    def fix_deb(self) -> None:
        """Publish a deb of a higher version, whose content has changed."""
        path = repack(self.mirror.root, self.mirror.root / pool_paths()[FIXED].pool_path)
        self.debs[FIXED] = paragraph(path, path.relative_to(self.mirror.root).as_posix())
        self.publish(self.mirror.date + _LATER_S)

    def publish(self, date: int) -> None:
        """Sign what the mirror has now, as of a moment."""
        self.mirror.plain, self.mirror.date = "\n".join(self.debs.values()), date
        self.mirror.publish()

    def end_team_index(self) -> None:
        """Let nobody answer where the team's index was."""
        self.team_is_up.close()

    def begin_team_index(self) -> None:
        """Serve it again, where it was."""
        self.team_is_up.enter_context(serve(self.team_index, port=int(self.team_index.url.rpartition(":")[2])))

    def release(self, project: str, version: str) -> None:
        """Put a release on the index."""
        self.index.offer(project, version)

    def yank(self, name: str) -> None:
        """Yank a file."""
        self.index.said[name] = Said(yanked="it eats data")

    def approve(self, stack: str, channel: str, digest: str) -> None:
        """Agree to a move, as somebody else than runs nights."""
        rules = parse_channels(CHANNELS.encode(), stacks=tuple(STACKS)).rules_for(stack, channel)
        with SqliteLedger(self.ledger, self.clock, write=True) as ledger:
            request = ApproveRequest(stack=stack, rules=rules, target=digest)
            approve(ledger, request, Actor(name="somebody-else", method="local", host="elsewhere"), self.clock)

    def clock(self) -> int:
        """Tell the time of approvals: never before what the ledger has last."""

        return int(time.time())

    def save(self, folder: Path) -> NightState:
        """Keep the project, the user's cache and the registry as they are."""
        for source in (self.project.folder, self.project.home):
            _copy(source, folder / source.name)
        state = self.registry.state
        held = NightState(
            folder=folder, blobs=dict(state.blobs), manifests=dict(state.manifests), tags=dict(state.tags)
        )
        state.blobs = Counted(state.blobs)
        return held

    def restore(self, held: NightState) -> None:
        """Go back to what was kept; the registry counts anew what it is sent."""
        for target in (self.project.folder, self.project.home):
            shutil.rmtree(target)
            _copy(held.folder / target.name, target)
        state = self.registry.state
        state.blobs, state.manifests, state.tags = Counted(held.blobs), dict(held.manifests), dict(held.tags)

    @property
    def sent(self) -> Counter[tuple[str, str]]:
        """How often the registry was sent each blob since `save` or `restore`."""
        blobs = self.registry.state.blobs
        assert isinstance(blobs, Counted)
        return blobs.written

    @property
    def ledger(self) -> Path:
        """The ledger."""
        return self.project.folder / "ledger.db"

    def entries(self, kind: str) -> tuple[Entry, ...]:
        """List entries of a kind, oldest first."""
        with SqliteLedger(self.ledger, self.clock, write=False) as ledger:
            return tuple(reversed(ledger.find("kind", kind)))

    def tags(self) -> dict[str, str]:
        """Map the registry's tags to digests."""
        return {tag: digest for (_, tag), digest in sorted(self.registry.state.tags.items())}

    def locks(self) -> dict[str, Digest]:
        """Map lock files to the hash of their bytes."""
        return {path.name: Digest.of(path.read_bytes()) for path in sorted(self.project.folder.glob("locks/*.toml"))}

    def files(self) -> dict[str, Digest]:
        """Map all files of the project to the hash of their bytes."""
        paths = sorted(path for path in self.project.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.project.folder)): Digest.of(path.read_bytes()) for path in paths}


class Counted(dict[tuple[str, str], bytes]):
    """Blobs of a registry, with how often each was written."""

    def __init__(self, held: Mapping[tuple[str, str], bytes]) -> None:
        super().__init__(held)
        self.written: Counter[tuple[str, str]] = Counter()

    def __setitem__(self, key: tuple[str, str], data: bytes) -> None:
        self.written[key] += 1
        super().__setitem__(key, data)


@dataclass(frozen=True, slots=True, kw_only=True)
class NightState:
    """What a project, its user and the registry had."""

    folder: Path
    blobs: Mapping[tuple[str, str], bytes]
    manifests: Mapping[tuple[str, str], tuple[bytes, str]]
    tags: Mapping[tuple[str, str], str]


@contextmanager
def open_night_world(root: Path, signer: Signer, now: int) -> Iterator[NightWorld]:
    """Write the project and serve what it asks.

    Args:
        root: the folder for all of it.
        signer: signs the mirror's Release files.
        now: seconds since the epoch; the mirror is older by some days.
    """
    mirror = FakeMirror(root / "mirror", signer, date=now - 3 * 86_400)
    with ExitStack() as later:
        index = later.enter_context(serve(Index()))
        team_is_up = later.enter_context(ExitStack())
        team_index = team_is_up.enter_context(serve(Index()))
        registry = later.enter_context(SmallRegistry())
        project = _write_project(root, index, team_index, registry.host, later.enter_context(_served(mirror.root)))
        (root / "home/keyring.gpg").write_bytes(signer.public)
        made = NightWorld(
            project=project,
            index=index,
            team_index=team_index,
            team_is_up=team_is_up,
            registry=registry,
            mirror=mirror,
        )
        for name, version in WHEELS:
            made.release(name, version)
        team_index.offer("acme-tool", "1.0")
        made.debs = _link_debs(mirror.root)
        made.publish(mirror.date)
        project.run("ledger", "init", "--origin", "example.org/airflow")
        yield made


def pool_paths() -> dict[str, LockedDeb]:
    """Map packages to the debs of the shipped base, for one platform."""
    lock = parse_base_lock((ROOT / "locks/base.trixie.toml").read_bytes(), file="base.trixie")
    return {deb.package: deb for deb in lock.debs if AMD64 in deb.platforms}


def paragraph(path: Path, pool_path: str) -> str:
    """Write what a Packages file says of a deb."""
    done = subprocess.run(["dpkg-deb", "-f", str(path)], capture_output=True, text=True, check=True)
    data = path.read_bytes()
    return f"{done.stdout}Filename: {pool_path}\nSize: {len(data)}\nSHA256: {Digest.of(data).hex}\n"


def repack(root: Path, path: Path) -> Path:
    """Make a deb of a higher version from one, with a line more in a file of it."""
    folder = root / "repacked"
    subprocess.run(["dpkg-deb", "-R", str(path), str(folder)], check=True)
    control = folder / "DEBIAN/control"
    lines = control.read_text().splitlines()
    control.write_text("".join(f"{line}+fix1\n" if line.startswith("Version: ") else f"{line}\n" for line in lines))
    with (folder / "usr/share/doc/hostname/copyright").open("a") as stream:
        stream.write("Fixed.\n")
    target = path.with_name(path.name.replace("_amd64", "+fix1_amd64"))
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-b", str(folder), str(target)], check=True, stdout=subprocess.DEVNULL
    )
    shutil.rmtree(folder)
    return target


def _link_debs(root: Path) -> dict[str, str]:
    store = cache_root(os.environ) / "files/sha256"
    found = {}
    for package, deb in pool_paths().items():
        source, target = store / deb.file.sha256.hex[:2] / deb.file.sha256.hex, root / deb.pool_path
        if not source.is_file():
            give_up("the user's store is not filled: run `airflow-kubler fetch core`")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(source)
        found[package] = paragraph(target, deb.pool_path)
    return found


def _write_project(root: Path, index: Index, team_index: Index, host: str, mirror: str) -> IndexProject:
    folder, home = root / "project", root / "home"
    for path in (folder / "stacks/bases", folder / "locks", home / ".config/airflow-kubler"):
        path.mkdir(parents=True)
    shipped = (ROOT / "stacks/bases/trixie.toml").read_text()
    shipped = shipped.replace('["trixie", "trixie-updates", "trixie-security"]', '["trixie"]')
    shipped = shipped.replace('["linux/amd64", "linux/arm64"]', '["linux/amd64"]')
    still = "".join(line for line in shipped.splitlines(keepends=True) if f'"{FIXED}"' not in line)
    (folder / "stacks/bases/trixie.toml").write_text(shipped)
    (folder / "stacks/bases/still.toml").write_text(still)
    for name, (base, parent, asks) in STACKS.items():
        head = f'extends = "{parent}"' if parent else _OWN_HEAD.format(base=base)
        path = folder / "stacks" / name / "stack.toml"
        path.parent.mkdir()
        path.write_text(_STACK_TOML.format(owner=OWNERS[name], head=head, asks=asks))
    (folder / "stacks/fails/tests").mkdir()
    (folder / "stacks/fails/tests/omega.sh").write_text(_TEST)
    (folder / "stacks/indexes.toml").write_text(_INDEXES)
    (folder / "stacks/channels.toml").write_text(CHANNELS)
    (folder / "stacks/nightly.toml").write_text(_NIGHTLY.format(host=host))
    (home / ".config/airflow-kubler/config.toml").write_text(
        f'[debian]\nmirror = "{mirror}"\nkeyring = "{home / "keyring.gpg"}"\n'
    )
    # The team's index comes last, so that others are not asked for where the first one has them.
    settings = {"UV_INDEX": f"main={index.simple}", "UV_DEFAULT_INDEX": team_index.simple}
    return IndexProject(folder=folder, home=home, settings=settings)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder; what is named by its hash, and never written again, is linked."""

    def copy(one: str, other: str) -> None:
        named_by_hash = {"sha256", "artefacts"} & set(Path(one).parts)
        os.link(one, other) if named_by_hash else shutil.copy2(one, other)

    shutil.copytree(source, target, symlinks=True, copy_function=copy)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of the loopback; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
