"""The XML export, in Latin-1, as its readers of 2016 asked for."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import orjson
from starlette.requests import Request
from starlette.responses import Response

from legacy_stub.answers import packed
from legacy_stub.money import amount
from legacy_stub.shop import shop_of


async def catalogue_xml(request: Request) -> Response:
    """`GET /export/catalogue.xml`"""
    root = ET.Element("catalogue")
    for row in shop_of(request).hotels.all():
        hotel = ET.SubElement(root, "hotel", id=str(row["id"]))
        for name in ("name", "city", "country", "stars"):
            ET.SubElement(hotel, name).text = str(row[name])
        if row["rating"] is not None:
            ET.SubElement(hotel, "rating").text = str(row["rating"])
        ET.SubElement(hotel, "price", currency="EUR").text = amount(row["price"])
        amenities = ET.SubElement(hotel, "amenities")
        for one in orjson.loads(row["amenities"]):
            ET.SubElement(amenities, "amenity").text = one
    ET.indent(root)
    body: bytes = ET.tostring(root, "ISO-8859-1", xml_declaration=True)
    return packed(request, body, "application/xml; charset=ISO-8859-1")
