"""`/ws/booking.asmx`: bookings for travel agencies that speak SOAP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from legacy_stub.answers import ApiError, invalid, own_url, packed
from legacy_stub.bookings import booking_number
from legacy_stub.clock import fine_stamp, stamp
from legacy_stub.hotels import Search, summary_json
from legacy_stub.operations import knob
from legacy_stub.operations.envelope import (
    NAMESPACE,
    V11,
    Attachment,
    Call,
    SoapFault,
    Version,
    VersionMismatch,
    called,
    envelope,
    fault,
    mismatch,
    package,
    version_of,
)
from legacy_stub.operations.wsdl import BOOKING, HOTEL, description
from legacy_stub.operations.xml import Element, element
from legacy_stub.shop import Shop, shop_of

PATH = "/ws/booking.asmx"
_INCLUDE = "http://www.w3.org/2004/08/xop/include"
_BODY_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class _Done:
    content: list[str]
    attachments: tuple[Attachment, ...] = ()


_Arguments = Mapping[str, str]


async def describe(request: Request) -> Response:
    """`GET /ws/booking.asmx?wsdl`"""
    if "wsdl" not in {name.lower() for name in request.query_params}:
        raise ApiError(400, "bad_request", "Ask for ?wsdl.")
    text = description(own_url(request, PATH))
    return packed(request, text.encode(), "text/xml; charset=utf-8")


async def call(request: Request) -> Response:
    """`POST /ws/booking.asmx`"""
    content_type = request.headers.get("content-type", "")
    body = await request.body()
    if len(body) > _BODY_LIMIT:
        raise ApiError(413, "too_large", "The body is above 1 MiB.")
    version = version_of(content_type)
    try:
        asked = called(content_type, body)
        version = asked.version
        return _answer(request, asked)
    except VersionMismatch:
        return packed(request, mismatch(), V11.content_type, 500)
    except SoapFault as error:
        status, text = fault(version, error)
        return packed(request, text, version.content_type, status)


def _answer(request: Request, asked: Call) -> Response:
    name = asked.operation.local
    operation = _OPERATIONS.get(name)
    if operation is None or asked.operation.name != f"{{{NAMESPACE}}}{name}":
        raise SoapFault(f"There is no operation {name}.", code="unknown_operation")
    shop = shop_of(request)
    shop.counters.operations[f"soap {name}"] += 1
    _fail(request, after=False)
    try:
        done = operation(shop, _arguments(asked.operation))
    except ApiError as error:
        raise SoapFault(error.message, code=error.code, field=error.field) from error
    _fail(request, after=True)
    stamps = [
        element("GeneratedAt", fine_stamp()),
        element("RequestId", request.scope["request_id"]),
    ]
    content = [element(f"{name}Response", [*done.content, *stamps], {"xmlns": NAMESPACE})]
    return _enveloped(request, asked.version, content, done.attachments)


def _fail(request: Request, *, after: bool) -> None:
    if knob.fails(request, after=after):
        raise SoapFault(knob.MESSAGE, sender=False, code="injected")


def _enveloped(
    request: Request, version: Version, content: list[str], attachments: tuple[Attachment, ...]
) -> Response:
    root = envelope(version, content)
    if not attachments:
        return packed(request, root, version.content_type)
    content_type, whole = package(version, root, attachments)
    return Response(whole, 200, {"content-type": content_type})


def _arguments(operation: Element) -> _Arguments:
    return {child.local: child.text.strip() for child in operation.children}


def _get_booking(shop: Shop, arguments: _Arguments) -> _Done:
    return _Done([_booking(shop.bookings.get(booking_number(_text(arguments, "Id"))))])


def _list_hotels(shop: Shop, arguments: _Arguments) -> _Done:
    page = _number(arguments, "Page", 1, 1_000_000)
    size = _number(arguments, "Size", 20, 100)
    rows, total = shop.hotels.search(Search(city=arguments.get("City", "").casefold()), page, size)
    hotels = [_members("Hotel", HOTEL, summary_json(row)) for row in rows]
    return _Done([element("Hotels", hotels), element("Total", str(total))])


def _create_booking(shop: Shop, arguments: _Arguments) -> _Done:
    wanted: dict[str, object] = {
        "user_id": _number(arguments, "UserId", 0, 1 << 40),
        "hotel_id": _number(arguments, "HotelId", 0, 1 << 40),
        "room": arguments.get("Room"),
        "from": arguments.get("From"),
        "to": arguments.get("To"),
        "guests": _number(arguments, "Guests", 0, 20),
        "notes": arguments.get("Notes") or None,
    }
    with shop.db.transaction():
        return _Done([_booking(shop.bookings.add(wanted, stamp()))])


def _get_voucher(shop: Shop, arguments: _Arguments) -> _Done:
    booking = shop.bookings.get(booking_number(_text(arguments, "Id")))
    cid = f"voucher-{booking['id']}@wayfarer"
    include = element("xop:Include", "", {"xmlns:xop": _INCLUDE, "href": f"cid:{cid}"})
    voucher = Attachment(cid, "text/plain; charset=utf-8", _voucher(booking))
    return _Done([element("Voucher", [include])], (voucher,))


_OPERATIONS: dict[str, Callable[[Shop, _Arguments], _Done]] = {
    "GetBooking": _get_booking,
    "ListHotels": _list_hotels,
    "CreateBooking": _create_booking,
    "GetVoucher": _get_voucher,
}


def _voucher(booking: Mapping[str, object]) -> bytes:
    lines = ["Wayfarer Travel", "Voucher", ""]
    lines += [f"{name}: {booking[name]}" for name in ("id", "hotel_name", "room", "from", "to")]
    return ("\r\n".join(lines) + "\r\n").encode()


def _booking(booking: Mapping[str, object]) -> str:
    return _members("Booking", BOOKING, booking)


def _members(
    name: str, members: Mapping[str, tuple[str, str]], values: Mapping[str, object]
) -> str:
    shown = [_member(tag, values[key]) for tag, (key, _) in members.items()]
    return element(name, [one for one in shown if one])


def _member(tag: str, value: object) -> str:
    """An element; null is an absent one, an amount has its currency beside it."""
    if value is None:
        return ""
    if isinstance(value, dict):
        money = cast(dict[str, str], value)
        return element(tag, money["amount"], {"Currency": money["currency"]})
    return element(tag, str(value))


def _text(arguments: _Arguments, name: str) -> str:
    if not arguments.get(name):
        raise invalid(name, f"{name} must be given.")
    return arguments[name]


def _number(arguments: _Arguments, name: str, default: int, high: int) -> int:
    text = arguments.get(name, "")
    if not text:
        return default
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 14 else 0
    if not 1 <= value <= high:
        raise invalid(name, f"{name} must be a whole number from 1 to {high}.")
    return value
