"""OpenAPI, with one path per model that says what its present version asks for."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from headrace.serving.gateway.contract import Contract
from headrace.serving.gateway.gateway import Gateway

_ERRORS = {
    "401": "No valid token",
    "413": "The body or the number of rows is above the limit",
    "422": "The request is not what the model asks for",
    "424": "A feature has no value, and the policy rejects that",
    "429": "Too many requests",
    "503": "The model server, or a feature that is needed, is not available",
    "504": "No answer within the deadline",
}


def describe(app: FastAPI, gateway: Gateway) -> dict[str, Any]:
    """The document for the versions that answer now."""
    from fastapi.openapi.utils import get_openapi

    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas |= _COMMON
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for name, versions in gateway.models.items():
        contract = versions.answering
        if contract is None:
            continue
        document["paths"][f"/v1/predict/{name}"] = {"post": _operation(contract, schemas)}
    return document


def _operation(contract: Contract, schemas: dict[str, Any]) -> dict[str, Any]:
    form = contract.form.schema()
    renamed = {name: f"{contract.model}.{name}" for name in form.get("$defs", {})}
    for name, definition in form.pop("$defs", {}).items():
        schemas[renamed[name]] = definition
    reference = f"#/components/schemas/{renamed['Instance']}"
    form["properties"]["instances"]["items"] = {"$ref": reference}
    service = f" on feature service `{contract.service.name}`" if contract.service else ""
    errors = {
        status: {"description": text, "content": _json({"$ref": "#/components/schemas/Error"})}
        for status, text in _ERRORS.items()
    }
    return {
        "summary": f"Predictions of {contract.model}",
        "description": f"Version {contract.version}, signature `{contract.signature.name}`,"
        f"{service or ' without a feature store'}.",
        "operationId": f"predict_{contract.model}",
        "tags": ["predict"],
        "security": [{}, {"token": []}],
        "requestBody": {"required": True, "content": _json(form, contract.form.example())},
        "responses": {
            "200": {
                "description": "One prediction per instance, in their order",
                "content": _json({"$ref": "#/components/schemas/Answer"}),
            },
            **errors,
        },
    }


def _json(schema: dict[str, Any], example: Any = None) -> dict[str, Any]:
    content = {"schema": schema} | ({"example": example} if example else {})
    return {"application/json": content}


_TEXT = {"type": "string"}
_COMMON: dict[str, Any] = {
    "Answer": {
        "type": "object",
        "required": ["request_id", "model", "predictions"],
        "properties": {
            "request_id": _TEXT,
            "model": {
                "type": "object",
                "properties": {"name": _TEXT, "version": {"type": "integer"}, "signature": _TEXT},
            },
            "feature_service": {"type": ["string", "null"]},
            "features_as_of": {"type": "string", "format": "date-time"},
            "predictions": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/Prediction"},
            },
        },
    },
    "Prediction": {
        "type": "object",
        "properties": {
            "outputs": {
                "type": ["object", "null"],
                "description": "By name; null for a row that the policy rejects",
            },
            "feature_times": {
                "type": "object",
                "description": "When the features of each view were true",
                "additionalProperties": {"type": ["string", "null"], "format": "date-time"},
            },
            "flags": {
                "type": "object",
                "description": "Features that had no value",
                "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "state": {"enum": ["stale", "missing", "unknown", "unavailable"]},
                        "sent": {"enum": ["missing", "default", "nothing"]},
                    },
                },
            },
            "rejected": {"type": "string", "description": "Why this row has no outputs"},
        },
    },
    "Error": {
        "type": "object",
        "properties": {"request_id": _TEXT, "error": _TEXT, "fix": _TEXT},
    },
}
