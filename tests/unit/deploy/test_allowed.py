import datetime as dt

import pytest

from builder.deploy.allowed import allow_reference, parse_deploy_rules
from builder.deploy.image_name import ImageName, parse_image_name
from builder.errors import InvalidInputError, IssuesError
from tests.support.ledgers import digest_of

DIGEST = digest_of("image")


def image(text: str) -> ImageName:
    found = parse_image_name(text)
    assert found is not None
    return found


def test_an_entry_holds_for_repository_and_digest() -> None:
    text = f'repositories = ["mirror.example.org/a"]\n[[allow]]\nimage = "redis:7@{DIGEST}"\nvalues = "redis"\n'
    rules = parse_deploy_rules(text.encode(), file="stacks/deploy.toml")
    (entry,) = rules.allowed
    assert (entry.values, entry.where) == ("redis", "stacks/deploy.toml: allow[0]")
    assert rules.repositories == {"mirror.example.org/a"}
    # Container engines go by the digest: the tag beside it is of no account.
    assert entry.fits(image(f"docker.io/library/redis:8@{DIGEST}"))
    assert not entry.fits(image(f"redis@{digest_of('other')}"))
    assert not entry.fits(image(f"example.org/redis@{DIGEST}"))
    assert not entry.fits(image("redis:7"))


def test_an_entry_without_digest_holds_for_its_tag_alone() -> None:
    text = (
        '[[allow]]\nimage = "redis:7"\ntag-allowed = true\nreason = "a mirror without digests"\nexpires = 2027-03-31\n'
    )
    (entry,) = parse_deploy_rules(text.encode(), file="f").allowed
    assert entry.expires == dt.date(2027, 3, 31)
    assert entry.fits(image("docker.io/redis:7"))
    assert not entry.fits(image("redis:8"))
    assert not entry.fits(image(f"redis:7@{DIGEST}"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('image = "redis:7"', "f: allow[0].image: names no digest, so it may be anything tomorrow"),
        ('image = "redis"\ntag-allowed = true\nreason = "r"\nexpires = 2027-03-31', "f: allow[0].image: names neither tag nor digest"),
        ('image = "redis:7"\ntag-allowed = true\nexpires = 2027-03-31', "f: allow[0].reason: is missing"),
        ('image = "redis:7"\ntag-allowed = true\nreason = "r"', "f: allow[0].expires: is missing"),
        (f'image = "a@{DIGEST}"\ntag-allowed = true\nreason = "r"\nexpires = 2027-03-31', "f: allow[0].tag-allowed: is for images without digest"),
        ('image = "A B"', "f: allow[0].image: 'A B' is no name of an image"),
        (f'image = "a@{DIGEST}"\nvalues = "sidecar"', "f: allow[0].values: unknown value 'sidecar'"),
        (f'image = "a@{DIGEST}"\ndigest = "x"', "f: allow[0].digest: unknown key"),
        (f'image = "a@{DIGEST}"\n[[allow]]\nimage = "docker.io/library/a@{DIGEST}"', "f: allow[1].image: stands twice"),
        ('reason = "r"', "f: allow[0].image: is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_key(text: str, says: str) -> None:
    with pytest.raises(IssuesError) as told:
        parse_deploy_rules(f"[[allow]]\n{text}\n".encode(), file="f")
    assert says in str(told.value)


def test_what_a_command_allows_has_a_digest() -> None:
    assert allow_reference(f"a/b:c@{DIGEST}").fits(image(f"a/b@{DIGEST}"))
    for text in ("a/b:c", "A B"):
        with pytest.raises(InvalidInputError, match="write it as repository@sha256"):
            allow_reference(text)
