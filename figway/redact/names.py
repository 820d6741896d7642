"""Secrets known by their names. Names are compared without case, hyphens and underscores."""

from __future__ import annotations

import re
from functools import lru_cache

CREDENTIAL_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "cookie2",
        "set-cookie2",
        "x-api-key",
        "api-key",
        "apikey",
        "x-auth-token",
        "x-access-token",
        "x-csrf-token",
        "x-xsrf-token",
        "x-amz-security-token",
        "x-amzn-oidc-data",
        "x-amzn-oidc-accesstoken",
        "x-goog-iap-jwt-assertion",
        "x-forwarded-client-cert",
        "authentication-info",
        "idempotency-key",
    }
)
"""Headers whose values are never kept, whatever the policy says."""

PLAIN_HEADERS = frozenset(
    (
        *("accept", "accept-encoding", "accept-language", "accept-ranges", "age", "allow"),
        *("cache-control", "connection", "content-disposition", "content-encoding"),
        *("content-language", "content-length", "content-range", "content-type", "date", "expires"),
        *("host", "last-modified", "retry-after", "server", "transfer-encoding", "vary"),
    )
)
"""Headers that an allowlist keeps without naming them: they describe the message."""

_PARTS = re.compile(
    "passw|passphrase|secret|apikey|credential|privatekey|accesskey|authorization|csrf|xsrf|sessionid"
    "|creditcard|cardnumber|iban|socialsecurity|passport|taxid|nationalid|dateofbirth|birthdate"
    "|signature|setcookie"
)
_WHOLE = frozenset(
    (
        *("pwd", "pw", "pin", "otp", "cvv", "cvc", "cvv2", "ssn", "sid", "auth", "jwt", "bearer"),
        *(
            "cookie",
            "mobile",
            "dob",
            "email",
            "mail",
            "pan",
            "nonce",
            "codeverifier",
            "phone",
            "phonenumber",
            "telephone",
        ),
    )
)
_NOT_LETTERS = re.compile(r"[^a-z0-9]+")


def plain_name(name: str) -> str:
    """The name as it is compared: `X-Api-Key`, `apiKey` and `api_key` end in `apikey`."""
    return _NOT_LETTERS.sub("", name.lower())


@lru_cache(maxsize=8192)
def is_secret_name(name: str) -> bool:
    """Whether a value under this name is a secret or personal, by the built-in list."""
    plain = plain_name(name[:200])
    return plain in _WHOLE or plain.endswith("token") or _PARTS.search(plain) is not None
