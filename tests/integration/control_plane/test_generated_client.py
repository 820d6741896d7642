"""A client that a well-known generator makes of the description drives the API."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from control_plane.http import openapi
from tests.support.control import Control

pytest.importorskip("openapi_python_client")


def generate(document: dict[str, Any], folder: Path) -> Any:
    """The package that openapi-python-client makes of the description."""
    source = folder / "openapi.json"
    source.write_text(json.dumps(document), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--path", source,
         "--output-path", folder / "generated_admin", "--meta", "none"],
        capture_output=True, text=True, cwd=folder, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("generated_admin")
    finally:
        sys.path.remove(str(folder))


async def test_flip_list_and_compare(control: Control, tmp_path: Path) -> None:
    """Every operation is there under its name, and the three most used ones work."""
    await control.seed()
    document = openapi.describe(control.app)
    package = generate(document, tmp_path)
    made = {path.stem for path in (tmp_path / "generated_admin" / "api").rglob("*.py")}
    named = [o["operationId"] for methods in document["paths"].values() for o in methods.values()]
    assert len(named) == len(set(named))
    assert set(named) <= made, set(named) - made
    sys.path.insert(0, str(tmp_path))
    try:
        flip = importlib.import_module("generated_admin.api.routes.flip_route")
        listed = importlib.import_module("generated_admin.api.routes.list_routes")
        compared = importlib.import_module("generated_admin.api.comparisons.list_compared")
        models = importlib.import_module("generated_admin.models")
    finally:
        sys.path.remove(str(tmp_path))
    client = package.AuthenticatedClient(base_url="http://control", token=control.key)
    client.set_async_httpx_client(_at_the_root(control))
    body = models.FlipIn(weight=2_500, reason="by a generated client")
    changed = await flip.asyncio(
        "orders", client=client, body=body, if_match="*", confirm=models.Confirm.EXPOSURE
    )
    assert changed.changed is True
    routes = await listed.asyncio(client=client)
    assert [(route.item.id, route.item.weight) for route in routes.items] == [("orders", 2_500)]
    evidence = await compared.asyncio(client=client)
    assert evidence.items == [] or evidence.items[0].route == "orders"


def _at_the_root(control: Control) -> Any:
    found = control.client_with(control.key, confirm="")
    found.base_url = "http://control"
    return found


async def test_people_find_the_description_where_they_look(control: Control) -> None:
    """`/docs` and `/openapi.json` on the admin port, without a key."""
    client = control.client_with(None)
    page = await client.get("http://control/docs")
    assert page.status_code == 200
    assert "POST /api/v1/routes/{route_id}/flip" in page.text
    assert "<script" not in page.text
    described = await client.get("http://control/openapi.json")
    assert described.json()["info"]["title"] == "Figway admin API"
