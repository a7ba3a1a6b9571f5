"""The addresses for workers, as OpenAPI 3.1 describes them: each needs a token."""

from __future__ import annotations

from typing import Any

import msgspec

from builder.service.wire import NIGHT_NAME, SAFE_NAME, Append, Entries, Lend, Me, Values

_BYTES: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_PROBLEM: dict[str, Any] = {
    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
}


def worker_schemas() -> dict[str, Any]:
    """Describe the shapes."""
    _, shapes = msgspec.json.schema_components(
        [Append, Entries, Values, Lend, Me], ref_template="#/components/schemas/{name}"
    )
    return {
        **shapes,
        "Night": {"type": "string", "pattern": f"^{NIGHT_NAME.pattern}$"},
        "File": {"type": "string", "pattern": f"^{SAFE_NAME.pattern}$"},
    }


def worker_paths() -> dict[str, Any]:
    """Describe the addresses."""
    number = {"type": "integer", "minimum": 0, "maximum": 999_999_999_999_999}
    night, file = _path("night", "Night"), _path("file", "File")
    return {
        "/v1/me": {"get": _ask("whoAmI", "Who the token says that one is", Me)},
        "/v1/entries": {
            "post": _act(
                "appendEntries", "Append entries, all or none; each counts once by its key", 200, Append, Entries
            ),
            "get": _ask(
                "listEntries",
                "Entries by number, as they are kept",
                Entries,
                _query("first", number),
                _query("limit", number),
            ),
        },
        "/v1/marks/entries": {
            "get": _ask(
                "findEntries",
                "Entries that have a mark, the newest first",
                Entries,
                _query("name"),
                _query("value"),
                _query("kind", {"type": "array", "items": {"type": "string"}}),
                _query("before", number),
                _query("limit", number),
            )
        },
        "/v1/marks/values": {
            "get": _ask(
                "listValues",
                "Values of a mark, sorted",
                Values,
                _query("name"),
                _query("prefix"),
                _query("limit", number),
            )
        },
        "/v1/documents/{digest}": {"get": _bytes("readDocument", "A document", _path("digest", "Digest"))},
        "/v1/nights": {"get": _ask("listNights", "Nights, oldest first", Values)},
        "/v1/nights/lease": {
            "post": _act("lendNights", "Say that a night runs, again by each of its tasks", 204, Lend),
            "delete": _act("giveNightsBack", "Say that it is over", 204, Lend),
        },
        "/v1/nights/{night}/journal": {
            "get": _bytes("readJournal", "The journal of a night, a line of JSON a step", night),
            "post": _keep("writeJournal", "Append a line; the same one again changes nothing", night),
        },
        "/v1/nights/{night}/files/{file}": {
            "get": _bytes("readFile", "A file of a night: a report, a patch, a lock", night, file),
            "put": _keep("keepFile", "Keep a file of a night", night, file),
        },
    }


def _ask(name: str, summary: str, answer: type[msgspec.Struct], *parameters: dict[str, Any]) -> dict[str, Any]:
    return _operation(name, summary, {"200": {"description": summary, "content": _json(answer)}}, parameters)


def _act(
    name: str, summary: str, status: int, asked: type[msgspec.Struct], answer: type[msgspec.Struct] | None = None
) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "It is done"} | ({"content": _json(answer)} if answer else {})
    return _operation(name, summary, {str(status): done}, ()) | {
        "requestBody": {"required": True, "content": _json(asked)}
    }


def _bytes(name: str, summary: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    return _operation(name, summary, {"200": {"description": summary, "content": _BYTES}}, parameters)


def _keep(name: str, summary: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    found = _operation(name, summary, {"204": {"description": "It is done"}}, parameters)
    return found | {"requestBody": {"required": True, "content": _BYTES}}


def _operation(
    name: str, summary: str, answers: dict[str, Any], parameters: tuple[dict[str, Any], ...]
) -> dict[str, Any]:
    wrong = {
        "400": "The question is none",
        "401": "The token is not known, or has expired",
        "403": "The token is not for this, or the service only reads",
        "404": "There is none",
        "409": "Others were before: look again",
        "413": "It is too large",
        "422": "What was sent is not of its form",
    }
    told = {status: {"description": words, "content": _PROBLEM} for status, words in wrong.items()}
    found = {"operationId": name, "summary": summary, "responses": answers | told, "security": [{"token": []}]}
    return found | ({"parameters": list(parameters)} if parameters else {})


def _json(shape: type[msgspec.Struct]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape.__name__}"}}}


def _path(name: str, schema: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"$ref": f"#/components/schemas/{schema}"}}


def _query(name: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema or {"type": "string"}}
