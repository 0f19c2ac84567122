"""The OpenAPI document of a stack, made from its settings and from the list of operations."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from .config import CrudConfig
from .operations import OPERATIONS, Operation

Described = dict[str, Any]

# OpenAPI has no scheme for Signature Version 4; this is how API Gateway writes it down itself.
_SECURITY: dict[str, Described] = {
    "iam": {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authtype": "awsSigv4",
    },
    "jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}

# What API Gateway refuses before a function is asked.
_REFUSED = {"none": {}, "iam": {"403": "not allowed"}, "jwt": {"401": "no valid token", "403": "not allowed"}}

_FAILED = {
    "429": "too many requests",
    "500": "internal error",
    "503": "busy; ask again after the seconds of Retry-After",
}

_ANYTHING = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
_VERSION = {
    "ETag": {"required": True, "schema": {"type": "string"}, "description": "version of the document"}
}


def document(config: CrudConfig) -> Described:
    """OpenAPI 3.0, without `servers`: the address is known where the document is asked for."""
    paths: dict[str, Described] = {}
    for each in OPERATIONS:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, config)
    components: Described = {"schemas": {"Error": _ERROR, "Page": _PAGE}, "parameters": _PARAMETERS}
    if config.auth in _SECURITY:
        components["securitySchemes"] = {config.auth: _SECURITY[config.auth]}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Documents", "version": "1"},
        "security": [{config.auth: []}] if config.auth in _SECURITY else [],
        "paths": paths,
        "components": components,
    }


def packed(config: CrudConfig) -> str:
    """The document in zlib and base64: as text it would be a sixth of what a template may hold."""
    return base64.b64encode(zlib.compress(json.dumps(document(config)).encode(), 9)).decode()


def _operation(operation: Operation, config: CrudConfig) -> Described:
    described = _OPERATIONS[operation.name]
    refused = _REFUSED[config.auth] | _FAILED
    if config.preconditions == "required" and operation.method in ("PUT", "DELETE"):
        refused |= {"428": "neither If-Match nor If-None-Match"}
    errors = {status: _error(words) for status, words in sorted((described["errors"] | refused).items())}
    return {
        "operationId": operation.name,
        "summary": described["summary"],
        "parameters": [{"$ref": f"#/components/parameters/{each}"} for each in described["parameters"]],
        **({"requestBody": {"required": True, "content": _ANYTHING}} if operation.method == "PUT" else {}),
        "responses": described["responses"] | errors,
    }


def _error(words: str) -> Described:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": words, "content": {"application/json": {"schema": schema}}}


_PARAMETERS: dict[str, Described] = {
    "ResourceId": {
        "in": "path",
        "name": "resourceId",
        "required": True,
        "description": "1 to 2,048 bytes",
        "schema": {"type": "string", "minLength": 1},
    },
    "IfMatch": {
        "in": "header",
        "name": "If-Match",
        "description": "versions that may be replaced, or *",
        "schema": {"type": "string"},
    },
    "IfNoneMatch": {
        "in": "header",
        "name": "If-None-Match",
        "description": "versions that may not be replaced, or *",
        "schema": {"type": "string"},
    },
    "Limit": {
        "in": "query",
        "name": "limit",
        "description": "documents to look at",
        "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 25},
    },
    "Cursor": {
        "in": "query",
        "name": "cursor",
        "description": "from the page before",
        "schema": {"type": "string"},
    },
}

# API Gateway's own refusals carry no requestId; its header apigw-requestid does.
_ERROR = {
    "type": "object",
    "required": ["message"],
    "properties": {"message": {"type": "string", "nullable": True}, "requestId": {"type": "string"}},
}
_TEXT = {"type": "string", "nullable": True}
_PAGE = {
    "type": "object",
    "required": ["items", "cursor"],
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "version", "type", "updated"],
                "properties": {
                    "id": {"type": "string"},
                    "version": _TEXT,
                    "type": _TEXT,
                    "updated": {**_TEXT, "format": "date-time"},
                },
            },
        },
        "cursor": _TEXT,
    },
}

_MALFORMED = {"400": "malformed request"}
_MISSING = {"404": "no such resource"}
_OTHER = {"412": "the condition does not hold"}

_OPERATIONS: dict[str, Described] = {
    "get": {
        "summary": "Read a document.",
        "parameters": ["ResourceId"],
        "responses": {
            "200": {
                "description": "the document, with its own type",
                "headers": _VERSION,
                "content": _ANYTHING,
            },
        },
        "errors": _MALFORMED | _MISSING,
    },
    "put": {
        "summary": "Store a document.",
        "parameters": ["ResourceId", "IfMatch", "IfNoneMatch"],
        "responses": {
            "200": {"description": "replaced", "headers": _VERSION},
            "201": {"description": "created", "headers": _VERSION},
        },
        "errors": _MALFORMED | _OTHER | {"413": "over 400 KB with id, type and version"},
    },
    "delete": {
        "summary": "Remove a document.",
        "parameters": ["ResourceId", "IfMatch", "IfNoneMatch"],
        "responses": {"204": {"description": "removed"}},
        "errors": _MALFORMED | _MISSING | _OTHER,
    },
    "list": {
        "summary": "List documents, in no order; a page may be short, or empty, while there is a cursor.",
        "parameters": ["Limit", "Cursor"],
        "responses": {
            "200": {
                "description": "a page; cursor is null on the last one",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}},
            }
        },
        "errors": _MALFORMED,
    },
    "describe": {
        "summary": "This document.",
        "parameters": [],
        "responses": {
            "200": {"description": "OpenAPI", "content": {"application/json": {"schema": {"type": "object"}}}}
        },
        "errors": {},
    },
}
