"""AWS Signature Version 4: signs one request with its headers (not its query). Pure.

Source: AWS, "Create a signed AWS API request". The path is encoded once more for the canonical
request, as every service but S3 wants it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote

from figway.message.http import Headers

_ALGORITHM = "AWS4-HMAC-SHA256"


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
) -> Headers:
    """The fields to add: X-Amz-Date, X-Amz-Security-Token if there is a token, Authorization.

    `path` is as sent, `query` as sent and already sorted by name, `headers` what is to be signed
    (Host at least), `amz_date` the time as `20150830T123600Z`.
    """
    added: Headers = [(b"X-Amz-Date", amz_date.encode())]
    if credentials.session_token:
        added.append((b"X-Amz-Security-Token", credentials.session_token.encode()))
    canonical, names = _canonical_headers(headers + added)
    scope = f"{amz_date[:8]}/{region}/{service}/aws4_request"
    request = "\n".join(
        (
            method,
            quote(path, safe="/-_.~") or "/",
            query,
            canonical,
            names,
            hashlib.sha256(body).hexdigest(),
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


def _canonical_headers(headers: Headers) -> tuple[str, str]:
    values: dict[str, list[str]] = {}
    for name, value in headers:
        trimmed = " ".join(value.decode("latin-1").split())
        values.setdefault(name.decode("latin-1").lower(), []).append(trimmed)
    names = sorted(values)
    lines = "".join(f"{name}:{','.join(values[name])}\n" for name in names)
    return lines, ";".join(names)
