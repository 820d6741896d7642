"""The shop's data on its first day: the same for the same seed."""

from __future__ import annotations

import random
import re
import unicodedata
import uuid
from datetime import date, datetime, timedelta

import orjson

from legacy_stub import words
from legacy_stub.answers import ApiError
from legacy_stub.bookings import Bookings, booking_number
from legacy_stub.database import Database
from legacy_stub.hotels import Hotels, search_key
from legacy_stub.money import amount
from legacy_stub.outbox import Outbox
from legacy_stub.users import Users

USERS = 400
HOTELS = 240
BOOKINGS = 600
PASSWORD = "wayfarer"  # noqa: S105 - of a demo shop, and documented

_LETTERS = str.maketrans("łŁß", "lLs", "'")
_OPENED = datetime(2016, 4, 1, 8)  # noqa: DTZ001 - written with a Z below


def fill(db: Database, outbox: Outbox, seed: int) -> None:
    """Users, hotels, bookings, in this order; the caller holds the transaction."""
    dice = random.Random(seed)
    users, hotels = Users(db, outbox), Hotels(db, outbox)
    for number in range(1, USERS + 1):
        _user(users, dice, number)
    for number in range(1, HOTELS + 1):
        _hotel(db, outbox, hotels, dice, number)
    bookings = Bookings(db, outbox, hotels)
    made = 0
    while made < BOOKINGS:
        made += _booking(db, bookings, hotels, dice, made)


def _at(days: float) -> str:
    return (_OPENED + timedelta(seconds=int(days * 86_400))).strftime("%Y-%m-%dT%H:%M:%SZ")


def _user(users: Users, dice: random.Random, number: int) -> None:
    locale = dice.choice(list(words.PEOPLE))
    firsts, lasts, phone, currency, language, country, streets, cities = words.PEOPLE[locale]
    first, last = dice.choice(firsts.split()), dice.choice(lasts.split())
    address = f"{_plain(first)}.{_plain(last)}{number}@example.com"
    city, postcode = dice.choice(cities.split("|")).split(" ", 1)
    joined = number * 7 + dice.random()
    profile = {
        "display_name": f"{first} {last[0]}.",
        "phone": f"{phone}{dice.randrange(1000):03d}" if dice.random() < 0.9 else None,
        "date_of_birth": _born(dice) if dice.random() < 0.85 else None,
        "address": {
            "street": f"{dice.choice(streets.split('|'))} {dice.randrange(1, 90)}",
            "city": city,
            "postcode": postcode,
            "country": country,
        }
        if dice.random() < 0.93
        else None,
        "preferences": {
            "currency": currency,
            "language": language,
            "newsletter": dice.random() < 0.4,
            "seat": dice.choice(("aisle", "window", None)),
            "dietary": dice.sample(words.DIETS, dice.choice((0, 0, 1, 2))),
            "room": {
                "bed": dice.choice(("double", "twin")),
                "floor": dice.choice(("any", "high", "low")),
                "smoking": dice.random() < 0.05,
            },
        },
        "companions": [
            {
                "name": f"{dice.choice(firsts.split())} {last}",
                "relation": dice.choice(words.RELATIONS),
                "born": dice.randrange(1950, 2020),
            }
            for _ in range(dice.choice((0, 1, 1, 2, 3)))
        ],
        "emergency_contact": {
            "name": f"{dice.choice(firsts.split())} {last}",
            "phone": f"{phone}{dice.randrange(1000):03d}",
        }
        if dice.random() < 0.6
        else None,
    }
    users.insert(
        {
            "email": "demo@example.com" if number == 1 else address,
            "first_name": first,
            "last_name": last,
            "locale": locale,
            "marketing": dice.random() < 0.4,
            "active": number == 1 or dice.random() < 0.95,
        },
        profile,
        points=int(dice.paretovariate(1.2) * 1_500) % 60_000,
        password=PASSWORD,
        credit=dice.choice((0, 0, 500, 2_550, 10_000, dice.randrange(30_000))),
        at=_at(joined),
        updated=_at(joined + dice.randrange(300)),
    )


