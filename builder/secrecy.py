"""Secrets in texts: known by what they look like, or by having been given. Pure.

Two uses, both at the edges:
- what people see and programs print goes through a `Redactor`, which masks;
- what is kept for ever (stacks, locks, files of images, the ledger) is refused by `find_secret`: a mask there would be a silent change.

What looks like a secret is a form that nothing else has: of entropy nothing is guessed, since digests have as much.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from builder.errors import SecretFoundError

MASK: Final = "***"
_SHORTEST: Final = 8
"""Characters of a given secret: shorter ones stand in too many other words."""
_NAMES: Final = re.compile(
    r"(?:PASSWORD|PASSWD|PASSPHRASE|TOKEN|SECRET|CREDENTIALS?|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)(?:_[A-Z0-9]+)?$",
    re.IGNORECASE,
)
"""Variables whose value is a secret, by the end of their name."""
_USER_INFO: Final = re.compile(r"(?<=://)[^\s/@:\"'<>]*:[^\s/@\"'<>]+(?=@)")
_FORMS: Final = (
    # Name, what a text must have at all (a form alone is slow to look for), the form.
    (
        "a private key",
        ("PRIVATE KEY-----",),
        # Line ends as they are, and as JSON and Python write them.
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?:\s|\\[nr]|[A-Za-z0-9+/=:,-]){40,}?(?:-----END[A-Z0-9 ]*-----|\Z)"
        ),
    ),
    ("an access key of AWS", ("AKIA", "ASIA"), re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    (
        "a token of GitHub",
        ("gh", "github_pat_"),
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})"),
    ),
    ("a token of GitLab", ("glpat-",), re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("a token of PyPI", ("pypi-AgE",), re.compile(r"\bpypi-AgE[A-Za-z0-9_-]{50,}")),
    ("a token of Slack", ("xox",), re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{20,}")),
    ("a key of Google", ("AIza",), re.compile(r"\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])")),
    ("a signed token", ("eyJ",), re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}")),
)
_PASSING: Final = (
    # What a header says; a word without digits is prose.
    re.compile(r"(?i)(?<=\bbearer )(?=\S*\d)[A-Za-z0-9._~+/=-]{12,}|(?<=\bbasic )(?=\S*[\d=])[A-Za-z0-9+/=]{12,}"),
    # What a signed address says.
    re.compile(
        r"(?i)(?<=[?&])((?:access_|auth_|id_|refresh_)?token|sig|signature|password|secret|api_?key"
        r"|x-(?:amz|goog)-(?:signature|credential|security-token))=[^&\s#\"'<>]+"
    ),
)


def find_secret(text: str, *, addresses: bool = True) -> str:
    """Name the first thing in a text that looks like a secret; empty where there is none.

    Args:
        text: of any length; O(its length).
        addresses: a password within an address is one. Prose about security has such examples.

    >>> find_secret("https://me:hunter2@index.example/simple")
    'a password in an address'
    >>> find_secret("https://index.example/simple")
    ''
    """
    if addresses and _USER_INFO.search(text):
        return "a password in an address"
    for name, hints, form in _FORMS:
        if any(hint in text for hint in hints) and form.search(text):
            return name
    return ""


def refuse_secret(text: str, *, context: str, addresses: bool = True) -> None:
    """Refuse a text that would be kept, or be in an image, and holds a secret; raises SecretFoundError."""
    if found := find_secret(text, addresses=addresses):
        raise SecretFoundError(
            f"holds what looks like {found}, which everybody would have who has a lock, an image or the ledger",
            context=context,
            hint="take it out, and give it where the program runs: by a variable, a mounted file, a secrets backend",
        )


def secrets_of(environment: Mapping[str, str]) -> frozenset[str]:
    """Collect what variables hold that are named like secrets, and passwords of addresses in all others.

    A word of letters alone is left out: masking `airflow` or `postgres` would tear up every answer.
    """
    found: set[str] = set()
    for name, value in environment.items():
        if _NAMES.search(name) and not name.upper().endswith("_FILE"):
            found.add(value.strip())
        found.update(address.partition(":")[2] for address in _USER_INFO.findall(value))
    return frozenset(secret for secret in found if len(secret) >= _SHORTEST and not secret.isalpha())


@dataclass(frozen=True, slots=True)
class Redactor:
    """Masks secrets: those given, and what looks like one."""

    known: frozenset[str] = frozenset()

    def __call__(self, text: str) -> str:
        """Mask what is to be seen by nobody.

        >>> Redactor()("GET https://me:hunter2@index.example/simple?token=abc")
        'GET https://***@index.example/simple?token=***'
        """
        for secret in sorted(self.known, key=len, reverse=True):
            text = text.replace(secret, MASK)
        text = _USER_INFO.sub(MASK, text)
        for _, hints, form in _FORMS:
            if any(hint in text for hint in hints):
                text = form.sub(MASK, text)
        return _PASSING[1].sub(rf"\1={MASK}", _PASSING[0].sub(MASK, text))
