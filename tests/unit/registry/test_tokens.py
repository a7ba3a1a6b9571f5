from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from builder.registry.answers import RegistryTroubleError
from builder.registry.credentials import Credential
from builder.registry.settings import HostSettings, RegistrySettings
from builder.registry.tokens import Tokens

HOST = "r.example.org"
SCOPES = frozenset({"repository:a:pull"})


def word(text: str) -> str:
    """Say that a literal is nobody's secret."""
    return text


class Service:
    def __init__(self, credential: Credential | None, *, token_hosts: tuple[str, ...] = ()) -> None:
        self.asked: list[tuple[str, str, Mapping[str, str], bytes | None]] = []
        self.credential = credential
        self.time = 0.0
        self.outside = False
        self.status = 200
        self.body = '{"token": "t%d", "expires_in": 100}'
        settings = RegistrySettings(hosts={HOST: HostSettings(token_hosts=token_hosts)})
        self.tokens = Tokens(self, settings, self.fetch, now=lambda: self.time)

    def find(self, registry: str) -> Credential | None:
        assert registry == HOST
        return self.credential

    def fetch(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, outside: bool
    ) -> tuple[int, bytes]:
        self.asked.append((method, url, headers, body))
        self.outside = outside
        return self.status, (self.body % len(self.asked) if "%" in self.body else self.body).encode()

    def answer(self, realm: str, refused: str | None = None) -> str | None:
        return self.tokens.answer(HOST, SCOPES, f'Bearer realm="{realm}",service="s"', refused)


PASSWORD = Credential(user="u", secret=word("p"))


def test_nothing_is_sent_before_it_is_asked_for() -> None:
    service = Service(PASSWORD)
    assert service.tokens.header(HOST, SCOPES) is None
    assert not service.asked


def test_token_is_kept_by_scope_and_got_anew_before_it_ends() -> None:
    service = Service(PASSWORD)
    assert service.answer(f"https://{HOST}/token") == "Bearer t1"
    service.time = 79
    assert service.tokens.header(HOST, SCOPES) == "Bearer t1"
    assert service.tokens.header(HOST, frozenset({"repository:b:pull"})) == "Bearer t2"
    service.time = 81
    assert service.tokens.header(HOST, SCOPES) == "Bearer t3"
    assert service.asked[0][:2] == ("GET", f"https://{HOST}/token?service=s&scope=repository%3Aa%3Apull")


def test_token_refused_meanwhile_is_got_anew() -> None:
    service = Service(PASSWORD)
    first = service.answer(f"https://{HOST}/token")
    assert service.answer(f"https://{HOST}/token", first) == "Bearer t2"
    assert service.answer(f"https://{HOST}/token", first) == "Bearer t2"


@pytest.mark.parametrize(
    "realm",
    [
        "http://r.example.org/token",
        "https://evil.example.com/token",
        "https://r.example.org@evil.example.com/token",
        "https://r.example.org.evil.example.com/",
        "http://127.0.0.1/token",
        "file:///etc/passwd",
        "//r.example.org/token",
        "https://[",
    ],
)
def test_password_is_not_sent_there(realm: str) -> None:
    service = Service(PASSWORD)
    with pytest.raises(RegistryTroubleError) as caught:
        service.answer(realm)
    assert not service.asked
    assert HOST in str(caught.value)
    assert caught.value.hint


def test_listed_token_service_gets_the_password() -> None:
    service = Service(PASSWORD, token_hosts=("auth.example.org",))
    assert service.answer("https://auth.example.org/token") == "Bearer t1"
    assert "authorization" in service.asked[0][2]


def test_anybody_may_ask_another_host_over_tls_without_a_password() -> None:
    service = Service(None)
    assert service.answer("https://auth.example.com/token") == "Bearer t1"
    assert service.asked[0][2] == {}


@pytest.mark.parametrize("realm", ["https://127.0.0.1/token", "https://[::1]:8443/token", "https://169.254.169.254/"])
def test_registry_out_there_names_no_token_service_in_this_machine(realm: str) -> None:
    service = Service(None)
    with pytest.raises(RegistryTroubleError, match="in this machine") as caught:
        service.answer(realm)
    assert "token-hosts" in caught.value.hint
    assert not service.asked


def test_name_of_a_token_service_elsewhere_may_not_turn_out_to_be_this_machine_unless_it_is_listed() -> None:
    service = Service(None, token_hosts=("auth.example.org",))
    for host, outside in ((HOST, False), ("auth.example.org", False), ("auth.example.com", True)):
        service.answer(f"https://{host}/token", service.tokens.header(HOST, SCOPES))
        assert service.outside is outside


def test_identity_token_is_exchanged_by_post() -> None:
    service = Service(Credential(user="<token>", secret=word("it"), is_identity_token=True))
    service.answer(f"https://{HOST}/token")
    method, url, _, body = service.asked[0]
    assert (method, url) == ("POST", f"https://{HOST}/token")
    assert b"refresh_token=it" in (body or b"")


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"token": "a\\nb"}', '{"token": 1}', "<html>", f'{{"token": "{"x" * 65537}"}}']
)
def test_token_that_cannot_be_read_is_refused(body: str) -> None:
    service = Service(None)
    service.body = body
    with pytest.raises(RegistryTroubleError, match="no token"):
        service.answer(f"https://{HOST}/token")


def test_service_that_repeats_what_it_was_sent_is_told_without_it() -> None:
    secret = word("correct-horse")
    service = Service(Credential(user="u", secret=secret))
    basic = service.credential.basic().partition(" ")[2] if service.credential else ""
    service.status = 403
    long = "x" * 290
    service.body = json.dumps(
        {"errors": [{"code": "DENIED", "message": f"{basic} is {secret}"}, {"message": long + basic}]}
    )
    with pytest.raises(RegistryTroubleError, match=r"DENIED: \*\*\* is \*\*\*") as caught:
        service.answer(f"https://{HOST}/token")
    assert secret not in str(caught.value)
    assert basic[:5] not in str(caught.value)


def test_token_is_hidden_wherever_it_is_repeated() -> None:
    service = Service(None)
    service.body = json.dumps({"token": "t0k3n"})
    service.answer(f"https://{HOST}/token")
    assert service.tokens.hide("Bearer t0k3n is not welcome") == "Bearer *** is not welcome"


def test_fragment_of_a_realm_does_not_swallow_the_question() -> None:
    service = Service(None)
    service.answer(f"https://{HOST}/token#x")
    assert service.asked[0][1].startswith(f"https://{HOST}/token?service=s&scope=")


def test_basic_is_answered_only_with_a_password() -> None:
    assert Service(None).tokens.answer(HOST, SCOPES, "Basic", None) is None
    assert Service(PASSWORD).tokens.answer(HOST, SCOPES, "Basic", None) == PASSWORD.basic()
    assert Service(PASSWORD).tokens.answer(HOST, SCOPES, "Basic", PASSWORD.basic()) is None


def test_token_that_is_said_to_live_for_ages_is_got_anew_after_a_day() -> None:
    service = Service(None)
    service.body = '{"token": "t", "expires_in": 1' + "0" * 400 + "}"
    assert service.answer(f"https://{HOST}/token") == "Bearer t"
    service.time = 86401
    service.tokens.header(HOST, SCOPES)
    assert len(service.asked) == 2
