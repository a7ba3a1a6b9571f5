"""What the addresses answer, as OpenAPI 3.1 describes it."""

from __future__ import annotations

from typing import Any

import msgspec

from builder import __version__
from builder.deploy.answer import DigestAnswer
from builder.web.openapi_workers import worker_paths, worker_schemas

_NAME = {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 64}
_DIGEST = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
_MOMENT = {"type": "string", "format": "date-time"}
_STANDING = {
    "type": "object",
    "required": ["digest", "since"],
    "properties": {"digest": {"$ref": "#/components/schemas/Digest"}, "since": _MOMENT},
}
_STACK = {
    "type": "object",
    "required": ["stack", "channels"],
    "properties": {
        "stack": {"$ref": "#/components/schemas/Name"},
        "channels": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Standing"}},
    },
}


def describe() -> dict[str, Any]:
    """Describe the service."""
    (channel,), shapes = msgspec.json.schema_components([DigestAnswer], ref_template="#/components/schemas/{name}")
    schemas = {
        "Name": _NAME,
        "Digest": _DIGEST,
        "Standing": _STANDING,
        "Stack": _STACK,
        "Channel": channel,
        **shapes,
        **worker_schemas(),
        "Problem": {
            "type": "object",
            "required": ["title", "status"],
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
            },
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "airflow-kubler",
            "version": __version__,
            "summary": "What images the channels of stacks stand for, and what workers share.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths() | worker_paths(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> dict[str, Any]:
    return {
        "/v1/stacks": _get(
            "listStacks",
            "Stacks, and what their channels stand for",
            {"type": "object", "properties": {"stacks": {"type": "array", "items": _ref("Stack")}}},
        ),
        "/v1/stacks/{stack}": _get(
            "readStack",
            "What the channels of a stack stand for",
            _ref("Stack"),
            parameters=[_path("stack")],
            missing=True,
        ),
        "/v1/stacks/{stack}/channels/{channel}": _channel(),
        "/v1/events": {
            "get": {
                "operationId": "streamMoves",
                "summary": "Moves of all channels as server-sent events: first what stands now, then each move",
                "parameters": [_LAST_ID],
                "responses": {"200": {"description": "Events called `channel`", "content": _STREAM}},
            }
        },
        "/v1/images/{digest}": _get(
            "readImage",
            "The latest build of an image, by the digest of its index, or of a platform's manifest or config",
            {"type": "object"},
            parameters=[_path("digest", "Digest")],
            missing=True,
        ),
        "/v1/head": {
            "get": {
                "operationId": "readHead",
                "summary": "The ledger's head: its name, number of entries and root, as a C2SP checkpoint without signature",
                "responses": {"200": {"description": "A checkpoint", "content": {"text/plain": {}}}},
            }
        },
        "/openapi.json": _get("readDescription", "This description", {"type": "object"}),
        "/healthz": {
            "get": {
                "operationId": "isAlive",
                "summary": "Whether the service runs",
                "responses": {"200": {"description": "It does", "content": {"text/plain": {}}}},
            }
        },
        "/readyz": {
            "get": {
                "operationId": "isReady",
                "summary": "Whether the ledger can be read",
                "responses": {
                    "200": {"description": "It can", "content": {"application/json": {"schema": {"type": "object"}}}},
                    "503": _problem("It cannot"),
                },
            }
        },
    }


_LAST_ID: dict[str, Any] = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "Number of the last event that was seen: those after it come first.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,15}$"},
}
_STREAM: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string"}}}


def _channel() -> dict[str, Any]:
    found = _get(
        "readChannel",
        "What a channel stands for; with `wait` and If-None-Match, when it is another",
        _ref("Channel"),
        parameters=[
            _path("stack"),
            _path("channel"),
            {
                "name": "wait",
                "in": "query",
                "description": "Seconds to wait for another answer than those of If-None-Match.",
                "schema": {"type": "number", "minimum": 0, "maximum": 300, "default": 0},
            },
            {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}},
            _LAST_ID,
        ],
        missing=True,
    )
    answers = found["get"]["responses"]
    answers["200"]["headers"] = {"ETag": {"description": "Of this answer", "schema": {"type": "string"}}}
    answers["200"]["content"] |= _STREAM
    answers["304"] = {"description": "It is the same"}
    answers["400"] = _problem("The question is none")
    return found


def _get(
    name: str,
    summary: str,
    schema: dict[str, Any],
    *,
    parameters: list[dict[str, Any]] | None = None,
    missing: bool = False,
) -> dict[str, Any]:
    answers: dict[str, Any] = {
        "200": {"description": summary, "content": {"application/json": {"schema": schema}}},
    }
    if missing:
        answers |= {"400": _problem("The question is none"), "404": _problem("There is none")}
    operation: dict[str, Any] = {"operationId": name, "summary": summary, "responses": answers}
    if parameters:
        operation["parameters"] = parameters
    return {"get": operation}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _path(name: str, schema: str = "Name") -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _ref(schema)}


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/problem+json": {"schema": _ref("Problem")}}}
