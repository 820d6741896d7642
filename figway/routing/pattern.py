"""Path templates, and the paths that no template may match.

The grammar is that of Envoy's `uri_template`, restricted to whole raw segments:

    template = 1*( "/" segment )
    segment  = literal / "*" / "**" / "{" name "}" / "{" name "=*}" / "{" name "=**}"

`*` and `{name}` take one segment that is not empty. `**` stands last and takes all that is left,
also nothing: `/api/{rest=**}` takes `/api/` and everything below it, but not `/api`. A literal is
compared byte by byte with what the client sent; nothing is decoded. A trailing slash makes
another template.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_TEMPLATE = 1_024
"""Bytes in a template."""
MAX_SEGMENTS = 32
"""Segments in a template; also bounds the depth of the match."""

_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,63})(?:=(\*\*?))?\}")
_LITERAL = re.compile(r"[A-Za-z0-9_.~!$&'()+,;=:@%-]*")

PLAIN: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_~!$&'()*+,=:@.;-/"
"""Octets of a plain path."""
# Most paths are plain: no percent sign, and no segment that begins with a dot or a semicolon.
_PLAIN = re.compile(rb"(?:/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9_~!$&'()*+,=:@.;-]*+)*+/?").fullmatch
_DOTS = rb"(?:\.|%2[Ee]){1,2}"
_AMBIGUOUS = re.compile(
    rb"//"  # an empty segment: some servers merge slashes
    rb"|[^\x21-\x7e]"  # control and non-ASCII bytes, space
    rb"|[\\#?]|%5[Cc]"  # backslash, which some servers take for a slash; delimiters of a target
    rb"|%(?![0-9A-Fa-f]{2})"  # not an encoding
    rb"|%[01][0-9A-Fa-f]|%7[Ff]"  # encoded control characters, NUL among them
    rb"|%(?:2[DEde]|3[0-9]|4[1-9A-Fa-f]|5[0-9Aa]|5[Ff]|6[1-9A-Fa-f]|7[0-9Aa])"  # RFC 3986, 2.3
    rb"|/" + _DOTS + rb"(?:[/;]|%3[Bb]|%2[Ff]|\Z)"  # dot segments, also as `..;x` and `..%2F`
    rb"|%2[Ff]" + _DOTS + rb"(?:[/;]|%3[Bb]|%2[Ff]|\Z)"
    rb"|/;"  # parameters without a name: empty once they are stripped
).search


class PatternError(ValueError):
    """A template that cannot be read. `position` counts characters from 0."""

    def __init__(self, message: str, position: int, resolution: str) -> None:
        super().__init__(f"{message} (at character {position + 1})")
        self.message = message
        self.position = position
        self.resolution = resolution


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed template.

    `segments` holds a literal's bytes, or None for one segment of any content; `rest` says that
    `**` follows them. `names` pairs the names of variables with the index of their segment.
    """

    segments: tuple[bytes | None, ...]
    rest: bool
    names: tuple[tuple[str, int], ...]

    @property
    def shape(self) -> tuple[tuple[bytes | None, ...], bool]:
        """What two templates that match the same paths have in common."""
        return self.segments, self.rest

    def variables(self, path: bytes) -> dict[str, bytes]:
        """The raw bytes that each variable takes of `path`, which the pattern must match."""
        parts = path.split(b"/")[1:]
        last = len(self.segments)
        return {
            name: b"/".join(parts[index:]) if index == last else parts[index]
            for name, index in self.names
        }


_EXAMPLES = "/orders/{id}, or /files/{rest=**}"


def _is_template(text: str) -> bool:
    try:
        parse(text)
    except PatternError:
        return False
    return True


def parse(template: str) -> Pattern:
    """Read a template. Raises `PatternError`."""
    if not template.startswith("/"):
        hint = f"write /{template}" if _is_template(f"/{template}") else f"write {_EXAMPLES}"
        if template[:1] in ("^", "~") or "\\" in template or "(" in template:
            hint = f"a template is no regular expression: write {_EXAMPLES}"
        raise PatternError("a template begins with a slash", 0, hint)
    if len(template) > MAX_TEMPLATE:
        raise PatternError("the template is too long", MAX_TEMPLATE, f"at most {MAX_TEMPLATE}")
    texts = template.split("/")
    if len(texts) - 1 > MAX_SEGMENTS:
        raise PatternError("too many segments", len(template), f"at most {MAX_SEGMENTS}")
    segments: list[bytes | None] = []
    names: list[tuple[str, int]] = []
    rest = False
    position = 1
    for text in texts[1:]:
        if rest:
            hint = "put `**` last, or use `*` for one segment"
            raise PatternError("nothing may follow `**`", position - 1, hint)
        if "{" in text or "}" in text or "*" in text:
            rest = _variable(text, position, len(segments), names)
            if not rest:
                segments.append(None)
        else:
            segments.append(_literal(text, position))
        position += len(text) + 1
    if any(part == b"" for part in segments[:-1]) or (rest and segments and segments[-1] == b""):
        place = template.index("//")
        raise PatternError("an empty segment", place, "leave out one of the two slashes")
    return Pattern(tuple(segments), rest, tuple(names))


def is_ambiguous(path: bytes) -> bool:
    """Would some servers read `path` as another than the one that was sent?

    Such a path matches no route: empty segments, dot segments in any spelling, backslashes,
    control and non-ASCII bytes, broken percent-encodings, and encodings of characters that need
    none (RFC 3986, 6.2.2.2; `~` excepted, which many clients encode). So does a target that is
    not a path (`*`). An encoded slash is not ambiguous: it stays inside its segment.
    """
    if _PLAIN(path) is not None:
        return path == b""
    return path[:1] != b"/" or _AMBIGUOUS(path) is not None


def never_matches(literal: bytes) -> str:
    """Why no request can match this literal segment; empty if one can."""
    if literal and is_ambiguous(b"/" + literal):
        return "a path that contains it is ambiguous and matches no route"
    if b"%2f" in literal.lower():
        return "an encoded slash is taken by a variable, never by a literal"
    return ""


def _variable(text: str, position: int, index: int, names: list[tuple[str, int]]) -> bool:
    """Read one segment that is not a literal; note its name. True for `**`."""
    if text in ("*", "**"):
        return text == "**"
    found = _VARIABLE.match(text)
    if found is None or found.end() != len(text):
        raise _variable_error(text, position)
    name = found[1]
    if any(name == other for other, _ in names):
        raise PatternError(f"two variables are called {name!r}", position, "rename one of them")
    names.append((name, index))
    return found[2] == "**"


def _variable_error(text: str, position: int) -> PatternError:
    found = _VARIABLE.search(text)
    if found is not None:
        place = 0 if found.start() else found.end()
        hint = "let it be the whole segment; a prefix or suffix cannot be matched"
        return PatternError("a variable shares its segment with other text", position + place, hint)
    if "{" not in text and "}" not in text:
        hint = "let `*` or `**` be the whole segment"
        return PatternError("a wildcard shares its segment", position + text.index("*"), hint)
    hint = "write {name}, {name=*} or {name=**}; names are letters, digits and _, no digit first"
    return PatternError("not a variable", position + max(text.find("{"), 0), hint)


def _literal(text: str, position: int) -> bytes:
    end = 0 if (found := _LITERAL.match(text)) is None else found.end()
    if end == len(text):
        return text.encode("ascii")
    hint = "write the bytes that clients send: percent-encode everything else"
    raise PatternError(f"{text[end]!r} cannot stand in a path", position + end, hint)
