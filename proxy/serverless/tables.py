"""The table of a sandbox: the bundled one at once, a fresh one beside the requests.

Stale-while-revalidate: an invocation that finds the table older than its maximum age begins to ask
for the present one, and serves from the table in hand meanwhile. The question is callbacks on a
kept connection; if the invocation ends first, the answer is read at the start of the next one. What
is fetched passes the same checks as in a container, and a table that fails them is refused.

The kill switch and the id of the installation come with every answer of the control plane, whatever
the table is like (`proxy.control.notice`). Nobody can reach into a sandbox, so both are as old as
the last question.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from math import inf
from typing import Protocol
from urllib.parse import urlsplit

import orjson

from figway.message.http import Headers
from figway.routing.compile import CompiledTable
from proxy.aws.calls import Call, Origin, Reply
from proxy.aws.secrets import AwsSecrets
from proxy.control.notice import ADOPTS, INSTALLATION, KILL, NUMBER, Notice, of_headers
from proxy.kill.switch import ControlSwitch
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.events import EventLog
from proxy.serverless.control import ControlOrigins, Done
from proxy.serverless.settings import LambdaSettings
from proxy.tables.check import Checker, RefusedTable, Served, Source
from proxy.tables.installation import Allegiance

HANG_S = 2.5
"""How long a question may be open where another control plane can be asked instead."""
RETRY_S = (1.0, 30.0)
"""Between two questions after a failure: first, and longest. A control plane that answers, but has
no table to give, is asked again at the table's maximum age: it may have the kill switch to tell."""
_STRANGERS = (0, 401, 403, 404)
"""Answers of something that may be no control plane of ours; so may be a redirect's."""


class Pending(Protocol):
    """A question that is open."""

    @property
    def dialling(self) -> bool:
        """See `Call.dialling`."""

    def cancel(self, error: str = ...) -> None:
        """Give it up; who waits is told."""


class TableSource(Protocol):
    """Where fresh tables come from."""

    def ask(self, headers: Headers, done: Done) -> Call:
        """Ask for the table; `headers` carry If-None-Match."""


class HttpSource:
    """A URL: the control plane's table, an object behind HTTP, a local AppConfig endpoint."""

    def __init__(self, url: str, timer: DeadlineTimer, headers: Callable[[], Headers]) -> None:
        parts = urlsplit(url)
        self._origin = Origin(url, timer)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = headers

    def ask(self, headers: Headers, done: Done) -> Call:
        """See `TableSource`."""
        return self._origin.start("GET", self._target, [*headers, *self._headers()], None, done)


class S3Source:
    """An object in S3."""

    def __init__(self, url: str, timer: DeadlineTimer) -> None:
        # Imported where it is asked for: hashing and signing have their weight.
        from proxy.aws.api import Service, object_path, region_of

        bucket, _, key = url[5:].partition("/")
        self._path = object_path(bucket, key)
        self._service = Service("s3", region_of(), timer)

    def ask(self, headers: Headers, done: Done) -> Call:
        """See `TableSource`."""
        return self._service.start("GET", self._path, headers, None, done)


class ControlSource:
    """The control plane, with a key from the settings or from Secrets Manager."""

    def __init__(self, settings: LambdaSettings, timer: DeadlineTimer) -> None:
        self._key = settings.control_key
        self._secret = settings.control_key_secret
        self._timer = timer
        self._origins = ControlOrigins(settings.control_urls, timer)

    def ask(self, headers: Headers, done: Done) -> Call:
        """See `TableSource`. Without a key yet, the secret is asked for first."""
        if self._key or not self._secret:
            return self._start(headers, lambda reply: self._asked(reply, done))
        from proxy.aws.api import Service, region_of, secret_value

        service = Service("secretsmanager", region_of(self._secret), self._timer)
        chain = _Chain()
        chain.call = secret_value(
            service, self._secret, lambda reply: self._keyed(reply, headers, done, chain)
        )
        return chain

    def _keyed(self, reply: Reply, headers: Headers, done: Done, chain: _Chain) -> None:
        from proxy.aws.api import read_secret

        self._key = read_secret(reply)
        if self._key:
            chain.call = self._start(headers, done)
        else:
            why = reply.error or f"Secrets Manager answers {reply.status}"
            done(Reply(0, error=f"no key for the control plane: {why}"))

    def _start(self, headers: Headers, done: Done) -> Call:
        sent = [*headers, *self.authorized()]
        return self._origins.start("GET", "/api/v1/table", sent, None, done)

    def _asked(self, reply: Reply, done: Done) -> None:
        if reply.status in (401, 403) and self._secret:
            self._key = ""  # rotated meanwhile: read it again before the next question
        done(reply)

    async def ready(self) -> str:
        """The key; without one the call itself will say what is wrong."""
        if not self._key and self._secret:
            from proxy.aws.api import fetch_secret

            self._key = await fetch_secret(self._secret, self._timer)
        return self._key

    def authorized(self) -> Headers:
        """The field that carries the key."""
        return [(b"Authorization", b"Bearer " + self._key.encode())]


