import pytest

from builder.deploy.image_name import parse_image_name
from tests.support.ledgers import digest_of

DIGEST = digest_of("any")


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest", "names_registry"),
    [
        ("redis", "docker.io/library/redis", "", "", False),
        ("redis:7.2-bookworm", "docker.io/library/redis", "7.2-bookworm", "", False),
        ("apache/airflow:3.2.2", "docker.io/apache/airflow", "3.2.2", "", False),
        ("docker.io/redis", "docker.io/library/redis", "", "", True),
        ("index.docker.io/library/redis", "docker.io/library/redis", "", "", True),
        ("localhost/a:b", "localhost/a", "b", "", True),
        ("127.0.0.1:5000/team/airflow:dev", "127.0.0.1:5000/team/airflow", "dev", "", True),
        (f"registry.example.org/team/airflow@{DIGEST}", "registry.example.org/team/airflow", "", DIGEST, True),
        (f"Registry.Example.org/a/b:c@{DIGEST}", "registry.example.org/a/b", "c", DIGEST, True),
    ],
)
def test_a_name_is_read_as_a_container_engine_would(
    text: str, repository: str, tag: str, digest: str, *, names_registry: bool
) -> None:
    image = parse_image_name(text)
    assert image is not None
    assert (image.repository, image.tag, image.digest, image.names_registry) == (
        repository,
        tag,
        digest,
        names_registry,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "UPPER/case",
        "a:",
        "a@sha256:12",
        f"a@sha256:{'A' * 64}",
        f"a@{DIGEST}x",
        "https://registry.example.org/a:b",
        "a//b",
        "-a",
        "a:.b",
        "${IMAGE}",
        "{{ image }}",
        "a\n",
        f"a@{DIGEST}\n",
        "x" * 600,
    ],
)
def test_what_is_no_name_is_none(text: str) -> None:
    assert parse_image_name(text) is None
