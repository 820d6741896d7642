"""Holds a table to what its fields may mean, and says what to do about what is wrong.

`validate` checks a whole table. `validate_change` checks what differs from a table that was
valid, so that a flip among many routes costs a flip. Nothing is resolved or connected to.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from figway.model.backend import HANDED_ON, Backend, BackendKind, HostPolicy
from figway.model.table import Capability, KeySource, Route, Stage, StickyKey, Table
from figway.model.words import Side
from figway.validate import aws as validate_aws
from figway.validate import members as validate_members
from figway.validate import route as routes
from figway.validate.codes import CODES
from figway.validate.faults import check_legacies
from figway.validate.findings import Finding, Findings, Severity
from figway.validate.ranges import (
    FUNCTION,
    ID,
    LITERAL_HOST,
    TOKEN,
    check_ranges,
    check_text,
)
from figway.validate.sizes import check_sizes
from figway.validate.url import check_url

_DOMAIN = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+").fullmatch

__all__ = ["CODES", "Finding", "Severity", "validate", "validate_change"]


def validate(table: Table) -> list[Finding]:
    """All findings about `table`. It may be served if none of them is an error."""
    findings = Findings()
    _settings(table, findings)
    _ids("backends", table.backends, findings)
    _ids("capabilities", table.capabilities, findings)
    _ids("routes", table.routes, findings)
    for backend in table.backends.values():
        _backend(backend, findings)
    for capability in table.capabilities.values():
        _capability(capability, findings)
    _shared_salts(table.capabilities.values(), findings)
    for route in table.routes.values():
        routes.check(route, table, findings)
    check_legacies(table.routes.values(), table, findings)
    routes.check_overlaps(table.routes.values(), None, findings)
    return findings.found


def _cookie(capability: Capability, path: str, findings: Findings) -> None:
    """The attributes of the cookie that is issued."""
    if not 0 <= capability.cookie_max_age_s <= 34_560_000:
        message = "browsers keep a cookie for 400 days at most"
        hint = "0 (until the browser is closed) to 34560000"
        findings.error("cookie_invalid", f"{path}.cookie_max_age_s", message, hint)
    domain = capability.cookie_domain
    if domain and (len(domain) > 253 or _DOMAIN(domain) is None):
        message = f"{domain[:80]!r} is not a domain"
        findings.error("cookie_invalid", f"{path}.cookie_domain", message, "shop.example, or empty")


def validate_change(before: Table, after: Table) -> list[Finding]:
    """The findings about what `after` changes against `before`.

    Together with the findings about `before` they cover every error that `validate` finds;
    items that are the same object in both tables are taken as checked, unless what they refer
    to has changed. Also warns of what only a change can do: `split_reshuffled`.
    """
    findings = Findings()
    backends = _replaced(before.backends, after.backends)
    capabilities = _replaced(before.capabilities, after.capabilities)
    changed = _replaced(before.routes, after.routes)
    moved = after.default_backend != before.default_backend
    if moved or after.default_backend in backends:
        _settings(after, findings)
    for name, items, keys in (
        ("backends", after.backends, backends),
        ("capabilities", after.capabilities, capabilities),
        ("routes", after.routes, changed),
    ):
        _ids(name, {key: items[key] for key in sorted(keys) if key in items}, findings)
    for key in sorted(backends & after.backends.keys()):
        _backend(after.backends[key], findings)
    for key in sorted(capabilities & after.capabilities.keys()):
        _capability(after.capabilities[key], findings)
    if capabilities:
        _shared_salts(after.capabilities.values(), findings)
        _reshuffles(before, after, findings)
    concerned = _concerned(after, changed, backends, capabilities, moved)
    for key, route in concerned:
        routes.check(route, after, findings)
        if (old := before.routes.get(key)) is not None and old.capability != route.capability:
            _reshuffle(before.capability_of(old), after.capability_of(route), route, findings)
    check_legacies((route for _, route in concerned), after, findings)
    rematched = {
        key
        for key in changed & after.routes.keys()
        if key not in before.routes or before.routes[key].match != after.routes[key].match
    }
    if rematched:
        routes.check_overlaps(after.routes.values(), rematched, findings)
    return findings.found


def _replaced(before: Mapping[str, object], after: Mapping[str, object]) -> set[str]:
    """Keys of items that were added, deleted or are another object."""
    if before is after:
        return set()
    known = before.get
    keys = {key for key, item in after.items() if known(key) is not item}
    return keys | (before.keys() - after.keys())


def _concerned(
    table: Table,
    changed: Collection[str],
    backends: Collection[str],
    capabilities: Collection[str],
    moved: bool,
) -> list[tuple[str, Route]]:
    """Routes that changed themselves, or that refer to what changed."""
    if not (backends or capabilities or moved):
        return [(key, table.routes[key]) for key in sorted(changed) if key in table.routes]
    return [
        (key, route)
        for key, route in table.routes.items()
        if key in changed
        or route.new in backends
        or table.legacy_of(route) in backends
        or route.capability in capabilities
        or (moved and not route.legacy)
    ]


# -- the table's own ---------------------------------------------------------------------------


def _settings(table: Table, findings: Findings) -> None:
    path, wanted = "default_backend", table.default_backend
    if not wanted:
        message = "no backend serves what no route matches"
        findings.error("default_backend_missing", path, message, "name a backend of side legacy")
    elif (backend := table.backends.get(wanted)) is None:
        message = f"there is no backend {wanted!r}"
        findings.error("default_backend_unknown", path, message, "add it, or name another")
    elif backend.side is not Side.LEGACY:
        message = f"the backend {wanted!r} is on side new"
        findings.error("default_backend_side", path, message, "name a backend of side legacy")


def _ids(name: str, items: Mapping[str, Backend | Capability | Route], findings: Findings) -> None:
    for key, item in items.items():
        if ID(item.id) is None:
            message = f"{item.id[:80]!r} cannot be an id"
            hint = "use at most 64 lower case letters, digits, `-`, `_`, `.`; no sign first"
            findings.error("id_invalid", f"{name}.{key}.id", message, hint)
        if item.id != key:
            message = f"{item.id[:80]!r} stands under the id {key!r}"
            findings.error("id_mismatch", f"{name}.{key}.id", message, f"make it {key!r}")


# -- backends ----------------------------------------------------------------------------------


def _backend(backend: Backend, findings: Findings) -> None:
    path = f"backends.{backend.id}"
    check_sizes(backend, path, findings)
    if backend.kind is BackendKind.HTTP:
        _http_backend(backend, path, findings)
    elif backend.kind in HANDED_ON:
        validate_aws.check_resource(backend, path, findings)
    else:
        _lambda_backend(backend, path, findings)
    validate_aws.check(backend, path, findings)
    _host(backend, path, findings)
    if backend.build_header and (
        TOKEN(backend.build_header) is None or backend.build_header != backend.build_header.lower()
    ):
        message = f"{backend.build_header[:80]!r} is no header name in lower case"
        hint = "write a name such as x-app-version"
        findings.error("build_header_invalid", f"{path}.build_header", message, hint)
    validate_members.check(backend, path, findings)
    check_ranges(backend.timeouts, f"{path}.timeouts", findings)
    check_ranges(backend.limits, f"{path}.limits", findings)
    check_ranges(backend.fallback_budget, f"{path}.fallback_budget", findings)
    check_text(backend.ca_file, f"{path}.ca_file", findings)
    check_text(backend.region, f"{path}.region", findings)
    check_text(backend.description, f"{path}.description", findings, lines=True)


def _http_backend(backend: Backend, path: str, findings: Findings) -> None:
    if not backend.url:
        message, hint = (
            "a backend of kind http needs a URL",
            "set url, such as http://10.0.0.5:8080",
        )
        findings.error("url_missing", f"{path}.url", message, hint)
    else:
        check_url(backend.url, f"{path}.url", backend.allow_link_local, findings)
    for index, url in enumerate(backend.urls):
        check_url(url, f"{path}.urls[{index}]", backend.allow_link_local, findings)
    if backend.function:
        message, hint = "kind http uses no function", "remove function, or set kind to lambda"
        findings.warning("function_unused", f"{path}.function", message, hint)


def _lambda_backend(backend: Backend, path: str, findings: Findings) -> None:
    if not backend.function:
        message, hint = "a backend of kind lambda needs a function", "set its name or ARN"
        findings.error("function_missing", f"{path}.function", message, hint)
    elif FUNCTION(backend.function) is None:
        message = f"{backend.function[:80]!r} is neither a function name nor an ARN"
        hint = "write name, name:qualifier, or arn:aws:lambda:region:account:function:name"
        findings.error("function_invalid", f"{path}.function", message, hint)
    elif not (backend.region or backend.endpoint_url or backend.function.startswith("arn:")):
        message = "no region is named: a proxy whose environment has none cannot call the function"
        hint = "set region, write the ARN, or set AWS_REGION where the proxies run"
        findings.warning("region_missing", f"{path}.region", message, hint)
    if backend.endpoint_url:
        check_url(backend.endpoint_url, f"{path}.endpoint_url", backend.allow_link_local, findings)
    if backend.url:
        message, hint = "kind lambda uses no url", "remove url, or set kind to http"
        findings.warning("url_unused", f"{path}.url", message, hint)


def _host(backend: Backend, path: str, findings: Findings) -> None:
    path = f"{path}.host"
    if backend.host_policy is not HostPolicy.LITERAL:
        if backend.host:
            message = f"the host policy {backend.host_policy.value} sends another host"
            findings.warning("host_unused", path, message, "set host_policy to literal")
    elif not backend.host:
        message = "the host policy is literal, and there is no host"
        findings.error("host_missing", path, message, "set host, or another host_policy")
    elif LITERAL_HOST(backend.host) is None:
        message = f"{backend.host[:80]!r} is not a host"
        findings.error("host_invalid", path, message, "write host or host:port")


# -- capabilities ------------------------------------------------------------------------------


def _capability(capability: Capability, findings: Findings) -> None:
    path = f"capabilities.{capability.id}"
    check_sizes(capability, path, findings)
    check_text(capability.salt, f"{path}.salt", findings)
    check_text(capability.description, f"{path}.description", findings, lines=True)
    sources = [link.source for link in capability.sticky]
    if not sources:
        message = "there is no chain to read a sticky key from"
        findings.error("sticky_empty", f"{path}.sticky", message, "name at least one source")
    elif capability.issue_cookie and KeySource.COOKIE not in sources:
        message = "no cookie stands in the chain, so none can be issued"
        hint = "add a cookie to the chain, or set issue_cookie to false"
        findings.warning("issue_without_cookie", f"{path}.issue_cookie", message, hint)
    _cookie(capability, path, findings)
    for index, link in enumerate(capability.sticky):
        place = f"{path}.sticky[{index}]"
        _link(link, place, findings)
        if link in capability.sticky[:index]:
            message = "the link stands in the chain twice"
            findings.error("sticky_duplicate", place, message, "remove one of them")
        elif KeySource.CLIENT_ADDRESS in sources[:index]:
            message = "the link follows the client address, which every request has"
            hint = "put the client address last"
            findings.warning("sticky_unreachable", place, message, hint)


def _link(link: StickyKey, place: str, findings: Findings) -> None:
    if link.source is KeySource.CLIENT_ADDRESS:
        valid, hint = not link.name, "leave the name of a client address empty"
    elif link.source is KeySource.JWT_CLAIM:
        valid = 0 < len(link.name) <= 256 and link.name.isprintable()
        hint = "name the claim, such as sub"
    else:
        valid, hint = TOKEN(link.name) is not None, f"name the {link.source.value}"
    if not valid:
        message = f"{link.name[:80]!r} cannot be the name of a {link.source.value}"
        findings.error("sticky_name", f"{place}.name", message, hint)


def _shared_salts(capabilities: Iterable[Capability], findings: Findings) -> None:
    first: dict[str, Capability] = {}
    for capability in capabilities:
        other = first.setdefault(capability.salt or capability.id, capability)
        if other.sticky != capability.sticky:
            message = f"shares its salt with {other.id}, but reads its key from elsewhere"
            hint = "use the same chain to move users together, or another salt to part them"
            path = f"capabilities.{capability.id}.salt"
            findings.warning("salt_shared", path, message, hint)


def _reshuffles(before: Table, after: Table, findings: Findings) -> None:
    """Warn where another salt or chain deals the users of a running canary anew."""
    for route in after.routes.values():
        old = before.routes.get(route.id)
        if old is not None and old.capability == route.capability:
            _reshuffle(before.capability_of(old), after.capability_of(route), route, findings)


def _reshuffle(old: Capability, new: Capability, route: Route, findings: Findings) -> None:
    same_salt = (old.salt or old.id) == (new.salt or new.id)
    if route.stage is not Stage.CANARY or (same_salt and old.sticky == new.sticky):
        return
    message = "its users are dealt anew to the sides, as the salt or the chain changed"
    hint = "keep salt and chain while a canary runs"
    findings.warning("split_reshuffled", f"routes.{route.id}.capability", message, hint)
