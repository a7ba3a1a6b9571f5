"""OCI's object for a platform."""

from __future__ import annotations

from builder.errors import IntegrityError, InvalidInputError
from builder.oci.fields import Fields
from builder.platform import Platform, parse_platform


def platform_to_json(platform: Platform) -> dict[str, str]:
    """Make the `platform` object of a descriptor: architecture and os, no variant (arm64 means v8)."""
    operating_system, _, architecture = platform.name.partition("/")
    return {"architecture": architecture, "os": operating_system}


def platform_from_fields(fields: Fields) -> Platform:
    """Read `os` and `architecture`; raises IntegrityError for platforms that images are not built for."""
    name = f"{fields.text('os')}/{fields.text('architecture')}"
    try:
        return parse_platform(name)
    except InvalidInputError as exc:
        raise IntegrityError(exc.message, context=fields.context) from exc
