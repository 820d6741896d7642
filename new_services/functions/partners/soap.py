"""GetBooking of `POST /ws/booking.asmx`."""

from __future__ import annotations

from typing import Any

from new_services.differences import enabled
from new_services.functions.bookings import service
from new_services.functions.vendor.http import Request, Response, handler, invalid, now
from new_services.functions.vendor.soap import Call, ServerFault, answer, element

_MEMBERS = {
    "Id": "id",
    "UserId": "user_id",
    "HotelId": "hotel_id",
    "HotelName": "hotel_name",
    "Room": "room",
    "From": "from",
    "To": "to",
    "Nights": "nights",
    "Guests": "guests",
    "Notes": "notes",
    "Status": "status",
    "Total": "total",
    "Paid": "paid",
    "Balance": "balance",
}


@handler("POST")
def get_booking(request: Request) -> Response:
    """POST /ws/booking.asmx, operation {urn:wayfarer:booking}GetBooking"""

    def work(call: Call) -> list[str]:
        if not call.arguments.get("Id"):
            raise invalid("Id", "Id must be given.")
        booking = service.get(call.arguments["Id"])
        if enabled("soap-server-fault") and booking["status"] == "cancelled":
            raise ServerFault("Cancelled bookings cannot be shown yet.")
        stamps = [element("GeneratedAt", now()), element("RequestId", request.id)]
        return [element("Booking", _members(booking)), *stamps]

    return answer(request, "GetBooking", work)


def _members(booking: dict[str, Any]) -> list[str]:
    shown = []
    for tag, name in _MEMBERS.items():
        value = booking[name]
        if isinstance(value, dict):
            shown.append(element(tag, value["amount"], Currency=value["currency"]))
        elif value is not None:
            shown.append(element(tag, str(value)))
    return shown
