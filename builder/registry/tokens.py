"""The Authorization header for each question to a registry: basic, or a bearer token of the registry's token service.

Rules:
- Nothing is sent before a registry asks for it.
- A token service gets a password only if it is the registry's own host over TLS, or one that the user's settings list.
  Over plain http it is asked only where the registry itself is, and never at another host or port that is not listed.
- A registry out there names no token service in this machine, unless the settings list it.
- Tokens are kept by registry and scope, in memory only, and got anew before they end.

Source: distribution, "Token Authentication Specification" and "OAuth2 Token Authentication".
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlencode, urlsplit

from builder.registry.answers import RegistryTroubleError, hint_of_connection, parse_details, say
from builder.registry.challenge import Challenge, parse_challenges
from builder.registry.credentials import Credential, Credentials
from builder.registry.inside import is_inside
from builder.registry.settings import RegistrySettings, is_loopback
from builder.store.transport import TransportError, origin, shown

_LEAST_LIFE_S: Final = 60
"""What a token lives where the service does not say."""
_LONGEST_LIFE_S: Final = 86400
"""What a token lives at the most, whatever the service says: it may say any number."""
_EARLY: Final = 0.8
"""The part of a token's life after which it is got anew."""
_SENDABLE: Final = re.compile(r"[\x21-\x7e]{1,65536}\Z")
_SHORTEST_SECRET: Final = 4
"""Of less, hiding it would take letters out of everything."""
_CLIENT: Final = "airflow-kubler"


