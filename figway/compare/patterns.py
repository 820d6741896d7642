"""Patterns written by people: RE2, so that no pattern can take more than linear time.

RE2 is imported when the first pattern is used: a proxy without comparison rules does without it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

LONGEST = 1000


class PatternError(ValueError):
    """A pattern that RE2 refuses, that is too long, or that matches nothing at all."""


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> Any:
    """The compiled pattern (an `re2` object, which has no types).

    Raises:
        PatternError: when RE2 refuses it.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise PatternError(f"pattern {pattern!r}: {_text(error)}") from error


def _text(error: Exception) -> str:
    detail = error.args[0] if error.args else ""
    return detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)


def check_pattern(pattern: str) -> None:
    """Refuse what cannot be used.

    Without RE2 only the length is looked at: a proxy that compares nothing has no use for it, and
    must not refuse a table for a rule that the control plane has checked when it was saved.

    Raises:
        PatternError: for an empty, over-long or wrong pattern, or one that matches the empty text.
    """
    if not 0 < len(pattern) <= LONGEST:
        raise PatternError(f"a pattern has 1 to {LONGEST} characters")
    try:
        compiled = compile_pattern(pattern)
    except ModuleNotFoundError:
        return
    if compiled.fullmatch("") is not None:
        raise PatternError(
            f"pattern {pattern!r} matches the empty text, so it would cover anything"
        )


def substitute(pattern: str, put: str | Callable[[str], str], text: str) -> str:
    """`text` with every match replaced by `put`: a text, or a function of the match."""
    compiled = compile_pattern(pattern)
    # RE2 works on UTF-8, which cannot hold the lone surrogates that stand for broken bytes.
    clean = text.encode("utf-8", "backslashreplace").decode()
    parts: list[str] = []
    at = 0
    for found in compiled.finditer(clean):
        start, end = found.span()
        if start == end:
            continue
        parts += (clean[at:start], put if isinstance(put, str) else put(clean[start:end]))
        at = end
    return "".join((*parts, clean[at:]))


def matches_whole(pattern: str, text: str) -> bool:
    """Whether the pattern matches the text from end to end."""
    clean = text.encode("utf-8", "backslashreplace").decode()
    return compile_pattern(pattern).fullmatch(clean) is not None
