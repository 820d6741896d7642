"""Secrets out of text, values, headers and URLs."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from figway.compare.answer import RawHeader
from figway.compare.patterns import substitute
from figway.redact.detectors import hide_secrets
from figway.redact.looks_random import random_parts
from figway.redact.names import (
    CREDENTIAL_HEADERS,
    PLAIN_HEADERS,
    is_secret_parameter,
    plain_name,
)
from figway.redact.paths import hide_in_path
from figway.redact.policy import RedactionPolicy

LEAST_KEY = 16
LONGEST_CLEAN = 200
"""Characters of a text that is remembered as one without secrets."""
MOST_CLEAN = 1_000
"""Such texts: 1 MB at most, where each character takes four bytes."""

_NONCE = re.compile(r"'nonce-([^']*)'")
_DONE = re.compile(r"\[redacted:[a-z_]{1,20}:[0-9a-f]{8}\]")
# name = value as logs, scripts, query strings and cut JSON write it. Bounded, so that it is linear.
_NAME = re.compile(r"""([A-Za-z0-9][\w.-]{1,60}+)\\{0,4}["']?\s{0,4}[:=]\s{0,4}""")
# Quoted; quoted within a quoted string, whose quotes are escaped; or bare.
_VALUE = re.compile(
    r"""(")((?:[^"\\]|\\.)*+)|(\\{1,4}["'])([^"'\\]*+)|(')((?:[^'\\]|\\.)*+)"""
    r"""|()([^\s"'\\<>&;,(){}\[\]]++)"""
)
_BRACKETS = re.compile(r"""[{}\[\]]|"(?:[^"\\]|\\.)*+"?""")
_NAMING_MEMBERS = frozenset(("name", "key", "field", "id", "label", "param", "parameter", "header"))
_LONGEST_NAME = 60
_NAMES_IN_PATH = re.compile(r"""\.([^.\[\]'"]+)|\['((?:[^'\\]|\\.)*)'\]""")


