import datetime as dt

import pytest

from builder.deploy.allowed import allow_reference, parse_deploy_rules
from builder.deploy.judge import INDEX, Recorded, judge_image
from builder.deploy.place import Found, Place
from tests.support.ledgers import digest_of

OURS = "registry.example.org/team/airflow"
D_INDEX, D_AMD64, D_OLD, D_SIDECAR = (digest_of(name) for name in ("index", "amd64", "old", "sidecar"))
RECORDED = {
    digest: Recorded(stack="core", channel="prod", part=part, repositories=frozenset({OURS}))
    for digest, part in ((D_INDEX, INDEX), (D_AMD64, "linux/amd64"))
}
BY_TAG = b'[[allow]]\nimage = "x/y:1"\ntag-allowed = true\nreason = "r"\nexpires = 2026-11-30\n'
ALLOWED = (allow_reference(f"x/sidecar@{D_SIDECAR}"), *parse_deploy_rules(BY_TAG, file="f").allowed)


def judge(image: str, today: dt.date = dt.date(2026, 11, 30)) -> tuple[bool, str, str]:
    verdict = judge_image(Found(image=image, place=Place(file="f", document=1)), RECORDED, ALLOWED, today)
    return verdict.ok, verdict.rule, verdict.detail


@pytest.mark.parametrize(
    ("image", "verdict"),
    [
        (f"{OURS}@{D_INDEX}", (True, "channel", "core prod")),
        (f"{OURS}:anything@{D_INDEX}", (True, "channel", "core prod")),
        (f"{OURS}@{D_AMD64}", (True, "platform", "linux/amd64 of core prod")),
        (f"x/sidecar:9@{D_SIDECAR}", (True, "allowed", "--allow")),
        ("x/y:1", (True, "allowed", "f: allow[0]")),
        (f"{OURS}@{D_OLD}", (False, "other digest", "neither a channel given here nor an entry has this digest")),
        (f"{OURS}:prod", (False, "unpinned", "names the tag 'prod': what runs is not known")),
        (OURS, (False, "unpinned", "names neither tag nor digest: what runs is not known")),
        ("x/y:2", (False, "unpinned", "names the tag '2': what runs is not known")),
        (f"x/y@{D_SIDECAR}", (False, "other digest", "neither a channel given here nor an entry has this digest")),
        ("${IMAGE}", (False, "no image name", "is no name of an image")),
    ],
    ids=lambda value: value if isinstance(value, str) else value[1],
)
def test_each_image_has_its_verdict(image: str, verdict: tuple[bool, str, str]) -> None:
    assert judge(image) == verdict


def test_a_digest_has_to_be_where_it_can_be_pulled_from() -> None:
    ok, rule, detail = judge(f"apache/airflow@{D_INDEX}")
    assert (ok, rule) == (False, "other repository")
    assert detail == "is core prod by digest, but the ledger saw none pushed to that repository"


def test_an_entry_without_digest_ends() -> None:
    assert judge("x/y:1", dt.date(2026, 12, 1)) == (False, "expired", "f: allow[0] allowed it until 2026-11-30")
