"""The committed lock of `core` gives the image whose digests are committed beside it, on any machine."""

from __future__ import annotations

import pytest

from tests.conftest import Built
from tests.golden.write import GOLDEN, dump_golden

pytestmark = [pytest.mark.network, pytest.mark.slow]


def test_core_has_the_golden_digests(core: Built) -> None:
    assert dump_golden(core.summary).decode() == GOLDEN.read_text(), (
        "run `make golden` where the lock changed on purpose"
    )
