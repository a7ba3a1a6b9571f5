"""Whether a wheel is for the Python that it is installed for, as its own METADATA says.

What was resolved with was read before the wheel was: from a page, beside the wheel, or by parts that no hash covers. Here the whole
wheel is at hand, its hash checked, and a resolver that reads lower bounds only is caught, too.
"""

from __future__ import annotations

from builder.wheel.metadata import parse_headers
from builder.wheel.refusal import Refusal, WheelRefusedError
from builder.wheel.wheel import Wheel


def check_python(wheel: Wheel, python_version: str) -> None:
    """Check a wheel's Requires-Python; what cannot be read refuses nothing, as pip and uv have it.

    Args:
        wheel: read and believed.
        python_version: full, as `3.13.5`.

    Raises:
        WheelRefusedError: it is for other Pythons.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    entry = f"{wheel.dist_info}/METADATA"
    data = next(member.data for member in wheel.members if member.name == entry)
    headers = parse_headers(data, wheel=wheel.file_name, entry=entry, kind=Refusal.METADATA)
    for text in headers.get("requires-python", ()):
        try:
            fits = SpecifierSet(text).contains(python_version, prereleases=True)
        except InvalidSpecifier:
            continue
        if not fits:
            message = f"Requires-Python is {text[:80]!r}, which Python {python_version} of the base is not"
            raise WheelRefusedError(Refusal.METADATA, message, wheel=wheel.file_name, entry=entry)
