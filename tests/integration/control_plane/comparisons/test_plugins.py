"""Comparison plugins at a control plane: named, warned of, and never run."""

from __future__ import annotations

import sys

from tests.integration.control_plane.comparisons.test_rules import IGNORE, _stored
from tests.support.control import Control
from tests.support.databases import OpenControl

NAME = "tests.support.compare_plugins:pairs"


async def test_a_plugin_that_no_worker_is_known_to_run_is_warned_of(
    open_control: OpenControl,
) -> None:
    """The table is saved all the same, as the worker may be started with it afterwards; what is no
    name is refused."""
    async with open_control(compare_plugins=NAME) as control:
        await control.seed()
        for name, status, codes in (
            (NAME, 200, []),
            ("shop_compare:booking", 200, ["compare_plugin_unnamed"]),
            ("shop_compare", 422, ["compare_plugin_invalid"]),
        ):
            change = {"comparison": {"compare": name}}
            answer = await control.client.patch(
                "/routes/orders", json=change, headers={"if-match": "*"}
            )
            assert answer.status_code == status, answer.text
            told = answer.json().get("warnings") or answer.json().get("findings") or []
            assert [entry["code"] for entry in told if "plugin" in entry["code"]] == codes
        checked = await control.client.post("/table/validate", content=await _exported(control))
        assert "compare_plugin_unnamed" in [e["code"] for e in checked.json()["findings"]]


async def _exported(control: Control) -> bytes:
    return (await control.client.get("/table/export")).content


async def test_what_would_have_to_run_it_is_refused(control: Control) -> None:
    """A preview, and a test in a file, compare in another place than the worker."""
    await _stored(control)
    change = {"comparison": {"compare": NAME}}
    await control.client.patch("/routes/orders", json=change, headers={"if-match": "*"})
    tried = await control.post("/routes/orders/rules/preview", {"add": [IGNORE]})
    assert (tried.status_code, tried.json()["type"]) == (
        409, "urn:figway:problem:compared_by_plugin")  # fmt: skip
    path = "/comparisons/routes/orders/export"
    found = {
        form: (await control.client.get(path, params={"format": form})).status_code
        for form in ("pytest", "hurl", "har")
    }
    assert found == {"pytest": 409, "hurl": 200, "har": 200}
    assert "tests.support.compare_plugins" not in sys.modules
