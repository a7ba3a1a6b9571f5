"""A month of twelve stacks on record, for audits: nightly images with all their documents, requests, approvals, one emergency,
one waiver, one approval taken back, one rollback, something unknown that runs, and what came before and after the month.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from builder.audit.model import Period
from builder.digest import Digest
from builder.ledger.database import SqliteLedger
from builder.ledger.entry import Actor
from builder.ledger.events import Event, LicencesJudged, Pushed, Scanned, Seen, Tested
from builder.ledger.model import NewDocument, NewEntry
from builder.ledger.note import SigningKey, sign
from builder.ledger.parts import Finding, SeenImage, TagMove
from builder.lock.model import LockedCandidate, PlannedLayer
from builder.policy.reader import Channels
from builder.usecase.approve import ApproveRequest, approve
from builder.usecase.promote import PromoteRequest, Promotion, promote
from builder.usecase.record_signatures import Noted, record_bundles
from tests.support.channels import ALICE, BOB, CAROL, DAY, HOUR, NIGHTLY, channels
from tests.support.ledgers import digest_of
from tests.support.made_up import World, make_candidate, make_world
from tests.support.recorded import History, Recorded, change_stack
from tests.support.signing import make_bundle, make_key

BEGIN = 1_793_491_200
"""2026-11-01."""
END = BEGIN + 30 * DAY
MONTH = Period(begin=BEGIN, end=END)
STACKS = ("core", "aws", "azure", "billing", "dbt", "finance", "gcp", "marketing", "ml", "ops", "risk", "sales")
KEY = SigningKey(name="example.org/airflow", seed=b"auditor's month".ljust(32, b"."))
REPOSITORY = "registry.example.org/team/airflow"
UNKNOWN = digest_of("somebody pushed this by hand")
RULES = """
[[channels]]
name = "dev"
[[channels]]
name = "staging"
after = "dev"
tests = ["stack"]
[[channels]]
name = "prod"
after = "staging"
tests = true
scan = "clean-or-waived"
scan-age = "7d"
approvals = 1
rollback = "recorded"
"""
NO_APPROVALS = RULES + '[[channels]]\nname = "prod"\nstacks = ["finance"]\napprovals = 0\n'
VEX = {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": "urn:example:vex",
    "author": "team:risk",
    "timestamp": "2026-11-04T00:00:00Z",
    "version": 1,
    "statements": [
        {
            "vulnerability": {"name": "CVE-2099-0001"},
            "products": [{"@id": "pkg:deb/debian/libtiny@1.0-1"}],
            "status": "not_affected",
            "justification": "vulnerable_code_not_in_execute_path",
            "status_notes": "nobody calls it\n\nowner: team:risk\nexpires: 2027-01-31",
        }
    ],
}


class Month:
    """Writes the month into a ledger.

    Args:
        folder: gets `ledger.db`, and heads that were kept: `october.txt`, `mid.txt`, `december.txt`.
        stacks: whose month it is.
    """

    def __init__(self, folder: Path, stacks: Sequence[str] = STACKS) -> None:
        self.folder, self.stacks = folder, tuple(stacks)
        self.history = History(folder / "ledger.db")
        self.world = make_world(folder / "world")
        self.versions: dict[str, LockedCandidate] = {}
        self.images: dict[tuple[str, str], str] = {}
        """Digests by stack and name."""
        self.usual = channels(RULES, *stacks, "finance")
        self.loose = channels(NO_APPROVALS, *stacks, "finance")

    def at(self, epoch: int) -> None:
        """Set the clock; it goes a minute further with each entry."""
        self.history.clock.now = epoch

    def record(self, event: Event, actor: Actor = NIGHTLY, *documents: bytes) -> None:
        kept = [NewDocument(data=data) for data in documents]
        with SqliteLedger(self.history.path, self.history.clock, write=True) as ledger:
            ledger.append([NewEntry(event=event, documents=kept)], actor)

    def build(self, stack: str, name: str) -> str:
        """Build, push, test, scan and sign an image."""
        built = self.history.build(self._world_of(stack, name))
        digest = self.images[stack, name] = built.digest
        tag = TagMove(tag=f"{stack}-{name}")
        self.record(Pushed(digest=digest, repository=REPOSITORY, stack=stack, tags=(tag,), sent_bytes=1000))
        self.record(Tested(digest=digest, name="stack", passed=True, summary="12 passed"))
        self.sign(built)
        return digest

    def _world_of(self, stack: str, name: str) -> World:
        if name not in self.versions:
            content = {"alpha/__init__.py": f"x = {name!r}\n".encode()}
            version = f"1.{len(self.versions)}"
            self.versions[name] = make_candidate(self.world.files, "alpha", version, content)
        candidates = (self.versions[name], *self.world.stack.candidates[1:])
        plan = (PlannedLayer(name=f"{stack}-all", stack=stack, projects=("alpha", "beta", "gamma")),)
        return change_stack(self.world, stack=stack, plan=plan, candidates=candidates)

    def sign(self, built: Recorded) -> None:
        """Record a signature, a provenance and a bill of materials."""
        digest = Digest.parse(built.digest)
        components = [{"type": "library", "name": "alpha"}]
        said: dict[str, dict[str, Any]] = {
            "signature": {},
            "provenance": {"buildDefinition": {}},
            "sbom-cyclonedx": {"components": components},
        }
        noted = [
            Noted(
                digest=digest,
                repository=REPOSITORY,
                predicate_type=json.loads(bundle.envelope.payload)["predicateType"],
                bundle=bundle,
                signer=make_key().public.fingerprint,
                name="ci",
                made=True,
            )
            for bundle in (make_bundle(digest, kind, **predicate) for kind, predicate in said.items())
        ]
        with SqliteLedger(self.history.path, self.history.clock, write=True) as ledger:
            record_bundles(ledger, noted, NIGHTLY)

    def scan(self, digest: str, result: str = "clean", report: object = None) -> None:
        data = json.dumps(report or {"SchemaVersion": 2, "Results": [], "of": digest}, indent=1).encode()
        counts = {"low": 1} if result == "waived" else {}
        event = Scanned(
            digest=digest,
            result=result,
            scanner="trivy 0.59.1",
            database="2026-11-01",
            counts=counts,
            report=str(Digest.of(data)),
        )
        self.record(event, NIGHTLY, data)

    def judge_licences(self, digest: str) -> None:
        rules, report = b'{"allow":["MIT"]}', json.dumps({"of": digest}).encode()
        event = LicencesJudged(
            digest=digest,
            allowed=True,
            rules=str(Digest.of(rules)),
            counts={"allowed": 6},
            report=str(Digest.of(report)),
        )
        self.record(event, NIGHTLY, rules, report)

    def promote(
        self,
        stack: str,
        channel: str,
        digest: str,
        actor: Actor = NIGHTLY,
        *,
        rules: Channels | None = None,
        reason: str = "",
        **how: bool,
    ) -> Promotion:
        request = PromoteRequest(
            stack=stack,
            rules=(rules or self.usual).rules_for(stack, channel),
            target=digest,
            reason=reason,
            rollback=how.get("rollback", False),
            ask=how.get("ask", False),
        )
        with SqliteLedger(self.history.path, self.history.clock, write=True) as ledger:
            return promote(ledger, request, actor, self.history.clock)

    def approve(
        self, stack: str, digest: str, actor: Actor = BOB, comment: str = "", *, withdraw: bool = False
    ) -> None:
        rules = self.usual.rules_for(stack, "prod")
        request = ApproveRequest(stack=stack, rules=rules, target=digest, comment=comment, withdraw=withdraw)
        with SqliteLedger(self.history.path, self.history.clock, write=True) as ledger:
            approve(ledger, request, actor, self.history.clock)

    def release(self, stack: str, name: str, *, scan: str = "clean", report: object = None) -> None:
        """Take a new image through all channels, as it is usually done."""
        digest = self.build(stack, name)
        self.scan(digest, scan, report)
        if stack == "risk":
            self.judge_licences(digest)
        for channel in ("dev", "staging"):
            assert self.promote(stack, channel, digest).outcome == "promoted"
        assert self.promote(stack, "prod", digest, ALICE, ask=True, reason=f"nightly {name}").outcome == "requested"
        self.approve(stack, digest, comment="=looks good")
        assert self.promote(stack, "prod", digest, ALICE, reason=f"nightly {name}").outcome == "promoted"

    def look(self, *, images: Sequence[str] = (), findings: Sequence[Finding] = ()) -> None:
        """Record what runs: what prod stands for, and what else there is."""
        with SqliteLedger(self.history.path, self.history.clock, write=False) as ledger:
            from builder.ledger.queries import channel_state

            states = [channel_state(ledger, stack, "prod") for stack in self.stacks]
        digests = sorted({*(state.digest for state in states if state), *images})
        seen = tuple(
            SeenImage(digest=digest, pods=3, workloads=("airflow/deployment/scheduler",)) for digest in digests
        )
        self.record(Seen(cluster="production", namespaces=("airflow",), images=seen, findings=tuple(findings)))

    def keep_head(self, name: str) -> None:
        """Keep a head where the ledger's writer does not reach."""
        with SqliteLedger(self.history.path, self.history.clock, write=False) as ledger:
            (self.folder / name).write_bytes(sign(ledger.head(), KEY))

    def write(self) -> None:
        """Write all of it."""
        self.at(BEGIN - 12 * DAY)
        for stack in self.stacks:
            self.release(stack, "october")
        self.at(BEGIN - 2 * DAY)
        self.look()
        self.keep_head("october.txt")
        for position, stack in enumerate(self.stacks):
            self.at(BEGIN + (2 + position) * DAY + 2 * HOUR)
            if stack == "finance":
                self._emergency()
            elif stack == "marketing":
                self._taken_back()
            elif stack == "risk":
                self.release(stack, "november", scan="waived", report=VEX)
            else:
                self.release(stack, "november")
            if position == len(self.stacks) // 2:
                self.look()
                self.keep_head("mid.txt")
        self.at(BEGIN + 20 * DAY)
        self._back(self.stacks[-1])
        self.at(BEGIN + 21 * DAY)
        drift = Finding(kind="unknown image", severity="high", where="airflow/pod/x", what="busybox", pods=3)
        self.look(images=[UNKNOWN], findings=[drift])
        # Somebody's clock is wrong.
        self.at(BEGIN + 21 * DAY - 10 * HOUR)
        self.build(self.stacks[0], "late")
        self.at(END + DAY)
        self.release(self.stacks[0], "december")
        self.keep_head("december.txt")

    def _emergency(self) -> None:
        """Move prod by night without approvals, by rules that are put back; agree in the morning."""
        digest = self.build("finance", "hotfix")
        self.scan(digest)
        for channel in ("dev", "staging"):
            self.promote("finance", channel, digest)
        reason = "emergency: CVE-2026-9999 is exploited"
        assert self.promote("finance", "prod", digest, CAROL, rules=self.loose, reason=reason).outcome == "promoted"
        self.at(self.history.clock.now + 9 * HOUR)
        self.approve("finance", digest, comment="reviewed afterwards, as it must be")

    def _taken_back(self) -> None:
        """Ask for prod, and do not get it."""
        digest = self.build("marketing", "november")
        self.scan(digest)
        for channel in ("dev", "staging"):
            self.promote("marketing", channel, digest)
        self.promote("marketing", "prod", digest, ALICE, ask=True, reason="new report")
        self.approve("marketing", digest)
        self.approve("marketing", digest, comment="it breaks the nightly report", withdraw=True)
        assert self.promote("marketing", "prod", digest, ALICE).outcome == "lacking"

    def _back(self, stack: str) -> None:
        old = self.images[stack, "october"]
        done = self.promote(stack, "prod", old, CAROL, rollback=True, reason="tasks hang")
        assert done.outcome == "promoted"


def write_month(folder: Path, stacks: Sequence[str] = STACKS) -> None:
    """Write a month into a folder."""
    Month(folder, stacks).write()
