"""What is deleted of a repository only after another look."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from click.testing import CliRunner

from builder.canonical import dump_json
from builder.cli.root import root
from builder.digest import Digest
from builder.errors import InvalidInputError, RegistryError
from builder.oci import media
from builder.oci.descriptor import describe, descriptor_to_json
from builder.registry.garbage import Retention, plan_garbage
from builder.registry.model import ManifestBytes, Reference, Referrer, Repository, parse_repository
from builder.usecase.registry_gc import check_moved, parse_digests, read_contents

HERE = parse_repository("r.example.org/team/airflow")
IMAGE = dump_json(
    {
        "schemaVersion": 2,
        "mediaType": media.MANIFEST,
        "config": descriptor_to_json(describe(media.CONFIG, b"{}")),
        "layers": [],
    }
)


def index_of(name: str, child: bytes) -> bytes:
    children = [descriptor_to_json(describe(media.MANIFEST, child))]
    value = {"schemaVersion": 2, "mediaType": media.INDEX, "manifests": children, "annotations": {"name": name}}
    return dump_json(value)


class Held:
    """A registry in memory, as far as `gc` reads."""

    def __init__(self) -> None:
        self.names: dict[str, ManifestBytes] = {}

    def keep(self, data: bytes, media_type: str, *tags: str) -> None:
        made = ManifestBytes(data=data, media_type=media_type, digest=Digest.of(data))
        self.names.update(dict.fromkeys((str(made.digest), *tags), made))

    def tags(self, repository: Repository) -> tuple[str, ...]:
        assert repository == HERE
        return tuple(sorted(name for name in self.names if ":" not in name))

    def manifest(self, reference: Reference) -> ManifestBytes | None:
        return self.names.get(reference.point)

    def referrers(
        self, repository: Repository, digest: Digest, artifact_type: str | None = None
    ) -> tuple[Referrer, ...]:
        del repository, digest, artifact_type
        return ()


def test_image_pushed_meanwhile_keeps_the_platform_that_it_shares_with_garbage() -> None:
    registry = Held()
    registry.keep(IMAGE, media.MANIFEST)
    registry.keep(index_of("old", IMAGE), media.INDEX, "core-20200101.01")
    contents = read_contents(registry, HERE)  # type: ignore[arg-type]
    plan = plan_garbage(contents, Retention(today=dt.date(2026, 11, 24), days=30, last=0))
    assert len(plan.garbage) == 2
    check_moved(registry, HERE, contents, plan)  # type: ignore[arg-type]
    registry.keep(index_of("new", IMAGE), media.INDEX, "core-20261124.01")
    with pytest.raises(RegistryError, match="shares a platform") as raised:
        check_moved(registry, HERE, contents, plan)  # type: ignore[arg-type]
    assert "core-20261124.01" in raised.value.context


def test_digests_are_found_in_what_a_cluster_says() -> None:
    text = f"airflow r.example.org/a@sha256:{'a' * 64} sha256:{'b' * 64}"
    assert len(parse_digests(text, context="pods")) == 2


@pytest.mark.parametrize("text", ["", "error: the server is not there", "sha256:abc"])
def test_an_answer_without_a_digest_is_not_taken_for_nothing_runs(text: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no digest"):
        parse_digests(text, context="pods")
    (tmp_path / "ran").write_text(text)
    done = CliRunner().invoke(root, ["gc", str(HERE), "--ran", str(tmp_path / "ran"), "--yes"])
    assert done.exit_code == InvalidInputError.exit_code
    assert str(tmp_path / "ran") in done.output
