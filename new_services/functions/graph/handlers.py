"""`/graphql`: the queries; mutations stay with legacy."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLError,
    OperationType,
    execute,
    get_operation_ast,
    parse,
    validate,
)

from new_services.functions.graph.loaders import Loaders
from new_services.functions.graph.schema import SCHEMA, Root
from new_services.functions.vendor.http import Request, Response, as_json, bad_request, handler, now

_MOST = 20


@handler("GET", "POST")
def query(request: Request) -> Response:
    """GET and POST /graphql, queries only"""
    asked = _asked(request)
    if not isinstance(asked, list):
        return as_json(200, asyncio.run(_one(request, asked)))
    if not 1 <= len(asked) <= _MOST:
        raise bad_request(f"A batch has 1 to {_MOST} operations.")
    return as_json(200, asyncio.run(_all(request, asked)))


def _asked(request: Request) -> Any:
    if request.method == "GET":
        found: dict[str, Any] = dict(request.query())
        for name in ("variables", "extensions"):
            if name in found:
                found[name] = _parsed(found[name])
        return found
    if request.headers.get("content-type", "").partition(";")[0] == "application/graphql":
        return {"query": request.body.decode("utf-8", "replace")}
    return _parsed(request.body)


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise bad_request("The body is not JSON.") from None


async def _all(request: Request, asked: list[Any]) -> list[dict[str, Any]]:
    return [await _one(request, one) for one in asked]


async def _one(request: Request, asked: Any) -> dict[str, Any]:
    if not isinstance(asked, dict):
        raise bad_request("An operation must be a JSON object.")
    result = await _run(asked)
    answer: dict[str, Any] = {}
    if result.errors:
        answer["errors"] = [error.formatted for error in result.errors]
    if result.data is not None or not result.errors:
        answer["data"] = result.data
    return {**answer, "extensions": {"generatedAt": now(), "requestId": request.id}}


async def _run(asked: dict[str, Any]) -> ExecutionResult:
    text, variables, name = asked.get("query"), asked.get("variables"), asked.get("operationName")
    if text is None and "extensions" in asked:
        code = {"code": "PERSISTED_QUERY_NOT_FOUND"}
        return ExecutionResult(None, [GraphQLError("PersistedQueryNotFound", extensions=code)])
    if not isinstance(text, str):
        raise bad_request("query must be text.", "query")
    if not isinstance(variables or {}, dict) or not isinstance(name or "", str):
        raise bad_request("variables is an object, operationName is text.")
    try:
        document = parse(text, max_tokens=4_000)
    except GraphQLError as error:
        return ExecutionResult(None, [error])
    if errors := validate(SCHEMA, document):
        return ExecutionResult(None, errors)
    operation = get_operation_ast(document, name or None)
    if operation is None or operation.operation is not OperationType.QUERY:
        return ExecutionResult(
            None, [GraphQLError("operationName must name one of the operations.")]
        )
    done = execute(
        SCHEMA,
        document,
        Root(Loaders()),
        variable_values=variables or {},
        operation_name=name or None,
    )
    return await done if inspect.isawaitable(done) else done
