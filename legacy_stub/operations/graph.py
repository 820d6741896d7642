"""`/graphql`: GraphQL over HTTP, with batches and automatic persisted queries.

Sources: the GraphQL over HTTP draft (JSON answers are 200 once a request is well-formed; a GET
never changes anything); Apollo's automatic persisted queries (`extensions.persistedQuery`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import cast

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)
from starlette.requests import Request
from starlette.responses import Response

from legacy_stub.answers import JSON_TYPE, ApiError, packed
from legacy_stub.clock import fine_stamp
from legacy_stub.operations import knob
from legacy_stub.operations.schema import SCHEMA, root
from legacy_stub.shop import Shop, shop_of

_BODY_LIMIT = 1 << 20
_BATCH_LIMIT = 20
_PERSISTED_LIMIT = 1_000

_Json = dict[str, object]


async def get(request: Request) -> Response:
    """`GET /graphql?query=`: queries only."""
    query = request.query_params
    asked: _Json = {name: query[name] for name in ("query", "operationName") if name in query}
    for name in ("variables", "extensions"):
        if query.get(name):
            asked[name] = _parsed(query[name].encode())
    return _json(request, _one(request, asked, reads_only=True))


async def post(request: Request) -> Response:
    """`POST /graphql`: one operation, or a batch of up to 20."""
    body = await request.body()
    if len(body) > _BODY_LIMIT:
        raise ApiError(413, "too_large", "The body is above 1 MiB.")
    if request.headers.get("content-type", "").lower().startswith("application/graphql;") or (
        request.headers.get("content-type", "").lower() == "application/graphql"
    ):
        return _json(request, _one(request, {"query": body.decode("utf-8", "replace")}))
    asked = _parsed(body)
    if not isinstance(asked, list):
        return _json(request, _one(request, asked))
    if not 1 <= len(asked) <= _BATCH_LIMIT:
        raise ApiError(400, "bad_request", f"A batch has 1 to {_BATCH_LIMIT} operations.")
    return _json(request, [_one(request, one) for one in asked])


def _parsed(body: bytes) -> object:
    try:
        return cast(object, orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise ApiError(400, "bad_request", "The body is not JSON.") from error


def _json(request: Request, answer: object) -> Response:
    return packed(request, orjson.dumps(answer), JSON_TYPE)


def _one(request: Request, asked: object, *, reads_only: bool = False) -> _Json:
    """The answer to one operation."""
    if not isinstance(asked, dict):
        raise ApiError(400, "bad_request", "An operation must be a JSON object.")
    result = _run(request, asked, reads_only=reads_only)
    stamps = {"generatedAt": fine_stamp(), "requestId": request.scope["request_id"]}
    answer: _Json = {}
    if result.errors:
        answer["errors"] = [error.formatted for error in result.errors]
    if result.data is not None or not result.errors:
        answer["data"] = result.data
    return {**answer, "extensions": stamps}


def _run(request: Request, asked: Mapping[str, object], *, reads_only: bool) -> ExecutionResult:
    shop = shop_of(request)
    variables, name = asked.get("variables") or {}, asked.get("operationName") or None
    try:
        text = _text(shop, asked)
        if not isinstance(variables, dict) or not isinstance(name, str | None):
            raise ApiError(400, "bad_request", "variables is an object, operationName is text.")
        document = parse(text, max_tokens=4_000)
        if errors := validate(SCHEMA, document):
            return ExecutionResult(None, errors)
        _note(shop, _operation(document, name), reads_only)
        if knob.fails(request, after=False):
            raise _internal()
        done = execute_sync(
            SCHEMA, document, root(shop), variable_values=variables, operation_name=name
        )
        if knob.fails(request, after=True):
            raise _internal()
    except GraphQLError as error:
        return ExecutionResult(None, [error])
    return done


def _internal() -> GraphQLError:
    return GraphQLError(knob.MESSAGE, extensions={"code": "INTERNAL_SERVER_ERROR"})


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    chosen = get_operation_ast(document, name)
    if chosen is None:
        raise GraphQLError("operationName must name one of the operations.")
    return chosen


def _note(shop: Shop, operation: OperationDefinitionNode, reads_only: bool) -> None:
    """Count the root fields that are about to run."""
    if reads_only and operation.operation is not OperationType.QUERY:
        raise ApiError(405, "method_not_allowed", "A GET asks only queries.")
    for selection in operation.selection_set.selections:
        field = getattr(selection, "name", None)
        if field is not None:
            shop.counters.operations[f"graphql {operation.operation.value}.{field.value}"] += 1


def _text(shop: Shop, asked: Mapping[str, object]) -> str:
    """The query: as sent, or as sent before by its hash."""
    text, digest = asked.get("query"), _digest(asked)
    if text is None and digest is not None:
        if digest not in shop.queries:
            raise GraphQLError(
                "PersistedQueryNotFound", extensions={"code": "PERSISTED_QUERY_NOT_FOUND"}
            )
        return shop.queries[digest]
    if not isinstance(text, str):
        raise ApiError(400, "bad_request", "query must be text.", "query")
    if digest is not None:
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            raise ApiError(400, "bad_request", "The hash is not that of the query.", "extensions")
        if len(shop.queries) < _PERSISTED_LIMIT:
            shop.queries[digest] = text
    return text


def _digest(asked: Mapping[str, object]) -> str | None:
    extensions = asked.get("extensions")
    kept = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    digest = kept.get("sha256Hash") if isinstance(kept, dict) else None
    return digest if isinstance(digest, str) else None