class Redactor:
    """Replaces secrets by placeholders, the same secret by the same placeholder under one key.

    Args:
        key: keys the hashes; 16 bytes or more, kept with the deployment's other secrets.
        policy: what the route adds.

    Raises:
        ValueError: the key is shorter than 16 bytes.
    """

    def __init__(self, key: bytes, policy: RedactionPolicy | None = None) -> None:
        if len(key) < LEAST_KEY:
            raise ValueError(f"a redaction key has {LEAST_KEY} bytes or more, not {len(key)}")
        self._key = key
        self.policy = policy or RedactionPolicy()
        self._clean: set[str] = set()
        """Short texts that hold no secret: headers and members repeat from answer to answer."""

    def hide(self, kind: str, secret: str) -> str:
        """The placeholder for a secret. What is one already stays as it is."""
        if _DONE.fullmatch(secret):
            return secret
        data = secret.encode("utf-8", "surrogatepass")
        digest = hmac.new(self._key, data, hashlib.sha256).hexdigest()
        return f"[redacted:{kind}:{digest[:8]}]"

    def text(self, text: str, name: str = "") -> str:
        """Text under a name (empty for none): hidden whole if the name is secret, else searched."""
        if not text or _DONE.fullmatch(text):
            return text
        if name and self.policy.hides(name):
            return self.hide("field", text)
        if not self.policy.keeps(name):
            return self.hide("field", text)
        return self.search(text)

    def search(self, text: str) -> str:
        """Text with what looks secret in it hidden: by the policy's patterns, by pairs, by
        looks.
        """
        if text in self._clean:
            return text
        found = self._search(text)
        if found == text and len(text) <= LONGEST_CLEAN:
            if len(self._clean) >= MOST_CLEAN:
                self._clean.clear()
            self._clean.add(text)
        return found

    def _search(self, text: str) -> str:
        for pattern in self.policy.patterns:
            text = substitute(pattern, lambda found: self.hide("pattern", found), text)
        text = hide_secrets(text, self.hide)
        if "=" in text or ":" in text:
            text = self._pairs(text)
        return self._random(text)

    def _random(self, text: str) -> str:
        """What looks random hidden: a list of names never ends, so what is unknown is hidden."""
        spans = random_parts(text)
        if not spans:
            return text
        placeholders = [found.span() for found in _DONE.finditer(text)]
        parts: list[str] = []
        done = 0
        for start, end in spans:
            if any(low <= start < high for low, high in placeholders):
                continue
            parts += (text[done:start], self.hide("random", text[start:end]))
            done = end
        return "".join((*parts, text[done:]))

    def _pairs(self, text: str) -> str:
        """The values of secret names hidden; looked for again inside the values of all others."""
        parts: list[str] = []
        done = at = 0
        while found := _NAME.search(text, at):
            at = found.end()
            placeholder = _DONE.match(text, found.start() - 1) if found.start() else None
            if placeholder is not None:
                at = placeholder.end()
            elif self.policy.hides(found[1]):
                start, end, at = _secret_at(text, at)
                if end > start:
                    parts += (text[done:start], self.hide("field", text[start:end]))
                    done = end
        return "".join((*parts, text[done:]))

    def value(self, path: str, value: Any) -> Any:
        """A JSON-like value at a path (JSONPath, `header:name`, `set-cookie:name;attribute`,
        `status`).

        This is what `Context.redact` of a comparison takes. A secret name anywhere in the path
        makes all below it secret.
        """
        if path.startswith("header:"):
            name = path[7:].partition(";")[0]
            return dict(self.headers([(name, str(value))]))[name] if value is not None else None
        if path == "status" or path.startswith("set-cookie:"):
            # A cookie's value never gets here (`describe_token`); its attributes are no secrets.
            return value
        names = [a or b for a, b in _NAMES_IN_PATH.findall(path)]
        if any(map(self.policy.hides, names)):
            return self._hide_all(value)
        return self._value(value, names[-1] if names else "", allowed=path == "")

    def _value(self, value: Any, name: str, *, allowed: bool = False) -> Any:
        if isinstance(value, dict):
            if self._names_a_secret(value):
                return self._hide_values(value)
            return {
                self.search(key): (
                    self._hide_all(child) if self.policy.hides(key) else self._value(child, key)
                )
                for key, child in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._value(child, name) for child in value]
        if isinstance(value, str):
            return self.search(value) if allowed else self.text(value, name)
        if value is None:
            return None
        if not allowed and not self.policy.keeps(name):
            return self.hide("field", repr(value))
        if isinstance(value, bool):
            return value
        written = repr(value)
        hidden = self.search(written)
        return value if hidden == written else hidden

    def _names_a_secret(self, value: dict[str, Any]) -> bool:
        """Whether an object is a pair of a name and a value, and the name is secret:
        `{"name": "password", "value": "..."}`."""
        for key, child in value.items():
            named = plain_name(key) in _NAMING_MEMBERS and isinstance(child, str)
            if named and len(child) <= _LONGEST_NAME and self.policy.hides(child):
                return True
        return False

    def _hide_values(self, value: dict[str, Any]) -> dict[str, Any]:
        """Every member hidden but those that name."""
        return {
            self.search(key): (
                self.search(child)
                if plain_name(key) in _NAMING_MEMBERS and isinstance(child, str)
                else self._hide_all(child)
            )
            for key, child in value.items()
        }

    def _hide_all(self, value: Any) -> Any:
        """Every value below hidden; that there is none stays visible."""
        if isinstance(value, dict):
            return {self.search(key): self._hide_all(child) for key, child in value.items()}
        if isinstance(value, list | tuple):
            return [self._hide_all(child) for child in value]
        if value is None or isinstance(value, bool) or value == "":
            return value
        return self.hide("field", value if isinstance(value, str) else repr(value))

    def headers(self, headers: Iterable[RawHeader]) -> list[tuple[str, str]]:
        """Header fields in their order, names as they were, values without secrets."""
        found = []
        for raw_name, raw_value in headers:
            name = raw_name.decode("latin-1") if isinstance(raw_name, bytes) else raw_name
            value = raw_value.decode("latin-1") if isinstance(raw_value, bytes) else raw_value
            found.append((name, self._header(name.lower(), value)))
        return found

    def _header(self, name: str, value: str) -> str:
        if name == "cookie":
            return "; ".join(self._cookie(pair) for pair in value.split(";"))
        if name == "set-cookie":
            pair, semicolon, attributes = value.partition(";")
            return f"{self._cookie(pair)}{semicolon}{attributes}"
        if name in ("authorization", "proxy-authorization"):
            scheme, space, rest = value.partition(" ")
            return f"{scheme} {self.hide('credentials', rest)}" if space else self._secret(value)
        if name in CREDENTIAL_HEADERS or self.policy.hides(name):
            return self._secret(value)
        if name.startswith("content-security-policy"):
            return _NONCE.sub(lambda found: f"'nonce-{self.hide('nonce', found[1])}'", value)
        if name in ("location", "content-location", "referer"):
            return self.url(value)
        return self.search(value) if name in PLAIN_HEADERS else self.text(value, name)

    def _secret(self, value: str) -> str:
        return self.hide("credentials", value) if value else value

    def _cookie(self, pair: str) -> str:
        name, equals, value = pair.strip().partition("=")
        if not equals:
            return self.hide("cookie", name) if name else ""
        return f"{name}={self.hide('cookie', value)}" if value else f"{name}="

    def url(self, url: str) -> str:
        """A URL or request target: path and query searched, the query also by names."""
        before, hash_mark, fragment = url.partition("#")
        path, question, query = before.partition("?")
        path = hide_in_path(path, self.hide)
        path = "/".join(
            self._encoded(part, unquote(part), lambda text: quote(text, safe="[]:@"))
            for part in self.search(path).split("/")
        )
        if hash_mark:
            # OAuth's implicit flow hands tokens over in fragments, written as a query is.
            fragment = self.query(fragment) if "=" in fragment else self.search(fragment)
        return f"{path}{question}{self.query(query)}{hash_mark}{fragment}"

    def query(self, query: str) -> str:
        """A query string or form body, in its order, pairs that hold no secret byte for byte."""
        return "&".join(self._parameter(pair) for pair in query.split("&"))

    def _parameter(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        decoded = unquote_plus(name)
        if not equals:
            return self._encoded(pair, decoded, quote_plus)
        plain = unquote_plus(value)
        if plain and is_secret_parameter(decoded, plain):
            hidden = self.hide("field", plain)
        else:
            hidden = self.text(plain, decoded)
        name = self._encoded(name, decoded, quote_plus)
        return f"{name}={value if hidden == plain else _quoted(hidden)}"

    def _encoded(self, written: str, plain: str, encode: Any) -> str:
        hidden = self.search(plain)
        return written if hidden == plain else str(encode(hidden))


def _secret_at(text: str, at: int) -> tuple[int, int, int]:
    """(start, end, where to go on) of the value that stands here; an empty one if there is none."""
    if placeholder := _DONE.match(text, at):
        return at, at, placeholder.end()
    if text[at : at + 1] in ("{", "["):
        # Everything below a secret name is secret, also where the JSON around it is cut or broken.
        depth = 0
        for token in _BRACKETS.finditer(text, at):
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
            if depth == 0:
                return at, token.end(), token.end()
        return at, len(text), len(text)
    value = _VALUE.match(text, at)
    if value is None:
        return at, at, at
    group = next(number for number in (2, 4, 6, 8) if value[number] is not None)
    return value.start(group), value.end(group), value.end()


def _quoted(hidden: str) -> str:
    """Form-encoded, but that placeholders stay readable."""
    return quote_plus(hidden, safe="[]:")
