"""A registry that holds a made-up image of ours, its locks in a folder, and, where wanted, a ledger that recorded its build."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from builder.attest.keys import LocalSigner
from builder.attest.kinds import predicate_type
from builder.attest.sealing import KeyOpener, KeySealer
from builder.attest.statement import Statement
from builder.attest.trust import Trust, TrustedKey
from builder.ledger.model import LedgerReader
from builder.registry.client import HttpRegistry
from builder.registry.model import Repository, parse_repository
from builder.usecase.attached import Artifact, read_artifact
from builder.usecase.attest import made_statements
from builder.usecase.build import BuildRequest, BuildTools, build
from builder.usecase.image_inputs import Source, locks_of_folder
from builder.usecase.predicates import Told
from builder.usecase.sbom import FactTools
from builder.usecase.ship import ShipRequest, plan_ship, read_image, ship
from builder.usecase.sign import Sealed, Signatory, seal_and_attach
from builder.usecase.verify_image import verify_image
from builder.usecase.verify_signatures import Verified
from tests.support.made_up import World, make_world, write_locks
from tests.support.registry_images import client
from tests.support.signing import make_key

NOW = 1_796_000_000
OWN = Told(engine="own")


@dataclass
class SignedWorld:
    """A registry with an image."""

    host: str
    root: Path
    world: World = field(init=False)
    builds: int = 0

    def __post_init__(self) -> None:
        self.world = make_world(self.root)

    @property
    def registry(self) -> HttpRegistry:
        return client()

    @property
    def repository(self) -> Repository:
        return parse_repository(f"{self.host}/team/airflow")

    @property
    def locks(self) -> Source:
        return locks_of_folder(self.root / "locks")

    def push(self, world: World | None = None) -> Artifact:
        """Build and push."""
        world = world or self.world
        self.builds += 1
        locks, output = self.root / "locks", self.root / f"out{self.builds}"
        write_locks(world, locks)
        tools = BuildTools(files=world.files, artefacts=world.artefacts, compilers=world.compilers, jobs=2)
        build(BuildRequest(stack="tiny", locks=locks, output=output), tools)
        request = ShipRequest(layout=output, repository=self.repository, day="20261124")
        done = ship(self.registry, request, plan_ship(self.registry, request, read_image(output)))
        return read_artifact(self.registry, self.repository.at(done.report.descriptor.digest))

    def push_another(self) -> Artifact:
        """Push an image that is like no other here: its lock is of another second."""
        stack = replace(self.world.stack, created=self.world.stack.created + self.builds + 1)
        return self.push(replace(self.world, stack=stack))

    @property
    def facts(self) -> FactTools:
        return FactTools(files=self.world.files, artefacts=self.world.artefacts)

    def made(
        self, image: Artifact, kind: str, *, ledger: LedgerReader | None = None, told: Told = OWN
    ) -> tuple[Statement, ...]:
        """Make statements about an image, as `attest` does."""
        return made_statements(
            self.registry, image, kind, locks=(self.locks,), ledger=ledger, facts=self.facts, told=told
        )

    def say(
        self, artifact: Artifact, kind: str = "signature", *, key: LocalSigner | None = None, **predicate: object
    ) -> Sealed:
        """Sign a statement about an artifact, whatever it says."""
        statement = Statement(
            digest=artifact.digest,
            name=str(artifact.repository),
            predicate_type=predicate_type(kind),
            predicate=json.loads(json.dumps(predicate)),
        )
        return seal_and_attach(self.registry, artifact, statement, signatory(key or make_key()))

    def verify(
        self,
        artifact: Artifact,
        *keys: TrustedKey,
        ledger: LedgerReader | None = None,
        now: int = NOW,
        builders: tuple[str, ...] = (),
    ) -> Verified:
        trust = Trust(keys=keys or (trusted(),))
        openers = (KeyOpener(trust.public_keys),)
        return verify_image(
            self.registry, artifact, trust=trust, openers=openers, now=now, ledger=ledger, builders=builders
        )


def trusted(number: int = 1, **more: object) -> TrustedKey:
    return TrustedKey(name=f"key-{number}", key=make_key(number).public, **more)  # type: ignore[arg-type]


def signatory(key: LocalSigner) -> Signatory:
    return Signatory(sealer=KeySealer(key), opener=KeyOpener((key.public,)))
