"""Exports of what the real engine compared: they fail before a fix, pass after it, and pass against
legacy always."""

from __future__ import annotations

import base64
import gzip
import io
import itertools
import json
import random
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.comparing import route, send
from tests.support.control import Control
from tests.support.exported import Served, run_exported
from tests.support.shadow_engine import Asked, EngineWorld, Said, engine_world

PAIRS = 120
CHANCE = random.Random(3)
COUNT = itertools.count(1)

Make = Callable[[int], Said]
"""An answer to a number."""


def typed(media: str, body: bytes, status: int = 200, **headers: str) -> Said:
    told = [(b"Content-Type", media.encode())]
    told += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Said(body, status, told)


def as_json(**fields: Any) -> Said:
    return typed("application/json", json.dumps(fields).encode())


def pixels(number: int) -> bytes:
    return random.Random(number).randbytes(400)


def archive(text: str) -> bytes:
    """The times of its files go on with every asking."""
    held = io.BytesIO()
    when = (2024, 1, 1, 0, next(COUNT) % 60, 0)
    with zipfile.ZipFile(held, "w") as file:
        file.writestr(zipfile.ZipInfo("order.json", when), json.dumps({"text": text}))
    return held.getvalue()


def fault(text: str) -> bytes:
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>'
        f"<faultcode>s:Client</faultcode><faultstring>{text}</faultstring></s:Fault></s:Body>"
        "</s:Envelope>"
    ).encode()


def session() -> str:
    return f"{CHANCE.getrandbits(128):032x}"


def nonce() -> str:
    return f"'nonce-{base64.b64encode(CHANCE.randbytes(16)).decode()}'"


def noisy(n: int, **more: Any) -> Said:
    fields: dict[str, Any] = {
        "id": n,
        "request": str(uuid.UUID(int=CHANCE.getrandbits(128), version=4)),
        "host": CHANCE.choice(["web-1", "web-2", "web-3"]),
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "note": f"order {n} was read as {CHANCE.getrandbits(64):016x} today",
    }
    return as_json(**{**fields, **more})


@dataclass(frozen=True)
class Kind:
    """What legacy answers, and what new answers until it is mended."""

    legacy: Make
    new: Make


KINDS = {
    "a value": Kind(lambda n: as_json(id=n, price=5), lambda n: as_json(id=n, price=6)),
    "a member missing": Kind(lambda n: as_json(id=n, price=5), lambda n: as_json(id=n)),
    "a status": Kind(lambda n: as_json(id=n), lambda n: typed("text/plain", b"gone", 404)),
    "a header": Kind(
        lambda n: typed("application/json", b"{}", X_Total_Count="7"),
        lambda n: typed("application/json", b"{}", X_Total_Count="8"),
    ),
    "a page": Kind(
        lambda n: typed("text/html", b"<p>pay <b>now</b> later</p>"),
        lambda n: typed("text/html", b"<p>pay now <b>later</b></p>"),
    ),
    "XML": Kind(
        lambda n: typed("application/xml", b"<a><b>1</b></a>"),
        lambda n: typed("application/xml", b"<a><b>2</b></a>"),
    ),
    "text": Kind(
        lambda n: typed("text/plain", b"one\ntwo\n"), lambda n: typed("text/plain", b"one\n2\n")
    ),
    "CSV": Kind(
        lambda n: typed("text/csv", b"id,n\n1,2\n"), lambda n: typed("text/csv", b"id,n\n1,3\n")
    ),
    "bytes": Kind(
        lambda n: typed("application/octet-stream", pixels(n)),
        lambda n: typed("application/octet-stream", pixels(n + 1)),
    ),
    "a picture that no library reads": Kind(
        lambda n: typed("image/png", b"\x89PNG\r\n\x1a\n" + pixels(n)),
        lambda n: typed("image/png", b"\x89PNG\r\n\x1a\n" + pixels(n)[:-1] + b"."),
    ),
    "a file in an archive": Kind(
        lambda n: typed("application/zip", archive("right")),
        lambda n: typed("application/zip", archive("wrong")),
    ),
    "a SOAP fault, which is 500": Kind(
        lambda n: typed("text/xml", fault("unknown"), 500) if n % 4 == 0 else as_json(id=n),
        lambda n: typed("text/xml", fault("nothing"), 500) if n % 4 == 0 else as_json(id=n),
    ),
    "a session cookie that scripts can read": Kind(
        lambda n: typed("application/json", b"{}", Set_Cookie=f"sid={session()}; HttpOnly"),
        lambda n: typed("application/json", b"{}", Set_Cookie=f"sid={session()}"),
    ),
    "a price beside a session cookie": Kind(
        lambda n: typed("application/json", b'{"a":1}', Set_Cookie=f"sid={session()}; Path=/"),
        lambda n: typed("application/json", b'{"a":2}', Set_Cookie=f"sid={session()}; Path=/"),
    ),
    "a text beside a nonce in a policy": Kind(
        lambda n: typed("text/plain", b"one", Content_Security_Policy=f"script-src {nonce()}"),
        lambda n: typed("text/plain", b"two", Content_Security_Policy=f"script-src {nonce()}"),
    ),
    "no charset label": Kind(
        lambda n: typed("text/plain; charset=utf-8", "Grüße".encode()),
        lambda n: typed("text/plain", "Grüße".encode()),
    ),
    "a packed body that is not": Kind(
        lambda n: typed("application/json", gzip.compress(b"[1]"), Content_Encoding="gzip"),
        lambda n: typed("application/json", gzip.compress(b"[2]"), Content_Encoding="gzip"),
    ),
    "CSV with commas, quotation marks and a mark of its order": Kind(
        lambda n: typed("text/csv", '\ufeffid,n\r\n1,"a, ""b"""\r\n'.encode()),
        lambda n: typed("text/csv", '\ufeffid,n\r\n1,"a, b"\r\n'.encode()),
    ),
    "JSON in lines": Kind(
        lambda n: typed("application/x-ndjson", b'{"a":1}\r\n{"a":2}\r\n'),
        lambda n: typed("application/x-ndjson", b'{"a":1}\r\n{"a":3}\r\n'),
    ),
    "JSON in a sequence": Kind(
        lambda n: typed("application/json-seq", b'\x1e{"a":1}\n\x1e{"a":2}\n'),
        lambda n: typed("application/json-seq", b'\x1e{"a":1}\n\x1e{"a":3}\n'),
    ),
    "a number that is none": Kind(
        lambda n: typed("application/json", b'{"a":NaN,"b":1}'),
        lambda n: typed("application/json", b'{"a":NaN,"b":2}'),
    ),
    "a short token for a long one": Kind(noisy, lambda n: noisy(n, request="12ab34")),
    "a host that legacy does not have": Kind(noisy, lambda n: noisy(n, host="db-9")),
    "a clock that stands": Kind(noisy, lambda n: noisy(n, made="2001-01-01T00:00:00Z")),
    "another sentence": Kind(noisy, lambda n: noisy(n, note="nothing was read")),
    "a value beside noise": Kind(noisy, lambda n: noisy(n, id=n + 1)),
}


