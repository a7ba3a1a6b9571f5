"""What pip, uv and installer do with hostile material: each is run on it, in a folder of its own, and looked at from outside.

A verdict says only whether the program ended with success, and whether it wrote beside the place that it was given: where it
accepts, it may have left the odd part out, or have put it where it belongs. Nothing of what gets installed is ever run; of an
sdist its builder is, which is this project's own and harmless.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.hostile.model import Material
from tests.hostile.places import answering
from tests.hostile.readers import JSON_PAGE, sha256
from tests.hostile.stores import FILE
from tests.support.wheels import WheelParts

ROOT = Path(__file__).resolve().parents[2]
DEMO = WheelParts(version="99.0").file_name
OFFERED = WheelParts(version="99.0").pack()
"""What hostile pages offer, under whatever name."""
NOT_ITS_TRADE = "-"
_TIMEOUT_S = 300


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A program that others install with."""

    name: str
    version: str
    """What it calls itself, as `pip 26.3`."""
    argv: tuple[str, ...]
    """Installs what follows; `{target}` in it is where."""
    index: tuple[str, ...] = ()
    """Options for an index whose address is `{index}`; empty where it knows none."""
    kinds: frozenset[str]
    one_by_one: bool = False
    """Several wheels are several runs."""


_ALL = frozenset({"wheel", "wheels", "sdist", "page", "answer"})


def find_peers() -> tuple[Peer, ...]:
    """Find the programs: pip and uv of this environment, installer among the tools."""
    uv = str(Path(sys.executable).with_name("uv"))
    pip = (sys.executable, "-m", "pip")
    installer = (str(ROOT / ".tools/bin/python"), "-m", "installer")
    quiet = ("--no-deps", "--no-build-isolation", "--target", "{target}")
    return (
        Peer(
            name="pip",
            version=_first_words([*pip, "--version"]),
            argv=(*pip, "install", "--no-compile", "--retries=0", *quiet),
            index=("--index-url={index}",),
            kinds=_ALL,
        ),
        Peer(
            name="uv",
            version=_first_words([uv, "--version"]),
            argv=(uv, "pip", "install", "--python", sys.executable, *quiet),
            index=("--default-index={index}",),
            kinds=_ALL,
        ),
        Peer(
            name="installer",
            version="installer " + _installed(installer[0], "installer"),
            argv=(*installer, "--no-compile-bytecode", "--destdir", "{target}"),
            kinds=frozenset({"wheel", "wheels"}),
            one_by_one=True,
        ),
    )


def ask(peer: Peer, material: Material) -> str:
    """Give material to a peer and tell the verdict; a dash where such a thing is not its trade."""
    # What a build asks for beyond its backend is known by building in isolation, which would ask the network.
    if material.kind not in peer.kinds or material.threat == "B6":
        return NOT_ITS_TRADE
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        target = Path(folder) / "deep" / "down" / "target"
        target.parent.mkdir(parents=True)
        given = list(_offer(material, Path(folder), peer, stack))
        filled = [part.format(target=target) for part in peer.argv]
        runs = [[*filled, one] for one in given] if peer.one_by_one else [[*filled, *given]]
        before = _seen(Path(folder), target)
        if not all(_ends_well(argv, Path(folder)) for argv in runs):
            return "refuses"
        return "accepts" if _seen(Path(folder), target) == before else "**writes outside**"


def _offer(material: Material, folder: Path, peer: Peer, stack: contextlib.ExitStack) -> Iterator[str]:
    """Lay material where the peer finds it; gives what to put at the end of its command."""
    data = material.make()
    files = folder / "files"
    files.mkdir()
    if material.kind == "page":
        address = stack.enter_context(_index(data, material.called, files))
        yield from (option.format(index=f"{address}/simple/") for option in peer.index)
        yield "demo"
        return
    yield from () if peer.name == "installer" else ("--no-index",)
    if material.kind == "answer":
        address = stack.enter_context(answering(data))
        yield f"demo @ {address}/{material.called}#sha256={FILE.sha256.hex}"
    elif material.kind == "wheels":
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            archive.extractall(files, filter="data")
        yield from sorted(str(path) for path in files.iterdir())
    else:
        (files / material.called).write_bytes(data)
        yield str(files / material.called)


@contextlib.contextmanager
def _index(page: bytes, name: str, files: Path) -> Iterator[str]:
    """Serve a hostile page as an index, and one and the same wheel under all other addresses."""
    for offered in (DEMO, "evil"):
        (files / offered).write_bytes(OFFERED)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asks_page = self.path == "/simple/demo/"
            body = _adapted(page, address, files) if asks_page else OFFERED
            kind = JSON_PAGE if name.endswith(".json") else "text/html"
            self.send_response(200)
            self.send_header("Content-Type", kind if asks_page else "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield address
        server.shutdown()


def _adapted(page: bytes, address: str, files: Path) -> bytes:
    """Let a page's addresses lead to what is there, with its true hash: the rest of it is what is asked about."""
    page = page.replace(b"https://files.example/", f"{address}/".encode()).replace(b"0" * 64, sha256(OFFERED).encode())
    return page.replace(b"file:///etc/evil/", f"{files.as_uri()}/".encode()).replace(
        b"file:///etc/evil", f"{(files / DEMO).as_uri()}".encode()
    )


def _ends_well(argv: list[str], folder: Path) -> bool:
    for name in ("home", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    env = {
        "PATH": os.defpath,
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "UV_CACHE_DIR": str(folder / "home/cache"),
        "UV_HTTP_RETRIES": "0",
        "UV_NO_CONFIG": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    done = subprocess.run(argv, env=env, cwd=folder / "home", capture_output=True, check=False, timeout=_TIMEOUT_S)
    return done.returncode == 0


def _seen(folder: Path, target: Path) -> Mapping[str, bytes]:
    """Look at what lies beside the target: between it and the root of what is the peer's own."""
    own = {target, folder / "home", folder / "tmp"}
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        if own.isdisjoint({path, *path.parents}):
            found[str(path)] = path.read_bytes() if path.is_file() else b""
    return found


def _first_words(argv: list[str]) -> str:
    return " ".join(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()[:2])


def _installed(python: str, name: str) -> str:
    argv = [python, "-c", f"import importlib.metadata; print(importlib.metadata.version({name!r}))"]
    return _first_words(argv)


Ask = Callable[[Peer, Material], str]
