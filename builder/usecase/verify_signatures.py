"""Verify signatures: which bundles beside an image hold, by whose keys, and which do not, and why.

A bundle holds when, in this order:

1. a key or an identity that is known has signed it, and what is signed is a statement;
2. the statement is about this very digest: a bundle that was moved here from another image is about that one;
3. its signer may sign this kind for this stack, and was valid when the bundle was first seen (trust.py);
4. what it says agrees with the image, for the kinds whose meaning is known here (provenance, rebuilds).

What does not hold is told and passed over: anybody who may push can put it there. What is asked for holds when one bundle does.
Nothing that stands beside a bundle (titles, hints, types in annotations) is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from builder.attest.kinds import PREDICATE_TYPES, REBUILD, kind_of
from builder.attest.sealing import Opener, open_bundle
from builder.attest.statement import Statement
from builder.attest.trust import Trust, TrustedKey
from builder.digest import Digest
from builder.errors import IntegrityError, SignatureError
from builder.oci.fields import Fields
from builder.registry.model import Registry
from builder.usecase.attached import Artifact, AttachedBundle, PassedOver, find_bundles

FirstSeen = Callable[[Digest, Digest], int | None]
"""Given an artifact and a bundle, tells when a ledger first recorded it: seconds since the epoch; None where none did."""
Judge = Callable[[Statement, TrustedKey | None, str], Any]
"""Holds a statement against the image, given its signer and a place for errors; raises SignatureError, IntegrityError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Whose bundles hold."""

    openers: tuple[Opener, ...]
    trust: Trust
    """What the keys among the openers may; identities that openers know may sign everything."""
    stack: str
    """Of the image; empty where it is of none of ours."""
    now: int
    first_seen: FirstSeen = lambda *_: None
    judges: Mapping[str, Judge] = field(default_factory=dict)
    """By predicate type: what its statements have to agree with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A bundle, and whether it holds."""

    attached: AttachedBundle
    statement: Statement | None
    """None where nobody known has signed it."""
    signer: str = ""
    key: TrustedKey | None = None
    """None for an identity."""
    found: Any = None
    """What the judge of its kind found."""
    why: str = ""
    """Why it does not hold; empty where it does."""

    @property
    def holds(self) -> bool:
        """Tell whether it holds."""
        return not self.why

    @property
    def predicate_type(self) -> str:
        """The kind that was signed; where nobody known has, the one that is claimed."""
        return self.statement.predicate_type if self.statement is not None else self.attached.said.predicate_type

    @property
    def name(self) -> str:
        """Name the signer for people."""
        return self.key.name if self.key is not None else self.signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was found out about an artifact."""

    artifact: Artifact
    judged: tuple[Judged, ...]
    passed_over: tuple[PassedOver, ...]

    def held(self, predicate_type: str) -> tuple[Judged, ...]:
        """List what holds, of one kind."""
        return tuple(one for one in self.judged if one.holds and one.predicate_type == predicate_type)

    def check(self, predicate_types: Sequence[str]) -> None:
        """Raise SignatureError unless one bundle of each kind holds; it says why the others do not."""
        for uri in predicate_types:
            if self.held(uri):
                continue
            refused = [f"{one.attached.manifest}: {one.why}" for one in self.judged if one.predicate_type == uri]
            kind, other = kind_of(uri), [str(one) for one in self.passed_over]
            others = [
                f"{one.attached.manifest} is of the kind {kind_of(one.predicate_type)}"
                for one in self.judged
                if one.predicate_type != uri
            ]
            why = "".join(f"\n  {line}" for line in (*refused, *other, *others)[:_MOST_TOLD])
            raise SignatureError(
                f"no {kind} of it holds" + (f":{why}" if why else ": nothing is attached"),
                context=str(self.artifact.reference),
                hint=f"airflow-kubler signatures {self.artifact.reference} lists what is attached",
            )


_MOST_TOLD = 10


def judge_artifact(registry: Registry, artifact: Artifact, policy: Policy) -> Verified:
    """Find out what is attached to an artifact, and what of it holds; raises RegistryError where the registry fails."""
    found, passed = find_bundles(registry, artifact)
    judged = tuple(judge_bundle(one, artifact, policy) for one in found)
    return Verified(artifact=artifact, judged=judged, passed_over=passed)


def judge_bundle(attached: AttachedBundle, artifact: Artifact, policy: Policy) -> Judged:
    """Find out whether a bundle holds; the steps are those of this file's head."""
    bundle, context = attached.bundle, str(attached.manifest)
    try:
        statement, signer = open_bundle(bundle, policy.openers, context=context)
    except (SignatureError, IntegrityError) as error:
        return Judged(attached=attached, statement=None, why=error.message)
    key = policy.trust.find(signer)
    found: Any = None
    if statement.digest != artifact.digest:
        why = f"is about {statement.digest}, and was moved here"
    else:
        why = _objection(key, statement, artifact, attached, policy)
    judge = policy.judges.get(statement.predicate_type)
    if not why and judge is not None:
        try:
            found = judge(statement, key, context)
        except (SignatureError, IntegrityError) as error:
            why = error.message
    return Judged(attached=attached, statement=statement, signer=signer, key=key, found=found, why=why)


def _objection(
    key: TrustedKey | None, statement: Statement, artifact: Artifact, attached: AttachedBundle, policy: Policy
) -> str:
    if key is None:
        return ""
    seen = policy.first_seen(artifact.digest, attached.bundle.digest) if key.is_timed else None
    return key.objection(statement.predicate_type, policy.stack, policy.now if seen is None else seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildClaim:
    """What a statement on a rebuild says."""

    same: bool
    rebuilder: str
    difference: str


def judge_rebuild(statement: Statement, key: TrustedKey | None, context: str) -> RebuildClaim:
    """Read a statement on a rebuild; its verdict must be that of the digests in it."""
    del key
    predicate = Fields(statement.predicate, context=context)
    verdict, rebuilt = predicate.text("verdict"), predicate.child("rebuilt").text("sha256")
    if (verdict, rebuilt == statement.digest.hex) not in {("same", True), ("different", False)}:
        raise IntegrityError("its verdict is not that of its digests", context=context)
    return RebuildClaim(
        same=verdict == "same",
        rebuilder=predicate.child("rebuilder").text("id"),
        difference=predicate.optional_text("firstDifference"),
    )


def reproduced_by(verified: Verified) -> tuple[str, ...]:
    """Name who says that the image came out the same, each once, sorted: by his key, whatever name he gives himself."""
    claims = verified.held(PREDICATE_TYPES[REBUILD])
    same = {one.name for one in claims if isinstance(one.found, RebuildClaim) and one.found.same}
    other = {one.name for one in claims if isinstance(one.found, RebuildClaim) and not one.found.same}
    return tuple(sorted(same - other))


def disputed_by(verified: Verified) -> tuple[str, ...]:
    """Name who says that another image came out."""
    claims = verified.held(PREDICATE_TYPES[REBUILD])
    return tuple(sorted({one.name for one in claims if isinstance(one.found, RebuildClaim) and not one.found.same}))


def is_settled(verified: Verified, predicate_types: Sequence[str]) -> bool:
    """Tell whether nobody who was asked says that another image comes out; who was not asked is only told."""
    return PREDICATE_TYPES[REBUILD] not in predicate_types or not disputed_by(verified)
