"""The head of an answer: status, Content-Type, cookies, and every other end-to-end field."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit, urlunsplit

from figway.compare.answer import Answer, Context
from figway.compare.charsets import label_counts
from figway.compare.cookies import CookieComparison
from figway.compare.decode import MediaType
from figway.compare.differences import DifferenceKind, Findings
from figway.compare.headers.not_compared import LEFT_OUT, compared_names
from figway.compare.headers.readers import (
    OWN_VALUES,
    AnswerContext,
    HeaderValue,
    joined,
    read,
)
from figway.compare.moments import moment
from figway.compare.rule_covers import covered_by
from figway.compare.rules import RuleSet

Headers = dict[str, list[str]]

_EXPIRES_WITHIN_S = 2.0
"""How far apart two lifetimes may be that were rounded to seconds at two moments."""


class HeadComparison:
    """Reports every difference of two heads to `findings`."""

    def __init__(self, findings: Findings, rules: RuleSet, context: Context) -> None:
        self._findings = findings
        self._rules = rules
        self._context = context

    def status(self, legacy: Answer, new: Answer) -> bool:
        """Whether the answers are of one kind, so that the rest is worth comparing.

        Under another status stands another document: listing how it differs would say nothing.
        """
        if legacy.status == new.status:
            return True
        self.report("changed", legacy.status, new.status, "status")
        return bool(self._rules.outside("status")) and legacy.status // 100 == new.status // 100

    def headers(self, legacy: Headers, new: Headers, status: int) -> None:
        """Everything in the head but the status, of two answers of one status."""
        unequal = self._unequal(legacy, new)
        if not unequal:
            return
        around = self._around(legacy), self._around(new)
        for name in self._names(unequal, legacy, new, status):
            here, there = legacy.get(name), new.get(name)
            if name == "content-type":
                self._content_type(legacy, new)
            elif name == "set-cookie":
                self._cookies(here or [], there or [])
            elif here is None or there is None:
                self._present(name, here, there)
            elif name == "expires":
                self._expires(legacy, new)
            elif name in self._context.headers and name in OWN_VALUES:
                self._text(name, joined(here), joined(there))
            else:
                values = read(name, here, around[0]), read(name, there, around[1])
                self._values(name, (joined(here), joined(there)), *values)

    def _unequal(self, legacy: Headers, new: Headers) -> list[str]:
        """Names of the fields that are not equal as they are and may be compared."""
        unequal = [name for name, values in legacy.items() if values != new.get(name)]
        unequal += [name for name in new if name not in legacy]
        if self._context.headers or self._context.method == "HEAD":
            return unequal
        return [name for name in unequal if name not in LEFT_OUT]

    def _names(self, unequal: list[str], legacy: Headers, new: Headers, status: int) -> list[str]:
        """Of the fields that are not equal as they are, those to look at, sorted."""
        wanted = set(self._context.headers)
        if self._context.method.upper() == "HEAD":
            # It frames nothing there: it tells the size of what GET would give.
            wanted.add("content-length")
        named = legacy.get("connection", []) + new.get("connection", [])
        connection = {name.strip().lower() for name in joined(named).split(",")}
        connection.add(self._context.build_header)
        if status == 304 and "etag" in legacy and "etag" in new:
            unequal = [name for name in unequal if name != "last-modified"]
        return compared_names(unequal, wanted=wanted, connection=connection, status=status)

    def _around(self, headers: Headers) -> AnswerContext:
        return AnswerContext(self._resolved, headers.get("date", [""])[-1])

    # -- single fields ---------------------------------------------------------------------------

    def _present(self, name: str, legacy: list[str] | None, new: list[str] | None) -> None:
        left = None if legacy is None else joined(legacy)
        right = None if new is None else joined(new)
        self.report("missing" if new is None else "added", left, right, f"header:{name}")

    def _text(self, name: str, legacy: str, new: str) -> None:
        if legacy != new:
            self.report("changed", legacy, new, f"header:{name}")

    def _values(
        self, name: str, texts: tuple[str, str], legacy: HeaderValue, new: HeaderValue
    ) -> None:
        if legacy == new:
            if name in OWN_VALUES and texts[0] != texts[1]:
                self._findings.own_value(f"header:{name}", *texts)
        elif isinstance(legacy, str) or isinstance(new, str):
            self.report("changed", *texts, f"header:{name}")
        else:
            self._parts(name, legacy, new)

    def _parts(self, name: str, legacy: dict[str, str], new: dict[str, str]) -> None:
        """What differs, part by part: `header:cache-control;max-age`."""
        for part in sorted(legacy.keys() | new.keys()):
            here, there = legacy.get(part), new.get(part)
            if here != there:
                kind: DifferenceKind = (
                    "added" if here is None else "missing" if there is None else "changed"
                )
                path = f"header:{name};{'_'.join(part.split())[:60]}" if part else f"header:{name}"
                self.report(kind, here, there, path)

    def _content_type(self, legacy: Headers, new: Headers) -> None:
        left, right = legacy.get("content-type", [""])[-1], new.get("content-type", [""])[-1]
        here, there = media_type(legacy), media_type(new)
        # What the charset label is worth depends on the body: see `charset`.
        if (here.essence, here.parameters) != (there.essence, there.parameters):
            kind: DifferenceKind = "changed" if left and right else "missing" if left else "added"
            self.report(kind, left or None, right or None, "header:content-type")

    def charset(self, legacy: tuple[MediaType, bytes], new: tuple[MediaType, bytes]) -> None:
        """Report the charset labels of two bodies where clients read them and they differ."""
        left, right = legacy[0].charset, new[0].charset
        if left != right and label_counts(legacy, new):
            kind: DifferenceKind = "changed" if left and right else "missing" if left else "added"
            path = "header:content-type;charset"
            self.report(kind, left or None, right or None, path)

    def _expires(self, legacy: Headers, new: Headers) -> None:
        """As a lifetime: seconds after the answer's own Date; what has expired has expired."""
        here, there = _lifetime(legacy), _lifetime(new)
        known = "date" in legacy and "date" in new
        near = _EXPIRES_WITHIN_S if known else self._context.cookie_expiry_seconds
        if here is None or there is None:
            same = here is there
        else:
            same = abs(here - there) <= near or (known and max(here, there) <= 0)
        if not same:
            texts = joined(legacy["expires"]), joined(new["expires"])
            self.report("changed", *texts, "header:expires")

    def _cookies(self, legacy: list[str], new: list[str]) -> None:
        CookieComparison(self.report, self._findings.own_value, self._context).compare(legacy, new)

    def _resolved(self, value: str) -> str:
        """The URL as a user agent would end up with it, on the facade where a backend is meant."""
        try:
            base = urljoin(self._context.facade or "//facade", self._context.path)
            parts = urlsplit(urljoin(base, value))
        except ValueError:
            return value
        if parts.netloc.lower() in self._context.backend_hosts:
            facade = urlsplit(self._context.facade or "//facade")
            parts = parts._replace(scheme=facade.scheme, netloc=facade.netloc)
        return urlunsplit(parts._replace(path=parts.path or "/"))

    def report(
        self,
        kind: DifferenceKind,
        legacy: str | int | None,
        new: str | int | None,
        path: str,
        values: tuple[str, str] | None = None,
    ) -> None:
        """Report one difference of the head; rules for the whole field cover its parts. `values`
        are what it is judged by where the others describe them."""
        rules = self._rules.outside(path)
        self._findings.add(
            kind,
            legacy,
            new,
            path=path,
            exact=path,
            name=path.partition(":")[2],
            ignored_by=covered_by(rules, kind, legacy, new) if rules else None,
            values=values,
        )


def media_type(headers: Headers) -> MediaType:
    """What an answer says that its body is."""
    return MediaType.parse(headers.get("content-type", [""])[-1])


def _lifetime(headers: Headers) -> float | None:
    """Seconds from Date, or a moment where there is none; None for what has already expired
    because it is no date (RFC 9111 section 5.3).
    """
    when = moment(headers["expires"][-1])
    if when is None or when[0] != "http_date":
        return None
    now = moment(headers.get("date", [""])[-1])
    return when[1] - now[1] if now else when[1]
