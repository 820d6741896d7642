"""Downloads, pictures drawn from numbers, and uploads."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from legacy_stub.answers import ApiError, answer, invalid, not_found, number_in_path, own_url, whole
from legacy_stub.money import amount
from legacy_stub.shop import Shop, shop_of

_SAMPLE_SIZE = 3 << 20
_SAMPLE_LIMIT = 256 << 20
_UPLOAD_LIMIT = 64 << 20
_BLOCK = random.Random(2016).randbytes(1 << 16)
_RANGE = re.compile(r"bytes=(\d{0,12})-(\d{0,12})", re.ASCII)
_PICTURE = re.compile(r"(photo|avatar)-([1-9]\d{0,9})\.svg", re.ASCII)

_TERMS = """Wayfarer Travel, terms and conditions

1. The guest travels; the shop arranges.
2. A room is booked when it is booked, and paid when it is paid.
3. What was cancelled stays cancelled.
4. Umbrellas left behind are kept for a year and a day.
"""


async def download(request: Request) -> Response:
    """`GET /files/{name}`"""
    name = request.path_params["name"]
    if name == "sample.bin":
        return _sample(request)
    shop = shop_of(request)
    if name == "terms.txt":
        return _whole(request, _TERMS.encode(), "text/plain; charset=utf-8", name)
    if name == "price-list.csv":
        return _whole(request, _price_list(shop), "text/csv; charset=utf-8", name)
    found = _PICTURE.fullmatch(name)
    if found is None:
        raise not_found("file")
    kind, number = found[1], int(found[2])
    if kind == "photo":
        shop.hotels.row(number)
    else:
        shop.users.get(number)
    return _whole(request, _picture(kind, number).encode(), "image/svg+xml", None)


def _sample(request: Request) -> Response:
    size = whole(request.query_params, "size", _SAMPLE_SIZE, 0, _SAMPLE_LIMIT)
    headers = {
        "content-type": "application/octet-stream",
        "content-disposition": 'attachment; filename="sample.bin"',
        "accept-ranges": "bytes",
        "etag": f'"sample-{size}"',
    }
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    status, first, last = _range(request, size)
    headers["content-length"] = str(last - first)
    if status == 206:
        headers["content-range"] = f"bytes {first}-{last - 1}/{size}"
    if status == 416:
        return Response(status_code=416, headers={"content-range": f"bytes */{size}"})
    return StreamingResponse(_asynchronous(first, last), status, headers)


class _asynchronous:
    """Blocks of the sample; plain iterators would be read in a thread."""

    def __init__(self, first: int, last: int) -> None:
        self._blocks = _blocks(first, last)

    def __aiter__(self) -> _asynchronous:
        return self

    async def __anext__(self) -> bytes:
        block = next(self._blocks, None)
        if block is None:
            raise StopAsyncIteration
        return block


def _blocks(first: int, last: int) -> Iterator[bytes]:
    while first < last:
        offset = first % len(_BLOCK)
        block = _BLOCK[offset : offset + last - first]
        first += len(block)
        yield block


def _range(request: Request, size: int) -> tuple[int, int, int]:
    """Status and the bytes wanted: one range (RFC 9110, 14.1.2), or all."""
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if found is None or found.groups() == ("", ""):
        return 200, 0, size
    begin, end = found.groups()
    if not begin:
        first, last = max(0, size - int(end)), size
    else:
        first, last = int(begin), min(size, int(end) + 1) if end else size
    return (206, first, last) if first < last else (416, 0, 0)


def _whole(request: Request, body: bytes, content_type: str, name: str | None) -> Response:
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "content-type": content_type}
    if name is not None:
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers)


def _price_list(shop: Shop) -> bytes:
    lines = ["id;hotel;city;stars;price"]
    lines += [
        f"{row['id']};{row['name']};{row['city']};{row['stars']};{amount(row['price'])}"
        for row in shop.hotels.all()
    ]
    return "\r\n".join([*lines, ""]).encode()


def _picture(kind: str, number: int) -> str:
    """A picture postcard of a skyline, or a face; the same for the same number."""
    dice = random.Random(number)
    hue = dice.randrange(360)
    if kind == "avatar":
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
            f'<rect width="64" height="64" fill="hsl({hue} 45% 82%)"/>'
            f'<circle cx="32" cy="25" r="12" fill="hsl({hue} 40% 45%)"/>'
            f'<path d="M8 64c0-20 48-20 48 0z" fill="hsl({hue} 40% 45%)"/></svg>'
        )
    houses = []
    left = -4
    while left < 320:
        width, height = dice.randrange(22, 48), dice.randrange(40, 120)
        top = 160 - height
        roof = f"M{left} {top}l{width / 2} -{dice.randrange(10, 26)}l{width / 2} 26z"
        shade = f"hsl({(hue + 150) % 360} {dice.randrange(18, 34)}% {dice.randrange(28, 52)}%)"
        houses.append(f'<path d="{roof}" fill="hsl({(hue + 180) % 360} 40% 38%)"/>')
        houses.append(
            f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="{shade}"/>'
        )
        houses += [
            f'<rect x="{x}" y="{y}" width="5" height="8" fill="#ffe9a8"/>'
            for x in range(left + 5, left + width - 6, 11)
            for y in range(top + 10, 150, 18)
            if dice.random() < 0.7
        ]
        left += width
    sun = f'<circle cx="{dice.randrange(40, 280)}" cy="44" r="20" fill="#fff3c9"/>'
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 160">'
        f'<rect width="320" height="160" fill="hsl({hue} 55% 80%)"/>{sun}{"".join(houses)}</svg>'
    )


async def upload(request: Request) -> Response:
    """`POST /files`"""
    if int(request.headers.get("content-length", 0)) > _UPLOAD_LIMIT + 65_536:
        raise ApiError(413, "too_large", "A file may have 64 MiB.")
    try:
        form = await request.form()
    except HTTPException as error:
        raise ApiError(400, "bad_request", "The body is no form.") from error
    sent = form.get("file")
    if not isinstance(sent, UploadFile):
        raise invalid("file", "A multipart field named file is needed.")
    content = await sent.read()
    await form.close()
    if len(content) > _UPLOAD_LIMIT:
        raise ApiError(413, "too_large", "A file may have 64 MiB.")
    about: dict[str, object] = {
        "name": sent.filename or "unnamed",
        "content_type": sent.content_type or "application/octet-stream",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    number = shop_of(request).db.insert("uploads", **about, content=content)
    url = own_url(request, f"/files/uploads/{number}")
    return answer(request, {"id": str(number), **about, "url": url}, 201, {"location": url})


async def uploaded(request: Request) -> Response:
    """`GET /files/uploads/{id}`"""
    number = number_in_path(request, "file")
    row = shop_of(request).db.row("SELECT * FROM uploads WHERE id = ?", number)
    if row is None:
        raise not_found("file")
    return _whole(request, row["content"], row["content_type"], row["name"])
