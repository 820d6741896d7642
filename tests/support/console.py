"""Somebody with a browser, as far as HTTP goes: a cookie jar, forms, a session."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import httpx

from control_plane.audit.entry import AuditEntry
from control_plane.auth.roles import Role
from control_plane.auth.service import create_key
from tests.support.control import Control

SCREENS = ("/", "/routes", "/shadow", "/explain", "/fleet", "/audit")


class Page(HTMLParser):
    """What a browser would make of a page: tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


class Browser:
    """One visitor."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(control.app, client=("127.0.0.1", 5)),
            base_url="http://control",
        )
        self.csrf = ""

    async def log_in(self, key: str) -> httpx.Response:
        answer = await self.client.post("/console/login", data={"key": key})
        if answer.status_code == 303:
            home = await self.client.get("/console/")
            found = re.search(r'X-CSRF-Token": "([0-9a-f]{64})"', home.text)
            assert found is not None
            self.csrf = found[1]
        return answer

    async def page(self, path: str, status: int = 200) -> Page:
        answer = await self.client.get(f"/console{path}")
        assert answer.status_code == status, answer.text
        return Page(answer.text)

    async def part(self, path: str) -> httpx.Response:
        return await self.client.get(f"/console{path}", headers={"HX-Request": "true"})

    async def send(self, path: str, csrf: str | None = None, **form: Any) -> httpx.Response:
        """Send a form as htmx does; whoever sends it has ticked that the evidence was seen."""
        return await self.client.post(
            f"/console{path}",
            data={"confirm": "exposure", **form},
            headers={
                "HX-Request": "true",
                "HX-Target": "dialog",
                "X-CSRF-Token": self.csrf if csrf is None else csrf,
            },
        )


async def browser(control: Control, role: Role = Role.ADMIN) -> Browser:
    """Somebody who has logged in."""
    key = await create_key(
        control.services.database,
        name=f"a {role.value}",
        role=role,
        entry=AuditEntry("test", "", "key.create", "key"),
    )
    found = Browser(control)
    assert (await found.log_in(str(key))).status_code == 303
    return found
