"""Secrets of fifteen kinds are given in every way that this program takes them, and looked for in every byte that it writes."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import shutil
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import pytest
import zstandard

from builder.canonical import dump_json
from builder.web.tokens import hash_token
from tests.support.index_project import STACK, IndexProject, Said, make_index_project
from tests.support.index_server import Index, serve
from tests.support.index_server import Said as Upload
from tests.support.registries import Asked, Fault, SmallRegistry
from tests.support.secrets import LOOKS_LIKE_ONE, pem
from tests.support.service import serve_workers
from tests.support.tools import ROOT

pytestmark = pytest.mark.slow

OLD = Upload(uploaded="2024-01-10T00:00:00Z")
PEM = pem()
SECRETS: Mapping[str, str] = {
    "index address": "p1-in-the-address-of-an-index",
    "netrc": "p2-in-netrc",
    "variable": "p3-in-a-variable",
    "connection": "p4-in-a-connection",
    "CI address": "p5-in-the-address-of-a-run",
    "proxy": "p6-in-a-proxy",
    "docker auth": "p7-in-docker-config",
    "bearer token": "p8.of-a-token-service.1234567890",
    "redirect": "p9-in-a-redirect-1234567890",
    "key password": "p10-of-a-signing-key",
    "private key": PEM.splitlines()[1][:48],
    "stack": "p11-in-a-stack",
    "build argument": LOOKS_LIKE_ONE["a token of GitHub"],
    "scan report": LOOKS_LIKE_ONE["an access key of AWS"],
    "service token": "p12.of-the-service-of-a-ledger",
}
GIVEN_IN = {"token", ".netrc", "config.json", "broken.key", "report.json", "stack.toml", "derived.toml"}
"""Files that the test itself writes secrets into."""
USER = "somebody"


@dataclass(kw_only=True)
class Scene:
    """A user with a project, a ledger, a registry and secrets, and all that was said."""

    project: IndexProject
    registry: SmallRegistry
    said: list[str] = field(default_factory=list)

    def run(self, *words: str | Path, status: int = 0, settings: Mapping[str, str] | None = None, **more: str) -> Said:
        done = self.project.with_settings(**(settings or {}), **more).run(*words, status=status)
        self.said.append(done.text)
        return done

    @property
    def root(self) -> Path:
        return self.project.folder.parent


def environment(internal: Index, default: Index) -> dict[str, str]:
    return {
        "UV_INDEX": "internal=" + internal.simple.replace("://", f"://me:{SECRETS['index address']}@"),
        # Another host, so that netrc has one of its own.
        "UV_DEFAULT_INDEX": default.simple.replace("127.0.0.1", "localhost"),
        "AWS_SECRET_ACCESS_KEY": SECRETS["variable"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql://airflow:{SECRETS['connection']}@db/airflow",
        "CI_JOB_URL": f"https://ci:{SECRETS['CI address']}@ci.example/jobs/1",
        "AIRFLOW_KUBLER_KEY_PASSWORD": SECRETS["key password"],
        "SIGNING_KEY": PEM,
    }


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with serve(Index()) as default, serve(Index()) as internal, SmallRegistry() as registry:
        default.login, internal.login = f"me:{SECRETS['netrc']}", f"me:{SECRETS['index address']}"
        default.offer("apache-airflow", "3.3.2", said=OLD)
        default.offer("alpha", "1.0", said=OLD)
        internal.offer("acme-tools", "1.0", said=OLD)
        project = make_index_project(tmp_path, [("internal", internal), ("default", default)])
        project.ask_for("alpha", "acme-tools", indexes='[[indexes]]\nname = "internal"\nreserved = ["acme-*"]\n')
        netrc = project.home / ".netrc"
        netrc.write_text(f"machine localhost login me password {SECRETS['netrc']}\n")
        netrc.chmod(0o600)
        packed = base64.b64encode(f"{USER}:{SECRETS['docker auth']}".encode()).decode()
        (project.home / ".docker").mkdir()
        (project.home / ".docker/config.json").write_text(json.dumps({"auths": {registry.host: {"auth": packed}}}))
        registry.fault = lambda asked: _guarded(registry, asked)
        yield Scene(project=project.with_settings(**environment(internal, default)), registry=registry)


def _guarded(registry: SmallRegistry, asked: Asked) -> Fault | None:
    """Ask for a token, give one for the password, and send who wants a layer to another place, which refuses."""
    sent = asked.headers.get("authorization", "")
    if asked.path == "/token":
        basic = "Basic " + base64.b64encode(f"{USER}:{SECRETS['docker auth']}".encode()).decode()
        token = json.dumps({"token": SECRETS["bearer token"]}).encode()
        return Fault(status=200, body=token) if sent == basic else Fault(status=401, body=sent.encode())
    if asked.path == "/elsewhere":
        return Fault(status=403, body=json.dumps({"errors": [{"code": "DENIED", "message": str(asked)}]}).encode())
    if sent != f"Bearer {SECRETS['bearer token']}":
        realm = f'Bearer realm="http://{registry.host}/token",service="x"'
        return Fault(status=401, headers={"WWW-Authenticate": realm}, body=sent.encode())
    if asked.method == "GET" and "/blobs/" in asked.path:
        signed = f"http://{registry.host}/elsewhere?X-Amz-Signature={SECRETS['redirect']}"
        return Fault(status=307, headers={"Location": signed})
    return None


def test_no_secret_is_in_anything_that_is_written_or_said(scene: Scene) -> None:
    folder = scene.project.folder
    scene.run("ledger", "init", "--origin", "example.org/airflow")
    with contextlib.closing(sqlite3.connect(folder / "ledger.db")) as reader:
        # While somebody reads, the write-ahead log stays.
        reader.execute("SELECT count(*) FROM entries").fetchone()
        _lock(scene)
        _build_and_record(scene)
        reference = _ship(scene)
        _sign(scene, reference)
        _serve(scene)
        _end_a_day(scene)
        _be_refused(scene)
        assert (folder / "ledger.db-wal").stat().st_size
        found = {(kind, where) for where, data in _written(scene) for kind in _kinds_in(data)}
    assert found == set()
    # It did look: what is no secret is found in the same places.
    places = [where for where, data in _written(scene) if b"alpha" in data or b"Traceback" in data]
    for part in ("pylock.", "ledger.db", "snapshots.db", "registry", "said", "sbom.json", "pack.tar", "blobs/sha256"):
        assert any(part in where for where in places), part
    assert len(scene.said) == 31


def _lock(scene: Scene) -> None:
    scene.run("--debug", "lock", STACK)
    assert len(scene.project.lock.candidates) == 3
    for form in ("pylock", "requirements", "cyclonedx"):
        output = scene.project.folder / ("sbom.json" if form == "cyclonedx" else f"export.{form}")
        scene.run("lock", "export", STACK, "--format", form, "-o", output)
    scene.run("snapshot", "pack", scene.project.snapshots()[0]["id"], scene.project.folder / "pack.tar")
    scene.run("outdated", STACK)
    # The wheels come from the loopback, the debs by a proxy that is not there.
    proxy = f"http://me:{SECRETS['proxy']}@127.0.0.1:1"
    near = {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": "127.0.0.1,localhost"}
    scene.run("--debug", "fetch", STACK, status=4, settings=near)
    scene.run("--debug", "lock", STACK, "--refresh", status=4, http_proxy=proxy)
    (scene.project.home / ".netrc").write_text(f"machine localhost login me password {SECRETS['netrc']}-changed\n")
    scene.run("--debug", "lock", STACK, "--refresh", status=4)


def _build_and_record(scene: Scene) -> None:
    """Build a made-up stack with the same environment; its locks and blobs are in the project, its events in the ledger."""
    argv = [sys.executable, "-m", "tests.support.build_and_record", str(scene.project.folder)]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(scene.project.home), **scene.project.settings}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    scene.said.append(done.stdout + done.stderr)


def _ship(scene: Scene) -> str:
    folder = scene.project.folder
    (folder / "stacks/tiny").mkdir()
    (folder / "stacks/tiny/stack.toml").write_text("")
    repository = f"{scene.registry.host}/team/airflow"
    scene.run("--debug", "keygen", folder / "k")
    pushed = scene.run("--debug", "push", repository, "tiny", "--layout", folder / "1.0", "--json")
    scene.run("--debug", "pull", f"{repository}:tiny", "-o", scene.root / "pulled", status=4)
    digest = json.loads(pushed.stdout)["digest"]
    return f"{repository}@{digest}"


def _sign(scene: Scene, reference: str) -> None:
    key = ("--key", scene.project.folder / "k.key")
    scene.registry.fault = lambda asked: None if "/blobs/" in asked.path else _guarded(scene.registry, asked)
    scene.run("--debug", "sign", reference, *key)
    for kind in ("provenance", "sbom-cyclonedx"):
        # Bills are made of the files themselves.
        store = str(scene.project.folder / "store")
        scene.run("--debug", "attest", reference, "--type", kind, *key, AIRFLOW_KUBLER_CACHE=store)
    scene.run("--debug", "sign", reference, "--key", "env:SIGNING_KEY", status=3)
    (scene.root / "broken.key").write_text(PEM[:150])
    scene.run("--debug", "sign", reference, "--key", scene.root / "broken.key", status=3)
    scene.run("--debug", "sign", reference, *key, status=3, AIRFLOW_KUBLER_KEY_PASSWORD=SECRETS["key password"] + "-no")


def _serve(scene: Scene) -> None:
    """Record by way of the service, and be refused by it."""
    ledger = scene.project.folder / "ledger.db"
    (ledger.parent / "token").write_text(SECRETS["service token"])
    row = f'[tokens.ci]\nsha256 = "{hash_token(SECRETS["service token"])}"\nmay = ["read", "write"]\n'
    (ledger.parent / "tokens.toml").write_text(row)
    digest = json.loads((scene.project.folder / "1.0/index.json").read_bytes())["manifests"][0]["digest"]
    with serve_workers(ledger) as served:
        for token, status in (("", 0), ("-changed", 4), (" \n", 0), ("\nhost: evil", 3)):
            known = replace(served, token=SECRETS["service token"] + token).environment
            scene.run("--debug", "record", "test", digest, "--name", "smoke", "--passed", status=status, settings=known)
        scene.run("--debug", "log", "tiny", settings=served.environment)


def _end_a_day(scene: Scene) -> None:
    """Write bills and evidence, and run a night whose index wants another password."""
    cache = str(scene.project.folder / "store")
    scene.run("--debug", "sbom", "tiny", "-o", scene.project.folder / "tiny.cdx.json", AIRFLOW_KUBLER_CACHE=cache)
    scene.run("--debug", "audit", "export", "--from", "2026-01-01", "--to", "2100-01-01", "-o", scene.root / "evidence")
    (scene.project.folder / "stacks/nightly.toml").write_text("[nightly]\nbases = false\ntests = false\n")
    shutil.rmtree(scene.project.folder / "stacks/tiny")
    scene.run("--debug", "nightly", STACK, status=1)


def _be_refused(scene: Scene) -> None:
    """Give secrets where they would stay: each is refused, and the error does not repeat it."""
    scene.project.ask_for(f"alpha @ https://me:{SECRETS['stack']}@files.example/alpha-1.0-py3-none-any.whl")
    scene.run("--debug", "lock", STACK, status=3)
    (scene.project.folder / "stacks/bases/derived.toml").write_text(
        'description = "x"\n[dockerfile]\nfile = "Dockerfile.base"\nbase = "trixie"\n'
        f'[dockerfile.args]\nTOKEN = "{SECRETS["build argument"]}"\n'
    )
    scene.run("--debug", "lock", "--base", "derived", status=3)
    report = scene.root / "report.json"
    report.write_text(json.dumps({"found": SECRETS["scan report"]}))
    digest = json.loads((scene.project.folder / "1.0/index.json").read_bytes())["manifests"][0]["digest"]
    scene.run("--debug", "record", "scan", digest, "--result", "clean", "--report", report, status=3)


def _written(scene: Scene) -> Iterator[tuple[str, bytes]]:
    """List every file that was written, and what was said and sent, each as it is and unpacked."""
    for path in scene.root.rglob("*"):
        if path.is_file() and path.name not in GIVEN_IN:
            yield from _unpacked(str(path), path.read_bytes())
            if path.suffix == ".db":
                yield str(path), _values(path)
    state = scene.registry.state
    blobs = [*state.blobs.values(), *(data for data, _ in state.manifests.values())]
    for data in (*blobs, dump_json(sorted(map(str, state.tags)))):
        yield from _unpacked("registry", data)
    yield "said", "\n".join(scene.said).encode()


def _unpacked(where: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    yield where, data
    with contextlib.suppress(zstandard.ZstdError, OSError, EOFError, zlib.error):
        if data.startswith(zstandard.FRAME_HEADER):
            yield where, zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
        elif data.startswith(b"\x1f\x8b"):
            yield where, gzip.decompress(data)


def _values(path: Path) -> bytes:
    with contextlib.closing(sqlite3.connect(path)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        values = [value for table in tables for row in database.execute(f'SELECT * FROM "{table}"') for value in row]
    texts = (value.encode() if isinstance(value, str) else value for value in values if isinstance(value, str | bytes))
    return b"\n".join(part for text in texts for _, part in _unpacked("", text))


def _kinds_in(data: bytes) -> Iterator[str]:
    for kind, secret in SECRETS.items():
        user = USER if kind == "docker auth" else "me"
        forms = (secret, quote(secret, safe=""), base64.b64encode(f"{user}:{secret}".encode()).decode())
        if any(form.encode() in data for form in (*forms, base64.b64encode(secret.encode()).decode().rstrip("="))):
            yield kind