def _hotel(db: Database, outbox: Outbox, hotels: Hotels, dice: random.Random, number: int) -> None:
    city, country, lat, lon, postcode, streets = dice.choice(words.CITIES)
    house = dice.choice(words.HOUSES.split()).replace("~", " ")
    name = f"{dice.choice(words.KINDS)} {house}"
    stars = dice.choice((2, 3, 3, 4, 4, 5))
    reviews = int(dice.paretovariate(0.9) * 12) % 2_500 if dice.random() < 0.97 else 0
    amenities = sorted(dice.sample(words.AMENITIES, dice.randrange(0, 9)))
    base = stars * 2_400 + dice.randrange(0, 6_000)
    street = dice.choice(streets.split("|"))
    at = _at(dice.randrange(3_000))
    policies = {
        "check_in": dice.choice(("14:00", "15:00", "16:00")),
        "check_out": dice.choice(("10:00", "11:00", "12:00")),
        "pets": "pets welcome" in amenities,
        "cancellation_hours": dice.choice((0, 24, 48, 72)),
        "deposit_percent": dice.choice((0, 10, 20, 30)),
    }
    address = {
        "street": f"{street} {dice.randrange(1, 120)}",
        "city": city,
        "postcode": f"{postcode}{dice.randrange(1, 10)}",
        "country": country,
    }
    kinds = [words.ROOMS[0], *sorted(dice.sample(words.ROOMS[1:], dice.randrange(1, 4)))]
    prices = {kind[0]: (base * kind[4] + 50) // 100 for kind in kinds}
    hotel = db.insert(
        "hotels",
        slug=re.sub(r"[^a-z0-9]+", "-", _plain(f"{name} {city} {number}")),
        name=name,
        city=city,
        city_key=city.casefold(),
        country=country,
        stars=stars,
        rating=round(min(4.98, 2.6 + stars * 0.3 + dice.random()), 2) if reviews else None,
        reviews=reviews,
        price=min(prices.values()),
        amenities=orjson.dumps(amenities).decode(),
        distance_km=round(dice.random() * 6, 2),
        description=f"{dice.choice(words.OPENINGS)} {dice.choice(words.CLOSINGS)}",
        address=orjson.dumps(address).decode(),
        lat=round(lat + dice.uniform(-0.04, 0.04), 5),
        lon=round(lon + dice.uniform(-0.04, 0.04), 5),
        policies=orjson.dumps(policies).decode(),
        tags=orjson.dumps(sorted(dice.sample(words.TAGS, dice.randrange(0, 4)))).decode(),
        search=search_key(name, city, country, amenities),
        updated_at=at,
        version=1,
    )
    board = dice.choice(words.BOARDS)
    for code, title, beds, guests, _ in kinds:
        db.insert(
            "rooms",
            hotel_id=hotel,
            code=code,
            name=title,
            beds=beds,
            max_guests=guests,
            board=board,
            units=dice.randrange(1, 9),
            price=prices[code],
        )
    outbox.publish("hotel.created", hotels.published(hotel), at)


def _booking(
    db: Database, bookings: Bookings, hotels: Hotels, dice: random.Random, made: int
) -> bool:
    """Try a stay; False when that room was full."""
    hotel = dice.randrange(1, HOTELS + 1)
    room = dice.choice(hotels.rooms(hotel))
    first = date(2026, 1, 5) + timedelta(days=dice.randrange(330))
    at = _at(3_200 + made * 0.5 + dice.random() / 2)
    wanted = {
        "user_id": dice.randrange(1, USERS + 1),
        "hotel_id": hotel,
        "room": room["code"],
        "from": first.isoformat(),
        "to": (first + timedelta(days=dice.randrange(1, 8))).isoformat(),
        "guests": dice.randrange(1, room["max_guests"] + 1),
        "notes": dice.choice(words.NOTES),
    }
    try:
        number = booking_number(str(bookings.add(wanted, at)["id"]))
    except ApiError:
        return False
    fate = dice.random()
    if fate < 0.65:
        _payments(db, bookings, dice, number, at)
    elif fate < 0.8:
        bookings.cancel(number, at)
    return True


def _payments(db: Database, bookings: Bookings, dice: random.Random, number: int, at: str) -> None:
    total = db.count("SELECT subtotal + tax FROM bookings WHERE id = ?", number)
    deposit = total // 5
    parts = dice.choice(((total,), (deposit, total - deposit), (deposit,)))
    for part in parts:
        body: dict[str, object] = {
            "amount": {"amount": amount(part), "currency": "EUR"},
            "method": "transfer",
        }
        if dice.random() < 0.7:
            body |= {"method": "card", "card_number": f"411111111111{dice.randrange(10_000):04d}"}
        reference = str(uuid.UUID(int=dice.getrandbits(128), version=4))
        bookings.pay(number, body, reference, at)


def _born(dice: random.Random) -> str:
    return (date(1940, 1, 1) + timedelta(days=dice.randrange(23_000))).isoformat()


def _plain(text: str) -> str:
    """ASCII small letters, for addresses of any kind."""
    bare = text.translate(_LETTERS)
    folded = unicodedata.normalize("NFKD", bare).encode("ascii", "ignore").decode()
    return folded.lower()