class Fetch(Protocol):
    """What asks a token service."""

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, outside: bool
    ) -> tuple[int, bytes]:
        """Give status and body; follows no redirect, raises TransportError, as where it is to be outside and is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How a registry lets in: by basic authentication where there is no realm."""

    realm: str = ""
    service: str = ""
    scopes: frozenset[str] = frozenset()
    """Asked for by the registry beyond ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    header: str = field(repr=False)
    ends_at: float


class Tokens:
    """Makes Authorization headers. Safe to use from several threads.

    Args:
        credentials: of the user.
        settings: which hosts may be asked, and how.
        fetch: asks token services.
        now: seconds on a clock that only goes forward.
    """

    def __init__(
        self,
        credentials: Credentials,
        settings: RegistrySettings,
        fetch: Fetch,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._credentials = credentials
        self._settings = settings
        self._fetch = fetch
        self._now = now
        self._lock = threading.Lock()
        self._ways: dict[str, _Way] = {}
        self._tokens: dict[tuple[str, frozenset[str]], _Token] = {}
        self._secrets: frozenset[str] = frozenset()

    def header(self, registry: str, scopes: frozenset[str]) -> str | None:
        """Give the header for a question; None where the registry has not asked for any yet."""
        with self._lock:
            way = self._ways.get(registry)
            return None if way is None else self._by(way, registry, scopes)

    def answer(self, registry: str, scopes: frozenset[str], asked: str, refused: str | None) -> str | None:
        """Give the header that answers a 401.

        Args:
            registry: who asks.
            scopes: what is to be done there.
            asked: its WWW-Authenticate header.
            refused: the header that was sent.

        Returns:
            None where there is none that was not refused.

        Raises:
            RegistryTroubleError: the token service must not be asked, refused or failed.
        """
        with self._lock:
            kept = self._tokens.get((registry, scopes))
            if kept is not None and kept.header != refused:
                return kept.header
            way = self._choose(registry, parse_challenges(asked))
            if way is None:
                return None
            self._tokens.pop((registry, scopes), None)
            self._ways[registry] = way
            header = self._by(way, registry, scopes)
            return None if header == refused else header

    def hide(self, text: str) -> str:
        """Take out of a text what has been sent to let us in: whoever got it may repeat it."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _remember(self, *secrets: str) -> None:
        # A new set each time: others may be going through the old one.
        self._secrets = self._secrets.union(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)

    def _choose(self, registry: str, challenges: tuple[Challenge, ...]) -> _Way | None:
        for challenge in challenges:
            if challenge.scheme == "bearer" and (realm := challenge.parameters.get("realm")):
                extra = frozenset(challenge.parameters.get("scope", "").split())
                return _Way(
                    realm=realm.partition("#")[0], service=challenge.parameters.get("service", ""), scopes=extra
                )
        if any(challenge.scheme == "basic" for challenge in challenges) and self._credentials.find(registry):
            return _Way()
        return None

    def _by(self, way: _Way, registry: str, scopes: frozenset[str]) -> str | None:
        if not way.realm:
            credential = self._credential(registry)
            return credential.basic() if credential else None
        kept = self._tokens.get((registry, scopes))
        if kept is None or self._now() >= kept.ends_at:
            kept = self._ask(way, registry, scopes)
            self._tokens[registry, scopes] = kept
        return kept.header

    def _credential(self, registry: str) -> Credential | None:
        found = self._credentials.find(registry)
        if found is not None:
            self._remember(found.basic().partition(" ")[2], found.secret)
        return found

    def _ask(self, way: _Way, registry: str, scopes: frozenset[str]) -> _Token:
        """Ask a token service for a token of some scopes."""
        credential = self._credential(registry)
        outside = self._check_realm(way.realm, registry, with_password=credential is not None)
        wanted = sorted(scopes or way.scopes)
        try:
            if credential is not None and credential.is_identity_token:
                status, body = self._by_refresh(way, wanted, credential, outside=outside)
            else:
                query = [*([("service", way.service)] if way.service else []), *(("scope", scope) for scope in wanted)]
                joined = "&" if urlsplit(way.realm).query else "?"
                headers = {"authorization": credential.basic()} if credential else {}
                status, body = self._fetch(
                    "GET", f"{way.realm}{joined}{urlencode(query)}", headers, None, outside=outside
                )
        except TransportError as error:
            raise RegistryTroubleError(
                f"its token service gives no answer: {error.message}",
                registry=registry,
                context=f"{registry}: {shown(way.realm)}",
                temporary=error.temporary,
                hint=hint_of_connection(error.message, urlsplit(way.realm).netloc),
            ) from error
        if status != 200:
            raise RegistryTroubleError(
                f"its token service answers {say(status, parse_details(body, self.hide))}",
                registry=registry,
                context=f"{registry}: {shown(way.realm)}",
                status=status,
                temporary=status == 429 or status >= 500,
            )
        return self._read(body, registry, way)

    def _by_refresh(self, way: _Way, wanted: list[str], credential: Credential, *, outside: bool) -> tuple[int, bytes]:
        form = {
            "grant_type": "refresh_token",
            "service": way.service,
            "client_id": _CLIENT,
            "scope": " ".join(wanted),
            "refresh_token": credential.secret,
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return self._fetch("POST", way.realm, headers, urlencode(form).encode(), outside=outside)

    def _read(self, body: bytes, registry: str, way: _Way) -> _Token:
        try:
            value = json.loads(body)
            text = value.get("token") or value.get("access_token")
            life = value.get("expires_in")
        except (ValueError, AttributeError, RecursionError):
            text = life = None
        if not isinstance(text, str) or not _SENDABLE.match(text):
            raise RegistryTroubleError(
                "its token service gives no token that can be read",
                registry=registry,
                context=f"{registry}: {shown(way.realm)}",
                hint=f"ask whoever runs {registry}",
            ) from None
        self._remember(text)
        seconds = life if isinstance(life, int | float) and not isinstance(life, bool) and life > 0 else _LEAST_LIFE_S
        return _Token(header=f"Bearer {text}", ends_at=self._now() + min(seconds, _LONGEST_LIFE_S) * _EARLY)

    def _check_realm(self, realm: str, registry: str, *, with_password: bool) -> bool:
        """Refuse a token service that must not be asked; tells whether its name must not turn out to be this machine."""
        try:
            scheme, host, port = origin(realm)
            own = origin(self._settings.address(registry))
        except TransportError as error:
            raise self._refusal(realm, registry, "its token service has no address") from error
        if scheme not in {"http", "https"} or not host or "@" in urlsplit(realm).netloc:
            raise self._refusal(realm, registry, "its token service has no address")
        netloc = urlsplit(realm).netloc.lower()
        listed = not {host, netloc}.isdisjoint(self._settings.token_hosts(registry))
        if scheme == "http" and not (
            own[0] == "http" and ((host, port) == own[1:] or (listed and self._settings.is_plain(netloc)))
        ):
            raise self._refusal(realm, registry, "it wants a token to be got over plain http")
        if with_password and scheme == "https" and host != own[1] and not listed:
            raise self._refusal(realm, registry, f"it wants your password to be sent to {netloc}")
        outside = not (listed or host == own[1] or is_loopback(registry))
        if outside and is_inside(host):
            raise self._refusal(realm, registry, f"it wants a token to be got at {netloc}, in this machine")
        return outside

    @staticmethod
    def _refusal(realm: str, registry: str, message: str) -> RegistryTroubleError:
        # Not parsed: it may be no address at all.
        netloc = shown(realm).partition("://")[2].partition("/")[0]
        listed = f'[registries."{registry}"] token-hosts = ["{netloc}"]'
        return RegistryTroubleError(
            message,
            registry=registry,
            context=f"{registry}: {shown(realm)[:300]}",
            status=401,
            hint=f"if that is right, list it in config.toml: {listed}" if netloc else f"ask whoever runs {registry}",
        )
