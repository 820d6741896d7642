"""Secrets known by their names. Names are compared without case, hyphens and underscores."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

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
        *(
            "etag",
            "if-match",
            "if-none-match",
            "if-modified-since",
            "if-unmodified-since",
            "if-range",
        ),
        *("traceparent", "user-agent", "origin", "via", "warning", "content-md5", "digest"),
    )
)
"""Headers that an allowlist keeps without naming them: they describe the message."""


def _listed(names: str) -> frozenset[str]:
    """The names of a list that is written as a line of text."""
    return frozenset(names.split())


_PARTS = re.compile(
    "passw|passphrase|passcode|secret|apikey|credential|privatekey|accesskey|authorization|csrf|xsrf"
    "|sessid|sessionid|creditcard|cardnumber|iban|socialsecurity|passport|taxid|nationalid"
    "|dateofbirth|birthdate|signature|setcookie|saml(?:request|response|art)|keystore|mnemonic"
    "|authenticity|backupcode|recoverycode|verificationcode|authcode|devicecode|usercode|otpcode"
    "|securitycode|logincode|codeverifier|codechallenge|clientassertion|requestverification"
    "|accountkey"
)
_WORDS = _listed(
    "pass passwd password pwd pw pin pincode otp totp hotp mfa tfa 2fa cvv cvv2 cvc cvc2 csc "
    "ssn sid sess session auth oauth jwt jws jwe bearer cookie token tok cred creds sig "
    "signature hmac nonce salt seed privkey pem pfx p12 assertion csrf xsrf captcha secret "
    "credential relaystate email mail phone phonenumber telephone tel mobile fax msisdn dob "
    "birthday birth iban pan passport cardholder psk passkey rememberme impersonation apikey "
    "accesskey webhook dsn connectionstring "
)
"""Words that make the whole name secret, wherever in it they stand."""
_KEY_OF = _listed(
    "api access function functions subscription account private signing encryption master "
    "shared consumer license licence service admin app application ssh gpg pgp storage secret "
    "host auth client deploy server write read session crypt cipher aes hmac user "
)
"""What stands before `key` where the key is a secret: `x-functions-key`, `signingKey`."""
_MEASURES = _listed(
    "count total length duration timeout expires expire expiry ttl expiration type status "
    "enabled required policy rules min max strength age at on in attempts remaining limit "
    "lifetime algorithm alg method methods scheme format verified confirmed "
)
"""Last words of names that tell *of* a secret: `expires_in`, `token_type`, `password_set_at`."""
_OF_LINKS = frozenset(
    ("code", "key", "ticket", "st", "otc", "magic", "invite", "invitation", "reset")
)
"""Parameters that are secret in links and forms, and mean anything in a document."""
_PLAIN_VALUE = re.compile(r"[A-Za-z]{1,8}|[0-9]{1,5}|[A-Z]{1,3}[0-9]{1,3}")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+[a-z]*")
_NOT_LETTERS = re.compile(r"[^a-z0-9]+")


def plain_name(name: str) -> str:
    """The name as it is compared: `X-Api-Key`, `apiKey` and `api_key` end in `apikey`."""
    return _NOT_LETTERS.sub("", name.lower())


def words_of(name: str) -> list[str]:
    """The words of a name in any style: `userPIN`, `user-pin` and `USER_PIN` are `user pin`."""
    return [word.lower() for word in _WORD.findall(name)]


@lru_cache(maxsize=8192)
def is_secret_name(name: str) -> bool:
    """Whether a value under this name is a secret or personal, by the built-in list."""
    name = name[:200]
    words = words_of(name)
    plain = plain_name(name)
    if len(words) > 1 and words[-1] in _MEASURES:
        return False
    if plain.endswith("token") or _PARTS.search(plain) is not None or plain in _WORDS:
        return True
    if any(word in _WORDS or word.removesuffix("s") in _WORDS for word in words):
        return True
    return any(word == "key" and before in _KEY_OF for before, word in pairwise(words))


def is_secret_parameter(name: str, value: str) -> bool:
    """Whether a parameter of a link or a form is secret: by its name, or as `code` (RFC 6749) and
    its like with more than a short word for a value."""
    if is_secret_name(name):
        return True
    return plain_name(name[:200]) in _OF_LINKS and _PLAIN_VALUE.fullmatch(value) is None
