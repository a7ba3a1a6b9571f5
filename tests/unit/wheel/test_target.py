from __future__ import annotations

import pytest

from builder.wheel.refusal import WheelRefusedError
from builder.wheel.target import check_python
from builder.wheel.wheel import Wheel, read_wheel
from tests.support.wheels import WheelParts


def _wheel(requires_python: str) -> Wheel:
    metadata = f"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Python: {requires_python}\n".encode()
    parts = WheelParts(name="demo", metadata=metadata)
    return read_wheel(parts.pack(), file_name=parts.file_name)


@pytest.mark.parametrize("text", [">=3.9", ">=3.13.2", "!=3.13.4", "<4", ">=3.9.*", "nonsense"])
def test_a_wheel_for_the_base_s_python_is_taken(text: str) -> None:
    check_python(_wheel(text), "3.13.5")


@pytest.mark.parametrize("text", [">=3.9,<3.13", ">=3.14", "!=3.13.5", "<3"])
def test_a_wheel_whose_own_metadata_refuses_the_base_s_python_is_refused(text: str) -> None:
    with pytest.raises(WheelRefusedError, match=r"demo-1\.0.*Requires-Python is .* which Python 3\.13\.5"):
        check_python(_wheel(text), "3.13.5")
