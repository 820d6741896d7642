"""A file of hundreds of routes with one that is wrong: the answer names the route and the field,
and the table stays as it was."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from figway.model.table import Route
from tests.support.control import Control

ROUTES = 500
BAD = 250
FIELDS = [
    *(field.name for field in fields(Route) if field.name not in ("id", "evidence_since")),
    "no_such_field",
]
VALUES: dict[str, Any] = {
    "null": None, "number": -1.5, "huge": 10**30, "text": "\x00 nothing", "long": "x" * 20_000,
    "object": {"no": {"such": 1}}, "list": [[1], {"a": None}], "true": True, "stage": "shadowed",
}  # fmt: skip


def document(field: str, value: Any) -> dict[str, Any]:
    """So many routes, of which one has the value in the field."""
    routes: list[dict[str, Any]] = [
        {"id": f"r{number}", "match": {"path": f"/r{number}/{{id}}"}, "new": "fn"}
        for number in range(ROUTES)
    ]
    routes[BAD][field] = value
    return {
        "default_backend": "legacy",
        "backends": [
            {"id": "legacy", "side": "legacy", "url": "http://127.0.0.1:9000"},
            {"id": "fn", "side": "new", "url": "http://127.0.0.1:9001"},
        ],
        "routes": routes,
    }


@pytest.mark.parametrize("field", FIELDS)
async def test_one_bad_field_is_named(control: Control, field: str) -> None:
    """B1: whatever stands in it: no answer is 500, and none speaks of the 499 others."""
    await control.seed()
    before = control.services.state.current
    taken = []
    for name, value in VALUES.items():
        body = json.dumps(document(field, value))
        answer = await control.client.post(
            "/table/apply", content=body, headers={"content-type": "application/json"},
            params={"dry_run": "true"},
        )  # fmt: skip
        assert answer.status_code in (200, 422), (name, answer.status_code, answer.text[:500])
        if answer.status_code == 200:
            taken.append(name)
            continue
        problem = answer.json()
        assert len(answer.content) < 8_000, "an answer is no copy of what was sent"
        findings = [one for one in problem["findings"] if one["severity"] == "error"]
        assert findings, problem
        for one in findings:
            place = f"{one['path']} {one['message']}"
            assert f"r{BAD}" in place, (name, one)
            assert field in place or field == "match", (name, one)
    assert control.services.state.current is before
    assert len(taken) < len(VALUES), "nothing is wrong with any value"
