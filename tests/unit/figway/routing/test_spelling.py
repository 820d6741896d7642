"""What another spelling of a path, or of a method, must not pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figway.message.problem import Problem
from figway.model.backend import Backend
from figway.model.policies import Maintenance, RoutePolicies
from figway.model.table import Route, RouteMatch, Stage, Table
from figway.model.words import Side
from figway.routing.compile import CompiledTable, compile_table
from figway.routing.match import is_preflight
from figway.routing.readings import MAX_READINGS, MAX_SEGMENTS, readings
from proxy.wire.client_head import RequestHead, parse
from tests.support.thorough import examples

DOWN = RoutePolicies(maintenance=Maintenance())


def guard(path: str = "/api/private/{rest=**}", *methods: str) -> Route:
    match = RouteMatch(path=path, methods=methods)
    return Route(id="guard", match=match, stage=Stage.LEGACY, policies=DOWN)


def head_of(target: bytes, *lines: bytes, method: bytes = b"GET") -> RequestHead:
    fields = b"".join(line + b"\r\n" for line in lines)
    return parse(b"%b %b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (method, target, fields))


@cache
def compiled(route: Route) -> CompiledTable:
    legacy = Backend(id="legacy", side=Side.LEGACY, url="http://legacy")
    backends = {"legacy": legacy}
    return compile_table(
        Table(default_backend="legacy", backends=backends, routes={route.id: route})
    )


def refusal(head: RequestHead, route: Route) -> Problem | None:
    """What becomes of a request; that the guarded route takes it counts as a refusal."""
    table = compiled(route)
    taken = table.match(head).route
    if taken is not None:
        return Problem(503, "maintenance", "")
    assert table.guarded is not None
    return table.guarded.refusal(head, None)


@pytest.mark.parametrize(
    "target",
    [
        b"/api/%70rivate/x/%252e%252e/%252e%252e/%252e%252e/public",  # decoded once, dots are names
        b"/api/%70rivate/a%252f..%252f..%252f..%252fpublic",
        b"/api/%70rivate/x/..;/..;/..;/public",  # parameters are part of the name
        b"/api/%70rivate/x\\..\\..\\..\\public",  # a backslash is no slash
        b"/api/%70rivate/x/..%5c..%5c..%5c../public",
        b"/public%00/../api/private/x",  # NUL ends nothing
        b"/api/private%3f/../../public",  # an encoded question mark ends a path
        b"/api/%70rivate/..",  # nothing is resolved
        b"/api/%70rivate/x%2f..%2f..%2f..%2fpublic",  # an encoded slash is part of the name
        b"/api/%70rivate//..//x",  # slashes are not merged
        b"/api/%70rivate/.../..",  # dots that only Windows ignores
        b"/api/%70rivate/x/%EF%BC%8E%EF%BC%8E/%EF%BC%8E%EF%BC%8E/%EF%BC%8E%EF%BC%8E/p",
        b"/api/%70rivate/%c0%ae%c0%ae/%c0%ae%c0%ae/public",
        b"/api/%70rivate/%e2%80%a5/%e2%80%a5/public",
        b"/api/%70rivate/x/..%20/..%20/..%20/public",
        b"/api%EF%BC%8Fprivate/x",
    ],
)
def test_a_reading_that_leads_away_hides_none_that_leads_in(target: bytes) -> None:
    """W18: what one program resolves, strips or decodes once more, another does not."""
    assert refusal(head_of(target), guard()) is not None


ALIASES = {
    "a URL parser's host": [b"//h/a/b", b"///h/a/b", b"/\\h\\a\\b",
        b"//u@h:80/a/b?x", b"//h/a/%62"],
    "a front controller": [b"/index.php/a/b", b"/a/app.fcgi/b", b"/INDEX.PHP/a/b",
        b"//h/x.jsp/a/b"],
    "an index": [b"/a/b/index.html", b"/a/b/Default.aspx", b"/a/b/index.php"],
    "a format": [b"/a/b.json", b"/a/b.XML", b"/a/b.do", b"/index.php/a/b.csv"],
    "white space of other languages": [b"/a/b\x85", b"/a/b\xa0", b"/a/b%0c", b"/a/b%1f",
        b"/a/b%C2%A0", b"/a/b%C2%85", b"/a/b%7f", b"/a/b+", b"/a/+b", b"/a/b%E3%80%80",
        b"/a/b%09."],
    "streams of NTFS": [b"/a/b::$DATA", b"/a:$i30:$INDEX_ALLOCATION/b", b"/a/b:$data"],
    "accents": [b"/a%CC%81/b", "/á/b".encode(), b"/%E1%BA%A1/b"],
    "characters unseen": [b"/a%C2%AD/b", b"/a%E2%80%8B/b", b"/a%EF%BB%BF/b"],
    "slashes of other code pages": [b"/a%E2%88%95b", b"/a%E2%81%84b", b"/a%C2%A5b",
        b"/a%E2%82%A9b"],
}  # fmt: skip


@pytest.mark.parametrize("target", [target for kind in ALIASES.values() for target in kind])
def test_what_programs_leave_out_or_take_for_the_same(target: bytes) -> None:
    """W18: parsers, front controllers and file systems serve one page under further names."""
    assert refusal(head_of(target), guard("/a/b")) is not None


def test_letters_that_are_one_in_capitals_are_the_same() -> None:
    """W18: a dotless i becomes an I."""
    assert refusal(head_of(b"/adm%C4%B1n"), guard("/admin")) is not None
    assert refusal(head_of(b"/%C5%BFecret"), guard("/secret")) is not None


@pytest.mark.parametrize(
    "line",
    [
        b"X-Original-URL: /a/b",
        b"X-Rewrite-URL: /a/b?x=1",
        b"x_original_url: /A/%62",
        b"X.Original.URL: /a/b",
        b"X-Original-URI: https://h.example/a/b",
        b"X-Override-URL: a/b",
        b"X-HTTP-DestinationURL: http://h/a/b",
        b"X-Original-URL: /c, /a/b",
        b"X-Original-URL: " + b"/c," * 20 + b"/a/b",
    ],
)
def test_a_path_that_a_field_asks_for_counts(line: bytes) -> None:
    """W18: IIS and frameworks behind it serve that path in the place of the target's."""
    assert refusal(head_of(b"/c", line), guard("/a/b")) is not None
    assert refusal(head_of(b"/c", line, b"X-Rewrite-URL: /d"), guard("/a/b")) is not None


