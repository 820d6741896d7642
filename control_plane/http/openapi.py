"""The description of the admin API, with its errors as they really are."""

from __future__ import annotations

import json
import re
from operator import itemgetter
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from control_plane.http import problems
from control_plane.http.problems import FindingOut, ProblemOut

_ABOUT = """
Routes, flips and evidence of a Figway installation.

Every call takes an API key: `Authorization: Bearer fgw_...`. Errors are problem details (RFC 9457),
and `type` ends in a stable code. An edit of what exists carries If-Match with its ETag, or `*`.
Lists come by the page: `next` of one page is the `cursor` of the following. Times are milliseconds
since the epoch; weights are basis points, 10 000 being everything.
"""


_SCHEMA = "#/components/schemas/"
_LIMITS = ("maxLength", "maxItems")
_VARIABLE = re.compile(r"\\\{[a-z_]+\\\}")


def operation_id(route: APIRoute) -> str:
    """The name of the endpoint's function: what a generated client calls the operation."""
    return route.name


def install(app: FastAPI) -> None:
    """Have 405 list every method that the description knows: a router lists those of the first
    endpoint at the path only."""

    @app.exception_handler(405)
    async def not_allowed(request: Request, error: HTTPException) -> Response:
        allowed = methods_of(app, request.url.path)
        headers = {"Allow": allowed} if allowed else error.headers
        return problems.of_status(405, headers=headers).response()


def methods_of(app: FastAPI, path: str) -> str:
    """What Allow lists for a path (RFC 9110, 10.2.1): the methods of its description; empty for a
    path that has none."""
    found = [
        (template.count("{"), methods)
        for template, methods in describe(app)["paths"].items()
        if re.fullmatch(_VARIABLE.sub("[^/]+", re.escape(template)), path)
    ]
    if not found:
        return ""
    _, methods = min(found, key=itemgetter(0))
    return ", ".join(sorted(name.upper() for name in methods))


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of `app`; made once."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=app.title, version=app.version, description=_ABOUT, routes=app.routes
    )
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for model in (ProblemOut, FindingOut):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    problem = {"$ref": "#/components/schemas/ProblemOut"}
    for methods in document["paths"].values():
        for operation in methods.values():
            if "requestBody" in operation:
                operation["responses"].setdefault("413", problems.documented(413)[413])
            if "422" in operation.get("responses", {}):
                content = {"application/problem+json": {"schema": problem}}
                operation["responses"]["422"]["content"] = content
    app.openapi_schema = _merged(document)
    return app.openapi_schema


def _merged(document: dict[str, Any]) -> dict[str, Any]:
    """One schema for what is taken and given alike: an item that is given keeps to the limits of
    one that is taken."""
    schemas = document["components"]["schemas"]
    names = [
        name.removesuffix("-Input")
        for name, schema in schemas.items()
        if name.endswith("-Input")
        and _unlimited(schema) == _unlimited(schemas.get(name.replace("-Input", "-Output")))
    ]
    for name in names:
        schemas[name] = schemas.pop(f"{name}-Input")
        del schemas[f"{name}-Output"]
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    text = json.dumps(document)
    for name in names:
        for way in ("Input", "Output"):
            text = text.replace(f'"{_SCHEMA}{name}-{way}"', f'"{_SCHEMA}{name}"')
    merged: dict[str, Any] = json.loads(text)
    return merged


def _unlimited(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_unlimited(item) for item in schema]
    if isinstance(schema, str) and schema.startswith(_SCHEMA):
        return schema.removesuffix("-Input").removesuffix("-Output")
    if not isinstance(schema, dict):
        return schema
    return {name: _unlimited(item) for name, item in schema.items() if name not in _LIMITS}
