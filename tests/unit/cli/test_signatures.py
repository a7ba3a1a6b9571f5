"""keygen, sign, attest, signatures and verify as they are typed: what they print, and their exit status."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from builder.cli.root import root
from builder.digest import Digest
from builder.ledger.database import SqliteLedger
from builder.ledger.entry import format_time
from builder.usecase.attached import Artifact
from tests.support.ledgers import Ticking, make_ledger
from tests.support.registries import SmallRegistry
from tests.support.registry_images import close_clients
from tests.support.signed_world import SignedWorld
from tests.support.signing import make_key


@dataclass
class Desk:
    """A project, a registry with its image, and keys."""

    folder: Path
    world: SignedWorld
    image: Artifact

    @property
    def reference(self) -> str:
        return str(self.image.reference)

    def run(self, *words: str | Path, status: int = 0) -> Result:
        env = {"AIRFLOW_KUBLER_CACHE": str(self.world.world.files.root)}
        done = CliRunner().invoke(root, ["--project", str(self.folder), *map(str, words)], env=env)
        assert done.exit_code == status, done.output
        return done

    def json(self, *words: str | Path, status: int = 0) -> object:
        return json.loads(self.run(*words, "--json", status=status).stdout)

    def trust(self, text: str) -> None:
        (self.folder / "stacks/keys.toml").write_text(text)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name in ("AIRFLOW_KUBLER_KEY_PASSWORD", "COSIGN_PASSWORD", "SOURCE_DATE_EPOCH", "AIRFLOW_KUBLER_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "stacks/tiny").mkdir(parents=True)
    (tmp_path / "stacks/tiny/stack.toml").write_text("")
    with SmallRegistry() as small:
        world = SignedWorld(small.host, tmp_path)
        yield Desk(folder=tmp_path, world=world, image=world.push())
        close_clients()


def test_a_key_is_made_signs_and_verifies(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_KUBLER_KEY_PASSWORD", "secret")
    made = desk.run("keygen", desk.folder / "k")
    assert "not encrypted" not in made.output
    assert stat.S_IMODE((desk.folder / "k.key").stat().st_mode) == 0o600
    assert b"ENCRYPTED PRIVATE KEY" in (desk.folder / "k.key").read_bytes()
    desk.run("keygen", desk.folder / "k", status=3)

    signed = desk.json("sign", desk.reference, "--key", desk.folder / "k.key", "--recursive")
    assert isinstance(signed, list)
    assert [one["new"] for one in signed] == [True] * 3
    assert signed[0]["subject"] == desk.reference
    again = desk.run("sign", desk.reference, "--key", desk.folder / "k.key")
    assert "(was there)" in again.stdout

    found = desk.json("verify", desk.reference, "--key", desk.folder / "k.pub")
    assert isinstance(found, dict)
    assert found["verified"]
    assert [one["holds"] for one in found["kinds"]["signature"]] == [True]
    assert "holds, signed by" in desk.run("verify", desk.reference, "--key", desk.folder / "k.pub").stdout


def test_a_key_without_a_password_is_told(desk: Desk) -> None:
    assert "is not encrypted" in desk.run("keygen", desk.folder / "k").stderr
    desk.run("sign", desk.reference, "--key", desk.folder / "k.key")


def test_what_is_not_signed_fails_and_says_what_is_there(desk: Desk) -> None:
    desk.run("keygen", desk.folder / "k")
    desk.run("keygen", desk.folder / "other")
    done = desk.run("verify", desk.reference, "--key", desk.folder / "k.pub", status=1)
    assert "no signature of it holds: nothing is attached" in done.stderr
    desk.run("sign", desk.reference, "--key", desk.folder / "other.key")
    done = desk.run("verify", desk.reference, "--key", desk.folder / "k.pub", status=1)
    assert "is signed by none of the keys given" in done.stderr
    desk.run("verify", desk.reference, "--key", desk.folder / "k.pub", "--key", desk.folder / "other.pub")
    missing = desk.run("verify", desk.reference, "--key", desk.folder / "gone.pub", status=3)
    assert "a public key cannot be read" in missing.stderr


def test_provenance_is_attested_and_says_no_more_than_may_be_said(desk: Desk) -> None:
    desk.run("keygen", desk.folder / "k")
    key = ("--key", desk.folder / "k.key")
    unknown = desk.run("attest", desk.reference, "--type", "provenance", *key, status=4)
    assert "it is not known how it was built" in unknown.stderr
    dry = desk.run("attest", desk.reference, "--type", "provenance", "--engine", "own", "--dry-run")
    assert json.loads(dry.stdout)["predicateType"] == "https://slsa.dev/provenance/v1"
    assert "nothing is attached" in desk.run("signatures", desk.reference).stdout
    desk.run("attest", desk.reference, "--type", "provenance", "--engine", "own", *key)
    desk.run("attest", desk.reference, "--type", "sbom-cyclonedx", *key)
    # One for each platform; by cosign's name it is the same kind, and all of it is there already.
    again = desk.json("attest", desk.reference, "--type", "cyclonedx", *key)
    assert isinstance(again, list)
    assert [(one["kind"], one["new"]) for one in again] == [("sbom-cyclonedx", False)] * 2
    assert len(desk.run("attest", desk.reference, "--type", "spdxjson", "-n").stdout.splitlines()) == 2
    words = (
        "verify",
        desk.reference,
        "--key",
        desk.folder / "k.pub",
        "--type",
        "provenance",
        "--type",
        "sbom-cyclonedx",
    )
    found = desk.json(*words)
    assert isinstance(found, dict)
    assert {name: found[name] for name in ("slsa_build_level", "hermetic", "pinned_dependencies", "reproduced_by")} == {
        "slsa_build_level": 1,
        "hermetic": True,
        "pinned_dependencies": "all",
        "reproduced_by": [],
    }
    assert "slsa_build_level: 1\n" in desk.run(*words).stdout
    assert "reproduced_by: nobody" in desk.run(*words).stdout


def test_statements_come_from_files_too(desk: Desk) -> None:
    desk.run("keygen", desk.folder / "k")
    key = ("--key", desk.folder / "k.key")
    (desk.folder / "p.json").write_text('{"ok": true}')
    uri = "https://example.org/review/v1"
    desk.run("attest", desk.reference, "--type", uri, "--predicate", desk.folder / "p.json", *key)
    desk.run("verify", desk.reference, "--key", desk.folder / "k.pub", "--type", uri)
    statement = desk.run("attest", desk.reference, "--type", uri, "--predicate", desk.folder / "p.json", "-n").stdout
    (desk.folder / "s.json").write_text(statement)
    done = desk.run("attest", desk.reference, "--statement", desk.folder / "s.json", *key)
    assert "(was there)" in done.stdout
    (desk.folder / "s.json").write_text(statement.replace(desk.image.digest.hex, "0" * 64))
    assert (
        "is about" in desk.run("attest", desk.reference, "--statement", desk.folder / "s.json", *key, status=3).stderr
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("verify", "{}"), "add --rebuild, or --key FILE"),
        (("verify", "tiny", "--key", "k"), "is no reference"),
        (("verify", "{}", "--key", "k", "--rebuild"), "one at a time"),
        (("verify", "tiny", "--type", "provenance"), "need --key"),
        (("verify", "{}", "--certificate-identity", "me"), "go together"),
        (("verify", "{}", "--key", "k", "--layout", "x"), "say nothing of an image in a registry"),
        (("attest", "{}", "--key", "k"), "name what to say"),
        (("attest", "{}", "--type", "provenance"), "--key is missing"),
        (("attest", "{}", "--type", "provenance", "--started", "today", "-n"), "must be a time"),
        (("attest", "{}", "--type", "provenance", "--started", "2026-11-30T00:00:00", "-n"), "has no offset"),
    ],
)
def test_what_makes_no_sense_is_told_as_usage(desk: Desk, words: tuple[str, ...], says: str) -> None:
    done = desk.run(*(word.format(desk.reference) for word in words), status=2)
    assert says in done.stderr


def test_keys_of_the_project_hold_in_what_they_may(desk: Desk) -> None:
    desk.run("keygen", desk.folder / "k")
    key = ("--key", desk.folder / "k.key")
    desk.run("sign", desk.reference, *key)
    assert "is not there" in desk.run("verify", desk.reference, "--signed", status=3).stderr
    public = (desk.folder / "k.pub").read_text()
    table = f'[[keys]]\nname = "ci"\npublic = """\n{public}"""\nstacks = ["tiny"]\nmay = ["signature"]\n'
    desk.trust(table)
    assert "signed by ci" in desk.run("verify", desk.reference, "--signed").stdout
    desk.run("attest", desk.reference, "--type", "provenance", "--engine", "own", *key)
    done = desk.run("verify", desk.reference, "--signed", "--type", "provenance", status=1)
    assert "may not sign provenance" in done.stderr
    listed = desk.run("signatures", desk.reference).stdout
    assert "may not sign provenance" in listed
    assert "ci" in listed
    desk.trust(table + "revoked = 2026-01-01\n")
    assert "was revoked" in desk.run("verify", desk.reference, "--signed", status=1).stderr


def test_what_was_recorded_before_a_key_was_revoked_still_holds(desk: Desk) -> None:
    desk.run("keygen", desk.folder / "k")
    make_ledger(desk.folder / "ledger.db")
    desk.run("sign", desk.reference, "--key", desk.folder / "k.key")
    with SqliteLedger(desk.folder / "ledger.db", Ticking(), write=False) as opened:
        (entry,) = opened.entries(1)
    assert entry.kind == "signature"
    table = f'[[keys]]\nname = "ci"\npublic = """\n{(desk.folder / "k.pub").read_text()}"""\n'
    time.sleep(1.1)
    desk.trust(f"{table}revoked = {format_time(entry.time + 1)}\n")
    desk.run("verify", desk.reference, "--signed")
    assert "holds" in desk.run("signatures", desk.reference).stdout
    desk.trust(f"{table}revoked = {entry.moment}\n")
    assert "was revoked" in desk.run("verify", desk.reference, "--signed", status=1).stderr
    assert "was revoked" in desk.run("signatures", desk.reference).stdout


def test_without_keys_the_list_says_that_nothing_was_verified(desk: Desk) -> None:
    desk.world.say(desk.image, key=make_key())
    listed = desk.run("signatures", desk.reference).stdout
    assert "not verified: no keys given" in listed
    value = desk.json("signatures", desk.reference)
    assert isinstance(value, dict)
    assert (value["keys_given"], [one["holds"] for one in value["attached"]]) == (False, [False])


def test_a_push_is_signed_before_any_tag_stands_for_it(desk: Desk) -> None:
    desk.run("keygen", desk.folder / "k")
    repository = f"{desk.world.host}/other/airflow"
    layout = ("--layout", desk.folder / "out1")
    pushed = desk.json("push", repository, "tiny", *layout, "--sign-by", desk.folder / "k.key", "--tag", "prod")
    assert isinstance(pushed, dict)
    assert len(pushed["signatures"]) == 1
    desk.run("verify", f"{repository}:prod", "--key", desk.folder / "k.pub")
    # A key that is not there is told before anything is sent.
    third = f"{desk.world.host}/third/airflow"
    desk.run("push", third, "tiny", *layout, "--sign-by", desk.folder / "gone.key", status=3)
    desk.run("ls", third, status=1)


def test_source_date_epoch_dates_the_bundle(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.run("keygen", desk.folder / "k")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    signed = desk.json("sign", desk.reference, "--key", desk.folder / "k.key")
    assert isinstance(signed, list)
    found = desk.world.registry.manifest(desk.image.repository.at(Digest.parse(signed[0]["manifest"])))
    assert found is not None
    assert b'"org.opencontainers.image.created":"1970-01-01T00:00:00Z"' in found.data
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert (
        "is no number of seconds" in desk.run("sign", desk.reference, "--key", desk.folder / "k.key", status=3).stderr
    )
