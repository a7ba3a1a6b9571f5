"""Real docker-registries over TLS: certificates, passwords by bcrypt, a token service, a credential helper."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.registry.answers import RegistryTroubleError
from builder.registry.client import HttpRegistry, open_registry
from builder.registry.credentials import UserCredentials
from builder.registry.model import Repository, parse_repository
from builder.registry.settings import load_registry_settings
from builder.registry.shipment import collect
from builder.registry.transfer import plan_push, push
from tests.support.registries import SmallRegistry
from tests.support.registry_images import Memory, noise
from tests.support.secure_registries import (
    BASIC,
    HTPASSWD,
    SECRET,
    USER,
    Certificate,
    TokenService,
    make_authority,
    make_certificate,
    secure_registry,
)
from tests.support.tools import ROOT

pytestmark = [pytest.mark.tools]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture(scope="module")
def stranger(authority: Certificate) -> Certificate:
    """An authority that nobody trusts."""
    return make_authority(authority.file.parent, "stranger")


@pytest.fixture(scope="module")
def certificate(authority: Certificate) -> Certificate:
    return make_certificate(authority, "server", alternative="IP:127.0.0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A home folder with settings and credentials."""

    home: Path

    def trusts(self, authority: Certificate, *hosts: str, token_hosts: tuple[str, ...] = ()) -> None:
        folder = self.home / ".config/airflow-kubler"
        folder.mkdir(parents=True, exist_ok=True)
        more = f"token-hosts = {list(token_hosts)}\n"
        tables = (f'[registries."{host}"]\ncertificate = "{authority.file}"\n{more}' for host in hosts)
        (folder / "config.toml").write_text("".join(tables))

    def has(self, config: Mapping[str, object]) -> None:
        (self.home / ".docker").mkdir(exist_ok=True)
        (self.home / ".docker/config.json").write_text(json.dumps(config))

    def knows_the_secret_of(self, host: str) -> None:
        self.has({"auths": {host: {"auth": base64.b64encode(f"{USER}:{SECRET}".encode()).decode()}}})

    def client(self) -> Iterator[HttpRegistry]:
        settings = load_registry_settings(self.home / ".config/airflow-kubler/config.toml")
        with open_registry(settings, UserCredentials({}, self.home)) as registry:
            yield registry

    def runs(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "DOCKER_", "REGISTRY_"))
        }
        return subprocess.run(
            [sys.executable, "-m", "builder", *map(str, words)],
            env={**kept, "HOME": str(self.home), "PATH": f"{self.home}/bin{os.pathsep}{kept['PATH']}"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def user(tmp_path: Path) -> User:
    (tmp_path / "home").mkdir()
    return User(home=tmp_path / "home")


def send(user: User, repository: Repository) -> str:
    memory = Memory()
    image = memory.add_image(noise(5 << 20), noise(10))
    for registry in user.client():
        push(registry, plan_push(registry, repository, collect(image, memory), ("t",)), memory)
    return str(image.digest)


def test_registry_of_an_own_authority_is_trusted_by_its_setting(
    user: User, authority: Certificate, certificate: Certificate, tmp_path: Path
) -> None:
    with secure_registry(tmp_path, certificate) as served:
        user.trusts(authority, served.host)
        digest = send(user, parse_repository(f"{served.host}/a"))
        pulled = user.runs("pull", f"{served.host}/a:t", "-o", tmp_path / "pulled", "--json")
        assert pulled.returncode == 0, pulled.stderr
        assert json.loads(pulled.stdout)["digest"] == digest


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("unknown", "unable to get local issuer certificate"),
        ("system", "certificate"),
        ("elsewhere", "IP address mismatch"),
        ("over", "certificate has expired"),
    ],
)
def test_wrong_certificate_is_named_and_nothing_is_sent(
    user: User, authority: Certificate, stranger: Certificate, tmp_path: Path, case: str, says: str
) -> None:
    days, alternative = -1 if case == "over" else 2, "DNS:elsewhere.example" if case == "elsewhere" else "IP:127.0.0.1"
    certificate = make_certificate(authority, case, alternative=alternative, days=days)
    with secure_registry(tmp_path, certificate) as served:
        user.knows_the_secret_of(served.host)
        user.trusts(stranger if case == "unknown" else authority, served.host)
        if case == "system":
            config = f'[registries."{served.host}"]\ninsecure = false\n'
            (user.home / ".config/airflow-kubler/config.toml").write_text(config)
        with pytest.raises(RegistryTroubleError, match=says) as caught:
            send(user, parse_repository(f"{served.host}/a"))
        assert served.host in str(caught.value)
        assert "certificate" in caught.value.hint
        assert not served.was_asked
        told = user.runs("ls", f"{served.host}/a")
        assert told.returncode == 4
        assert says in told.stderr
        assert SECRET not in told.stderr + told.stdout
        assert not served.was_asked


@pytest.fixture
def htpasswd(tmp_path: Path) -> str:
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    return f"{{htpasswd: {{realm: basic, path: {tmp_path}/htpasswd}}}}"


