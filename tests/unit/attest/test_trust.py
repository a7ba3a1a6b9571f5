"""Who may sign what, and when: keys are rotated and revoked, and what was first seen in time still holds."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from builder.attest.kinds import predicate_type
from builder.attest.trust import Trust, parse_trust
from builder.errors import BuilderError
from tests.support.signing import make_key

PEM = make_key().public.pem().decode()
SECOND = make_key(2).public.pem().decode()


def at(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp())


def parse(*tables: str) -> Trust:
    return parse_trust("\n".join(f"[[keys]]\n{table}" for table in tables).encode(), stacks=("core", "aws"))


def key(more: str = "", *, name: str = "ci", pem: str = PEM) -> str:
    return f'name = "{name}"\npublic = """\n{pem}"""\n{more}'


def test_a_key_may_sign_everything_unless_something_is_stated() -> None:
    found = parse(key()).find(make_key().public.fingerprint)
    assert found is not None
    assert found.objection("urn:x", "", 0) == ""
    assert not found.is_timed


@pytest.mark.parametrize(
    ("more", "kind", "stack", "seen", "says"),
    [
        ('may = ["signature"]', "signature", "core", "2026-06-01T00:00:00Z", ""),
        ('may = ["signature"]', "provenance", "core", "2026-06-01T00:00:00Z", "may not sign provenance"),
        ('may = ["urn:x:y"]', "urn:x:y", "core", "2026-06-01T00:00:00Z", ""),
        ('stacks = ["core"]', "signature", "core", "2026-06-01T00:00:00Z", ""),
        ('stacks = ["core"]', "signature", "aws", "2026-06-01T00:00:00Z", "may not sign images of aws"),
        ('stacks = ["core"]', "signature", "", "2026-06-01T00:00:00Z", "may not sign images of no stack"),
        ("from = 2026-01-01", "signature", "core", "2025-12-31T23:59:59Z", "valid from 2026-01-01T00:00:00Z on"),
        ("from = 2026-01-01", "signature", "core", "2026-01-01T00:00:00Z", ""),
        ("until = 2027-01-01", "signature", "core", "2026-12-31T23:59:59Z", ""),
        ("until = 2027-01-01", "signature", "core", "2027-01-01T00:00:00Z", "valid until"),
        ("revoked = 2026-05-17T09:00:00Z", "signature", "core", "2026-05-17T08:59:59Z", ""),
        (
            'revoked = 2026-05-17T09:00:00Z\nreason = "stolen"',
            "signature",
            "core",
            "2026-05-17T09:00:00Z",
            r"was revoked at 2026-05-17T09:00:00Z \(stolen\)",
        ),
    ],
)
def test_what_a_key_may_and_when(more: str, kind: str, stack: str, seen: str, says: str) -> None:
    found = parse(key(more)).keys[0]
    objection = found.objection(predicate_type(kind), stack, at(seen))
    assert re.search(says, objection) if says else not objection


def test_keys_are_rotated_by_standing_side_by_side() -> None:
    trust = parse(key("until = 2027-01-01"), key("from = 2026-12-01", name="ci-2", pem=SECOND))
    assert trust.public_keys == (make_key().public, make_key(2).public)
    assert trust.find(make_key(3).public.fingerprint) is None


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ((), "names nobody"),
        (('name = "ci"',), "public: is missing"),
        ((key().replace('"ci"', '"C I"'),), "cannot name a key"),
        (('name = "ci"\npublic = "x"',), "is no public key in PEM"),
        ((key('may = ["everything"]'),), "not a kind of statement"),
        ((key("may = []"),), "is empty"),
        ((key("stacks = []"),), "is empty"),
        ((key('stacks = ["gone"]'),), "no stack 'gone'"),
        ((key("revoked = 2026-05-17T09:00:00"),), "has no offset"),
        ((key("from = 2027-01-01\nuntil = 2026-01-01"),), "never be valid"),
        ((key("expires = 2027-01-01"),), "unknown key"),
        ((key(), key(name="other")), "stands in keys"),
        ((key(), key(pem=SECOND)), "ci stands in keys"),
    ],
)
def test_a_file_of_keys_is_read_strictly(tables: tuple[str, ...], says: str) -> None:
    with pytest.raises(BuilderError, match=says):
        parse(*tables)