@pytest.mark.parametrize("separator", [b"-", b"_", b".", b"!", b"~"])
def test_a_method_that_is_asked_for_counts_in_every_spelling_of_cgi(separator: bytes) -> None:
    """W18: CGI makes every octet that is no letter or digit an underscore."""
    name = separator.join([b"X", b"HTTP", b"Method", b"Override"])
    assert refusal(head_of(b"/a", name + b": POST"), guard("/a", "POST")) is not None


@pytest.mark.parametrize(
    "head",
    [
        (b"/a/b.css",),
        (b"/a/bundle.json",),
        (b"/index.php/a/c",),
        (b"/a/b/login.php",),
        (b"//h/a/c",),
        (b"/a/b:list",),
        (b"/c", b"X-Original-URL: /c"),
        (b"/c", b"X-Original: /a/b"),
    ],
    ids=repr,
)
def test_what_is_only_like_a_guarded_path_is_let_through(head: tuple[bytes, ...]) -> None:
    assert refusal(head_of(*head), guard("/a/b")) is None


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/files/{name}", b"/%66iles/a%2Fb"),
        ("/files/{name}", b"/%66iles/a%5Cb"),
        ("/files/{name}/meta", b"/Files/a%2F..%2Fb/meta"),
    ],
)
def test_an_encoded_slash_may_be_part_of_a_variable(path: str, target: bytes) -> None:
    """W18: applications that match before they decode have one segment there."""
    assert refusal(head_of(target), guard(path)) is not None


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/private/{rest=**}", b"/API/Public/../x"),
        ("/api/private/{rest=**}", b"/api/public/%70x"),
        ("/api/private/{rest=**}", b"/api//public/"),
        ("/users/{id}", b"/users/"),
        ("/users/{id}", b"/Users"),
        ("/users/{id}/orders", b"/users//orders"),
        ("/files/{name}", b"/Files/a/b"),
        ("/a/b", b"/proxy/https://x.example/a/b"),
    ],
)
def test_what_no_program_reads_so_is_let_through(path: str, target: bytes) -> None:
    assert refusal(head_of(target), guard(path)) is None


def test_more_readings_than_can_be_looked_at_are_refused() -> None:
    """W18: and the work that a path can make is bounded."""
    assert refusal(head_of(b"/x" + b"/a/.." * 40), guard()) is not None
    assert refusal(head_of(b"/x" + b"/a" * MAX_SEGMENTS + b"//b"), guard()) is not None
    assert refusal(head_of(b"/x" + b"/A" * 2_000), guard()) is None
    assert refusal(head_of(b"/x" + b"%EF%B7%BA" * 1_500), guard()) is not None
    assert refusal(head_of(b"/x" + b"\xef\xb7\xba" * 1_500), guard()) is not None
    assert refusal(head_of(b"/x" + b"%EF%B7%BA" * 60), guard()) is None
    for mixed in (b"/.%2f..%5c;x", b"//..%00", b"/a%3f..", b"/%c0%af%25%32%66"):
        found = readings(mixed * 6)
        assert found is None or len(found) <= 5 * MAX_READINGS