def test_password_by_bcrypt_lets_in_and_is_never_printed(
    user: User, authority: Certificate, certificate: Certificate, tmp_path: Path, htpasswd: str
) -> None:
    with secure_registry(tmp_path, certificate, htpasswd) as served:
        user.trusts(authority, served.host)
        asked = user.runs("ls", f"{served.host}/a")
        assert asked.returncode == 4
        assert "asks to log in" in asked.stderr
        user.has({"auths": {served.host: {"username": USER, "password": SECRET + "-wrong"}}})
        refused = user.runs("ls", f"{served.host}/a")
        assert refused.returncode == 4
        assert "refuses the credentials" in refused.stderr
        user.knows_the_secret_of(served.host)
        send(user, parse_repository(f"{served.host}/a"))
        let_in = user.runs("ls", f"{served.host}/a")
        assert let_in.returncode == 0, let_in.stderr
    said = "".join(done.stdout + done.stderr for done in (asked, refused, let_in))
    assert SECRET not in said
    assert BASIC.partition(" ")[2] not in said
    assert SECRET not in served.log.read_text()


def test_credential_helper_is_asked_for_its_host_alone(
    user: User, authority: Certificate, certificate: Certificate, tmp_path: Path, htpasswd: str
) -> None:
    (user.home / "bin").mkdir()
    program = user.home / "bin/docker-credential-kept"
    program.write_text(
        "#!/bin/sh\nread -r host\n"
        f'echo "$1 $host" >>{user.home}/asked\n'
        f'echo \'{{"ServerURL":"x","Username":"{USER}","Secret":"{SECRET}"}}\'\n'
    )
    program.chmod(0o755)
    with secure_registry(tmp_path, certificate, htpasswd) as served, SmallRegistry() as other:
        user.trusts(authority, served.host)
        user.knows_the_secret_of(served.host)
        digest = send(user, parse_repository(f"{served.host}/a"))
        user.has({"credHelpers": {served.host: "kept"}})
        pulled = user.runs("pull", f"{served.host}/a:t", "-o", tmp_path / "pulled", "--json")
        assert pulled.returncode == 0, pulled.stderr
        assert json.loads(pulled.stdout)["digest"] == digest
        assert (user.home / "asked").read_text() == f"get {served.host}\n"
        assert user.runs("ls", f"{other.host}/a").returncode == 1
        assert other.asked
        assert all("authorization" not in asked.headers for asked in other.asked)
        assert (user.home / "asked").read_text().count("\n") == 1
        program.write_text(f"#!/bin/sh\necho '{SECRET} is broken'\necho {SECRET} >&2\nexit 3\n")
        failed = user.runs("ls", f"{served.host}/a")
    assert failed.returncode == 4
    assert "docker-credential-kept" in failed.stderr
    assert SECRET not in failed.stderr + failed.stdout + pulled.stderr + pulled.stdout


def test_token_service_is_asked_with_the_password_and_the_registry_takes_its_tokens(
    user: User, authority: Certificate, certificate: Certificate, tmp_path: Path
) -> None:
    with (
        TokenService(certificate, authority) as service,
        secure_registry(tmp_path, certificate, service.auth()) as served,
    ):
        # Both are behind the same authority; each host has its own entry.
        user.trusts(authority, served.host, f"127.0.0.1:{service.port}")
        user.knows_the_secret_of(served.host)
        digest = send(user, parse_repository(f"{served.host}/team/a"))
        scopes = [query["scope"] for query, _ in service.asked]
        pulled = user.runs("pull", f"{served.host}/team/a:t", "-o", tmp_path / "pulled", "--json")
        assert pulled.returncode == 0, pulled.stderr
        assert json.loads(pulled.stdout)["digest"] == digest
        assert {given for _, given in service.asked} == {BASIC}
        assert sorted(map(tuple, scopes)) == [("repository:team/a:pull",), ("repository:team/a:pull,push",)]
        user.has({"auths": {served.host: {"username": USER, "password": "wrong"}}})
        refused = user.runs("ls", f"{served.host}/team/a")
        assert refused.returncode == 4
        assert "its token service answers HTTP 401" in refused.stderr
    assert SECRET not in pulled.stdout + pulled.stderr + refused.stdout + refused.stderr
    assert SECRET not in served.log.read_text()


def test_token_service_elsewhere_gets_no_password_unless_listed(
    user: User, authority: Certificate, certificate: Certificate, tmp_path: Path
) -> None:
    both = make_certificate(authority, "both", alternative="DNS:localhost")
    with (
        TokenService(both, authority) as service,
        secure_registry(tmp_path, certificate, service.auth("localhost")) as served,
    ):
        elsewhere = f"localhost:{service.port}"
        user.trusts(authority, served.host, elsewhere)
        user.knows_the_secret_of(served.host)
        refused = user.runs("ls", f"{served.host}/a")
        assert refused.returncode == 4
        assert f"your password to be sent to {elsewhere}" in refused.stderr
        assert SECRET not in refused.stderr
        assert service.asked == []
        user.trusts(authority, served.host, elsewhere, token_hosts=(elsewhere,))
        send(user, parse_repository(f"{served.host}/a"))
        assert {given for _, given in service.asked} == {BASIC}
