"""What a form may hold that no person would type, and what a page says when something breaks."""

from __future__ import annotations

import pytest
from jinja2 import TemplateNotFound
from sqlalchemy.exc import OperationalError

from control_plane.console.pages import kill
from control_plane.db.engine import DatabaseAway, DatabaseReplaced, OutcomeUnknown
from control_plane.http.problems import meant
from tests.support.console import Page, browser
from tests.support.control import Control

pytestmark = pytest.mark.long

FORMS = {
    "/routes/orders/flip": {"stage": "canary", "percent": "25"},
    "/routes/orders/breaker": {"force": "open"},
    "/kill": {"on": "1"},
    "/revisions/3/undo": {},
    "/shadow/orders/restart": {},
    "/edit/routes/orders": {"match.path": "/x"},
    "/edit/routes/orders/delete": {},
    "/new/backends": {"id": "b", "side": "new", "url": "http://a:1"},
}


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("reason", ["a\x1b[2Jb", "a\u202eb", "x" * 501], ids=["esc", "rtl", "long"])
async def test_a_reason_that_acts_on_a_terminal_is_refused(
    control: Control, path: str, reason: str
) -> None:
    """S4: in every form of the console as in the API: said, not kept, and no failure of ours."""
    await control.seed()
    before = (await control.get("/audit", limit=1))["items"][0]["id"]
    visitor = await browser(control)
    etag = (await control.client.get("/routes/orders")).headers["etag"].strip('"')
    answer = await visitor.send(path, **{"etag": etag, **FORMS[path], "reason": reason})
    assert answer.status_code == 422, answer.text
    assert "reason" in Page(answer.text).text
    newest = (await control.get("/audit", limit=1))["items"]
    assert newest[0]["id"] == before or newest[0]["action"].startswith(("session.", "key."))


@pytest.mark.parametrize(
    "path",
    [
        "/routes/orders/flip?stage=sideways",
        "/revisions/soon",
        "/routes/orders/traffic.json?range=1y",
        "/new/things",
    ],
)
async def test_an_address_that_cannot_be_gets_a_page(control: Control, path: str) -> None:
    """use 12 and 13: a person gets a page with a way on, and no JSON of a framework."""
    await control.seed()
    page = await (await browser(control)).page(path, 422)
    assert "The request is wrong" in page.text
    assert page.all("a")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (OutcomeUnknown("the connection broke"), 503, "not known whether this was stored"),
        (DatabaseReplaced("another id"), 503, "not the database"),
        (OperationalError("s", {}, OSError()), 503, "database does not answer"),
        (DatabaseAway("connect failed"), 503, "database does not answer"),
        (ZeroDivisionError(), 500, "Internal error"),
        (TemplateNotFound("kill.html"), 500, "Internal error"),
        (FileNotFoundError(2, "no such file"), 500, "Internal error"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_the_console_says_what_became_of_it(
    control: Control, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, said: str
) -> None:
    """T4 and T5: an answer to COMMIT that was lost is not "Nothing was changed" here either."""

    async def fails(*_: object) -> None:
        raise error

    visitor = await browser(control)
    monkeypatch.setattr(kill, "press", fails)
    control.client  # noqa: B018 - the application of this control plane
    if status == 500:
        assert meant(error).title == said
        with pytest.raises(type(error)):  # the transport raises what the server would log
            await visitor.send("/kill", on="1", reason="r")
        return
    answer = await visitor.send("/kill", on="1", reason="r")
    assert answer.status_code == status
    assert said in answer.text
    assert ("Nothing was changed" in answer.text) == (status == 503 and "not known" not in said)
