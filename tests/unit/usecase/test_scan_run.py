"""A scan from beginning to end, with a scanner of the tests' own: found, judged, on record, and asked for by a channel."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.digest import Digest
from builder.errors import (
    BuilderError,
    IntegrityError,
    InvalidInputError,
    LedgerError,
    ScanError,
    StackError,
    ToolError,
)
from builder.finding.document import parse_findings
from builder.finding.model import Fix, FixState
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Promoted, Scanned
from builder.ledger.queries import event_of
from builder.platform import AMD64, ARM64
from builder.policy.reader import parse_channels
from builder.scan.trivy import Scanner
from builder.usecase.promote import PromoteRequest, Promotion, promote
from builder.usecase.scan import ScanTools
from builder.usecase.scan_record import iter_scans
from builder.usecase.scan_run import ScanOutcome, ScanRequest, ScanWorld, run_scan
from builder.usecase.waivers import load_given
from tests.support.advisories import CANARY, Advisories, Advisory
from tests.support.fake_scanner import FakeScanner, LyingScanner
from tests.support.findings import waiver
from tests.support.scan_world import (
    NOW,
    PLANTED,
    SOMEBODY,
    ScanProject,
    make_scan_project,
    mend_openssl,
    places_of,
    tools_of,
)

GATE = """
[[channels]]
name = "dev"
[[channels]]
name = "prod"
scan = [{ severity = "critical" }, { severity = "high", fix = "known", grace = "1d" }]
"""
GOOD = FakeScanner(known=PLANTED)


@pytest.fixture
def project(tmp_path: Path) -> ScanProject:
    made = make_scan_project(tmp_path)
    made.project.channels_path.write_text(GATE)
    return made


class Bench:
    """Runs scans of a project."""

    def __init__(self, project: ScanProject) -> None:
        self.project = project
        self.now = NOW
        self._count = 0

    def run(
        self,
        text: str = "tiny",
        scanner: Scanner = GOOD,
        *,
        record: bool = True,
        pinned: bool = True,
        **request: Any,
    ) -> ScanOutcome:
        self._count += 1
        places = places_of(self.project, self.project.project.root / f".room-{self._count}")

        @contextmanager
        def open_tools() -> Iterator[ScanTools]:
            yield tools_of(scanner, pinned=pinned, now=self.now)

        @contextmanager
        def open_fixers(*_: object) -> Iterator[Any]:
            yield no_session, lambda _: Fix(state=FixState.REACHABLE, version="3.5.9-1", how="lock the base")

        with SqliteLedger(self.project.ledger, lambda: self.now, write=True) as ledger:
            world = ScanWorld(
                project=self.project.project,
                places=replace(places, ledger=ledger),
                open_tools=open_tools,
                open_fixers=open_fixers,
                ledger=ledger,
                record=ledger if record else None,
                actor=SOMEBODY,
                now=self.now,
            )
            return run_scan(ScanRequest(text=text, **request), world)

    def scans(self) -> list[Scanned]:
        """List scans on record, the newest first."""
        with SqliteLedger(self.project.ledger, lambda: self.now, write=False) as ledger:
            return [event_of(entry, Scanned) for entry in ledger.find("stack", "tiny", kinds=("scan",))]

    def document(self, digest: str) -> bytes | None:
        with SqliteLedger(self.project.ledger, lambda: self.now, write=False) as ledger:
            return ledger.document(Digest.parse(digest))

    def promote(self, channel: str = "prod") -> Promotion:
        channels = parse_channels(self.project.project.channels_path.read_bytes(), stacks=("tiny",))
        rules = channels.rules_for("tiny", channel)
        given = load_given(self.project.project, "tiny", (rules,))
        with SqliteLedger(self.project.ledger, lambda: self.now, write=True) as ledger:
            return promote(ledger, PromoteRequest(stack="tiny", rules=rules, given=given), SOMEBODY, lambda: self.now)


def no_session(_: str) -> Any:
    raise StackError("nobody resolves here")


@pytest.fixture
def bench(project: ScanProject) -> Bench:
    return Bench(project)


def write_waiver(project: ScanProject, *waivers: object, name: str = "a") -> None:
    from builder.finding.vex import dump_vex

    folder = project.project.root / "stacks/tiny/vex"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.openvex.json").write_bytes(dump_vex(waivers, author="team:tiny"))  # type: ignore[arg-type]


OPENSSL = waiver("CVE-2099-0001", "pkg:deb/debian/libssl3t64")


def test_a_scan_is_on_record_with_findings_reports_and_what_vouches_for_it(bench: Bench) -> None:
    outcome = bench.run()
    assert outcome.entry is not None
    (event,) = bench.scans()
    assert event.result == "findings"
    assert event.counts == {"critical": 1, "high": 1, "medium": 1, "low": 1}
    assert event.parts == {"base": 2, "own": 2}
    assert (event.scanner, event.pinned, event.isolated) == ("trivy 0.99.0", True, True)
    assert event.scanner_sha256 == GOOD.identity.sha256.hex
    assert event.database == f"sha256:{Digest.of(b'database').hex}"
    data = bench.document(event.findings)
    assert data is not None
    found = parse_findings(data, context="x")
    assert found == outcome.scan.found
    assert set(event.reports) == {"linux/amd64", "linux/arm64"}
    for part in found.parts:
        assert event.reports[part.platform] == part.report
        report = bench.document(part.report)
        assert report is not None
        assert json.loads(report)["SchemaVersion"] == 2


def test_what_is_not_to_be_recorded_is_not(bench: Bench) -> None:
    assert bench.run(record=False).entry is None
    assert bench.scans() == []


def test_the_gate_of_each_channel_is_asked(bench: Bench) -> None:
    outcome = bench.run()
    (prod,) = outcome.verdicts
    assert (prod.channel, [one.finding.id for one in prod.verdict.stopped]) == ("prod", ["CVE-2099-0001"])
    assert outcome.stops
    bench.now += 2 * 86_400
    (later,) = bench.run().verdicts
    assert [one.finding.id for one in later.verdict.stopped] == ["CVE-2099-0001", "CVE-2018-18074"]


def test_without_a_gate_everything_stops_that_nothing_waives(bench: Bench, project: ScanProject) -> None:
    project.project.channels_path.unlink()
    (only,) = bench.run().verdicts
    assert (only.channel, len(only.verdict.stopped)) == ("", 4)
    with pytest.raises(StackError, match="is not there"):
        bench.run(channel="prod")


def test_waivers_let_findings_pass_until_they_expire(bench: Bench, project: ScanProject) -> None:
    write_waiver(project, OPENSSL)
    outcome = bench.run()
    assert not outcome.stops
    assert outcome.scan.found.findings[0].waiver == "stacks/tiny/vex/a.openvex.json#0"
    assert bench.scans()[0].waived == 1
    assert bench.promote().outcome == "promoted"
    bench.now += 30 * 86_400
    assert bench.run(record=False).stops


def test_when_all_is_waived_the_result_says_so(bench: Bench, project: ScanProject) -> None:
    deb = waiver("CVE-2099-0002", "pkg:deb/debian/libssl3t64")
    others = [waiver("CVE-2018-18074", "pkg:pypi/requests"), waiver("CVE-2099-0003", "pkg:pypi/beta")]
    write_waiver(project, OPENSSL, deb, *others)
    assert bench.run().scan.result == "waived"
    assert bench.scans()[0].counts == {}


def test_a_channel_moves_by_the_findings_on_record_and_keeps_the_waivers_that_let_it(
    bench: Bench, project: ScanProject
) -> None:
    assert bench.promote().outcome == "lacking"
    bench.run()
    closed = bench.promote()
    assert closed.judged[0].check.found.startswith("1 stop: CVE-2099-0001 in libssl3t64 (critical)")
    write_waiver(project, OPENSSL)
    moved = bench.promote()
    assert moved.outcome == "promoted"
    with SqliteLedger(project.ledger, lambda: NOW, write=False) as ledger:
        (entry,) = ledger.find("channel", "tiny prod", kinds=(Promoted.kind,))
        kept = [ledger.document(Digest.parse(document.digest)) for document in entry.documents]
    assert any(b"openvex.dev" in data and b"CVE-2099-0001" in data for data in kept if data)


def test_an_unpinned_scanner_is_recorded_as_such_and_opens_nothing(bench: Bench, project: ScanProject) -> None:
    write_waiver(project, OPENSSL)
    assert not bench.run(pinned=False).stops
    assert not bench.scans()[0].pinned
    assert "does not pin" in bench.promote().judged[0].check.found


@pytest.mark.parametrize(
    "scanner",
    [
        LyingScanner(data=b""),
        LyingScanner(data=b"{}"),
        LyingScanner(data=b'{"SchemaVersion": 2, "ArtifactType": "container_image"'),
        FakeScanner(known=Advisories()),
    ],
    ids=["silent", "empty", "cut-off", "knows-nothing"],
)
def test_what_cannot_be_scanned_is_on_record_with_the_reason_and_opens_nothing(bench: Bench, scanner: Scanner) -> None:
    with pytest.raises(ScanError) as caught:
        bench.run(scanner=scanner)
    assert caught.value.exit_code == 4
    (event,) = bench.scans()
    assert (event.result, event.findings) == ("not scanned", "")
    assert caught.value.message in event.summary
    promotion = bench.promote()
    assert promotion.outcome == "lacking"
    assert promotion.judged[0].check.found.startswith("it could not be scanned: ")


@pytest.mark.parametrize(
    "error", [ScanError("trivy 0.69.4 is never run"), ToolError("trivy is not there")], ids=["known-bad", "missing"]
)
def test_a_scanner_that_will_not_do_is_on_record_too(bench: Bench, project: ScanProject, error: BuilderError) -> None:
    @contextmanager
    def open_tools() -> Iterator[ScanTools]:
        if bench.now:
            raise error
        yield tools_of(GOOD)

    with SqliteLedger(project.ledger, lambda: NOW, write=True) as ledger:
        world = ScanWorld(
            project=project.project,
            places=places_of(project, project.project.root / ".room"),
            open_tools=open_tools,
            open_fixers=lambda *_: open_tools(),  # type: ignore[arg-type]
            ledger=ledger,
            record=ledger,
            actor=SOMEBODY,
            now=NOW,
        )
        with pytest.raises(type(error), match=error.message):
            run_scan(ScanRequest(text="tiny"), world)
    assert (bench.scans()[0].result, bench.scans()[0].summary) == ("not scanned", error.message)
    assert error.exit_code == 4


def test_a_scan_of_some_platforms_is_none_of_the_image(bench: Bench) -> None:
    with pytest.raises(InvalidInputError, match="leaves out linux/arm64"):
        bench.run(platforms=[AMD64])
    assert bench.scans() == []
    assert [part.platform for part in bench.run(record=False, platforms=[AMD64]).scan.found.parts] == ["linux/amd64"]
    assert len(bench.run(platforms=[AMD64, ARM64]).scan.found.parts) == 2
    with pytest.raises(ScanError, match="the image is not there for linux/s390x"):
        bench.run(record=False, platforms=[AMD64, replace(AMD64, name="linux/s390x")])


def test_a_finding_is_as_old_as_the_first_scan_that_had_it(bench: Bench) -> None:
    bench.run()
    bench.now += 86_400
    few = replace(PLANTED, pip=CANARY.pip)
    bench.run(scanner=FakeScanner(known=few))
    bench.now += 86_400
    more = replace(PLANTED, debian=(*PLANTED.debian, Advisory(id="CVE-2099-9", name="openssl", severity="LOW")))
    seen = {one.id: one.first_seen for one in bench.run(scanner=FakeScanner(known=more)).scan.found.findings}
    # A scan in between by a database that did not know it makes it no newer.
    assert seen == {
        "CVE-2099-0001": NOW,
        "CVE-2018-18074": NOW,
        "CVE-2099-0003": NOW,
        "CVE-2099-0002": NOW,
        "CVE-2099-9": bench.now,
    }
    with SqliteLedger(bench.project.ledger, lambda: NOW, write=False) as ledger:
        assert len(list(iter_scans(ledger, "tiny"))) == 3


def test_fixes_are_looked_for_when_asked(bench: Bench, project: ScanProject) -> None:
    write_waiver(project, OPENSSL)
    outcome = bench.run(check_fixes=True)
    states = {one.id: one.fix.state for one in outcome.scan.found.findings}
    assert states == {
        "CVE-2099-0001": FixState.REACHABLE,
        "CVE-2018-18074": FixState.UNRESOLVED,
        "CVE-2099-0003": FixState.UNRESOLVED,
        "CVE-2099-0002": FixState.NONE,
    }
    assert [one.id for _, one in outcome.scan.waived.mendable] == ["CVE-2099-0001"]


def test_two_images_are_scanned_alike_and_compared(bench: Bench, project: ScanProject, tmp_path: Path) -> None:
    old = str(project.recorded.digest)
    kept = project.project.root / "build/kept"
    shutil.copytree(project.layout, kept)
    project.history.build(mend_openssl(project.world), layout=tmp_path / "newer")
    shutil.rmtree(project.layout)
    shutil.copytree(tmp_path / "newer", project.layout)
    (project.project.root / "stacks/kept").mkdir()
    (project.project.root / "stacks/kept/stack.toml").write_text('description = "x"\nextends = "tiny"\n')
    for name in ("base.tiny.toml", "pylock.tiny.toml"):
        # What the ledger has is found by its hash, whatever lies in the project now.
        (project.project.root / "locks" / name).unlink()
    outcome = bench.run(before=old[:19])
    assert outcome.compared is not None
    assert outcome.compared.digest == old
    changes = outcome.compared.changes
    assert [one.id for one in changes.fixed] == ["CVE-2099-0001"]
    assert changes.new == ()
    assert {one.id for one in changes.stayed} == {"CVE-2018-18074", "CVE-2099-0003", "CVE-2099-0002"}


def test_an_image_before_that_cannot_be_scanned_is_no_failure_of_this_one(bench: Bench, project: ScanProject) -> None:
    class Moody:
        identity = GOOD.identity
        count = 0

        def scan(self, image: Any, layout: Path) -> bytes:
            self.count += 1
            return GOOD.scan(image, layout) if self.count <= 2 else b""

    with pytest.raises(ScanError, match="the image before: the scanner wrote no report"):
        bench.run(scanner=Moody(), before=project.recorded.digest)
    assert [event.result for event in bench.scans()] == ["findings"]


def break_layer(project: ScanProject) -> None:
    blob = max((project.layout / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(data)


@pytest.mark.parametrize(
    ("arrange", "text", "error", "told"),
    [
        (lambda project: shutil.rmtree(project.layout), "tiny", StackError, "is not built"),
        (lambda project: shutil.rmtree(project.layout), "@", LedgerError, "lies neither in build/ nor in a registry"),
        (lambda _: None, "nothing", LedgerError, "the ledger knows no such image"),
        (break_layer, "tiny", IntegrityError, "is damaged, or not there"),
    ],
)
def test_what_cannot_be_found_whole_is_told(
    bench: Bench,
    project: ScanProject,
    arrange: Callable[[ScanProject], None],
    text: str,
    error: type[BuilderError],
    told: str,
) -> None:
    arrange(project)
    with pytest.raises(error, match=told):
        bench.run(project.recorded.digest if text == "@" else text)


def test_a_lock_that_is_nowhere_at_hand_is_not_scanned(project: ScanProject, tmp_path: Path) -> None:
    from builder.usecase.scan_target import find_target

    for path in (project.project.root / "locks").iterdir():
        path.write_text("another")
    with pytest.raises(ScanError, match=r"its lock .* is not at hand"):
        find_target("tiny", places_of(project, tmp_path / "room"))
    with pytest.raises(InvalidInputError, match="there is no such stack"):
        find_target("other", places_of(project, tmp_path / "room2"))
