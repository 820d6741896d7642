"""What every part of the monolith can reach: a monolith, after all."""

from __future__ import annotations

import asyncio
import random
import secrets
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from legacy_stub.bookings import Bookings
from legacy_stub.counters import Counters
from legacy_stub.database import Database
from legacy_stub.faults import FaultPlan
from legacy_stub.hotels import Hotels
from legacy_stub.outbox import Outbox
from legacy_stub.seed import fill
from legacy_stub.users import Users
from legacy_stub.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Settings:
    """How the shop was started."""

    seed: int = 42
    internal_host: str | None = None
    access_log: bool = False


@dataclass(slots=True)
class Shop:
    """The open shop."""

    settings: Settings
    db: Database
    outbox: Outbox
    counters: Counters = field(default_factory=Counters)
    faults: FaultPlan = field(default_factory=FaultPlan)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    webhooks: Webhooks = field(default_factory=Webhooks)
    queries: dict[str, str] = field(default_factory=dict)
    """Persisted GraphQL queries by their SHA-256."""
    dice: random.Random = field(init=False)
    users: Users = field(init=False)
    hotels: Hotels = field(init=False)
    bookings: Bookings = field(init=False)

    def __post_init__(self) -> None:
        self.users = Users(self.db, self.outbox)
        self.hotels = Hotels(self.db, self.outbox)
        self.bookings = Bookings(self.db, self.outbox, self.hotels)
        self.dice = random.Random(self.settings.seed)

    async def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the end of the shop."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return


def shop_of(connection: HTTPConnection) -> Shop:
    """The shop that a request came to."""
    shop: Shop = connection.app.state.shop
    return shop


def open_shop(settings: Settings, path: str, *, durable: bool) -> Shop:
    """Open the file and seed it if it is new. Raises `sqlite3.Error`."""
    db = Database(path, durable=durable)
    outbox = Outbox(db)
    if not db.seeded:
        with db.transaction():
            db.create()
            fill(db, outbox, settings.seed)
        outbox.written.clear()
    return Shop(settings, db, outbox)
