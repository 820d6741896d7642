"""Secrets known by their looks, found in any text; those with a checksum are checked by it.

Patterns are RE2's, so that finding takes linear time in hostile text as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from figway.compare.patterns import substitute

Hide = Callable[[str, str], str]
"""(kind, secret) -> what stands in its place."""


@dataclass(frozen=True, slots=True)
class SecretDetector:
    """A pattern for candidates, and the part of a candidate that is hidden."""

    kind: str
    needs: str | re.Pattern[str]
    """What every text with a candidate holds: looked for first, as it costs little."""
    pattern: str
    rewrite: Callable[[str, Callable[[str], str]], str]
    """(candidate, hide) -> the candidate with its secret hidden; unchanged if it holds none."""


def hide_secrets(text: str, hide: Hide) -> str:
    """`text` with everything that looks like a secret hidden."""
    for detector in DETECTORS:
        if not _holds(text, detector.needs):
            continue
        kind, rewrite = detector.kind, detector.rewrite

        def put(found: str, kind: str = kind, rewrite: _Rewrite = rewrite) -> str:
            return rewrite(found, lambda secret: hide(kind, secret))

        text = substitute(detector.pattern, put, text)
    return text


def _holds(text: str, needed: str | re.Pattern[str]) -> bool:
    if isinstance(needed, str):
        return needed in text
    return needed.search(text) is not None


_Rewrite = Callable[[str, Callable[[str], str]], str]


def _whole(found: str, hide: Callable[[str], str]) -> str:
    return hide(found)


def _after_scheme(found: str, hide: Callable[[str], str]) -> str:
    """`Bearer abc` keeps its first word; `basic training` is no credential."""
    scheme, space, rest = found.partition(" ")
    token = rest.strip()
    if len(token) < 20 and (token[1:].islower() or token.isupper()) and token.isalpha():
        return found
    return f"{scheme}{space}{hide(token)}"


def _user_info(found: str, hide: Callable[[str], str]) -> str:
    """`://user:password@` of a URL."""
    return f"://{hide(found[3:-1])}@"


_ISSUERS = re.compile(r"4|5[1-5]|2[2-7]|3[0-9]|6")


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _cards(found: str, hide: Callable[[str], str]) -> str:
    """Hide each card number in a run of digit groups: it starts and ends with a group."""
    groups = re.split(r"([ -])", found)
    parts: list[str] = []
    at = 0
    while at < len(groups):
        size = _card_at(groups, at)
        if size:
            parts.append(hide("".join(groups[at : at + size : 2])))
        else:
            size = 1
            parts.append(groups[at])
        at += size
    return "".join(parts)


def _card_at(groups: list[str], at: int) -> int:
    """How many pieces (groups and separators) from here make a card number; 0 for none."""
    if not groups[at].isdigit() or not _ISSUERS.match(groups[at]):
        return 0
    digits, best = "", 0
    for end in range(at, len(groups), 2):
        digits += groups[end]
        if len(digits) > 19:
            break
        if len(digits) >= 13 and luhn(digits) and len(set(digits)) > 1:
            best = end - at + 1
    return best


def iban(text: str) -> bool:
    """Whether the text, without spaces, is an IBAN by its check digits (ISO 13616, ISO 7064 mod
    97).
    """
    compact = text.replace(" ", "")
    if not 15 <= len(compact) <= 34 or not compact.isalnum() or not compact.isascii():
        return False
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


def _ibans(found: str, hide: Callable[[str], str]) -> str:
    """The longest IBAN that the candidate starts with: words may stand after it."""
    for end in range(len(found), 14, -1):
        if found[end - 1] != " " and iban(found[:end]):
            return hide(found[:end].replace(" ", "")) + found[end:]
    return found


DETECTORS: tuple[SecretDetector, ...] = (
    SecretDetector(
        "private_key",
        "-----BEGIN",
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?"
        r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
        _whole,
    ),
    SecretDetector("jwt", "eyJ", r"\beyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){1,4}", _whole),
    SecretDetector(
        "credentials",
        " ",
        r"(?i)\b(?:bearer|basic|digest|negotiate|ntlm|token|apikey|hawk|dpop|aws4-hmac-sha256|sharedkey"
        r"|sharedaccesssignature|splunk|genie ?key) +[A-Za-z0-9+/_.~=:-]{8,}",
        _after_scheme,
    ),
    SecretDetector(
        "token",
        "_",
        r"\b(?:[srp]k_(?:live|test)_|gh[pousr]_|github_pat_|glpat_|whsec_)[A-Za-z0-9_-]{10,}",
        _whole,
    ),
    SecretDetector("token", "-", r"\b(?:xox[abprs]-|glpat-|sk-)[A-Za-z0-9_-]{10,}", _whole),
    SecretDetector("token", "IA", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", _whole),
    SecretDetector("token", "AIza", r"\bAIza[A-Za-z0-9_-]{30,}", _whole),
    SecretDetector("token", "SG.", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}", _whole),
    SecretDetector("token", ":AA", r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}", _whole),
    SecretDetector("token", "AGE-SECRET", r"\bAGE-SECRET-KEY-1[A-Z0-9]{20,}", _whole),
    SecretDetector("user_info", "@", r"://[^/@\s]*:?[^/@\s]+@", _user_info),
    SecretDetector(
        "email",
        "@",
        r"[\pL\pN._%+'-]+@[\pL\pN-]+(?:\.[\pL\pN-]+)+",
        _whole,
    ),
    SecretDetector(
        "iban",
        re.compile("[A-Z]{2}[0-9]{2}"),
        r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{1,4}){3,8}(?: ?[A-Z0-9]{1,3})?\b",
        _ibans,
    ),
    SecretDetector(
        "card",
        re.compile("[0-9](?:[ -]?[0-9]){12}"),
        r"\b[0-9](?:[ -]?[0-9]){12,60}\b",
        _cards,
    ),
)
