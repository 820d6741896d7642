"""Set-Cookie as a name, a token and attributes (RFC 6265 section 5.2, and what browsers added
since).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from figway.compare.answer import Context
from figway.compare.differences import DifferenceKind
from figway.compare.headers.not_compared import OWN_COOKIES
from figway.compare.moments import moment
from figway.compare.tokens import describe, same_form

_CASELESS_ATTRIBUTES = frozenset({"samesite", "priority"})
_MOST_COOKIES = 100


class Report(Protocol):
    """Takes a difference; `values` are what it is judged by where the others describe them."""

    def __call__(
        self,
        kind: DifferenceKind,
        legacy: str | None,
        new: str | None,
        path: str,
        values: tuple[str, str] | None = None,
    ) -> None: ...


OwnValue = Callable[[str, str, str], None]
"""(path, legacy's value, new's value) of a token that each side makes for itself."""


@dataclass(frozen=True, slots=True)
class SetCookie:
    """One Set-Cookie. Attribute names are lower-case; an attribute without a value has the empty
    one.
    """

    name: str
    value: str
    attributes: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, header: str) -> SetCookie:
        """Read one field value as a user agent would: nothing is refused."""
        pair, *rest = header.split(";")
        name, equals, value = pair.partition("=")
        if not equals:
            name, value = "", pair
        attributes: dict[str, str] = {}
        for part in rest:
            key, _, setting = part.partition("=")
            if key.strip():
                # The last of two attributes of one name counts (section 5.3).
                attributes[key.strip().lower()] = setting.strip()
        return cls(name.strip(), value.strip(), tuple(attributes.items()))


class CookieComparison:
    """Cookies by name: each with its attributes, and the form of its value."""

    def __init__(self, report: Report, own_value: OwnValue, context: Context) -> None:
        self._report = report
        self._own_value = own_value
        self._context = context

    def compare(self, legacy: list[str], new: list[str]) -> None:
        """Report what differs between the Set-Cookie lines of two answers."""
        left, right = _by_name(legacy), _by_name(new)
        for name in sorted(left.keys() | right.keys()):
            here, there = left.get(name, []), right.get(name, [])
            path = f"set-cookie:{name[:200]}"
            for one, other in zip(here, there, strict=False):
                self._cookie(path, one, other)
            for cookie in here[len(there) :]:
                self._report("missing", describe(cookie.value), None, path)
            for cookie in there[len(here) :]:
                self._report("added", None, describe(cookie.value), path)
        if legacy[_MOST_COOKIES:] != new[_MOST_COOKIES:]:
            sizes = f"{len(legacy)} cookies", f"{len(new)} cookies"
            self._report("changed", *sizes, "header:set-cookie")

    def _cookie(self, path: str, legacy: SetCookie, new: SetCookie) -> None:
        if legacy.value != new.value:
            if same_form(legacy.value, new.value):
                self._own_value(path, legacy.value, new.value)
            else:
                here, there = describe(legacy.value), describe(new.value)
                same = here == there
                shown = f"another of {there}" if same else there
                self._report("changed", here, shown, path, (legacy.value, new.value))
        here_attributes, there_attributes = dict(legacy.attributes), dict(new.attributes)
        for name in sorted(here_attributes.keys() | there_attributes.keys()):
            one, other = here_attributes.get(name), there_attributes.get(name)
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


def _by_name(headers: list[str]) -> dict[str, list[SetCookie]]:
    found: defaultdict[str, list[SetCookie]] = defaultdict(list)
    for header in headers[:_MOST_COOKIES]:
        cookie = SetCookie.parse(header)
        if cookie.name not in OWN_COOKIES:
            found[cookie.name].append(cookie)
    for cookies in found.values():
        # One name may be set for several paths; their order does not matter.
        cookies.sort(key=lambda cookie: sorted(cookie.attributes))
    return found
