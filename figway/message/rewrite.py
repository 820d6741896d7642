"""Answers that name a backend by its own address, made to name the facade instead.

Location, Content-Location (RFC 9110, 10.2.2 and 8.7) and Refresh (WHATWG HTML, 7.5.8) are changed
when the host that they name is a known backend's, Set-Cookie (RFC 6265, 4.1) when its Domain or
Path is the serving backend's. Everything else, and every other attribute, keeps its bytes. What
stands in a body is never touched: the comparer reports internal URLs there as a finding.

A host that is the client's own is left alone, whoever else answers to it: a redirect from http
to https on the public host is meant as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from figway.message.http import Headers
from figway.model.backend import Backend, HostPolicy, is_stream

NAMES = frozenset({b"location", b"content-location", b"refresh", b"set-cookie"})
"""Fields that may have to be rewritten; lower case."""

_DEFAULT_PORTS = (b":80", b":443")
_REFERENCE = re.compile(rb"(?:(?i:https?):)?//([^/?#\\@]*+)(?=[/?#]|\Z)")
_REFRESH = re.compile(rb"([\t ]*[0-9.]+[\t ]*[;,][\t ]*(?:(?i:url)[\t ]*=[\t ]*)?['\"]?)(.*)", re.S)


@dataclass(frozen=True, slots=True)
class Public:
    """The facade as the client addressed it: `http` or `https`, and host with port if not the
    default one. Without a host (HTTP/1.0) absolute references become paths."""

    scheme: bytes
    host: bytes


class BackendNames:
    """The addresses that the backends of a table are known by, and the paths they stand under."""

    __slots__ = ("_prefixes",)

    def __init__(self, backends: Iterable[Backend]) -> None:
        self._prefixes: dict[bytes, tuple[bytes, ...]] = {}
        for backend in backends:
            for authority, prefix in _places(backend):
                known = {*self._prefixes.get(authority, ()), prefix}
                self._prefixes[authority] = tuple(sorted(known, key=len, reverse=True))

    def reference(self, value: bytes, public: Public, prefix: bytes = b"") -> bytes:
        """A URI reference, naming the facade if it named a backend.

        `prefix` is the path under which the serving backend stands; an absolute path below it
        loses it, as the facade puts it before every target.
        """
        match = _REFERENCE.match(value)
        if match is None:
            if prefix and value[:1] == b"/":
                return without_prefix(value, prefix) or value
            return value
        authority = _plain(match[1])
        prefixes = self._prefixes.get(authority)
        if prefixes is None or authority == _plain(public.host):
            return value
        rest = value[match.end() :]
        for known in prefixes:
            path = without_prefix(rest, known)
            if path is None:
                continue
            if not public.host:
                return path if path[:1] == b"/" else b"/" + path
            scheme = b"" if value[:2] == b"//" else public.scheme + b":"
            return b"%b//%b%b" % (scheme, public.host, path)
        return value


def without_prefix(path: bytes, prefix: bytes) -> bytes | None:
    """`path` without `prefix`, which ends at a segment's end; None if it is not below it."""
    if not prefix:
        return path
    if not path.startswith(prefix):
        return None
    rest = path[len(prefix) :]
    if rest[:1] in (b"", b"?", b"#"):
        return b"/" + rest
    return rest if rest[:1] == b"/" else None


def cookie(value: bytes, domains: Iterable[bytes], public: Public, prefix: bytes = b"") -> bytes:
    """A Set-Cookie value for the facade's clients.

    A Domain that covers one of `domains` (the serving backend's hosts, lower case) and not the
    client's becomes the client's host; a Path below `prefix` loses it. All else stays.
    """
    if b";" not in value:
        return value
    first, *attributes = value.split(b";")
    changed = False
    for index, attribute in enumerate(attributes):
        name, separator, content = attribute.partition(b"=")
        kind = name.strip().lower()
        if not separator:
            continue
        plain, becomes = content.strip(), None
        if kind == b"domain":
            becomes = _domain(plain, domains, public)
        elif kind == b"path" and prefix:
            becomes = without_prefix(plain, prefix)
        if becomes is not None and becomes != plain:
            lead = content[: len(content) - len(content.lstrip())]
            attributes[index] = name + separator + lead + becomes
            changed = True
    return b";".join([first, *attributes]) if changed else value


def _domain(domain: bytes, domains: Iterable[bytes], public: Public) -> bytes | None:
    wanted = domain.lower().removeprefix(b".")
    client = _hostname(public.host)
    if not wanted or not client or _covers(wanted, client):
        return None
    return client if any(_covers(wanted, host) for host in domains) else None


def _covers(domain: bytes, host: bytes) -> bool:
    """Domain-match (RFC 6265, 5.1.3), addresses apart: none of them ends in a dot and a domain."""
    return host == domain or host.endswith(b"." + domain)


def refresh(value: bytes, names: BackendNames, public: Public, prefix: bytes = b"") -> bytes:
    """A Refresh value: `5; url=http://...`, quoted or not."""
    match = _REFRESH.fullmatch(value)
    if match is None:
        return value
    return match[1] + names.reference(match[2], public, prefix)


def answer(
    headers: Headers,
    names: BackendNames,
    public: Public,
    *,
    prefix: bytes = b"",
    domains: Iterable[bytes] = (),
) -> Headers:
    """The header section of an answer, with the facade in place of backends.

    `prefix` and `domains` are the serving backend's path and host names. Order, case and
    repetition are kept; the list given is not changed.
    """
    out: Headers = []
    for pair in headers:
        name = pair[0].lower()
        if name in NAMES:
            value = pair[1]
            if name == b"set-cookie":
                value = cookie(value, domains, public, prefix)
            elif name == b"refresh":
                value = refresh(value, names, public, prefix)
            else:
                value = names.reference(value, public, prefix)
            out.append((pair[0], value))
        else:
            out.append(pair)
    return out


def domains_of(backend: Backend) -> tuple[bytes, ...]:
    """The host names that `backend` may put into a cookie's Domain: lower case, without port."""
    return tuple(dict.fromkeys(_hostname(authority) for authority, _ in _places(backend)))


def _places(backend: Backend) -> list[tuple[bytes, bytes]]:
    """Each authority by which `backend` may call itself, with the path that it stands under."""
    names: list[tuple[bytes, bytes]] = []
    if is_stream(backend):
        return names  # its URL is that of a Redis, which no answer names
    prefix = urlsplit(backend.url).path.rstrip("/").encode()
    for address in (backend.url, *backend.urls):
        if authority := urlsplit(address).netloc:
            names.append((_plain(authority.encode()), prefix))
    if backend.host_policy is HostPolicy.LITERAL and backend.host:
        names.append((_plain(backend.host.encode()), prefix))
    return names


def _plain(authority: bytes) -> bytes:
    """An authority to compare: lower case, without a default port of either scheme."""
    authority = authority.lower()
    for port in _DEFAULT_PORTS:
        if authority.endswith(port):
            return authority[: -len(port)]
    return authority


def _hostname(authority: bytes) -> bytes:
    """The host of an authority: lower case, without its port."""
    authority = authority.lower()
    if authority[:1] == b"[":
        return authority.partition(b"]")[0] + b"]"
    return authority.partition(b":")[0]
