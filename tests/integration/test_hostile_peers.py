"""What pip, uv and installer do with the hostile corpus is what docs/security.md says; they do install what is in order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.hostile.corpus import MATERIALS
from tests.hostile.indexes import good_page
from tests.hostile.model import Material
from tests.hostile.peers import Peer, ask, find_peers
from tests.hostile.stores import good_answer, good_pair
from tests.hostile.table import PAGE, cell, read_rows, verdicts
from tests.support.sdists import make_backend_sdist
from tests.support.tools import ROOT, give_up
from tests.support.wheels import WheelParts

pytestmark = [pytest.mark.tools, pytest.mark.slow]

SHARE = 8
"""Every eighth piece is shown to the peers here: all of them take three minutes, which `make hostile` has."""
GOOD: dict[str, Callable[[], bytes]] = {
    "wheel": WheelParts().pack,
    "wheels": good_pair,
    "sdist": make_backend_sdist,
    "page": good_page,
    "answer": good_answer,
}


@pytest.fixture(scope="module")
def peers() -> tuple[Peer, ...]:
    if not list(ROOT.glob(".tools/lib/python*/site-packages/installer")):
        give_up("installer is not installed: run `make tools`")
    return find_peers()


@pytest.mark.parametrize("kind", GOOD)
def test_peers_accept_what_hostile_material_is_made_from(peers: tuple[Peer, ...], kind: str) -> None:
    good = Material(threat="A0", kind=kind, name="good", make=GOOD[kind], refused="")
    told = {peer.name: ask(peer, good) for peer in peers if kind in peer.kinds}
    assert told == dict.fromkeys(told, "accepts")


def test_the_peers_columns_of_the_table_are_current(peers: tuple[Peer, ...]) -> None:
    written = {row[:3]: told for row, told in read_rows(PAGE.read_text())}
    asked = [one for one in MATERIALS if any(one.kind in peer.kinds for peer in peers)][::SHARE]
    found = {
        (one.threat, one.kind, cell(one.name)): tuple(told)
        for one, told in zip(asked, verdicts(peers, asked), strict=True)
    }
    assert {row: written.get(row) for row in found} == found, "run `make hostile`"
