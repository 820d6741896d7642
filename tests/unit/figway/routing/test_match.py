"""Matching: precedence, raw bytes, and agreement with a linear scan."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figway.model.table import Condition, ConditionKind, Route, RouteMatch
from figway.routing.match import Entry, Matcher, Node, Peek, normal_host
from figway.routing.pattern import parse
from figway.validate.table import validate
from tests.support.tables import Head, on, route, table
from tests.support.thorough import examples


def taker(head: Head, *routes: Route) -> str | None:
    met = Matcher(routes).match(head)
    assert not isinstance(met, Peek)
    return met


def test_whole_segments_only() -> None:
    """trap 15: a prefix ends at a segment's end."""
    routes = (route("v2", "/api/v2/{rest=**}"), route("exact", "/api/v2"))
    assert taker(Head(b"/api/v2/x"), *routes) == "v2"
    assert taker(Head(b"/api/v2/"), *routes) == "v2"
    assert taker(Head(b"/api/v2"), *routes) == "exact"
    for other in (b"/api/v20", b"/api/v20/x", b"/api/v", b"/xapi/v2/x", b"/api/V2"):
        assert taker(Head(other), *routes) is None


def test_a_variable_takes_no_empty_segment_and_a_trailing_slash_is_another_path() -> None:
    routes = (route("one", "/orders/{id}"), route("list", "/orders/"))
    assert taker(Head(b"/orders/1"), *routes) == "one"
    assert taker(Head(b"/orders/"), *routes) == "list"
    assert taker(Head(b"/orders/1/"), *routes) is None
    assert taker(Head(b"/orders"), *routes) is None
    assert taker(Head(b"/"), route("all", "/**")) == "all"


@pytest.mark.parametrize(
    "path",
    [
        b"/api//x",
        b"/api/../api/x",
        b"/api/%2e%2e/x",
        b"/api/..;/x",
        b"/api\\x",
        b"/api/%00",
        b"/api/\xff",
        b"//api/x",
        b"/x/%61pi",
        b"*",
        b"",
    ],
)
def test_a_doubtful_path_matches_no_route_however_broad(path: bytes) -> None:
    """trap 14: legacy gets it as it came."""
    assert taker(Head(path), route("api", "/api/{rest=**}"), route("all", "/**")) is None


def test_raw_bytes_decide() -> None:
    """trap 14: an encoded slash stays in its segment, a semicolon too; nothing is decoded."""
    one, two = route("one", "/a/{x}"), route("two", "/a/b/{x}")
    assert taker(Head(b"/a/b%2Fc"), one, two) == "one"
    assert taker(Head(b"/a/b/c"), one, two) == "two"
    assert taker(Head(b"/a;v=1/b"), one, two) is None
    assert taker(Head(b"/a/b;v=1"), one, two) == "one"
    assert taker(Head(b"/caf%c3%a9"), route("cafe", "/caf%C3%A9")) is None
    assert taker(Head(b"/caf%C3%A9"), route("cafe", "/caf%C3%A9")) == "cafe"


def test_the_more_specific_path_wins_and_failing_falls_back() -> None:
    routes = (
        route("literal", "/shop/new/{x}", methods=("POST",)),
        route("variable", "/shop/{y}/buy"),
        route("rest", "/shop/{rest=**}"),
    )
    assert taker(Head(b"/shop/new/buy", "POST"), *routes) == "literal"
    assert taker(Head(b"/shop/new/buy", "GET"), *routes) == "variable"
    assert taker(Head(b"/shop/new/sell", "GET"), *routes) == "rest"


def test_hosts_exact_then_longest_suffix_then_any() -> None:
    routes = (
        route("exact", "/x", hosts=("a.b.example.com",)),
        route("long", "/x", hosts=("*.b.example.com",)),
        route("short", "/x", hosts=("*.example.com", "[::1]")),
        route("any", "/x"),
        route("elsewhere", "/y"),
    )
    for host, expected in (
        (b"a.b.example.com", "exact"),
        (b"A.B.Example.COM:8443", "exact"),
        (b"a.b.example.com.", "exact"),
        (b"c.b.example.com", "long"),
        (b"d.c.b.example.com", "long"),
        (b"b.example.com", "short"),
        (b"[::1]:80", "short"),
        (b"example.com", "any"),
        (b"badexample.com", "any"),
        (b"", "any"),
    ):
        assert taker(Head(b"/x", host=host), *routes) == expected, host
    assert taker(Head(b"/y", host=b"a.b.example.com"), *routes) == "elsewhere"


