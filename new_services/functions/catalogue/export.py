"""The catalogue as XML, in Latin-1 as its readers expect it."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

CONTENT_TYPE = "application/xml; charset=ISO-8859-1"
_FIELDS = ("name", "city", "country", "stars", "rating")
"""`rating` is left out where there is none."""


def catalogue(hotels: list[dict[str, Any]]) -> bytes:
    """All hotels; characters outside Latin-1 become references."""
    root = Element("catalogue")
    for hotel in hotels:
        node = SubElement(root, "hotel", id=str(hotel["id"]))
        for name in _FIELDS:
            if hotel[name] is not None:
                SubElement(node, name).text = str(hotel[name])
        price = SubElement(node, "price", currency=hotel["price"]["currency"])
        price.text = hotel["price"]["amount"]
        amenities = SubElement(node, "amenities")
        for amenity in hotel["amenities"]:
            SubElement(amenities, "amenity").text = amenity
    return bytes(tostring(root, encoding="ISO-8859-1"))
