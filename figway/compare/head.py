"""The head of an answer: status, Content-Type, Location, Set-Cookie and the listed headers."""

from __future__ import annotations

from collections import defaultdict
from urllib.parse import urljoin, urlsplit, urlunsplit

from figway.compare.answer import Answer, Context
from figway.compare.cookies import SetCookie, describe_token
from figway.compare.decode import MediaType
from figway.compare.detect import looks_random
from figway.compare.differences import DifferenceKind, Findings
from figway.compare.excuse import covered_by
from figway.compare.moments import moment
from figway.compare.rules import RuleSet

Headers = dict[str, list[str]]

_CASELESS_ATTRIBUTES = frozenset({"samesite", "priority"})
_MOST_COOKIES = 100


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
        self._report("changed", legacy.status, new.status, "status")
        return bool(self._rules.outside("status")) and legacy.status // 100 == new.status // 100

    def headers(self, legacy: Headers, new: Headers) -> None:
        """Everything in the head but the status."""
        self._content_type(legacy, new)
        for name in ("location", "content-location", "refresh"):
            if name in legacy or name in new:
                self._one(name, self._resolved(name, legacy), self._resolved(name, new))
        for name in self._context.headers:
            if name in legacy or name in new:
                self._one(name, _joined(legacy.get(name)), _joined(new.get(name)))
        if "set-cookie" in legacy or "set-cookie" in new:
            self._cookies(legacy.get("set-cookie", []), new.get("set-cookie", []))

    def _content_type(self, legacy: Headers, new: Headers) -> None:
        left, right = legacy.get("content-type", [""])[-1], new.get("content-type", [""])[-1]
        if left == right:
            return
        here, there = MediaType.parse(left), MediaType.parse(right)
        # The charset is not a difference in itself: text that it decodes to another text is.
        if (here.essence, here.parameters) != (there.essence, there.parameters):
            self._one("content-type", left or None, right or None)

    def charset(self, legacy: str, new: str) -> None:
        """The charsets of two bodies whose texts differ, which may be why."""
        if legacy != new:
            self._one("content-type;charset", legacy or None, new or None, "header:content-type")

    def _one(
        self, name: str, legacy: str | None, new: str | None, target: str | None = None
    ) -> None:
        if legacy == new:
            return
        kind: DifferenceKind = "changed"
        if legacy is None:
            kind = "added"
        elif new is None:
            kind = "missing"
        self._report(kind, legacy, new, f"header:{name}", target)

    def _resolved(self, name: str, headers: Headers) -> str | None:
        """The URL as a user agent would end up with it, on the facade where a backend is meant."""
        value = _joined(headers.get(name))
        if value is None or name == "refresh":
            return value
        try:
            base = urljoin(self._context.facade or "//facade", self._context.path)
            parts = urlsplit(urljoin(base, value))
        except ValueError:
            return value
        if parts.netloc.lower() in self._context.backend_hosts:
            facade = urlsplit(self._context.facade or "//facade")
            parts = parts._replace(scheme=facade.scheme, netloc=facade.netloc)
        return urlunsplit(parts._replace(path=parts.path or "/"))

    def _cookies(self, legacy: list[str], new: list[str]) -> None:
        left, right = _by_name(legacy), _by_name(new)
        for name in sorted(left.keys() | right.keys()):
            here, there = left.get(name, []), right.get(name, [])
            path = f"set-cookie:{name[:200]}"
            for one, other in zip(here, there, strict=False):
                self._cookie(path, one, other)
            for cookie in here[len(there) :]:
                self._report("missing", describe_token(cookie.value), None, path)
            for cookie in there[len(here) :]:
                self._report("added", None, describe_token(cookie.value), path)

    def _cookie(self, path: str, legacy: SetCookie, new: SetCookie) -> None:
        if not _same_token(legacy.value, new.value):
            self._report("changed", describe_token(legacy.value), describe_token(new.value), path)
        here, there = dict(legacy.attributes), dict(new.attributes)
        for name in sorted(here.keys() | there.keys()):
            one, other = here.get(name), there.get(name)
            if self._same_attribute(name, one, other):
                continue
            kind: DifferenceKind = (
                "missing" if other is None else "added" if one is None else "changed"
            )
            self._report(kind, one, other, f"{path};{name[:40]}")

    def _same_attribute(self, name: str, legacy: str | None, new: str | None) -> bool:
        if legacy == new:
            return True
        if name == "domain":
            # Left out, or naming the backend: both mean the host that was asked, which is the
            # facade.
            return self._domain(legacy) == self._domain(new)
        if legacy is None or new is None:
            return False
        if name == "expires":
            one, other = moment(legacy.replace("-", " ")), moment(new.replace("-", " "))
            near = self._context.cookie_expiry_seconds
            return bool(one and other and abs(one[1] - other[1]) <= near)
        return name in _CASELESS_ATTRIBUTES and legacy.lower() == new.lower()

    def _domain(self, value: str | None) -> str:
        domain = (value or "").lower().lstrip(".")
        hosts = {host.partition(":")[0] for host in self._context.backend_hosts}
        return "" if domain in hosts else domain

    def _report(
        self,
        kind: DifferenceKind,
        legacy: str | int | None,
        new: str | int | None,
        path: str,
        target: str | None = None,
    ) -> None:
        rules = self._rules.outside(target or path)
        self._findings.add(
            kind,
            legacy,
            new,
            path=path,
            exact=path,
            name=path.partition(":")[2],
            ignored_by=covered_by(rules, kind, legacy, new) if rules else None,
        )


def _joined(values: list[str] | None) -> str | None:
    return None if values is None else ", ".join(values)


def _by_name(headers: list[str]) -> dict[str, list[SetCookie]]:
    found: defaultdict[str, list[SetCookie]] = defaultdict(list)
    for header in headers[:_MOST_COOKIES]:
        cookie = SetCookie.parse(header)
        found[cookie.name].append(cookie)
    for cookies in found.values():
        # One name may be set for several paths; their order does not matter.
        cookies.sort(key=lambda cookie: sorted(cookie.attributes))
    return found


def _same_token(legacy: str, new: str) -> bool:
    """A session id is another each time; a language or a flag is not."""
    return legacy == new or (looks_random(legacy) and looks_random(new))