@pytest.mark.parametrize(
    ("host", "normal"),
    [
        (b"A.b:80", b"a.b"),
        (b"a.b.:80", b"a.b"),
        (b"[::1]:8", b"[::1]"),
        (b"[::1]", b"[::1]"),
        (b"a.b:", b"a.b"),
        (b"a.b:x", b"a.b:x"),
        (b"", b""),
    ],
)
def test_normal_host(host: bytes, normal: bytes) -> None:
    assert normal_host(host) == normal


def test_methods_listed_before_any_and_get_takes_head() -> None:
    get, any_method = route("get", "/x", methods=("GET",)), route("any", "/x")
    head = route("head", "/x", methods=("HEAD",))
    assert taker(Head(b"/x", "GET"), any_method, get) == "get"
    assert taker(Head(b"/x", "POST"), any_method, get) == "any"
    assert taker(Head(b"/x", "HEAD"), any_method, get) == "get"
    assert taker(Head(b"/x", "HEAD"), any_method, get, head) == "head"
    assert taker(Head(b"/x", "GET"), head) is None
    assert taker(Head(b"/x", "get"), get) is None


def test_a_preflight_meets_the_route_of_the_request_that_it_announces() -> None:
    """trap 13: a CORS preflight goes to the side that would serve the real request."""
    post, options = (
        route("post", "/x", methods=("POST",)),
        route("options", "/x", methods=("OPTIONS",)),
    )
    origin = (b"Origin", b"https://app.example")
    asks = (b"Access-Control-Request-Method", b"POST")
    assert taker(Head(b"/x", "OPTIONS", headers=[origin, asks]), post, options) == "post"
    assert taker(Head(b"/x", "OPTIONS", headers=[origin]), post, options) == "options"
    assert taker(Head(b"/x", "OPTIONS", headers=[asks]), post, options) == "options"
    assert taker(Head(b"/x", "OPTIONS"), post, options) == "options"


@pytest.mark.parametrize(
    ("kind", "value", "takes", "refuses"),
    [
        ("exact", "b", [b"b"], [b"B", b"bb", b"", None]),
        ("prefix", "b", [b"b", b"bc"], [b"ab", None]),
        ("suffix", "b", [b"b", b"ab"], [b"ba", None]),
        ("contains", "b", [b"b", b"abc"], [b"a", None]),
        ("present", "", [b"b", b""], [None]),
        ("absent", "", [None], [b"b", b""]),
        ("exact", "", [b""], [b"b", None]),
    ],
)
def test_conditions(
    kind: str, value: str, takes: list[bytes | None], refuses: list[bytes | None]
) -> None:
    condition = on("a", kind, value)
    routes = {
        "header": route("r", "/x", headers=(condition,)),
        "query": route("r", "/x", query=(condition,)),
        "cookie": route("r", "/x", cookies=(condition,)),
    }
    for found in takes + refuses:
        sent: dict[str, Head] = {
            "header": Head(b"/x", headers=[] if found is None else [(b"A", found)]),
            "query": Head(b"/x", query=b"z=1" if found is None else b"z=1&a=" + found + b"&a=q"),
            "cookie": Head(
                b"/x",
                headers=[(b"Cookie", b"z=1" if found is None else b"z=1; a=" + found + b"; a=q")],
            ),
        }
        for place, head in sent.items():
            expected = "r" if found in takes else None
            assert taker(head, routes[place]) == expected, (place, found)


def test_query_and_cookies_are_compared_raw() -> None:
    """trap 16: nothing of a query is decoded."""
    wanted = route("r", "/x", query=(on("q", "exact", "a%20b"),))
    assert taker(Head(b"/x", query=b"q=a%20b"), wanted) == "r"
    assert taker(Head(b"/x", query=b"q=a+b"), wanted) is None
    assert taker(Head(b"/x", query=b"%71=a%20b"), wanted) is None
    flag = route("r", "/x", query=(on("debug", "present"),))
    assert taker(Head(b"/x", query=b"debug"), flag) == "r"
    assert taker(Head(b"/x", query=b"debugger=1"), flag) is None


def test_more_conditions_win_and_failing_ones_give_way() -> None:
    plain = route("plain", "/x")
    beta = route("beta", "/x", headers=(on("beta", "present"),))
    both = route("both", "/x", headers=(on("beta", "present"),), cookies=(on("vip", "present"),))
    beta_header, vip = (b"Beta", b"1"), (b"Cookie", b"vip=1")
    assert taker(Head(b"/x", headers=[beta_header, vip]), plain, beta, both) == "both"
    assert taker(Head(b"/x", headers=[beta_header]), plain, beta, both) == "beta"
    assert taker(Head(b"/x", headers=[vip]), plain, beta, both) == "plain"
    listed = route("listed", "/x", methods=("GET",))
    assert taker(Head(b"/x", headers=[beta_header]), beta, listed) == "listed"


