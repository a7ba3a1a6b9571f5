"""What the ledger does not hold, found in the store or beside images, by the hash on record."""

from __future__ import annotations

import json
from pathlib import Path

from builder.audit.model import Line
from builder.digest import Digest
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Pushed, Signed
from builder.ledger.model import NewEntry
from builder.usecase.attached import attach_bundle, created_of
from builder.usecase.audit_sources import make_elsewhere
from tests.support.ledgers import digest_of, make_ledger
from tests.support.registries import SmallRegistry
from tests.support.registry_images import close_clients
from tests.support.signed_world import SignedWorld
from tests.support.signing import make_bundle


def test_bundles_and_manifests_are_found_where_the_image_was_pushed(tmp_path: Path) -> None:
    with SmallRegistry() as registry:
        world = SignedWorld(registry.host, tmp_path)
        artifact = world.push()
        bundle = make_bundle(artifact.digest)
        # As another program writes it: what is on record cannot be made again.
        data = json.dumps(json.loads(bundle.data), indent=2).encode()
        kind = "https://sigstore.dev/cosign/sign/v1"
        attach_bundle(world.registry, artifact, data, kind, created_of(world.registry, artifact))
        digest, repository = str(artifact.digest), str(world.repository)
        signed = Signed(
            digest=digest, repository=repository, bundle=str(Digest.of(data)), statement=digest_of("x"), signer="a"
        )
        path = tmp_path / "ledger.db"
        make_ledger(path, [NewEntry(event=Pushed(digest=digest, repository=repository)), NewEntry(event=signed)])
        told: list[str] = []
        with SqliteLedger(path, lambda: 0, write=False) as ledger:
            _, pushed, sealed = (Line(data=line) for line in ledger.lines())
            stored = {Digest.of(b"kept"): b"kept"}
            find = make_elsewhere(ledger, stored.get, world.registry, told.append)
            assert find(str(Digest.of(data)), sealed) == (data, repository)
            assert find(digest, pushed) == (artifact.root.data, repository)
            assert find(str(Digest.of(b"kept")), pushed) == (b"kept", "store")
            assert find(digest_of("nowhere"), pushed) is None
            assert told == []
        close_clients()
    with SqliteLedger(path, lambda: 0, write=False) as ledger:
        find = make_elsewhere(ledger, stored.get, world.registry, told.append)
        assert find(digest, pushed) is None
        assert told
        assert told[0].startswith(repository)
        close_clients()
