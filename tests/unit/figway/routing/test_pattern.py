"""Templates are read strictly; paths that servers may read differently match nothing."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from figway.routing.pattern import PatternError, is_ambiguous, never_matches, parse


@pytest.mark.parametrize(
    ("template", "segments", "rest", "names"),
    [
        ("/", (b"",), False, ()),
        ("/orders", (b"orders",), False, ()),
        ("/orders/", (b"orders", b""), False, ()),
        ("/orders/{id}", (b"orders", None), False, (("id", 1),)),
        ("/orders/{id=*}/lines", (b"orders", None, b"lines"), False, (("id", 1),)),
        ("/orders/*", (b"orders", None), False, ()),
        ("/api/{rest=**}", (b"api",), True, (("rest", 1),)),
        ("/**", (), True, ()),
        ("/a%20b/c;v=1", (b"a%20b", b"c;v=1"), False, ()),
    ],
)
def test_reads_the_grammar(
    template: str,
    segments: tuple[bytes | None, ...],
    rest: bool,
    names: tuple[tuple[str, int], ...],
) -> None:
    pattern = parse(template)
    assert (pattern.segments, pattern.rest, pattern.names) == (segments, rest, names)


@pytest.mark.parametrize(
    ("template", "position", "words"),
    [
        ("", 0, "begins with a slash"),
        ("orders", 0, "begins with a slash"),
        ("/a//b", 2, "empty segment"),
        ("//", 0, "empty segment"),
        ("/a//**", 2, "empty segment"),
        ("/{a}/{a}", 5, "two variables"),
        ("/{rest=**}/x", 10, "nothing may follow"),
        ("/**/", 3, "nothing may follow"),
        ("/v{n}", 1, "shares its segment"),
        ("/{n}.json", 4, "shares its segment"),
        ("/file*", 5, "wildcard shares"),
        ("/***", 1, "wildcard shares"),
        ("/{", 1, "not a variable"),
        ("/{}", 1, "not a variable"),
        ("/{1a}", 1, "not a variable"),
        ("/{a=b/*}", 1, "not a variable"),
        ("/a}", 1, "not a variable"),
        ("/a b", 2, "cannot stand"),
        ("/caf\u00e9", 4, "cannot stand"),
        ("/a?b", 2, "cannot stand"),
        ("/a\\b", 2, "cannot stand"),
        ("/x" * 33, 66, "too many segments"),
        ("/" + "x" * 1024, 1024, "too long"),
    ],
)
def test_says_where_a_template_is_broken(template: str, position: int, words: str) -> None:
    with pytest.raises(PatternError, match=words) as caught:
        parse(template)
    assert caught.value.position == position
    assert caught.value.resolution


def test_variables_hold_raw_bytes() -> None:
    """trap 14: what a variable takes is never decoded."""
    taken = parse("/files/{name}/{rest=**}").variables(b"/files/a%2Fb;v=1/c/%C3%A9/")
    assert taken == {"name": b"a%2Fb;v=1", "rest": b"c/%C3%A9/"}
    assert parse("/api/{rest=**}").variables(b"/api/") == {"rest": b""}


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"*",
        b"orders",
        b"//",
        b"/a//b",
        b"/a/\\b",
        b"/a%5cb",
        b"/a%5Cb",
        b"/a%00",
        b"/a\x00",
        b"/a\x1fb",
        b"/a\x7f",
        b"/a b",
        b"/caf\xc3\xa9",
        b"/\xff",
        b"/a%0d%0ab",
        b"/a%7f",
        b"/.",
        b"/..",
        b"/a/./b",
        b"/a/../b",
        b"/a/..",
        b"/a/%2e%2e/b",
        b"/a/.%2E/b",
        b"/a/%2e",
        b"/a/..;x/b",
        b"/a/..;",
        b"/a/.;x=1",
        b"/a/..%3Bx",
        b"/a/..%2Fb",
        b"/a/x%2f..",
        b"/a/x%2f..%2fb",
        b"/a/;x=1/b",
        b"/a%",
        b"/a%2",
        b"/a%zz",
        b"/%61dmin",
        b"/%41",
        b"/a%2Db",
        b"/a%5Fb",
        b"/%31",
        b"/a#b",
        b"/a?b",
    ],
)
def test_doubtful_paths_match_nothing(path: bytes) -> None:
    """trap 14: what servers read differently is left to legacy."""
    assert is_ambiguous(path)


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/a",
        b"/a/",
        b"/a.b/..c/.d/e..",
        b"/.well-known/x",
        b"/a%2Fb",
        b"/caf%C3%A9",
        b"/%E2%82%AC",
        b"/%ff",
        b"/a%20b",
        b"/a;v=1/b",
        b"/~bob/%7Ebob",
        b"/a:b@c!$&'()*+,=",
        b"/%252e%252e/",
        b"/.../a",
        b"/..a",
        b'/a"b<c>[d]^`{|}',
    ],
)
def test_ordinary_paths_are_not_doubtful(path: bytes) -> None:
    assert not is_ambiguous(path)


def _doubtful(path: bytes) -> bool:
    """The same rules by other means: split, decode and compare."""
    if not path.startswith(b"/") or b"//" in path or b"/;" in path:
        return True
    if any(byte <= 0x20 or byte >= 0x7F or byte in b"\\#?" for byte in path):
        return True
    for escape in re.findall(rb"%(.{0,2})", path, re.DOTALL):
        try:
            byte = bytes.fromhex(escape.decode("latin-1"))
        except ValueError:
            return True
        if len(byte) != 1 or byte < b" " or byte in (b"\x7f", b"\\"):
            return True
        if byte.isalnum() or byte in (b"-", b"_"):
            return True
    for part in path[1:].split(b"/"):
        for piece in re.split(rb"(?i)%2f", part):
            bare = re.split(rb"(?i);|%3b", piece)[0]
            if unquote_to_bytes(bare) in (b".", b".."):
                return True
    # An encoded dot that is no dot segment is still an encoding that is not needed.
    return b"%2e" in path.lower()


_PIECES = st.sampled_from(
    [
        b"/",
        b"//",
        b"a",
        b"Z9",
        b".",
        b"..",
        b";",
        b"%2F",
        b"%2e",
        b"%3B",
        b"%5C",
        b"%00",
        b"%41",
        b"%C3%A9",
        b"%",
        b"\\",
        b"~",
        b"%7E",
        b"%20",
        b"\xe9",
        b" ",
        b"*",
        b"-",
        b"%7f",
        b"%2d",
    ]
)


@given(st.lists(_PIECES, max_size=8).map(lambda parts: b"/" + b"".join(parts)))
@example(b"/a/..%3bx")
@example(b"/%2F..")
def test_doubt_agrees_with_decoding(path: bytes) -> None:
    """trap 14: the compiled expressions against a plain reading of the rules."""
    assert is_ambiguous(path) == _doubtful(path)


@pytest.mark.parametrize(
    ("literal", "words"),
    [
        (b"a%2Fb", "encoded slash"),
        (b"..", "ambiguous"),
        (b"%61", "ambiguous"),
        (b"a%", "ambiguous"),
    ],
)
def test_literals_that_never_match(literal: bytes, words: str) -> None:
    assert words in never_matches(literal)
    assert never_matches(b"a%20b") == never_matches(b"") == ""


@pytest.mark.parametrize(
    ("template", "hint"),
    [
        ("orders/{id}", "write /orders/{id}"),
        ("pay/{id", "write /orders/{id}, or "),
        ("", "write /"),
    ],
)
def test_what_a_hint_says_to_write_is_a_template(template: str, hint: str) -> None:
    """`pay/{id` was told to be written `/pay/{id`, which is refused as well."""
    with pytest.raises(PatternError) as told:
        parse(template)
    assert told.value.resolution.startswith(hint)