# -- against a linear scan -----------------------------------------------------------------------


def _scan(routes: list[Route], head: Head) -> set[str]:
    """All routes that take `head` and that no other one beats; written without the matcher."""
    best: dict[str, tuple[object, ...]] = {}
    method = head.method
    if method == "OPTIONS" and head.get(b"origin") is not None:
        method = (head.get(b"access-control-request-method") or b"OPTIONS").decode()
    for candidate in routes:
        path = _path_rank(candidate.match.path, head.path.decode("latin-1"))
        if path is None:
            continue
        wanted = candidate.match.methods
        implied = method == "HEAD" and "GET" in wanted
        by_method = 3 if method in wanted else 2 if implied else 0 if wanted else 1
        if not by_method:
            continue
        header: dict[str, str] = {}
        for name, value in head.headers:  # the lines of a field are one list (RFC 9110, 5.3)
            known, key = header.get(name.decode().lower()), name.decode().lower()
            header[key] = value.decode() if known is None else f"{known}, {value.decode()}"
        queries = {}
        for pair in reversed(head.query.decode().split("&") if head.query else []):
            queries[pair.split("=")[0]] = pair.split("=", 1)[1] if "=" in pair else ""
        if not all(_holds(c, header.get(c.name.lower())) for c in candidate.match.headers):
            continue
        if not all(_holds(c, queries.get(c.name)) for c in candidate.match.query):
            continue
        conditions = len(candidate.match.headers) + len(candidate.match.query)
        for host in candidate.match.hosts or ("",):
            host_rank = _host_rank(host, head.host.decode())
            if host_rank is not None:
                rank = (host_rank, path, by_method, conditions)
                best[candidate.id] = max(best.get(candidate.id, rank), rank)
    top = max(best.values(), default=None)
    return {name for name, rank in best.items() if rank == top}


def _host_rank(pattern: str, host: str) -> tuple[int, int] | None:
    host = host.split(":")[0].lower().rstrip(".")
    if not pattern:
        return 0, 0
    if pattern.startswith("*."):
        return (1, len(pattern)) if host.endswith(pattern[1:]) and host != pattern[1:] else None
    return (2, 0) if pattern == host else None


def _path_rank(template: str, path: str) -> tuple[int, ...] | None:
    wanted, sent = template.split("/")[1:], path.split("/")[1:]
    ranks: list[int] = []
    while wanted:
        first = wanted.pop(0)
        if first == "**" or first.endswith("=**}"):
            return (*ranks, 0) if sent else None
        if not sent:
            return None
        part = sent.pop(0)
        if first == "*" or first.startswith("{"):
            if not part:
                return None
            ranks.append(1)
        elif first == part:
            ranks.append(2)
        else:
            return None
    return None if sent else tuple(ranks)


def _holds(condition: Condition, value: str | None) -> bool:
    kind = condition.kind.value
    if value is None or kind == "absent":
        return value is None and kind == "absent"
    return {
        "exact": value == condition.value,
        "prefix": value.startswith(condition.value),
        "suffix": value.endswith(condition.value),
        "contains": condition.value in value,
        "present": True,
    }[kind]


