"""AWS Signature Version 4: signs one request with its headers (not its query). Pure.

Source: AWS, "Create a signed AWS API request". For the canonical request the path is normalised
and encoded once more, as every service but S3 wants it; S3 takes it encoded once, and no segment
of it as more than a part of a name (`object_path`).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from figway.message.http import Headers

_ALGORITHM = "AWS4-HMAC-SHA256"
NAMES_OBJECTS = frozenset({"s3", "s3express", "s3-object-lambda", "s3-outposts"})
"""Services whose paths name objects: encoded once, and not normalised."""
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
"""In the place of a body's hash: S3 over TLS takes bodies that are not signed."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key; `session_token` comes with temporary ones. Never shown in a repr."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def sign(
    credentials: Credentials,
    *,
    method: str,
    path: str,
    query: str,
    headers: Headers,
    body: bytes,
    region: str,
    service: str,
    amz_date: str,
    payload: str = "",
) -> Headers:
    """The fields to add: X-Amz-Date, X-Amz-Security-Token if there is a token, Authorization.

    `path` is as sent, `query` as sent and already sorted by name, `headers` what is to be signed
    (Host at least), `amz_date` the time as `20150830T123600Z`. `payload` stands for the hash of the
    body, such as `UNSIGNED_PAYLOAD`.
    """
    added: Headers = [(b"X-Amz-Date", amz_date.encode())]
    if credentials.session_token:
        added.append((b"X-Amz-Security-Token", credentials.session_token.encode()))
    canonical, names = _canonical_headers(headers + added)
    scope = f"{amz_date[:8]}/{region}/{service}/aws4_request"
    request = "\n".join(
        (
            method,
            _canonical_path(path, service),
            query,
            canonical,
            names,
            payload or hashlib.sha256(body).hexdigest(),
        )
    )
    digest = hashlib.sha256(request.encode("latin-1")).hexdigest()
    to_sign = "\n".join((_ALGORITHM, amz_date, scope, digest))
    key = signing_key(credentials.secret_key, amz_date[:8], region, service)
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    authorization = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    added.append((b"Authorization", authorization.encode()))
    return added


@lru_cache(maxsize=16)
def signing_key(secret_key: str, date: str, region: str, service: str) -> bytes:
    """The key of one day, region and service, derived from the secret key."""
    key = b"AWS4" + secret_key.encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def canonical_query(query: str) -> str:
    """A query as it is signed: encoded strictly, and sorted. What is sent stays."""
    pairs = []
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        pairs.append((_strict(name), _strict(value)))
    return "&".join([f"{name}={value}" for name, value in sorted(pairs)])


def object_path(path: str) -> str:
    """The one spelling of a path that names an object: every octet but the unreserved is encoded,
    and a slash of the name is a slash ("Signature calculations for the Authorization header").

    Some services sign what they read out of a path and others the path as it came; sent in this
    spelling, a path is signed alike by both.
    """
    return _strict(path, "/-_.~") or "/"


def _strict(text: str, safe: str = "-_.~") -> str:
    return quote(unquote_to_bytes(text.encode("latin-1")), safe=safe)


def _canonical_path(path: str, service: str) -> str:
    if service in NAMES_OBJECTS:
        return object_path(path)
    return quote(_normal(path).encode("latin-1"), safe="/-_.~")


def _normal(path: str) -> str:
    """The path without dot segments (RFC 3986, 5.2.4) and without empty ones."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    last = "/" if kept and path.endswith("/") else ""
    return f"/{'/'.join(kept)}{last}"


def _canonical_headers(headers: Headers) -> tuple[str, str]:
    values: dict[str, list[str]] = {}
    for name, value in headers:
        trimmed = " ".join(value.decode("latin-1").split())
        values.setdefault(name.decode("latin-1").lower(), []).append(trimmed)
    names = sorted(values)
    lines = "".join(f"{name}:{','.join(values[name])}\n" for name in names)
    return lines, ";".join(names)
