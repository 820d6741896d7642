"""What must hold of a route's route policies."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from figway.message.headers import HOP_BY_HOP, HOP_HEADER
from figway.model.policies import (
    NO_POLICIES,
    BodyPolicy,
    HeaderEdits,
    JwtPolicy,
    Maintenance,
    PathRewrite,
    RateKey,
    RateLimit,
    RewriteKind,
    RoutePolicies,
)
from figway.routing.pattern import PatternError, parse
from figway.routing.policy import split_template
from figway.validate.address import is_link_local
from figway.validate.caching import PERMANENT
from figway.validate.findings import Findings
from figway.validate.ranges import TOKEN, VISIBLE, check_ranges, check_text

RESERVED = HOP_BY_HOP | {b"content-length", b"host", b"trailer", HOP_HEADER, b"set-cookie"}
"""Fields that no policy may set or remove: they frame, route or identify."""
_FORWARDED = {b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"forwarded"}
_MEDIA = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/(?:\*|[A-Za-z0-9!#$&^_.+-]{1,64})").fullmatch
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?").fullmatch
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*").fullmatch
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_MOST = 32


def check(policies: RoutePolicies, template: str, path: str, findings: Findings) -> None:
    """Check the policies of one route, whose path template is `template`."""
    if policies is NO_POLICIES:
        return
    if policies.maintenance is not None:
        _maintenance(policies.maintenance, f"{path}.maintenance", findings)
    _limits(policies.rate_limits, f"{path}.rate_limits", findings)
    if policies.jwt is not None:
        _jwt(policies.jwt, f"{path}.jwt", findings)
    _body(policies.body, f"{path}.body", findings)
    if policies.path is not None:
        _rewrite(policies.path, template, f"{path}.path", findings)
    _edits(policies.request_headers, _FORWARDED, f"{path}.request_headers", findings)
    _edits(policies.response_headers, set(), f"{path}.response_headers", findings)


def header_problem(name: str, value: str) -> str:
    """Why a field cannot be sent; empty if it can."""
    if TOKEN(name) is None:
        return f"{name[:80]!r} is not a header name"
    if _VALUE(value) is None or len(value) > 4_096:
        return f"the value of {name[:80]} has characters that a header cannot hold"
    return ""


def _maintenance(policy: Maintenance, path: str, findings: Findings) -> None:
    check_ranges(policy, path, findings)
    check_text(policy.body, f"{path}.body", findings, lines=True)
    if not policy.content_type or _VALUE(policy.content_type) is None:
        message, hint = "not a content type", "write one, such as text/html; charset=utf-8"
        findings.error("policy_invalid", f"{path}.content_type", message, hint)
    if policy.status in PERMANENT:
        message = f"{policy.status} would be kept by browsers after the maintenance"
        hint = "answer 503, or 302 or 307"
        findings.error("redirect_permanent", f"{path}.status", message, hint)
    if 100 <= policy.status < 200 or policy.status in (204, 205, 304):
        message = f"an answer with the status {policy.status} has no body"
        hint = "use a status such as 503"
        findings.error("policy_invalid", f"{path}.status", message, hint)


def _limits(limits: tuple[RateLimit, ...], path: str, findings: Findings) -> None:
    for index, limit in enumerate(limits):
        place = f"{path}[{index}]"
        check_ranges(limit, place, findings)
        if TOKEN(limit.name) is None or len(limit.name) > 64:
            message, hint = f"{limit.name[:80]!r} cannot be a name", "write a word, such as burst"
            findings.error("rate_limit_invalid", f"{place}.name", message, hint)
        elif limit.name in [other.name for other in limits[:index]]:
            message, hint = f"the name {limit.name!r} stands here twice", "give it another name"
            findings.error("rate_limit_invalid", f"{place}.name", message, hint)
        if why := _bad_key(limit):
            hint = "name the header, cookie or claim; leave the name empty otherwise"
            findings.error("rate_limit_invalid", f"{place}.key_name", why, hint)


def _bad_key(limit: RateLimit) -> str:
    if limit.key in (RateKey.ROUTE, RateKey.CLIENT_ADDRESS):
        return f"a limit by {limit.key.value} has no name" if limit.key_name else ""
    if limit.key is RateKey.JWT_CLAIM:
        fits = 0 < len(limit.key_name) <= 256 and limit.key_name.isprintable()
    else:
        fits = TOKEN(limit.key_name) is not None
    return "" if fits else f"{limit.key_name[:80]!r} cannot be the name of a {limit.key.value}"


def _jwt(policy: JwtPolicy, path: str, findings: Findings) -> None:
    check_ranges(policy, path, findings)
    _url(policy.issuer, f"{path}.issuer", findings)
    if policy.jwks_url:
        _url(policy.jwks_url, f"{path}.jwks_url", findings)
    if not policy.algorithms:
        message, hint = "no algorithm is accepted, so no token is", "list RS256 or ES256"
        findings.error("jwt_invalid", f"{path}.algorithms", message, hint)
    if not policy.audiences:
        message = "a token that the issuer made for another service is accepted as well"
        hint = "list the audiences that mean this application"
        findings.warning("jwt_audience", f"{path}.audiences", message, hint)
    for index, rule in enumerate(policy.claims):
        if not rule.name or len(rule.name) > 256 or not rule.name.isprintable():
            message, hint = f"{rule.name[:80]!r} cannot be a claim", "name a claim, such as scope"
            findings.error("jwt_invalid", f"{path}.claims[{index}].name", message, hint)
    texts = [*policy.audiences, *(value for rule in policy.claims for value in rule.values)]
    for text in texts:
        check_text(text, path, findings)


def _url(url: str, path: str, findings: Findings) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        findings.error("jwt_invalid", path, f"not a URL: {error}", "write https://host/path")
        return
    why = ""
    if VISIBLE(url) is None or "\\" in url or not host or "@" in parts.netloc or parts.fragment:
        why = "not a URL that keys can be fetched from"
    elif parts.scheme == "http" and host not in _LOOPBACK:
        why = "keys fetched without TLS can be anybody's"
    elif parts.scheme not in ("http", "https"):
        why = f"the scheme {parts.scheme!r} is not https"
    elif is_link_local(host):
        why = f"{host} is link-local or a cloud's metadata"
    if why:
        findings.error("jwt_invalid", path, why, "write https://host/path")


def _body(policy: BodyPolicy, path: str, findings: Findings) -> None:
    check_ranges(policy, path, findings)
    for index, media in enumerate(policy.content_types):
        if _MEDIA(media) is None or media in policy.content_types[:index]:
            message = f"{media[:80]!r} is no media type, or stands here twice"
            hint = "write application/json or image/*, without parameters"
            findings.error("policy_invalid", f"{path}.content_types[{index}]", message, hint)


def _rewrite(policy: PathRewrite, template: str, path: str, findings: Findings) -> None:
    if not policy.sides or len(set(policy.sides)) < len(policy.sides):
        message, hint = "no side is named, or one twice", "name new, legacy or both"
        findings.error("rewrite_invalid", f"{path}.sides", message, hint)
    if policy.kind is RewriteKind.PREFIX:
        _prefix(policy, path, findings)
    else:
        _template(policy, template, path, findings)


def _prefix(policy: PathRewrite, path: str, findings: Findings) -> None:
    for name, value in (("prefix", policy.prefix), ("to", policy.to)):
        if _PATH(value) is None or "//" in value or len(value) > 1_024:
            message = f"{value[:80]!r} is not a path"
            hint = "write whole segments, such as /shop, percent-encoded where needed"
            findings.error("rewrite_invalid", f"{path}.{name}", message, hint)
    if policy.prefix.rstrip("/") == policy.to.rstrip("/"):
        message, hint = "the prefix is replaced by itself", "change prefix or to, or remove both"
        findings.error("rewrite_invalid", f"{path}.to", message, hint)


def _template(policy: PathRewrite, template: str, path: str, findings: Findings) -> None:
    message, hint = "", "write a path with variables of the route: /v2/orders/{id}"
    if policy.prefix:
        message, hint = "a template replaces the whole path", "remove prefix"
        findings.error("rewrite_invalid", f"{path}.prefix", message, hint)
    try:
        known = {name for name, _ in parse(template).names}
    except PatternError:
        return  # reported where it stands
    try:
        pieces = split_template(policy.to)
    except ValueError as error:
        findings.error("rewrite_invalid", f"{path}.to", str(error), hint)
        return
    literal = "".join("x" if piece.variable else piece.text for piece in pieces)
    unknown = [piece.text for piece in pieces if piece.variable and piece.text not in known]
    if not literal.startswith("/") or _PATH(literal) is None or len(policy.to) > 1_024:
        message = f"{policy.to[:80]!r} does not make a path"
        findings.error("rewrite_invalid", f"{path}.to", message, hint)
    elif unknown:
        message = f"the route has no variable {unknown[0][:80]!r}"
        findings.error("rewrite_invalid", f"{path}.to", message, hint)


def _edits(edits: HeaderEdits, also: set[bytes], path: str, findings: Findings) -> None:
    if len(edits.set) + len(edits.remove) > _MOST:
        message, hint = "too many headers are edited", f"edit at most {_MOST}"
        findings.error("header_edit_invalid", path, message, hint)
    for index, item in enumerate(edits.set):
        _edit(item.name, item.value, also, f"{path}.set[{index}]", findings)
    for index, name in enumerate(edits.remove):
        _edit(name, "", also, f"{path}.remove[{index}]", findings)


def _edit(name: str, value: str, also: set[bytes], path: str, findings: Findings) -> None:
    why = header_problem(name, value)
    if not why and name.lower().encode() in RESERVED | also:
        why = f"{name} is the facade's own business"
    if why:
        hint = "edit another header; Host has host_policy, framing and forwarding are fixed"
        findings.error("header_edit_invalid", path, why, hint)
