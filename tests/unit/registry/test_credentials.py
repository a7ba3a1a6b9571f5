from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from builder.errors import BuilderError, InvalidInputError, ToolError
from builder.registry.credentials import Credential, UserCredentials

HOST = "r.example.org:5000"


def word(text: str) -> str:
    """Say that a literal is nobody's secret."""
    return text


def entry(secret: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"u:{secret}".encode()).decode()}


class Setting:
    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answers: dict[str, tuple[int, str]] = {}
        self.warnings: list[str] = []
        self.folder = folder

    def write(self, name: str, value: object) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return str(path)

    def run(self, program: str, key: str) -> tuple[int, str]:
        self.asked.append((program, key))
        return self.answers[program]

    def find(self, host: str = HOST, **more: str) -> Credential | None:
        variables = {"DOCKER_CONFIG": str(self.folder / "docker"), **more}
        reader = UserCredentials(variables, self.folder, run_helper=self.run, warn=self.warnings.append)
        return reader.find(host)


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path)


def secret_of(found: Credential | None) -> str | None:
    return found.secret if found else None


def helper(secret: str, user: str = "u") -> tuple[int, str]:
    return 0, json.dumps({"ServerURL": HOST, "Username": user, "Secret": secret})


NOT_FOUND = (1, "credentials not found in native keychain\n")


def test_sources_are_asked_in_order(setting: Setting) -> None:
    other = setting.write("other.json", {"auths": {HOST: entry("other")}})
    setting.write(
        "docker/config.json", {"credHelpers": {HOST: "own"}, "credsStore": "all", "auths": {HOST: entry("file")}}
    )
    setting.answers = {"docker-credential-own": helper("own"), "docker-credential-all": helper("all")}
    assert secret_of(setting.find(REGISTRY_AUTH_FILE=other)) == "own"
    setting.answers["docker-credential-own"] = NOT_FOUND
    assert secret_of(setting.find(REGISTRY_AUTH_FILE=other)) == "all"
    setting.answers["docker-credential-all"] = NOT_FOUND
    assert setting.warnings == []
    assert secret_of(setting.find(REGISTRY_AUTH_FILE=other)) == "file"
    assert "plain text" in setting.warnings[0]
    setting.write("docker/config.json", {})
    assert secret_of(setting.find(REGISTRY_AUTH_FILE=other)) == "other"
    assert setting.find() is None


def test_explicit_comes_first(tmp_path: Path) -> None:
    given = Credential(user="u", secret=word("given"))
    assert UserCredentials({}, tmp_path, explicit={HOST: given}).find(HOST) is given


def test_token_user_of_a_helper_means_an_identity_token(setting: Setting) -> None:
    setting.write("docker/config.json", {"credsStore": "all"})
    setting.answers = {"docker-credential-all": helper("t", "<token>")}
    found = setting.find()
    assert found is not None
    assert found.is_identity_token


def test_docker_io_is_known_by_its_old_address(setting: Setting) -> None:
    setting.write("docker/config.json", {"auths": {"https://index.docker.io/v1/": entry("hub")}})
    assert secret_of(setting.find("docker.io")) == "hub"
    assert setting.find("index.example.org") is None


@pytest.mark.parametrize("answer", [(2, "SECRET"), (0, "SECRET"), (0, '{"Username":"u","Secret":["SECRET"]}')])
def test_helper_that_fails_is_told_without_what_it_wrote(setting: Setting, answer: tuple[int, str]) -> None:
    setting.write("docker/config.json", {"credsStore": "all"})
    setting.answers = {"docker-credential-all": answer}
    with pytest.raises(ToolError) as caught:
        setting.find()
    assert "SECRET" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("value", ["SECRET", "[]", {"auths": {HOST: {"auth": "SECRET!"}}}, {"credsStore": "../SEC"}])
def test_broken_file_is_told_without_quoting_it(setting: Setting, value: object) -> None:
    setting.write("docker/config.json", value)
    with pytest.raises(InvalidInputError) as caught:
        setting.find()
    assert "SECRET" not in str(caught.value)


def test_missing_helper_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"credsStore": "not-on-this-machine"}')
    with pytest.raises(BuilderError, match="docker-credential-not-on-this-machine"):
        UserCredentials({"DOCKER_CONFIG": str(tmp_path)}, tmp_path).find(HOST)


def test_helper_is_run_by_its_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "docker-credential-fake"
    program.write_text('#!/bin/sh\n[ "$1" = get ] && printf \'{"Username":"u","Secret":"for %s"}\' "$(cat)"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {HOST: "fake"}}))
    assert secret_of(UserCredentials({"DOCKER_CONFIG": str(tmp_path)}, tmp_path).find(HOST)) == f"for {HOST}"


def test_repr_shows_no_secret() -> None:
    assert "hidden" not in repr(Credential(user="u", secret=word("hidden")))
