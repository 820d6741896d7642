"""Documents that no person means, and some that a person does: one answer, and nothing is lost."""

from __future__ import annotations

import pytest

from tests.support.control import Control

DEEP = {
    "brackets": b"[" * 100_000 + b"]" * 100_000,
    "braces": b"{a: " * 100_000,
    "dashes": b"- " * 100_000 + b"x",
    "questions": b"? " * 100_000,
    "indented": b"".join(b" " * number + b"a:\n" for number in range(2_000)),
    "json": b'{"routes":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
}
TWICE = {
    "yaml": b"routes: []\nroutes: []\n",
    "inside": b"routes:\n  - {id: a, match: {path: /a}, new: fn, id: b}\n",
    "json": b'{"routes": [], "routes": []}',
}


def kind(name: str) -> dict[str, str]:
    return {"content-type": "application/json" if name == "json" else "application/yaml"}


@pytest.mark.parametrize("path", ["/table/validate", "/table/apply"])
@pytest.mark.parametrize("name", DEEP)
async def test_what_is_deep_ends_no_process(control: Control, name: str, path: str) -> None:
    """A file of 200 KB ended the control plane by a signal, with any key that may look: the C
    parser recursed on the machine's stack."""
    answer = await control.client.post(path, content=DEEP[name], headers=kind(name))
    assert answer.status_code == 422, answer.text
    assert (await control.client.get("/table")).status_code == 200


@pytest.mark.parametrize("name", TWICE)
async def test_a_name_that_stands_twice_is_refused(control: Control, name: str) -> None:
    """B4: of two lists of routes the last one was taken, and what the first named was deleted."""
    await control.seed()
    answer = await control.client.post("/table/apply", content=TWICE[name], headers=kind(name))
    assert answer.status_code == 422, answer.text
    assert "twice" in answer.text
    assert (await control.client.get("/routes/orders")).status_code == 200
