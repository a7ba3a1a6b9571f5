"""JSON schemas of what this project prints for programs, made from the types that it prints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from builder.deploy.answer import DigestAnswer
from builder.deploy.judge import CheckReport

_TYPES: Final[Mapping[str, type[msgspec.Struct]]] = {"digest": DigestAnswer, "deploy-check": CheckReport}


def published_schemas() -> Mapping[str, bytes]:
    """Make the schemas, by name of their files in docs/schemas; bytes are stable."""
    return {f"{name}.json": _dump(name, kind) for name, kind in _TYPES.items()}


def _dump(name: str, kind: type[msgspec.Struct]) -> bytes:
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:airflow-kubler:{name}:1",
        **msgspec.json.schema(kind),
    }
    return (json.dumps(schema, indent=2, ensure_ascii=False) + "\n").encode()