class _Chain(Call):
    """Two calls, one after the other, as one."""

    __slots__ = ("call",)

    call: Call

    def __init__(self) -> None:
        super().__init__(lambda reply: None)

    @property
    def dialling(self) -> bool:
        """See `Call.dialling`."""
        return self.call.dialling

    def cancel(self, error: str = "given up") -> None:
        """See `Call.cancel`."""
        self.call.cancel(error)


class SandboxTable:
    """Keeps `served` fresh. `swap` makes a compiled table the one that serves."""

    def __init__(
        self,
        source: TableSource | None,
        max_age_s: float,
        swap: Callable[[CompiledTable], None],
        log: EventLog,
        secrets: AwsSecrets,
        clock: Callable[[], float] = time.time,
        *,
        killed: Callable[[bool], None] = lambda on: None,
        installation: str = "",
        several: bool = False,
    ) -> None:
        """`killed` is told what the control plane says of the kill switch; `installation` is the
        operator's word on whom to follow; `several`: the source has another place to ask."""
        self.served: Served | None = None
        self.kill = ControlSwitch(None)
        self.allegiance = Allegiance(None, installation)
        self.asked = 0
        """Questions so far."""
        self._source = source
        self._max_age_s = max_age_s
        self._swap = swap
        self._log = log
        self._secrets = secrets
        self._clock = clock  # the wall's: the monotonic one may stand still in a frozen sandbox
        self._checker = Checker()
        self._call: Pending | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._checked = 0.0
        self._retry_at = 0.0
        self._retry_s = RETRY_S[0]
        self._killed = killed
        self._several = several
        self._asked_at = inf
        self._looks = 0
        """Invocations since the open question was asked."""
        self._foreign = ""
        self._etag = ""
        """The source's own ETag of what was last taken or refused."""

    # -- the start ---------------------------------------------------------------------------

    def start(self, settings: LambdaSettings) -> None:
        """Serve the bundled table, or else what FIGWAY_LEGACY_URL says."""
        if settings.table_file:
            try:
                with open(settings.table_file, "rb") as file:
                    content = file.read()
                revision, etag, data = _publication(content)
                self.served = self._checker.whole(None, revision, etag, data, Source.LAST_GOOD)
                self._etag = f'"{etag}"'
                self.allegiance.follow(self.allegiance.followed or _installation(content))
            except (OSError, ValueError, RefusedTable) as error:
                self._log.error("last_good_unusable", f"{settings.table_file}: {error}")
        if self.served is None and settings.legacy_url:
            self.served = self._checker.day_0(settings.legacy_url)

    # -- an invocation -----------------------------------------------------------------------

    def look(self) -> None:
        """Ask for the present table if the one in hand is too old, and for its secrets if they are.
        Returns at once."""
        self._secrets.look()
        now = self._clock()
        if self._call is not None:
            self._give_up_one_that_hangs(now)
            return
        age = now - self._checked
        if 0 <= age < self._max_age_s:
            return
        if self._retry_at <= now or age < 0:
            self._ask()

    def _give_up_one_that_hangs(self, now: float) -> None:
        """So that another control plane is asked. An answer that came while the sandbox was frozen
        is read in the invocation after, so no question is given up in that."""
        self._looks += 1
        if self._several and self._looks > 1 and now - self._asked_at > HANG_S:
            assert self._call is not None
            self._call.cancel(f"no answer within {HANG_S:g} s")

    def _ask(self) -> None:
        if self._source is None:
            return
        self.asked += 1
        self._asked_at, self._looks = self._clock(), 0
        headers = [(b"If-None-Match", self._etag.encode())] if self._etag else []
        known = self.kill.known.items()
        headers += [(name.encode(), value.encode("latin-1")) for name, value in known]
        self._call = self._source.ask(headers, self._told)

    @property
    def dialling(self) -> bool:
        """A question waits for its connection: the one part that cannot outlive an invocation."""
        return self._secrets.dialling or (self._call is not None and self._call.dialling)

    async def answered(self) -> None:
        """Wait until no question is open."""
        while self._call is not None:
            if self._waiting is None or self._waiting.done():
                self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    async def refreshed(self) -> None:
        """Ask now, whatever the age, and wait for the answer."""
        await self.answered()  # to a question of before now
        self._ask()
        await self.answered()

    async def dialled(self) -> None:
        """Wait until the open question, if there is one, is on a connection."""
        while self.dialling:  # noqa: ASYNC110  an attempt has no event for it, and it is short
            await asyncio.sleep(0.002)

    def give_up_dialling(self) -> None:
        """End of the invocation."""
        self._secrets.give_up_dialling()
        if self._call is not None and self._call.dialling:
            self._call.cancel("no connection in the time of an invocation")

    # -- the answer --------------------------------------------------------------------------

    def _told(self, reply: Reply) -> None:
        self._call, self._asked_at = None, inf
        notice = self._hear(reply)
        try:
            if reply.status == 200:
                self._take(reply, notice)
            elif reply.status == 304:
                if self._accepts(notice):
                    self.allegiance.follow(notice.installation)
                self._confirmed()
            else:
                why = reply.error or f"the table's source answers {reply.status}"
                self._failed(why, self._max_age_s if notice.kill is not None else RETRY_S[1])
        except RefusedTable as refused:
            self._etag = reply.get(b"etag")
            self._confirmed()
            self._log.error(
                "table_refused",
                f"Revision {refused.revision} is refused, the table before it stays: {refused}.",
                revision=refused.revision,
                findings=refused.findings,
            )
        except (ValueError, OSError) as error:
            self._failed(str(error))
        self._wake()

    def _wake(self) -> None:
        waiting = self._waiting
        if self._call is not None:  # the table waits for what it needs
            return
        self._waiting = None
        if waiting is not None and not waiting.done():  # the time to wait for it was over
            waiting.set_result(None)

    def _hear(self, reply: Reply) -> Notice:
        """What the answer says beside its content."""
        if reply.status in _STRANGERS or (300 <= reply.status < 400 and reply.status != 304):
            return Notice()
        names = (KILL, NUMBER, INSTALLATION, ADOPTS)
        notice = of_headers({name: reply.get(name.encode()) for name in names})
        before = self.kill.on
        if self.kill.hear(notice) and self.kill.on is not before:
            on = self.kill.on
            self._killed(on)
            what = "everything goes to legacy" if on else "the control plane lets go of it"
            self._log.warning("kill_switch", f"Kill switch {self.kill.number}: {what}.", on=on)
        return notice

    def _accepts(self, notice: Notice) -> bool:
        """Whether the table of this installation may be served; says once that it may not."""
        holds_routes = self.served is not None and bool(self.served.table.routes)
        if self.allegiance.accepts(notice, holds_routes):
            self._foreign = ""
            return True
        if self._foreign != notice.installation:
            self._foreign = notice.installation
            self._log.error(
                "foreign_installation",
                f"The control plane is installation {notice.installation}; this function follows "
                f"{self.allegiance.followed} and keeps its table. Where that is meant: figway "
                f"installation adopt {self.allegiance.followed}, or "
                f"FIGWAY_INSTALLATION={notice.installation}.",
            )
        return False

    def _take(self, reply: Reply, notice: Notice) -> None:
        began = time.monotonic()
        if not self._accepts(notice):
            self._confirmed()  # of its own table nothing is to be had there
            return
        revision, etag, data = _publication(reply.body)
        before, tag = self.served, reply.get(b"etag")
        if before is not None and before.etag == etag:
            self._etag = tag
            self.allegiance.follow(notice.installation)
            self._confirmed()
            return
        served = self._checker.whole(before, revision, etag, data, Source.CONTROL_PLANE)
        self._call = self._secrets.begin(
            served.table, lambda: self._prepared(served, tag, notice, began)
        )
        if self._call is None:
            self._serve(served, tag, notice, began)

    def _prepared(self, served: Served, tag: str, notice: Notice, began: float) -> None:
        self._call = None
        try:
            self._serve(served, tag, notice, began)
        except (ValueError, OSError) as error:
            self._failed(str(error))
        self._wake()

    def _serve(self, served: Served, tag: str, notice: Notice, began: float) -> None:
        self._swap(served.compiled)
        self.allegiance.follow(notice.installation)
        self._secrets.serves(served.table)
        self.served = served
        self._log.info(
            "table_served",
            f"Revision {served.revision} is served.",
            revision=served.revision,
            ms=int((time.monotonic() - began) * 1_000),
        )
        self._etag = tag
        self._confirmed()

    def _confirmed(self) -> None:
        self._checked = self._clock()
        self._retry_at, self._retry_s = 0.0, RETRY_S[0]

    def _failed(self, why: str, longest_s: float = RETRY_S[1]) -> None:
        self._retry_at = self._clock() + min(self._retry_s, longest_s)
        self._retry_s = min(RETRY_S[1], self._retry_s * 2)
        self._log.warning("table_not_checked", f"The table in hand stays: {why}.")


def _publication(body: bytes) -> tuple[int, str, object]:
    """Revision, hash and data of what the control plane answers, or of the file that a proxy keeps.

    Raises ValueError.
    """
    data = orjson.loads(body)
    if isinstance(data, dict) and "body" in data:
        data = data["body"]
    try:
        return int(data["revision"]), str(data["etag"]), data["table"]
    except (KeyError, TypeError):
        raise ValueError("the table's source has no revision, etag or table") from None


def _installation(content: bytes) -> str:
    """The id of the installation that a bundled file names; empty where it names none."""
    data = orjson.loads(content)
    found = data.get("installation", "") if isinstance(data, dict) else ""
    return found if isinstance(found, str) else ""


def make_source(settings: LambdaSettings, timer: DeadlineTimer) -> TableSource | None:
    """The source that the settings name. Must be called on the running loop. Raises ValueError."""
    if settings.table_url.startswith("s3://"):
        return S3Source(settings.table_url, timer)
    if settings.table_url:
        return HttpSource(settings.table_url, timer, list)
    return ControlSource(settings, timer) if settings.control_url else None
