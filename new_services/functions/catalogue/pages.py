"""What stands on the page of one hotel."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any


def title(hotel: dict[str, Any]) -> str:
    return f"{hotel['name']}, {hotel['city']}"


def hotel(hotel: dict[str, Any], price: Callable[[int], str]) -> str:
    """The page's content; `price` shows cents."""
    stars = f'<span class="stars" title="{hotel["stars"]} stars">{"★" * hotel["stars"]}</span>'
    tags = "".join(f'<span class="tag">{escape(one)}</span>' for one in hotel["amenities"])
    rooms = "".join(_room(room, price) for room in hotel["rooms"])
    return f"""<img class="hero" src="{hotel["photo"]}" alt="">
<h1>{escape(hotel["name"])} {stars}</h1>
<p class="muted">{_where(hotel)}</p>
<p>{escape(hotel["description"])}</p>
<p>{tags}</p>
<h2>Rooms</h2>
<div class="scroll"><table><tr><th>Room</th><th>Beds</th><th>Guests</th><th>Board</th>\
<th>A night from</th></tr>
{rooms}</table></div>
<p class="muted">{_policies(hotel["policies"])}</p>"""


def _where(hotel: dict[str, Any]) -> str:
    address = hotel["address"]
    place = f"{address['street']}, {address['postcode']} {hotel['city']}"
    text = f"{escape(place)} · {hotel['distance_km']} km from the centre\n"
    if hotel["rating"]:
        text += f"· {hotel['rating']} from {hotel['reviews']} guests"
    return text


def _room(room: dict[str, Any], price: Callable[[int], str]) -> str:
    cents = int(room["price"]["amount"].replace(".", ""))
    return (
        f"<tr><td>{escape(room['name'])}</td><td>{room['beds']}</td><td>{room['max_guests']}</td>"
        f'<td>{escape(room["board"])}</td><td class="price">{price(cents)}</td></tr>'
    )


def _policies(policies: dict[str, Any]) -> str:
    text = f"Arrive from {policies['check_in']}, leave by {policies['check_out']}.\n"
    if policies["cancellation_hours"]:
        text += f"Free cancellation until {policies['cancellation_hours']} hours before."
    return text
