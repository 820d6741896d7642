"""The description of the SOAP service: WSDL 1.1, document/literal, one port a version of SOAP."""

from __future__ import annotations

from collections.abc import Mapping

from legacy_stub.operations.envelope import NAMESPACE

Members = Mapping[str, tuple[str, str]]
"""Element -> the name in the JSON API, and its type in the schema."""

BOOKING: Members = {
    "Id": ("id", "xs:string"),
    "UserId": ("user_id", "xs:long"),
    "HotelId": ("hotel_id", "xs:long"),
    "HotelName": ("hotel_name", "xs:string"),
    "Room": ("room", "xs:string"),
    "From": ("from", "xs:date"),
    "To": ("to", "xs:date"),
    "Nights": ("nights", "xs:int"),
    "Guests": ("guests", "xs:int"),
    "Notes": ("notes", "xs:string"),
    "Status": ("status", "xs:string"),
    "Total": ("total", "tns:Money"),
    "Paid": ("paid", "tns:Money"),
    "Balance": ("balance", "tns:Money"),
}
HOTEL: Members = {
    "Id": ("id", "xs:long"),
    "Name": ("name", "xs:string"),
    "City": ("city", "xs:string"),
    "Country": ("country", "xs:string"),
    "Stars": ("stars", "xs:int"),
    "Rating": ("rating", "xs:decimal"),
    "Reviews": ("reviews", "xs:int"),
    "Price": ("price", "tns:Money"),
}
_OPTIONAL = ("Notes", "Rating", "City", "Page", "Size")
_STAMPS = {"GeneratedAt": "xs:dateTime", "RequestId": "xs:string"}

_CALLS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "GetBooking": ({"Id": "xs:string"}, {"Booking": "tns:Booking"}),
    "ListHotels": (
        {"City": "xs:string", "Page": "xs:int", "Size": "xs:int"},
        {"Hotels": "tns:Hotels", "Total": "xs:int"},
    ),
    "CreateBooking": (
        {
            "UserId": "xs:long",
            "HotelId": "xs:long",
            "Room": "xs:string",
            "From": "xs:date",
            "To": "xs:date",
            "Guests": "xs:int",
            "Notes": "xs:string",
        },
        {"Booking": "tns:Booking"},
    ),
    "GetVoucher": ({"Id": "xs:string"}, {"Voucher": "xs:base64Binary"}),
}


def description(address: str) -> str:
    """What a client generates its code from; `address` is where the service answers."""
    parts = [_types(), *map(_messages, _CALLS), _port_type()]
    parts += [_binding("Soap", "soap"), _binding("Soap12", "soap12")]
    parts.append(
        '<wsdl:service name="BookingService">'
        f'<wsdl:port name="BookingSoap" binding="tns:BookingSoap">'
        f'<soap:address location="{address}"/></wsdl:port>'
        f'<wsdl:port name="BookingSoap12" binding="tns:BookingSoap12">'
        f'<soap12:address location="{address}"/></wsdl:port></wsdl:service>'
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"'
        ' xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"'
        ' xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/"'
        ' xmlns:xs="http://www.w3.org/2001/XMLSchema"'
        f' xmlns:tns="{NAMESPACE}" targetNamespace="{NAMESPACE}">'
        f"{''.join(parts)}</wsdl:definitions>"
    )


def _types() -> str:
    booking = {tag: kind for tag, (_, kind) in BOOKING.items()}
    hotel = {tag: kind for tag, (_, kind) in HOTEL.items()}
    named = [
        f'<xs:complexType name="Booking">{_sequence(booking)}</xs:complexType>',
        f'<xs:complexType name="Hotel">{_sequence(hotel)}</xs:complexType>',
        '<xs:complexType name="Hotels"><xs:sequence><xs:element name="Hotel" type="tns:Hotel"'
        ' minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType>',
        '<xs:complexType name="Money"><xs:simpleContent><xs:extension base="xs:decimal">'
        '<xs:attribute name="Currency" type="xs:string"/></xs:extension></xs:simpleContent>'
        "</xs:complexType>",
        _element("Problem", {"Code": "xs:string", "Field": "xs:string"}),
    ]
    for name, (asked, answered) in _CALLS.items():
        named.append(_element(name, asked))
        named.append(_element(f"{name}Response", {**answered, **_STAMPS}))
    return (
        f'<wsdl:types><xs:schema targetNamespace="{NAMESPACE}" elementFormDefault="qualified">'
        f"{''.join(named)}</xs:schema></wsdl:types>"
    )


def _element(name: str, members: Mapping[str, str]) -> str:
    inner = f"<xs:complexType>{_sequence(members)}</xs:complexType>"
    return f'<xs:element name="{name}">{inner}</xs:element>'


def _sequence(members: Mapping[str, str]) -> str:
    inner = "".join(
        f'<xs:element name="{tag}" type="{kind}"{_fewest(tag)}/>' for tag, kind in members.items()
    )
    return f"<xs:sequence>{inner}</xs:sequence>"


def _fewest(tag: str) -> str:
    return ' minOccurs="0"' if tag in _OPTIONAL or tag == "Field" else ""


def _messages(name: str) -> str:
    return "".join(
        f'<wsdl:message name="{element}"><wsdl:part name="parameters" element="tns:{element}"/>'
        "</wsdl:message>"
        for element in (name, f"{name}Response")
    )


def _port_type() -> str:
    operations = "".join(
        f'<wsdl:operation name="{name}"><wsdl:input message="tns:{name}"/>'
        f'<wsdl:output message="tns:{name}Response"/></wsdl:operation>'
        for name in _CALLS
    )
    return f'<wsdl:portType name="Booking">{operations}</wsdl:portType>'


def _binding(suffix: str, prefix: str) -> str:
    body = f'<{prefix}:body use="literal"/>'
    operations = "".join(
        f'<wsdl:operation name="{name}">'
        f'<{prefix}:operation soapAction="{NAMESPACE}/{name}" style="document"/>'
        f"<wsdl:input>{body}</wsdl:input><wsdl:output>{body}</wsdl:output></wsdl:operation>"
        for name in _CALLS
    )
    transport = "http://schemas.xmlsoap.org/soap/http"
    return (
        f'<wsdl:binding name="Booking{suffix}" type="tns:Booking">'
        f'<{prefix}:binding transport="{transport}" style="document"/>{operations}</wsdl:binding>'
    )
