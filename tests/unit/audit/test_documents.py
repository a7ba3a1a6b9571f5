"""Documents of folders: which an entry names, and how they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.audit.documents import ASKED, bundle_of, file_name, is_openvex, list_topics, named_by
from builder.audit.model import Line
from builder.digest import Digest
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Attested, Event, Promoted, Scanned
from builder.ledger.model import NewDocument, NewEntry
from tests.support.audited_month import VEX
from tests.support.ledgers import digest_of, events_of_every_kind, make_ledger
from tests.support.signing import make_bundle, make_key

VEX_BYTES = json.dumps(VEX).encode()


def line_of(folder: Path, event: Event, *documents: bytes) -> Line:
    make_ledger(folder / "ledger.db", [NewEntry(event=event, documents=[NewDocument(data=one) for one in documents])])
    with SqliteLedger(folder / "ledger.db", lambda: 0, write=False) as ledger:
        return Line(data=tuple(ledger.lines())[1])


@pytest.mark.parametrize("event", events_of_every_kind(), ids=lambda event: event.kind)
def test_what_an_entry_names_beside_keys_and_other_images_is_wanted(event: Event, tmp_path: Path) -> None:
    named = set(named_by(line_of(tmp_path, event)))
    assert digest_of("key") not in named
    assert digest_of("old") not in named
    for key in ("lock", "base_lock", "rules", "report", "statement", "bundle"):
        digest = getattr(event, key, "")
        assert not digest or digest in named


def test_documents_that_came_along_unnamed_are_wanted_too(tmp_path: Path) -> None:
    """Waivers come with the promotion that they let through."""
    event = Promoted(stack="core", channel="prod", digest=digest_of("a"), rules=digest_of("rules"))
    line = line_of(tmp_path, event, VEX_BYTES)
    assert named_by(line)[str(Digest.of(VEX_BYTES))] == "documents[0]"
    assert file_name(line, "documents[0]", VEX_BYTES, ()) == "000001-promotion-waivers.json"
    assert file_name(line, "documents[0]", b"{}", ()) == "000001-promotion-documents-0.json"


def test_names_say_what_it_is_and_are_not_given_twice(tmp_path: Path) -> None:
    line = line_of(tmp_path, Scanned(digest=digest_of("a"), result="clean", report=digest_of("report")))
    names = [file_name(line, "data.report", data, ()) for data in (b"[]", b"a = 1\n", b"<a/>", b"plain: [", b"\xff")]
    assert [name.rpartition(".")[2] for name in names] == ["json", "toml", "xml", "txt", "bin"]
    assert file_name(line, "data.report", b"[]", {"000001-scan-report.json"}) == "000001-scan-report-2.json"
    assert file_name(line, 'data.reports.../../x"', b"[]", ()) == "000001-scan-reports-x.json"


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"@context":"https://openvex.dev/ns"}', b'{"@context":5}', b"[" * 9999]
)
def test_what_is_no_list_of_waivers_is_not_taken_for_one(data: bytes) -> None:
    assert not is_openvex(data)


def test_a_bundle_is_made_again_only_as_it_is_on_record(tmp_path: Path) -> None:
    bundle, key = make_bundle(Digest.of(b"image"), "provenance"), make_key()
    statement = bundle.envelope.payload
    said = {
        "digest": str(Digest.of(b"image")),
        "repository": "a",
        "predicate_type": "https://slsa.dev/provenance/v1",
        "statement": str(Digest.of(statement)),
        "signer": key.public.fingerprint,
        "bundle": str(bundle.digest),
    }
    signature = json.loads(bundle.data)["dsseEnvelope"]["signatures"][0]["sig"]
    line = line_of(tmp_path, Attested(**said, signature=signature))  # type: ignore[arg-type]
    assert bundle_of(line, statement) == bundle.data
    assert bundle_of(line, statement + b" ") is None
    assert bundle_of(line, None) is None
    for number, other in enumerate(
        ({"signature": "AAAA"}, {"signature": "?"}, {"signer": "a@b", "signature": signature})
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert bundle_of(line_of(folder, Attested(**(said | other))), statement) is None


def test_what_is_always_asked_is_answered_if_only_by_nothing() -> None:
    topics = list_topics((), (), ())
    assert [topic.name for topic in topics] == list(ASKED)
    assert not any(topic.is_on_record for topic in topics)
