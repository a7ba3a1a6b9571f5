from __future__ import annotations

import pytest

from builder.errors import IssuesError
from builder.platform import AMD64
from builder.stack.base import base_from_dict, base_to_dict, parse_base
from builder.stack.inputs import base_inputs_digest
from builder.stack.model import DockerfileOrigin, ImageOrigin

DIGEST = "sha256:" + "a" * 64
IMAGE = f"""
description = "theirs"
[image]
reference = "registry.example.org/team/base@{DIGEST}"
platforms = ["linux/amd64"]
[python]
version = "3.13"
"""
DOCKERFILE = """
description = "built"
[dockerfile]
file = "Dockerfile.base"
base = "trixie"
stages = ["trixie-tools"]
secrets = ["apt-sources"]
[dockerfile.args]
PACKAGES = "libodbc2"
[python]
version = "3.13"
path = "/usr/bin/python3.13"
"""


def test_an_image_is_named_by_reference_with_digest() -> None:
    base = parse_base(IMAGE.encode(), name="x", file="f")
    assert base.image == ImageOrigin(digest=DIGEST, reference=f"registry.example.org/team/base@{DIGEST}")
    assert base.is_image
    assert base.platforms == (AMD64,)


def test_a_lock_says_no_place_and_moving_the_image_makes_none_stale() -> None:
    base = parse_base(IMAGE.encode(), name="x", file="f")
    moved = parse_base(IMAGE.replace("registry.example.org", "other.example.org").encode(), name="x", file="f")
    assert "example" not in str(base_to_dict(base))
    assert base_inputs_digest(base) == base_inputs_digest(moved)
    read = base_from_dict(base_to_dict(base), name="x", file="f")
    assert base_inputs_digest(read) == base_inputs_digest(base)


def test_a_dockerfile_names_its_base_stages_arguments_and_secrets() -> None:
    base = parse_base(DOCKERFILE.encode(), name="x", file="f")
    assert base.dockerfile == DockerfileOrigin(
        file="Dockerfile.base",
        base="trixie",
        stages=("trixie-tools",),
        args=(("PACKAGES", "libodbc2"),),
        secrets=("apt-sources",),
    )
    assert base.dockerfile.foundations == (("BASE", "trixie"), ("TRIXIE_TOOLS", "trixie-tools"))
    assert base_from_dict(base_to_dict(base), name="x", file="f") == base


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (IMAGE.replace(f"@{DIGEST}", ":latest"), "has no digest, so it is another image tomorrow"),
        (IMAGE.replace("reference", "layout"), None),
        (IMAGE.replace("[python]", 'layout = "x"\n[python]'), "must be there, or layout in its place"),
        (IMAGE.replace("reference", "#"), "must be there, or layout in its place"),
        (IMAGE + "[[files]]\npath='x'\n", "is for bases of Debian packages"),
        (IMAGE + '[dockerfile]\nfile="x"\nbase="y"\n', "stands beside image"),
        (DOCKERFILE.replace('"Dockerfile.base"', '"../Dockerfile"'), "unknown value"),
        (DOCKERFILE.replace('"trixie"', '"Tri xie"'), "Tri xie"),
        (DOCKERFILE.replace("PACKAGES", '"a b"'), "is no name of a build argument"),
        (DOCKERFILE.replace("secrets", 'sha256 = "x"\nsecrets'), "unknown key"),
        (DOCKERFILE.replace("/usr/bin/python3.13", "python3"), "is no absolute path"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str | None) -> None:
    if message is None:
        parse_base(text.encode(), name="x", file="f")
        return
    with pytest.raises(IssuesError) as caught:
        parse_base(text.encode(), name="x", file="f")
    assert message in str(caught.value)
