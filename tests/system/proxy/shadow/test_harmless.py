"""W27: a shadow at 100 % and every default adds nothing to legacy. Counted in legacy's own log."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import httpx

from figway.model.comparison import ComparisonPolicy, LegacyReads, ShadowPolicy
from tests.support.shadow_world import Reply, Request, shadow_world


class Application:
    """A legacy whose reads change something: polls, a captcha, one-time links, flash messages."""

    def __init__(self) -> None:
        self.turn = 0
        self.captcha: dict[str, str] = {}
        self.spent: set[str] = set()
        self.flash: dict[str, str] = {}

    def answer(self, request: Request) -> Reply:
        self.turn += 1
        session = request.headers.get("cookie", "")
        path = request.target.partition("?")[0]
        etag = (("ETag", f'W/"{self.turn}"'),)  # as frameworks give to everything
        if path == "/r/captcha":
            self.captcha[session] = f"code-{self.turn}"
            return Reply(json.dumps({"code": self.captcha[session]}).encode(), headers=etag)
        if path == "/r/solve":
            right = request.target.endswith("=" + self.captcha.get(session, "none"))
            return Reply(json.dumps({"right": right}).encode(), headers=etag)
        if path == "/r/link":
            first = request.target not in self.spent
            self.spent.add(request.target)
            return Reply(json.dumps({"valid": first}).encode(), 200 if first else 410, headers=etag)
        if path == "/r/poll":
            return Reply(json.dumps({"packet": self.turn}).encode())
        if path == "/r/flash":
            return Reply(self.flash.pop(session, "").encode(), content_type="text/plain")
        if path == "/r/save":
            self.flash[session] = "saved"
        return Reply(b'{"ok":true}')


async def test_a_shadow_repeats_nothing_of_a_user(tmp_path: Path) -> None:
    """W27: new differs everywhere, so every pair would like a second look."""
    application = Application()
    async with shadow_world(tmp_path) as w:
        w.route = replace(w.route, shadow=ShadowPolicy(), comparison=ComparisonPolicy())
        w.legacy.script = application.answer
        w.new.script = lambda request: Reply(b'{"other":1}')
        proxy = await w.start()
        sent = 0
        async with httpx.AsyncClient(base_url=proxy.facade, trust_env=False) as client:
            for number in range(8):
                cookie = {"Cookie": f"sid={number}"}
                code = (await client.get("/r/captcha", headers=cookie)).json()["code"]
                await client.get("/r/poll?transport=polling", headers=cookie)
                await client.get(f"/r/link?token=t{number}", headers=cookie)
                await client.get(f"/r/callback?code=c{number}", headers=cookie)
                await client.get("/r/save", headers=cookie)
                assert (await client.get("/r/flash", headers=cookie)).text == "saved"
                solved = await client.get(f"/r/solve?answer={code}", headers=cookie)
                assert solved.json() == {"right": True}
                sent += 7
        batches = await w.settled(sent)
        assert len(w.legacy.seen) == sent
        assert w.legacy.copies == []
        assert batches.verdicts == {"unconfirmed": sent}


async def test_zero_is_zero_where_reads_are_allowed(tmp_path: Path) -> None:
    """W27: a budget of nothing has no floor."""
    async with shadow_world(tmp_path) as w:
        policy = ShadowPolicy(legacy_reads=LegacyReads.ALLOWED)
        w.route = replace(w.route, shadow=policy, comparison=ComparisonPolicy(noise_sample=10_000))
        w.new.script = lambda request: Reply(b'{"other":1}')
        proxy = await w.start(shadow_legacy_percent="0")
        for number in range(10):
            await proxy.get(f"/r/{number}")
        batches = await w.settled(10)
        assert w.legacy.copies == []
        assert batches.verdicts == {"unconfirmed": 10}


async def test_what_legacy_marks_as_storable_is_looked_at_again(tmp_path: Path) -> None:
    """W27: the default still tells a difference where legacy's own answers allow it."""
    async with shadow_world(tmp_path) as w:
        w.route = replace(w.route, shadow=ShadowPolicy())
        w.legacy.script = lambda request: Reply(
            b'{"a":"one"}', headers=(("Cache-Control", "public, max-age=60"),)
        )
        w.new.script = lambda request: Reply(
            b'{"a":"two"}', headers=(("Cache-Control", "public, max-age=60"),)
        )
        proxy = await w.start()
        for number in range(6):
            await proxy.get(f"/r/{number}")
        batches = await w.settled(6)
        assert batches.verdicts == {"mismatch": 6}
        assert 0 < len(w.legacy.copies) <= 18
