"""Operations in a match: precedence, what each kind takes, ties, covers, and what is read when."""

from __future__ import annotations

from typing import Any

import pytest

from figway.model.codec import from_data, to_data
from figway.model.operations import OperationKind, OperationMatch, OperationType
from figway.model.table import Condition, ConditionKind, Route, RouteMatch
from figway.operation.operation import BodyNeeded, Operation, OperationReading, UnreadReason
from figway.routing.compile import compile_table
from figway.routing.match import Matcher, Peek
from figway.routing.overlap import shadows, tie
from figway.validate.table import validate
from tests.support.tables import Head, table

G, S, R, F = OperationKind
POST = Head(path=b"/api", method="POST")


def op(kind: OperationKind = G, *names: str, **more: Any) -> OperationMatch:
    return OperationMatch(kind=kind, names=names, **more)


def route(
    name: str, operation: OperationMatch | None = None, path: str = "/api", **match: Any
) -> Route:
    return Route(id=name, match=RouteMatch(path=path, operation=operation, **match))


def query(name: str = "", *fields: str, type: str = "query", hash: str = "") -> Operation:
    return Operation(G, name, type, fields or ("f",), hash)


def met(routes: list[Route], *operations: Operation, ask: Any = (G, "")) -> tuple[Any, str]:
    found = Matcher(routes).match_read(POST, OperationReading({ask: operations}))
    return found.met, found.unread


CART, USER = route("cart", op(G, "GetCart")), route("user", op(G, "GetUser"))
REST = route("rest")


def test_the_head_alone_gives_a_peek_and_leaves_without_operations_never_do() -> None:
    matcher = Matcher([CART, USER, REST, route("plain", path="/plain")])
    found = matcher.match(POST)
    assert isinstance(found, Peek)
    assert found.asks == ((G, ""),)
    assert matcher.match(Head(path=b"/plain", method="POST")) == "plain"
    assert matcher.match(Head(path=b"/none")) is None
    with pytest.raises(BodyNeeded) as raised:
        compile_table(table(Route(id="cart", match=CART.match))).match(POST)
    assert raised.value.asks == ((G, ""),)


def test_an_operation_is_more_specific_than_conditions_and_less_than_a_method() -> None:
    condition = Condition(name="x-a", kind=ConditionKind.ABSENT)
    conditioned = route("conditioned", headers=(condition,))
    assert met([conditioned, CART], query("GetCart"))[0] == "cart"
    assert met([conditioned, CART], query("Other"))[0] == "conditioned"
    listed = route("listed", methods=("POST",))
    assert Matcher([listed, CART]).match(POST) == "listed"  # nothing is read in vain


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ((query("GetCart"),), ("cart", "")),
        ((query("GetUser"), query("GetUser")), ("user", "")),
        ((query("GetCart"), query("GetUser")), ("rest", "mixed")),
        ((query("GetCart"), query("Other")), ("rest", "mixed")),
        ((query("Other"),), ("rest", "")),
        ((), ("rest", "")),
    ],
)
def test_a_batch_goes_where_all_of_it_goes(operations: Any, expected: Any) -> None:
    assert met([CART, USER, REST], *operations) == expected


def test_a_batch_is_mixed_also_where_a_wider_route_would_take_all_of_it() -> None:
    wide = route("wide", op(G, types=(OperationType.QUERY,)), methods=())
    narrow = route(
        "narrow", op(G, "GetCart"), headers=(Condition(name="x", kind=ConditionKind.ABSENT),)
    )
    assert met([wide, narrow, REST], query("GetCart"), query("GetUser")) == ("rest", "mixed")
    assert met([wide, narrow, REST], query("GetUser"))[0] == "wide"


def test_what_is_unread_goes_to_the_next_route() -> None:
    reading = OperationReading({(G, ""): UnreadReason.TOO_LONG})
    assert Matcher([CART, REST]).match_read(POST, reading) == ("rest", "too_long")
    assert Matcher([CART]).match_read(POST, reading) == (None, "too_long")


def test_a_less_specific_path_may_ask_for_more() -> None:
    soap = route("soap", op(S, "Get"), path="/{p}")
    matcher = Matcher([CART, soap])
    found = matcher.match_read(POST, OperationReading({(G, ""): (query("Other"),)}))
    assert isinstance(found.met, Peek)
    assert found.met.asks == ((S, ""),)
    read = {(G, ""): (query("Other"),), (S, ""): (Operation(S, "Get"),)}
    assert matcher.match_read(POST, OperationReading(read)).met == "soap"


@pytest.mark.parametrize(
    ("match", "operation", "taken"),
    [
        (op(), query(), True),
        (op(G, "A"), query("A"), True),
        (op(G, "A"), query(), False),
        (op(G, types=(OperationType.QUERY,)), query(type="mutation"), False),
        (op(G, fields=("cart", "me")), query("", "me", "__typename"), True),
        (op(G, fields=("cart",)), query("", "cart", "buy"), False),
        (op(G, fields=("cart",)), query("", "__typename"), False),
        (op(G, hashes=("ab" * 32,)), query("", type="", hash="ab" * 32), True),
        (op(G, hashes=("AB" * 32,)), query("X", hash="ab" * 32), True),
        (op(G, hashes=("ab" * 32,)), query("X"), False),
        (op(G, "A"), query("A", type="", hash="cd" * 32), False),
        (op(S, "{urn:a}Get"), Operation(S, "{urn:a}Get"), True),
        (op(S, "Get"), Operation(S, "{urn:a}Get"), True),
        (op(S, "{urn:b}Get"), Operation(S, "{urn:a}Get"), False),
        (op(R, "a.b"), Operation(R, "a.b"), True),
        (op(R, "a"), Operation(R, "a.b"), False),
        (op(F, "search", field="action"), Operation(F, "search", field="action"), True),
        (op(F, field="action"), Operation(F, "x", field="action"), True),
    ],
)
def test_what_a_route_takes(match: OperationMatch, operation: Operation, taken: bool) -> None:
    ask = (match.kind, match.field)
    assert (met([route("r", match), REST], operation, ask=ask)[0] == "r") is taken


