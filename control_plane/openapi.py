"""The description of the admin API, with its errors as they really are."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from control_plane.problems import FindingOut, ProblemOut

_ABOUT = """
Routes, flips and evidence of a Figway installation.

Every call takes an API key: `Authorization: Bearer fgw_...`. Errors are problem details (RFC 9457),
and `type` ends in a stable code. An edit of what exists carries If-Match with its ETag, or `*`.
Lists come by the page: `next` of one page is the `cursor` of the following. Times are milliseconds
since the epoch; weights are basis points, 10 000 being everything.
"""


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
            if "422" in operation.get("responses", {}):
                content = {"application/problem+json": {"schema": problem}}
                operation["responses"]["422"]["content"] = content
    app.openapi_schema = document
    return document