def _number(target: str) -> int:
    return int(target.rpartition("/")[2])


def _side(make: Make) -> Callable[[Asked], Said]:
    return lambda asked: make(_number(asked.target))


def _served(make: Make) -> Callable[[str], Served]:
    def answering(target: str) -> Served:
        said = make(_number(target))
        headers = {name.decode(): value.decode() for name, value in said.headers}
        return Served(said.body, said.status, headers)

    return answering


async def _compared(kind: Kind) -> EngineWorld:
    async with engine_world(_side(kind.legacy), _side(kind.new)) as world:
        for at in range(PAIRS):
            world.serve(f"/r/{at % 40}")
            if at % 10 == 9:
                await world.settle(1)
        await world.end()
    return world


FIRST = ("a value", "a status", "a header")
"""What every run exports; the other kinds are for `make test-long`."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FIRST else pytest.mark.long) for name in KINDS]
)
async def test_an_export_fails_before_a_fix_and_passes_after_it(
    control: Control, tmp_path: Path, name: str
) -> None:
    """U10, on what a proxy stores of each kind; legacy's own noise never fails it."""
    kind = KINDS[name]
    world = await _compared(kind)
    assert world.judged().mismatch >= 10, world.verdicts
    await control.seed()
    row = route(
        captured=PAIRS, verdicts=dict(world.verdicts), evidence=[world.only.to_data()],
        examples=world.examples,
    )  # fmt: skip
    await send(control, 1, row)
    answered = await control.client.get(
        "/comparisons/routes/orders/export", params={"verdict": "mismatch"}
    )
    assert answered.status_code == 200, answered.text
    file = tmp_path / "test_orders.py"
    file.write_text(answered.text, encoding="utf-8")
    assert "Left out" not in answered.text
    legacy = await run_exported(file, _served(kind.legacy))
    assert legacy.code == 0, legacy.text
    assert "skipped" not in legacy.counts, legacy.text
    new = await run_exported(file, _served(kind.new))
    assert (new.code, "passed" in new.counts) == (1, False), new.text


async def test_what_differs_only_in_a_body_that_was_not_stored_is_left_out_by_name(
    control: Control, tmp_path: Path
) -> None:
    """A case that could only pass says so instead, and a run of such cases fails."""
    kind = Kind(
        lambda n: typed("application/msgpack", b"\x81\xa1a\x01"),
        lambda n: typed("application/msgpack", b"\x81\xa1a\x02"),
    )
    world = await _compared(kind)
    await control.seed()
    row = route(captured=PAIRS, evidence=[world.only.to_data()], examples=world.examples)
    await send(control, 1, row)
    answered = await control.client.get("/comparisons/routes/orders/export")
    file = tmp_path / "test_orders.py"
    file.write_text(answered.text, encoding="utf-8")
    ran = await run_exported(file, _served(kind.new))
    assert ran.code == 1, ran.text
    assert "the sides differ in a body alone that was not stored" in ran.text
    assert "every case was skipped" in ran.text


async def test_a_case_that_new_passes_before_its_fix_is_left_out_by_name(
    control: Control, tmp_path: Path
) -> None:
    """What differs is a secret: redacted on both sides, it cannot be told apart any more."""
    kind = Kind(lambda n: as_json(password="correct"), lambda n: as_json(password="wrong"))
    world = await _compared(kind)
    await control.seed()
    row = route(captured=PAIRS, evidence=[world.only.to_data()], examples=world.examples)
    await send(control, 1, row)
    answered = await control.client.get("/comparisons/routes/orders/export")
    assert "cannot be told from legacy's by what was stored" in answered.text
    file = tmp_path / "test_orders.py"
    file.write_text(answered.text, encoding="utf-8")
    ran = await run_exported(file, _served(kind.new))
    assert ran.code == 1, ran.text
    assert "nothing was tried" in ran.text