def test_a_trusted_action_is_a_condition_on_the_head() -> None:
    trusting = route("t", op(S, "urn:Get", trust_action=True))
    matcher = Matcher([trusting, REST])

    def by(*headers: tuple[bytes, bytes]) -> Any:
        return matcher.match(Head(path=b"/api", method="POST", headers=list(headers)))

    assert by((b"soapaction", b'"urn:Get"')) == "t"
    assert by((b"content-type", b'application/soap+xml; action="urn:Get"')) == "t"
    assert by((b"soapaction", b'""')) == "rest"
    assert by() == "rest"
    differing = (b"content-type", b"application/soap+xml; action=urn:Put")
    assert by((b"soapaction", b"urn:Get"), differing) == "rest"


TIES = [
    (op(G, "A"), op(G, "B"), False),
    (op(G, "A"), op(G, "A"), True),
    (op(G, "A"), op(G), False),
    (op(G), op(R), True),
    (op(G, "A", types=(OperationType.QUERY,)), op(G, "A", types=(OperationType.MUTATION,)), False),
    (op(G, fields=("a",)), op(G, fields=("b",)), False),
    (op(G, fields=("a",)), op(G, "A"), True),
    (op(G, hashes=("ab" * 32,)), op(G, "A"), False),
    (op(G, "A", hashes=("ab" * 32,)), op(G, "B", hashes=("ab" * 32,)), True),
    (op(S, "Get"), op(S, "{urn:a}Get"), True),
    (op(S, "{urn:b}Get"), op(S, "{urn:a}Get"), False),
    (op(S, "a"), op(S, "a", trust_action=True), True),
    (op(S, "a"), op(G, "a"), False),
    (op(R, "a"), op(G, "b"), True),
    (op(F, "a", field="x"), op(F, "b", field="x"), False),
    (op(F, "a", field="x"), op(F, "b", field="y"), True),
    (None, op(G, "A"), False),
]


@pytest.mark.parametrize(("one", "other", "tied"), TIES)
def test_ties_are_refused(
    one: OperationMatch | None, other: OperationMatch | None, tied: bool
) -> None:
    first, second = RouteMatch(path="/api", operation=one), RouteMatch(path="/api", operation=other)
    assert tie(first, second) is tie(second, first) is tied


def test_a_route_that_names_operations_comes_before_one_that_takes_any() -> None:
    """A route of the whole path has operations counted; single ones move from under it."""
    whole = route("whole", op(G))
    for routes in ([CART, whole, REST], [REST, whole, CART]):
        assert met(routes, query("GetCart")) == ("cart", "")
        assert met(routes, query("Other")) == ("whole", "")
        assert met(routes, query("GetCart"), query("Other")) == ("rest", "mixed")
    wide = RouteMatch(path="/api", operation=op(G), headers=(Condition(name="x"),))
    narrow = RouteMatch(path="/api", operation=op(G, "A"))
    assert not shadows(wide, narrow)


def test_a_route_that_takes_all_of_another_is_told_of() -> None:
    condition = Condition(name="x-a", kind=ConditionKind.ABSENT)
    wide = RouteMatch(path="/api", operation=op(G), headers=(condition,))
    narrow = RouteMatch(path="/api", operation=op(G, "A"))
    assert not shadows(wide, narrow)  # its condition may fail
    both = RouteMatch(path="/api", operation=op(G, "A"), headers=(condition,))
    assert not shadows(both, narrow)
    assert not shadows(RouteMatch(path="/api", headers=(condition,)), narrow)


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (op(G, "A", types=(OperationType.QUERY,)), ""),
        (op(S, "{urn:a}Get"), ""),
        (op(F, "a", field="action"), ""),
        (op(R, "a/b c"), ""),
        (op(G, "A", "A"), "operation_invalid"),
        (op(G, "a b"), "operation_invalid"),
        (op(G, hashes=("xyz",)), "operation_invalid"),
        (op(G, "A", field="x"), "operation_invalid"),
        (op(F, "a"), "operation_invalid"),
        (op(S, "{}Get"), "operation_invalid"),
        (op(S, types=(OperationType.QUERY,)), "operation_invalid"),
        (op(G, "A", trust_action=True), "operation_invalid"),
        (op(S, trust_action=True), "operation_invalid"),
        (op(G, types=(OperationType.SUBSCRIPTION,)), "operation_never"),
    ],
)
def test_findings(operation: OperationMatch, code: str) -> None:
    found = [finding.code for finding in validate(table(route("r", operation)))]
    assert found == ([code] if code else [])


def test_a_method_that_carries_no_operation_is_told_of() -> None:
    found = validate(table(route("r", op(S, "Get"), methods=("GET",))))
    assert [finding.code for finding in found] == ["operation_never"]


def test_it_is_written_and_read() -> None:
    whole = route("r", op(F, "a", field="action"))
    data = to_data(whole)
    assert data["match"]["operation"] == {"kind": "form", "names": ["a"], "field": "action"}
    assert from_data(Route, data) == whole
