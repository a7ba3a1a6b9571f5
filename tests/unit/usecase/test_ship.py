"""Images shipped: immutable tags stand for ever, channels move, a lost race takes the next number."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import BuildError, InvalidInputError, RegistryError
from builder.oci import media
from builder.oci.config import Config, History, RunConfig
from builder.oci.descriptor import describe
from builder.platform import AMD64
from builder.registry.answers import RegistryTroubleError, TagTakenError
from builder.registry.client import HttpRegistry
from builder.registry.model import Repository, parse_repository
from builder.usecase.list_tags import list_tags
from builder.usecase.ship import Shipped, ShipRequest, fetch_image, plan_ship, read_image, ship, tag_image
from tests.support.registries import Asked, Fault, SmallRegistry
from tests.support.registry_images import client, close_clients
from tests.support.tiny_image import write_layout

DAY = "20261124"


@dataclass(frozen=True)
class Setting:
    """A registry, and a folder for layouts."""

    small: SmallRegistry
    folder: Path

    @property
    def registry(self) -> HttpRegistry:
        return client()

    @property
    def repository(self) -> Repository:
        return parse_repository(f"{self.small.host}/team/airflow")

    def image(self, content: str, *, lock: Digest | None = None) -> Path:
        """Write an image of the stack `tiny`, unless it is there."""
        folder = self.folder / content
        if not folder.exists():
            data = content.encode()
            labels = (("airflow-kubler.lock", str(lock)),) if lock else ()
            config = Config(
                platform=AMD64,
                created=0,
                run=RunConfig(user="0", env=(), entrypoint=(), working_dir="/", labels=labels),
                diff_ids=(Digest.of(data),),
                history=(History(created=0, created_by=""),),
            )
            write_layout(folder, AMD64, config, describe(media.LAYER_TAR, data), data)
        return folder

    def push(self, content: str, *tags: str, day: str = DAY, dated: bool = True) -> Shipped:
        request = ShipRequest(layout=self.image(content), repository=self.repository, day=day, tags=tags, dated=dated)
        plan = plan_ship(self.registry, request, read_image(request.layout))
        return ship(self.registry, request, plan)

    def stands(self, tag: str) -> Digest | None:
        found = self.registry.manifest(self.repository.at(tag))
        return found.digest if found else None


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    with SmallRegistry() as small:
        yield Setting(small, tmp_path)
        close_clients()


def test_each_image_gets_the_next_tag_and_keeps_it(setting: Setting) -> None:
    assert setting.push("one").tags == ("tiny-20261124.01",)
    assert setting.push("two").tags == ("tiny-20261124.02",)
    assert setting.push("one").tags == ("tiny-20261124.01",)
    assert setting.push("two", day="20261125").tags == ("tiny-20261124.02",)
    assert setting.push("three", day="20261125").tags == ("tiny-20261125.01",)


def test_nothing_is_sent_twice(setting: Setting) -> None:
    assert setting.push("one").report.sent_bytes > 0
    setting.small.asked.clear()
    again = setting.push("one")
    assert again.report.sent_bytes == 0
    assert {asked.method for asked in setting.small.asked} <= {"GET", "HEAD"}


def test_a_platform_that_was_deleted_is_sent_again(setting: Setting) -> None:
    child = setting.push("one").plan.image.platforms[0].descriptor.digest
    assert setting.registry.delete(setting.repository.at(child))
    setting.push("one")
    assert setting.registry.manifest(setting.repository.at(child)) is not None


def test_channels_move_and_say_what_they_stood_for(setting: Setting) -> None:
    first = setting.push("one", "dev", "prod").report.descriptor.digest
    second = setting.push("two", "dev").report.descriptor.digest
    assert (setting.stands("dev"), setting.stands("prod")) == (second, first)
    moved = tag_image(setting.registry, setting.repository.at("tiny-20261124.02"), ["prod", "new", "dev"])
    assert (moved.digest, dict(moved.before)) == (second, {"prod": first, "new": None, "dev": second})
    assert setting.stands("prod") == setting.stands("new") == second


def test_an_immutable_tag_is_never_written_again(setting: Setting) -> None:
    first = setting.push("one").report.descriptor.digest
    with pytest.raises(InvalidInputError, match=r"tiny-20261124\.01: the tag is immutable, and stands for sha256"):
        setting.push("two", "dev", "tiny-20261124.01")
    assert (setting.stands("tiny-20261124.01"), setting.stands("dev")) == (first, None)
    setting.push("two")
    with pytest.raises(InvalidInputError, match="immutable"):
        tag_image(setting.registry, setting.repository.at("tiny-20261124.02"), ["dev", "tiny-20261124.01"])
    assert (setting.stands("tiny-20261124.01"), setting.stands("dev")) == (first, None)


def test_a_tag_of_ones_own_is_enough(setting: Setting) -> None:
    assert setting.push("one", "tiny-20200101.05").tags == ("tiny-20200101.05",)
    assert setting.push("one", "tiny-20200101.05").tags == ("tiny-20200101.05",)
    assert setting.push("two", "dev", dated=False).tags == ("dev",)
    assert setting.push("three", dated=False).tags == ()


def test_a_tag_that_another_took_meanwhile_is_left_to_him(setting: Setting) -> None:
    request = ShipRequest(layout=setting.image("one"), repository=setting.repository, day=DAY)
    plan = plan_ship(setting.registry, request, read_image(request.layout))
    other = setting.push("two")
    assert other.tags == ("tiny-20261124.01",)
    assert ship(setting.registry, request, plan).tags == ("tiny-20261124.02",)
    assert setting.stands("tiny-20261124.01") == other.report.descriptor.digest


def test_a_tag_that_was_overwritten_at_the_same_moment_is_left_to_the_faster(setting: Setting) -> None:
    other = setting.push("two", dated=False).report.descriptor.digest
    done: list[Asked] = []

    def overtake(asked: Asked) -> Fault | None:
        # Between the write of the tag and its reading, another writes it.
        if asked.method == "GET" and asked.path.endswith("/tiny-20261124.01") and not done and written(asked):
            done.append(asked)
            setting.small.state.tags["team/airflow", "tiny-20261124.01"] = str(other)
        return None

    def written(_: Asked) -> bool:
        return setting.small.count("PUT", "tiny-20261124.01") > 0

    setting.small.fault = overtake
    assert setting.push("one").tags == ("tiny-20261124.02",)
    assert done
    assert setting.stands("tiny-20261124.01") == other


def error(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


TAKEN = "tiny-20261124.01"
REFUSALS = {
    "ECR": Fault(
        status=400,
        body=error(
            "TAG_INVALID",
            f"The image tag '{TAKEN}' already exists in the 'team/airflow' repository and cannot be overwritten "
            "because the tag is immutable.",
        ),
    ),
    "Harbor": Fault(
        status=412,
        body=error("PRECONDITION", f"Failed to process request due to 'team/airflow:{TAKEN}' configured as immutable."),
    ),
    "without a word": Fault(status=403, body=error("DENIED", "requested access to the resource is denied")),
    "conflict": Fault(status=409),
    "not allowed": Fault(status=405, body=b"<html>"),
}


def refusing(setting: Setting, refusal: Fault, other: Digest | None, tag: str = TAKEN) -> None:
    """Have another writer be faster by a blink, and the registry refuse to change a tag."""

    def fault(asked: Asked) -> Fault | None:
        if asked.method != "PUT" or not asked.path.endswith(f"/{tag}"):
            return None
        if other is not None:
            setting.small.state.tags["team/airflow", tag] = str(other)
        return refusal

    setting.small.fault = fault


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_tag_that_the_registry_keeps_for_the_faster_is_left_to_him(setting: Setting, kind: str) -> None:
    other = setting.push("two", dated=False).report.descriptor.digest
    refusing(setting, REFUSALS[kind], other)
    assert setting.push("one", "dev").tags == ("tiny-20261124.02", "dev")
    assert setting.stands(TAKEN) == other


@pytest.mark.parametrize("kind", ["ECR", "Harbor"])
def test_a_tag_that_a_rule_holds_back_though_nothing_stands_there_is_passed_over(setting: Setting, kind: str) -> None:
    refusing(setting, REFUSALS[kind], None)
    assert setting.push("one").tags == ("tiny-20261124.02",)


def test_a_refusal_that_is_no_matter_of_tags_is_told_as_it_is(setting: Setting) -> None:
    for refusal in (REFUSALS["without a word"], Fault(status=412, body=error("DENIED", "exceeds the quota"))):
        refusing(setting, refusal, None)
        with pytest.raises(RegistryTroubleError, match=r"HTTP 4\d\d \(DENIED: .*(denied|quota)\)") as caught:
            setting.push("one")
        assert not isinstance(caught.value, TagTakenError)
        assert setting.small.count("PUT", "tiny-20261124.02") == 0


def test_an_answer_that_got_lost_is_no_tag_taken_by_another(setting: Setting) -> None:
    def fault(asked: Asked) -> Fault | None:
        if asked.method == "PUT" and asked.path.endswith(f"/{TAKEN}"):
            digest = next(
                d for _, d in setting.small.state.manifests if json.loads(read(d))["mediaType"] == media.INDEX
            )
            setting.small.state.tags["team/airflow", TAKEN] = digest
            return REFUSALS["Harbor"]
        return None

    def read(digest: str) -> bytes:
        return setting.small.state.manifests["team/airflow", digest][0]

    setting.small.fault = fault
    assert setting.push("one").tags == (TAKEN,)


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_channel_that_the_registry_does_not_let_move_is_told_with_the_way_out(setting: Setting, kind: str) -> None:
    first = setting.push("one", "dev").report.descriptor.digest
    refusing(setting, REFUSALS[kind], None, "dev")
    with pytest.raises(TagTakenError, match=f"the tag is taken: it stands for {first}; the registry refuses") as caught:
        setting.push("two", "dev")
    assert caught.value.context == f"{setting.repository}: manifest dev"
    assert "have the rule of" in caught.value.hint
    assert setting.stands("dev") == first


def test_a_new_immutable_tag_is_asked_for_as_new_and_channels_are_not(setting: Setting) -> None:
    setting.push("one", "dev", "other-20200101.01")
    said = {
        asked.path.rpartition("/")[2]: asked.headers.get("if-none-match")
        for asked in setting.small.asked
        if asked.method == "PUT" and "/manifests/" in asked.path
    }
    assert {tag: value for tag, value in said.items() if ":" not in tag} == {"dev": None, "other-20200101.01": "*"}
    setting.push("two")
    assert setting.small.asked[-2].headers["if-none-match"] == "*"


def test_a_tag_that_is_overwritten_while_channels_move_is_left_to_the_slower(setting: Setting) -> None:
    other = setting.push("two", dated=False).report.descriptor.digest

    def overtake(asked: Asked) -> None:
        if asked.method == "PUT" and asked.path.endswith("/dev"):
            setting.small.state.tags["team/airflow", TAKEN] = str(other)

    setting.small.fault = overtake
    assert setting.push("one", "dev").tags == ("tiny-20261124.02", "dev")
    assert setting.stands(TAKEN) == other


def test_a_channel_that_somebody_else_moves_at_the_same_moment_is_told(setting: Setting) -> None:
    other = setting.push("two", dated=False).report.descriptor.digest

    def overtake(asked: Asked) -> Fault | None:
        if asked.method == "GET" and asked.path.endswith("/dev") and setting.small.count("PUT", "/dev"):
            setting.small.state.tags["team/airflow", "dev"] = str(other)
        return None

    setting.small.fault = overtake
    with pytest.raises(RegistryError, match=r"dev: the tag stands for sha256:.* after it was set"):
        setting.push("one", "dev")


def test_an_image_of_another_lock_is_not_pushed(setting: Setting, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.tiny.toml"
    lock.write_bytes(b"locked")
    assert read_image(setting.image("one", lock=Digest.of(b"locked")), lock=lock).name == "tiny"
    with pytest.raises(BuildError, match="built from another lock"):
        read_image(setting.image("two", lock=Digest.of(b"before")), lock=lock)
    with pytest.raises(BuildError, match="there is no image"):
        read_image(tmp_path / "nothing")


def test_tags_are_listed_newest_first_and_channels_by_what_they_stand_for(setting: Setting) -> None:
    setting.push("one", "prod")
    setting.push("two", "dev", "staging", day="20261125")
    setting.push("three", "other-20200101.01", "else")
    views = list_tags(setting.registry, setting.repository)
    assert [(view.tag, view.same_as) for view in views] == [
        ("other-20200101.01", ("else",)),
        ("tiny-20261125.01", ("dev", "staging")),
        ("tiny-20261124.01", ("prod",)),
        ("dev", ("tiny-20261125.01",)),
        ("else", ("other-20200101.01",)),
        ("prod", ("tiny-20261124.01",)),
        ("staging", ("tiny-20261125.01",)),
    ]
    assert [view.tag for view in list_tags(setting.registry, setting.repository, stack="other")] == [
        "other-20200101.01",
        "else",
    ]
    assert list_tags(setting.registry, replace(setting.repository, path="nothing")) == ()


def test_what_is_pulled_is_the_layout_that_was_pushed(setting: Setting, tmp_path: Path) -> None:
    setting.push("one", "dev")
    fetch_image(setting.registry, setting.repository.at("dev"), tmp_path / "pulled")
    pulled, pushed = (
        {p.name: p.read_bytes() for p in f.rglob("*") if p.is_file() and p.name != "index.json"}
        for f in (tmp_path / "pulled", setting.image("one"))
    )
    assert pulled == pushed
    # A pull that was killed left this: it goes on.
    (tmp_path / "pulled/index.json").unlink()
    fetch_image(setting.registry, setting.repository.at("dev"), tmp_path / "pulled")
    assert (tmp_path / "pulled/index.json").is_file()
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.odt").write_bytes(b"precious")
    with pytest.raises(InvalidInputError, match="holds something that is no layout"):
        fetch_image(setting.registry, setting.repository.at("dev"), full)
    assert [path.name for path in full.iterdir()] == ["thesis.odt"]


def test_pull_leaves_a_folder_with_an_index_of_something_else_alone(setting: Setting, tmp_path: Path) -> None:
    setting.push("one", "prod")
    theirs = tmp_path / "project"
    theirs.mkdir()
    (theirs / "index.json").write_text("[]")
    with pytest.raises(InvalidInputError, match="no layout"):
        fetch_image(setting.registry, setting.repository.at("prod"), theirs)
    assert [path.name for path in theirs.iterdir()] == ["index.json"]


def test_pull_of_what_is_not_there_leaves_no_folder(setting: Setting, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="no such manifest"):
        fetch_image(setting.registry, setting.repository.at("prod"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