_SEGMENT = st.sampled_from(["a", "b", "v2", "v20", "a%2Fb"])
_TEMPLATES = st.builds(
    lambda parts, end: "/" + "/".join([*parts, *end]),
    st.lists(st.one_of(_SEGMENT, st.just("*")), max_size=3),
    st.sampled_from([["a"], ["*"], ["**"], ["{r=**}"], [""], ["{x}"]]),
)
_PATHS = st.builds(
    lambda parts, end: ("/" + "/".join([*parts, end])).encode(),
    st.lists(_SEGMENT, max_size=4),
    st.sampled_from(["a", "b", "", "v2", "a%2Fb"]),
).filter(lambda path: b"//" not in path)
_CONDITIONS = st.lists(
    st.builds(
        Condition,
        name=st.sampled_from(["p", "q"]),
        kind=st.sampled_from(list(ConditionKind)),
        value=st.sampled_from(["1", "12"]),
    ),
    max_size=2,
    unique_by=lambda condition: condition.name,
).map(tuple)
_SOME_HOSTS = ["a.example", "b.a.example", "*.example", "*.a.example"]
_MATCHES = st.builds(
    RouteMatch,
    path=_TEMPLATES,
    hosts=st.lists(st.sampled_from(_SOME_HOSTS), max_size=2, unique=True).map(tuple),
    methods=st.lists(st.sampled_from(["GET", "HEAD", "POST"]), max_size=2, unique=True).map(tuple),
    headers=_CONDITIONS,
    query=_CONDITIONS,
)
_VALUES = st.sampled_from([b"", b"1", b"12", b"21"])
_HEADS = st.builds(
    Head,
    path=_PATHS,
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT"]),
    host=st.sampled_from([b"a.example", b"B.A.example:80", b"c.b.a.example", b"x.example.", b"x"]),
    query=st.lists(
        st.one_of(
            st.sampled_from([b"p", b"q"]),
            st.tuples(st.sampled_from([b"p", b"q"]), _VALUES).map(b"=".join),
        ),
        max_size=3,
    ).map(b"&".join),
    headers=st.lists(st.tuples(st.sampled_from([b"P", b"q"]), _VALUES), max_size=3),
)


@pytest.mark.no_cover  # the tracer would make minutes of its seconds
@settings(max_examples=examples(400), deadline=None)
@given(st.lists(_MATCHES, min_size=1, max_size=12), st.lists(_HEADS, min_size=1, max_size=8))
def test_agrees_with_a_linear_scan(matches: list[RouteMatch], heads: list[Head]) -> None:
    routes = [Route(id=f"r{index}", match=match) for index, match in enumerate(matches)]
    matcher = Matcher(routes)
    ties = {
        finding.path.split(".")[1]
        for finding in validate(table(*routes))
        if finding.code == "route_tie"
    }
    for head in heads:
        best = _scan(routes, head)
        found = matcher.match(head)
        assert found in best if best else found is None
        # Whoever beats nobody is refused at save: a valid table leaves one answer.
        assert len(best) < 2 or best & ties
        order = list(matcher.candidates(head))
        assert next((item.route_id for item in order if not item.refused), None) == found


def test_the_order_of_routes_does_not_matter() -> None:
    routes = [
        route("a", "/x", methods=("GET",)),
        route("b", "/x"),
        route("c", "/x", headers=(on("p", "present"),)),
        route("d", "/{any}"),
        route("e", "/**", methods=("GET", "POST")),
    ]
    heads = [
        Head(b"/x"),
        Head(b"/x", "POST", headers=[(b"p", b"")]),
        Head(b"/y", "PUT"),
        Head(b"/"),
    ]
    forward, backward = Matcher(routes), Matcher(reversed(routes))
    for head in heads:
        assert forward.match(head) == backward.match(head)
    assert forward.match(replace(heads[2], path=b"/y/z")) is None


SEGMENTS = st.sampled_from(["a", "b", "{x}"])
PATHS = st.tuples(st.lists(SEGMENTS, min_size=1, max_size=3), st.sampled_from(["", "/{rest=**}"]))
METHODS = st.sampled_from([(), ("GET",), ("POST",), ("GET", "POST")])
CONDITIONS = st.sampled_from([(), (Condition(name="X-A", kind=ConditionKind.PRESENT),)])


def _template(segments: list[str], rest: str) -> str:
    named = [f"{{x{n}}}" if part == "{x}" else part for n, part in enumerate(segments)]
    return "/" + "/".join(named) + rest


@given(
    st.lists(st.tuples(PATHS, METHODS, CONDITIONS), max_size=6),
    st.lists(st.sampled_from([b"a", b"b", b"c", b""]), min_size=1, max_size=5),
    st.sampled_from(["GET", "HEAD", "POST", "PUT"]),
    st.booleans(),
)
def test_the_way_without_recursion_is_the_way_with_it(
    shapes: list[tuple[tuple[list[str], str], tuple[str, ...], tuple[Condition, ...]]],
    parts: list[bytes],
    method: str,
    marked: bool,
) -> None:
    """`Node.first` is `Node.find`, only quicker."""
    root = Node()
    for number, ((segments, rest), methods, conditions) in enumerate(shapes):
        path = _template(segments, rest)
        made = Route(
            id=str(number), match=RouteMatch(path=path, methods=methods, headers=conditions)
        )
        root.leaf(parse(path)).add(Entry(made))
    head = Head(b"/" + b"/".join(parts), headers=[(b"X-A", b"1")] if marked else [])
    assert root.first(parts, method, head) == root.find(parts, 0, method, head)
