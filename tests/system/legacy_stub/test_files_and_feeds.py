"""Files both ways, server-sent events, the support chat, slow and flaky pages."""

from __future__ import annotations

import hashlib
import json

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def test_a_sample_is_the_same_each_time_and_in_parts(shop: httpx.Client) -> None:
    whole = shop.get("/files/sample.bin?size=200000").content
    assert len(whole) == 200_000
    part = shop.get("/files/sample.bin?size=200000", headers={"Range": "bytes=65530-131080"})
    assert (part.status_code, part.content) == (206, whole[65_530:131_081])
    assert part.headers["content-range"] == "bytes 65530-131080/200000"
    tail = shop.get("/files/sample.bin?size=200000", headers={"Range": "bytes=-10"})
    assert tail.content == whole[-10:]
    beyond = shop.get("/files/sample.bin?size=10", headers={"Range": "bytes=10-"})
    assert beyond.status_code == 416
    head = shop.head("/files/sample.bin")
    assert (head.headers["content-length"], head.content) == ("3145728", b"")


def test_an_upload_comes_back_byte_for_byte(shop: httpx.Client) -> None:
    content = shop.get("/files/sample.bin?size=1500000").content
    made = shop.post("/files", files={"file": ("Bräu.bin", content, "application/x-thing")})
    assert made.status_code == 201
    described = made.json()
    assert described["sha256"] == hashlib.sha256(content).hexdigest()
    assert (described["size"], described["name"]) == (1_500_000, "Bräu.bin")
    back = shop.get(described["url"])
    assert back.content == content
    assert back.headers["content-type"] == "application/x-thing"
    assert "filename*=UTF-8''Br%C3%A4u.bin" in back.headers["content-disposition"]


def test_an_upload_that_is_none_is_refused(shop: httpx.Client) -> None:
    assert shop.post("/files", files={"other": b"x"}).status_code == 422
    assert shop.post("/files", content=b"x").status_code == 422
    broken = {"Content-Type": "multipart/form-data; boundary=b"}
    assert shop.post("/files", content=b"no boundary", headers=broken).status_code == 400


def test_pictures_lists_and_conditional_requests(shop: httpx.Client) -> None:
    photo = shop.get("/files/photo-7.svg")
    assert photo.headers["content-type"] == "image/svg+xml"
    again = shop.get("/files/photo-7.svg", headers={"If-None-Match": photo.headers["etag"]})
    assert again.status_code == 304
    rows = shop.get("/files/price-list.csv").text.splitlines()
    assert (rows[0], len(rows)) == ("id;hotel;city;stars;price", 241)
    assert shop.get("/files/photo-99999.svg").status_code == 404
    assert shop.get("/files/secret.txt").status_code == 404


def test_prices_stream_and_resume(shop: httpx.Client) -> None:
    with shop.stream("GET", "/live/prices?interval=10&limit=3") as feed:
        assert feed.headers["content-type"].startswith("text/event-stream")
        text = "".join(feed.iter_text())
    assert text.startswith("retry: 2000\n\nid: 1\nevent: price\ndata: {")
    assert text.count("event: price") == 3
    resumed = shop.get("/live/prices?interval=10&limit=1", headers={"Last-Event-ID": "3"})
    assert "id: 4\n" in resumed.text


def test_support_greets_answers_and_hangs_up(shop_url: str) -> None:
    where = shop_url.replace("http:", "ws:") + "/ws/support"
    with connect(where, subprotocols=["support.v1"], proxy=None) as chat:  # type: ignore[list-item]
        assert chat.subprotocol == "support.v1"
        assert json.loads(chat.recv())["type"] == "greeting"
        chat.send("Where is my key?")
        answer = json.loads(chat.recv())
        assert (answer["number"], answer["echo"]) == (1, "Where is my key?")
        chat.send(b"\x00\xff")
        assert chat.recv() == b"\x00\xff"
        chat.send("burst 20")
        assert [json.loads(chat.recv())["number"] for _ in range(20)] == list(range(2, 22))
        chat.send("close 4001 out of tea")
        with pytest.raises(ConnectionClosed) as closed:
            chat.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "out of tea")


def test_slow_and_flaky(shop: httpx.Client) -> None:
    assert shop.get("/slow?ms=1").json()["slept_ms"] == 1
    assert shop.get("/slow?ms=60001").status_code == 400
    statuses = [shop.get("/flaky?rate=0.5").status_code for _ in range(60)]
    assert set(statuses) == {200, 503}
    assert shop.get("/flaky?rate=0").status_code == 200
    assert shop.get("/flaky?rate=1").status_code == 503