@pytest.mark.parametrize(
    ("target", "lines"),
    [
        (b"/a", (b"X-HTTP-Method-Override: GET", b"X-Method-Override: POST")),
        (b"/a", (b"X-HTTP-Method-Override: GET, POST",)),
        (b"/a", (b"X-HTTP-Method-Override: GET", b"X-HTTP-Method-Override: POST")),
        (b"/a", (b"X_HTTP_Method_Override: POST",)),
        (b"/a", (b"x-http_method: post",)),
        (b"/a?_method=GET&_method=POST", ()),
        (b"/a?x=1&%5fmethod=POST", ()),
        (b"/a?_m%65thod=POST", ()),
        (b"/a?_method=P%4fST", ()),
        (b"/a?_METHOD=post", ()),
        (b"/a?x;_method=POST", ()),
        (b"/a?.method=POST", ()),
        (b"/a?_method[]=POST", ()),
        (b"/a?+_method=+POST", ()),
    ],
)
def test_every_method_that_is_asked_for_counts(target: bytes, lines: tuple[bytes, ...]) -> None:
    """W18: whichever of them a framework goes by, in every spelling that one reads."""
    posts = guard("/a", "POST")
    assert refusal(head_of(target, *lines), posts) is not None
    assert refusal(head_of(b"/a?method=POST&my_method=POST&_methods=POST"), posts) is None


def test_a_preflight_asks_for_no_other_method_in_any_spelling() -> None:
    """W24: what has an override is no preflight, however the field is spelled."""
    gets = guard("/a", "GET")
    preflight = (b"Origin: https://a.example", b"Access-Control-Request-Method: PUT")
    for line in (b"X_HTTP_Method_Override: GET", b"X-Method_Override: get"):
        head = head_of(b"/a", *preflight, line, method=b"OPTIONS")
        assert refusal(head, gets) is not None


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Length: 2",
        b"Transfer-Encoding: chunked",
        b"Cookie: a=1",
        b"Authorization: Basic eDp5",
        b"Upgrade: tcp",
        b"X-HTTP-Method: GET",
    ],
)
def test_what_is_no_preflight(line: bytes) -> None:
    """W24: it has neither body nor credentials, and asks for no other method or protocol."""
    preflight = (b"Origin: https://a.example", b"Access-Control-Request-Method: PUT")
    assert is_preflight(head_of(b"/a", *preflight, b"Content-Length: 0", method=b"OPTIONS"))
    assert not is_preflight(head_of(b"/a", *preflight, line, method=b"OPTIONS"))


# -- against programs that read ------------------------------------------------------------------

PIECES = [
    b"api", b"private", b"%70rivate", b"Private", b"x", b"public", b"%2570rivate",
    b"/", b"//", b"%2f", b"%252F", b"\\", b"%5c",
    b"..", b"%2e%2e", b"%252e.", b".", b"%2e", b"...", b";a=b", b"..;", b"%00", b"%3f", b"%23",
    b"%20", b"%c0%ae%c0%ae", b"%c0%af", b"%EF%BC%8E",
]  # fmt: skip
BEGINNINGS = [b"/", b"/api/%70rivate/x", b"/api/", b"/public", b"/api/Private", b"/x/"]
ENDS = [b"", b"/", b"/api/private/x", b"private", b"/public"]
paths = st.builds(
    lambda beginning, pieces, end: beginning + b"".join(pieces) + end,
    st.sampled_from(BEGINNINGS),
    st.lists(st.sampled_from(PIECES), max_size=8),
    st.sampled_from(ENDS),
)
Step = Callable[[bytes], bytes]


def decode_but_slashes(path: bytes) -> bytes:
    return unquote_to_bytes(re.sub(rb"%(?=2[fF])", b"%25", path))


def overlong(path: bytes) -> bytes:
    return path.replace(b"\xc0\xae", b".").replace(b"\xc0\xaf", b"/")


def without_parameters(path: bytes) -> bytes:
    return re.sub(rb";[^/]*", b"", path)


def resolve(path: bytes) -> bytes:
    """RFC 3986, 5.2.4."""
    out: list[bytes] = []
    for part in path.split(b"/")[1:]:
        if part == b"..":
            del out[-1:]
        elif part != b".":
            out.append(part)
    return b"/" + b"/".join(out)


DECODERS: list[list[Step]] = [
    [],
    [unquote_to_bytes],
    [decode_but_slashes],
    [unquote_to_bytes, overlong],
    [unquote_to_bytes, unquote_to_bytes],
]
CUTS: list[Step] = [lambda path: path, lambda path: re.split(rb"[\0?#]", path)[0]]
OPTIONS: list[Step] = [
    without_parameters,
    lambda path: path.replace(b"\\", b"/"),
    lambda path: re.sub(rb"/+", b"/", path),
    resolve,
    bytes.lower,
]


def programs() -> Iterator[list[Step]]:
    for decoder, cut, chosen in product(DECODERS, CUTS, product([False, True], repeat=5)):
        options = [step for step, is_on in zip(OPTIONS, chosen, strict=True) if is_on]
        yield [*decoder, cut, *options]


PROGRAMS = list(programs())


@settings(max_examples=examples(300), deadline=None)
@given(paths)
def test_no_program_is_led_in(path: bytes) -> None:
    """W18: whatever decodes, cuts, strips, merges and resolves, in any combination, reads a guarded
    path from nothing that is let through."""
    let_through = refusal(head_of(path), guard()) is None
    for program in PROGRAMS:
        read = path
        for step in program:
            read = step(read)
        if read.startswith(b"/api/private/"):
            assert not let_through, (path, read)
            return
