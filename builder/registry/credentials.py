"""Whose password a registry gets: found in the places where docker, podman and their helpers keep them.

In this order, the first that has one for the host counts: given explicitly, `credHelpers` of docker's config, its
`credsStore`, its `auths`, `auths` of `$REGISTRY_AUTH_FILE`. Secrets stand in no message and no repr.

Source: docker's config.json; docker-credential-helpers, "Development"; containers-auth.json(5).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from builder.errors import InvalidInputError, ToolError
from builder.registry.settings import DOCKER_HUB

_HUB_KEY: Final = "https://index.docker.io/v1/"
_HELPER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_HELPER_TIMEOUT_S: Final = 60
"""A helper may ask a cloud for a token, or a person for a key."""
_IDENTITY_USER: Final = "<token>"
_LARGEST_FILE: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A user's password for one registry, or a token that stands for it."""

    user: str
    secret: str = field(repr=False)
    is_identity_token: bool = False
    """The secret is no password but a token that others are got with."""

    def basic(self) -> str:
        """Write the Authorization header of basic authentication."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


class Credentials(Protocol):
    """What knows credentials."""

    def find(self, registry: str) -> Credential | None:
        """Find the credential for a host; None to ask without."""


RunHelper = Callable[[str, str], tuple[int, str]]
"""Given a helper's program and a host, gives its exit status and what it wrote."""


class UserCredentials:
    """The credentials of a user on this machine; each host is looked up once.

    Args:
        variables: the environment.
        home: the user's home folder.
        explicit: by registry, before all others.
        run_helper: starts helpers.
        warn: is told once of a password that lies in plain text.
    """

    def __init__(
        self,
        variables: Mapping[str, str],
        home: Path,
        *,
        explicit: Mapping[str, Credential] | None = None,
        run_helper: RunHelper | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._docker = Path(variables.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
        named = variables.get("REGISTRY_AUTH_FILE")
        self._other = Path(named) if named else None
        self._explicit = dict(explicit or {})
        self._run_helper = run_helper or _run_helper
        self._warn = warn
        self._lock = threading.Lock()
        self._found: dict[str, Credential | None] = {}

    def find(self, registry: str) -> Credential | None:
        """Find the credential for a host.

        Raises:
            InvalidInputError: a file of credentials cannot be read.
            ToolError: a helper that is named for the host is missing or failed.
        """
        with self._lock:
            if registry not in self._found:
                self._found[registry] = self._explicit.get(registry) or self._look_up(registry)
            return self._found[registry]

    def _look_up(self, registry: str) -> Credential | None:
        config = _read(self._docker)
        key = _HUB_KEY if registry == DOCKER_HUB else registry
        named = _by_host(config.get("credHelpers"), registry)
        for helper in (named, config.get("credsStore")):
            if isinstance(helper, str) and helper and (found := self._ask_helper(helper, key)):
                return found
        for place, value in ((self._docker, config), (self._other, None)):
            if place is None:
                continue
            auths = (_read(place) if value is None else value).get("auths")
            if found := _from_auths(auths, registry, str(place)):
                self._warn(f"{place} keeps the password of {registry} in plain text: a credential helper would not")
                return found
        return None

    def _ask_helper(self, helper: str, key: str) -> Credential | None:
        if not _HELPER.match(helper):
            raise InvalidInputError(f"not the name of a credential helper: {helper[:80]!r}", context=str(self._docker))
        program = f"docker-credential-{helper}"
        hint = f"try `echo {key} | {program} get`, or take the helper out of {self._docker}"
        status, answer = self._run_helper(program, key)
        if status:
            if "credentials not found" in answer.lower():
                return None
            raise ToolError(f"gives no credential for {key}", argv=(program, "get"), exit_status=status, hint=hint)
        try:
            value = json.loads(answer)
            user, secret = value["Username"], value["Secret"]
        except (ValueError, LookupError, TypeError, RecursionError):
            user = secret = None
        if not isinstance(user, str) or not isinstance(secret, str):
            # Without its cause: that holds what the helper wrote.
            raise ToolError(f"gives no answer for {key} that can be read", argv=(program, "get"), hint=hint) from None
        if not secret:
            return None
        return Credential(user=user, secret=secret, is_identity_token=user == _IDENTITY_USER)


def _run_helper(program: str, key: str) -> tuple[int, str]:
    argv = (program, "get")
    hint = "install it, or take it out of docker's config.json"
    try:
        done = subprocess.run(
            argv, input=key, capture_output=True, text=True, timeout=_HELPER_TIMEOUT_S, check=False, errors="replace"
        )
    except FileNotFoundError:
        raise ToolError("the credential helper is not installed", argv=argv, hint=hint) from None
    except OSError as error:
        raise ToolError(f"the credential helper does not start: {error.strerror}", argv=argv, hint=hint) from error
    except subprocess.TimeoutExpired:
        raise ToolError(
            f"the credential helper gave no answer in {_HELPER_TIMEOUT_S} s", argv=argv, hint=hint
        ) from None
    return done.returncode, done.stdout


def _read(path: Path) -> Mapping[str, Any]:
    """Read a file of credentials; an absent one is empty. Errors do not quote it."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LARGEST_FILE + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InvalidInputError(f"cannot be read: {error.strerror}", context=str(path)) from error
    try:
        value = json.loads(raw) if len(raw) <= _LARGEST_FILE else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidInputError("is no JSON object of credentials", context=str(path), hint="log in again") from None
    return value


def _host_of(key: str) -> str:
    """Take the host out of a key, which may be an address: docker once wrote `https://host/v1/`."""
    host = re.sub(r"\Ahttps?://", "", key).partition("/")[0].lower()
    return DOCKER_HUB if host in {"index.docker.io", "registry-1.docker.io"} else host


def _by_host(table: Any, registry: str) -> Any:
    if not isinstance(table, dict):
        return None
    exact = table.get(registry)
    return exact if exact is not None else next((v for k, v in sorted(table.items()) if _host_of(k) == registry), None)


def _from_auths(auths: Any, registry: str, file: str) -> Credential | None:
    entry = _by_host(auths, registry)
    if not isinstance(entry, dict):
        return None
    if isinstance(token := entry.get("identitytoken"), str) and token:
        return Credential(user=_IDENTITY_USER, secret=token, is_identity_token=True)
    user, secret = entry.get("username"), entry.get("password")
    if isinstance(packed := entry.get("auth"), str) and packed:
        try:
            user, _, secret = base64.b64decode(packed, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidInputError(
                f"the entry of {registry} is no base64", context=f"{file}: auths", hint=f"log in to {registry} again"
            ) from None
        secret = secret.rstrip("\0")
    if isinstance(user, str) and isinstance(secret, str) and user:
        return Credential(user=user, secret=secret)
    return None
