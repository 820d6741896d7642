"""Every body, every list of answers and every parameter has a limit, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from control_plane.auth.roles import Role
from control_plane.bootstrap import create_app, make_services
from control_plane.settings import Settings
from tests.suites.api.system import System, system
from tests.support.control import Control, control_plane

LEAVES = {
    # The values of a difference: redacted by the proxy, of any shape, bounded by the body.
    "DifferenceIn.legacy", "DifferenceIn.new",
    # A whole table: its own fields are bounded by `figway.validate.sizes`, it by the body.
    "POST /table/validate", "POST /table/apply",
    # Counts of a shadow worker: lists of bounded length, read strictly by the core, bounded by the
    # body.
    "EvidenceIn.frequent[]", "EvidenceIn.shapes[]", "EvidenceIn.seen_shapes[]",
}  # fmt: skip
SMALL = 20_000


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("described") / "f.sqlite3"
    services = make_services(Settings(database_url=f"sqlite:///{path}"))
    document: dict[str, Any] = create_app(services).openapi()
    asyncio.run(services.database.close())
    return document


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(tmp_path_factory.mktemp("state"), FIGWAY_MAX_BODY=str(SMALL)) as one:
        yield one


class Walk:
    """Finds the fields of a schema, and what it refers to, that have no limit."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._schemas = document["components"]["schemas"]
        self._seen: set[str] = set()
        self.looked = 0
        self.unlimited: list[str] = []

    def look(self, schema: dict[str, Any], where: str) -> None:
        """Look at one schema; `where` names it."""
        if where in LEAVES:
            return
        self.looked += 1
        if reference := schema.get("$ref"):
            name = reference.rpartition("/")[2]
            if name not in self._seen:
                self._seen.add(name)
                self.look(self._schemas[name], name)
            return
        for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
            self.look(choice, where)
        self._kind(schema, where)

    def _kind(self, schema: dict[str, Any], where: str) -> None:
        kind = schema.get("type")
        if not schema.keys() - {"title", "description", "default"}:
            self.unlimited.append(f"{where}: anything")
        elif kind == "string" and "enum" not in schema and "const" not in schema:
            self._needs(schema, "maxLength", where)
        elif kind == "array":
            self._needs(schema, "maxItems", where)
            for item in (schema.get("items"), *schema.get("prefixItems", ())):
                if isinstance(item, dict):
                    self.look(item, f"{where}[]")
        elif kind == "object" and "properties" in schema:
            for name, inner in schema["properties"].items():
                self.look(inner, f"{where}.{name}")
        elif kind == "object":
            self._needs(schema, "maxProperties", where)
            if isinstance(inner := schema.get("additionalProperties"), dict):
                self.look(inner, f"{where}.*")

    def _needs(self, schema: dict[str, Any], limit: str, where: str) -> None:
        if limit not in schema:
            self.unlimited.append(f"{where}: no {limit}")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path.removeprefix('/api/v1')}", operation


def test_every_field_of_a_body_has_a_limit(described: dict[str, Any]) -> None:
    walk = Walk(described)
    for name, operation in operations(described):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            walk.look(content["schema"], name)
    assert walk.unlimited == []
    assert walk.looked > 200


def test_every_parameter_has_a_limit(described: dict[str, Any]) -> None:
    unlimited = []
    for name, operation in operations(described):
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":  # an id that is too long is one that is not there
                continue
            walk = Walk(described)
            walk.look(parameter["schema"], f"{name} {parameter['name']}")
            unlimited += walk.unlimited
            schema = parameter["schema"]
            kinds = [schema, *schema.get("anyOf", ())]
            if any(entry.get("type") in ("integer", "number") for entry in kinds):
                bounded = [
                    entry for entry in kinds if "maximum" in entry or "exclusiveMaximum" in entry
                ]
                if not bounded:
                    unlimited.append(f"{name} {parameter['name']}: no maximum")
    assert unlimited == []


def test_every_list_comes_by_the_page(described: dict[str, Any]) -> None:
    """What answers with `items` takes `limit`, and refuses one that is too large."""
    schemas = described["components"]["schemas"]
    lists, whole = [], []
    for name, operation in operations(described):
        answer = operation["responses"].get("200", {}).get("content", {}).get("application/json")
        reference = (answer or {}).get("schema", {}).get("$ref", "")
        shown = schemas.get(reference.rpartition("/")[2], {})
        if "items" in shown.get("properties", {}):
            lists.append(name)
            limits = [p for p in operation.get("parameters", ()) if p["name"] == "limit"]
            body = "requestBody" in operation  # a preview says its limit there
            if not body and not limits:
                whole.append(name)
            assert all(entry["schema"]["maximum"] <= 10_000 for entry in limits), name
    assert whole == []
    assert len(lists) >= 12


def test_every_body_may_be_too_large(described: dict[str, Any]) -> None:
    for name, operation in operations(described):
        if "requestBody" in operation:
            assert "413" in operation["responses"], name


async def test_a_page_that_is_too_large(described: dict[str, Any], tmp_path: Path) -> None:
    async def story(control: Control) -> None:
        asked = 0
        for name, operation in operations(described):
            names = {entry["name"] for entry in operation.get("parameters", ())}
            method, _, path = name.partition(" ")
            if method != "GET" or "limit" not in names or "{" in path:
                continue
            for limit in ("100001", "0", "-1", "x"):
                answer = await control.client.get(path, params={"limit": limit})
                assert answer.status_code == 422, (path, limit)
                problem = answer.json()
                assert problem["findings"][0]["path"] == "query.limit"
                assert "query.limit: " in problem["detail"]
            asked += 1
        assert asked >= 10

    async with control_plane(f"sqlite:///{tmp_path}/f.sqlite3") as control:
        await story(control)


def test_a_body_that_is_too_large(described: dict[str, Any], served: System) -> None:
    """413 on every endpoint that takes a body, whether its length is announced or not."""
    content = b'{"reason": "' + b"x" * SMALL + b'"}'
    asked = 0
    with served.client(Role.ADMIN) as client:
        for name, operation in operations(described):
            if "requestBody" not in operation:
                continue
            method, _, path = name.partition(" ")
            media = next(iter(operation["requestBody"]["content"]))
            url = path.replace("{number}", "1").replace("{", "").replace("}", "")
            for body in (content, iter([content])):
                answer = client.request(
                    method, url, content=body, headers={"content-type": media, "if-match": "*"}
                )
                assert answer.status_code == 413, (name, answer.text)
                assert answer.json()["type"] == "urn:figway:problem:content_too_large"
            asked += 1
    assert asked > 25


def test_what_is_in_a_body_may_be_too_long(served: System) -> None:
    """The message names the field and its limit."""
    long = {"id": "a", "match": {"path": "/a", "methods": ["GET"] * 101}}
    with served.client(Role.ADMIN) as client:
        posted = client.post("/routes", json=long)
        headers = {"if-match": "*"}
        patched = client.patch("/routes/orders", json={"match": long["match"]}, headers=headers)
    for answer, where in ((posted, "match.methods"), (patched, "routes.orders.match.methods")):
        assert answer.status_code == 422, answer.text
        found = answer.json()["findings"][0]
        assert found["path"] == where
        assert "100" in found["message"] + found["resolution"]


def test_a_stranger_is_not_read_to(served: System) -> None:
    """Who has no key is refused, however much is sent."""
    with httpx.Client(base_url=served.url, trust_env=False) as stranger:
        answer = stranger.post("/routes", content=b"x" * 100 * SMALL)
    assert answer.status_code in (401, 413)
