"""Faults told from failures: what a fault is, when it is rated, and when a side has failed."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from figway.compare.answer import Answer, Context
from figway.compare.faults import Fault, fault_of, says_no_fault
from figway.compare.verdict import compare
from figway.evidence.comparing import faults_of
from figway.model.backend import FallbackBudgetPolicy
from figway.model.operations import FaultKind, OperationKind, OperationMatch
from figway.model.table import BreakerPolicy, FallbackPolicy, Route, RouteMatch
from figway.model.words import Side
from figway.serving.attempts.breaker import Breaker, BreakerState
from figway.serving.attempts.budget import FallbackBudget
from figway.serving.attempts.exchange import Exchange
from figway.serving.attempts.failures import FailureKind, Sent

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
ALL = frozenset({FaultKind.SOAP, FaultKind.GRAPHQL, FaultKind.JSONRPC})


def xml(body: str, status: int = 500, namespace: str = SOAP11) -> Answer:
    text = f'<e:Envelope xmlns:e="{namespace}"><e:Body>{body}</e:Body></e:Envelope>'
    return Answer(status, ((b"Content-Type", b"text/xml; charset=utf-8"),), text.encode())


def soap(code: str, text: str = "unknown booking", status: int = 500) -> Answer:
    fault = f"<e:Fault><faultcode>e:{code}</faultcode><faultstring>{text}</faultstring></e:Fault>"
    return xml(fault, status)


def told(data: Any, status: int = 200) -> Answer:
    return Answer(status, ((b"Content-Type", b"application/json"),), json.dumps(data).encode())


def errors(code: str = "", text: str = "no") -> Answer:
    extensions = {"extensions": {"code": code}} if code else {}
    return told({"data": None, "errors": [{"message": text, **extensions}]})


def rpc(code: int, text: str = "no") -> Answer:
    return told({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": text}})


FINE = xml("<Booked/>", 200)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (soap("Client"), "soap Client"),
        (soap("Server.Database"), "soap Server.Database!"),
        (soap("Client", status=200), "soap Client"),
        (xml("<e:Fault><e:Code><e:Value>e:Receiver</e:Value><e:Subcode><e:Value>x</e:Value>"
             "</e:Subcode></e:Code></e:Fault>", namespace=SOAP12), "soap Receiver!"),
        (xml("<Fault><faultcode>Server</faultcode></Fault>"), None),
        (xml("<r><e:Fault><faultcode>Server</faultcode></e:Fault></r>"), None),
        (FINE, None),
        (Answer(500, ((b"Content-Type", b"text/xml"),), b"<Fault"), None),
        (errors("NOT_FOUND"), "graphql NOT_FOUND"),
        (errors("INTERNAL_SERVER_ERROR"), "graphql INTERNAL_SERVER_ERROR!"),
        (errors(), "graphql fault"),
        (told({"errors": []}), None),
        (told({"errors": {"name": "too long"}}), None),
        (rpc(-32602), "jsonrpc -32602"),
        (rpc(-32603), "jsonrpc -32603!"),
        (rpc(-32050), "jsonrpc -32050!"),
        (rpc(7), "jsonrpc 7"),
        (told({"error": "no"}), None),
        (told({"result": None, "error": {"code": -32603, "message": "a"}}), "jsonrpc -32603!"),
        (told({"result": 0, "error": {"code": 7, "message": "a"}}), None),
        (told([{"error": {"code": 7, "message": "a"}}, {"error": {"code": -32603, "message": ""}}]),
         "jsonrpc -32603!"),
        (told([1, {"jsonrpc": "2.0", "error": {"code": 7, "message": "a"}}]), "jsonrpc 7"),
        (Answer(failure="timeout"), None),
        (Answer(500, ((b"Content-Type", b"text/html"),), b"<h1>Fault</h1>"), None),
    ],
)  # fmt: skip
def test_what_is_a_fault(answer: Answer, expected: str | None) -> None:
    found = fault_of(answer, ALL)
    assert (found and f"{found}{'!' if found.server else ''}") == expected
    assert fault_of(answer, ()) is None
    assert found is None or not says_no_fault(answer)


def test_a_compressed_fault_and_a_hostile_one() -> None:
    plain = soap("Client")
    headers = (*plain.headers, (b"Content-Encoding", b"gzip"))
    coded = Answer(500, headers, gzip.compress(plain.body))
    assert fault_of(coded, ALL) == Fault(FaultKind.SOAP, "Client", False)
    laughs = b'<!DOCTYPE x [<!ENTITY a "Fault">]>' + plain.body
    assert fault_of(Answer(500, plain.headers, laughs), ALL) is None
    deep = b"<Fault>" * 100_000
    assert fault_of(Answer(500, plain.headers, deep), ALL) is None
    nested = b'{"error": ' + b"[" * 100_000
    assert fault_of(Answer(200, ((b"Content-Type", b"application/json"),), nested), ALL) is None


def verdict(legacy: Answer, new: Answer, faults: frozenset[FaultKind] = ALL) -> tuple[str, str]:
    found = compare(legacy, new, (), Context(faults=faults))
    return found.verdict, found.reason


@pytest.mark.parametrize(
    "make", [soap, lambda text: errors("NOT_FOUND", text), lambda t: rpc(7, t)]
)
def test_the_same_fault_on_both_sides_agrees_and_another_text_does_not(make: Any) -> None:
    one, other = ("Client",) * 2 if make is soap else ("a", "b")
    assert verdict(make(one), make(one))[0] == "match"
    if make is soap:
        assert verdict(soap("Client", "a"), soap("Client", "b"))[0] == "mismatch"
    else:
        assert verdict(make(one), make(other))[0] == "mismatch"


@pytest.mark.parametrize(
    ("server", "fine"),
    [(soap("Server"), FINE), (errors("INTERNAL_SERVER_ERROR"), told({"data": 1})),
     (rpc(-32603), told({"jsonrpc": "2.0", "result": 1}))],
)  # fmt: skip
def test_a_servers_fault_on_one_side_alone_is_a_failure(server: Answer, fine: Answer) -> None:
    assert verdict(fine, server)[0] == "new_failed"
    assert verdict(server, fine)[0] == "legacy_failed"
    assert verdict(server, server)[0] == "match"
    assert verdict(fine, server)[1].startswith("fault ")


def test_a_clients_fault_on_one_side_alone_is_a_difference() -> None:
    assert verdict(FINE, soap("Client"))[0] == "mismatch"
    assert verdict(soap("Client"), soap("Server"))[0] == "new_failed"


def test_a_500_without_a_fault_fails_as_before() -> None:
    page = Answer(500, ((b"Content-Type", b"text/html"),), b"<h1>oops</h1>")
    assert verdict(page, page)[0] == "both_failed"
    assert verdict(soap("Client"), page)[0] == "new_failed"
    assert verdict(soap("Client"), soap("Client"), frozenset())[0] == "both_failed"
    assert verdict(soap("Client"), Answer(failure="timeout")) == ("new_failed", "timeout")


def test_which_faults_a_route_has() -> None:
    def kinds(faults: FaultKind, operation: OperationMatch | None = None) -> frozenset[FaultKind]:
        return faults_of(
            Route(id="r", match=RouteMatch(path="/", operation=operation), faults=faults)
        )

    assert kinds(FaultKind.AUTO) == {FaultKind.SOAP, FaultKind.JSONRPC}
    graphql = OperationMatch(kind=OperationKind.GRAPHQL)
    assert kinds(FaultKind.AUTO, graphql) == {FaultKind.GRAPHQL}
    assert kinds(FaultKind.GRAPHQL) == {FaultKind.GRAPHQL}
    assert kinds(FaultKind.NONE) == faults_of(None) == frozenset()


def attempt(breaker: Breaker, now: int, status: int = 0) -> None:
    budget = FallbackBudget(FallbackBudgetPolicy())
    exchange = Exchange(FallbackPolicy(), Side.NEW, "POST", now, breaker=breaker, budget=budget)
    exchange.start(now)
    if status:
        exchange.response_head(status, now)
    else:
        exchange.failed(FailureKind.TIMEOUT, Sent.SOME, now)


@pytest.mark.parametrize(("healthy", "state"), [((500,), "closed"), ((), "open")])
def test_a_service_with_faults_keeps_its_breaker_closed(
    healthy: tuple[int, ...], state: str
) -> None:
    """30 % and 60 % of faults are answers; without the word they are failures."""
    for percent in (30, 60):
        breaker = Breaker(BreakerPolicy(healthy_statuses=healthy))
        for at in range(200):
            attempt(breaker, at * 10, 500 if at % 100 < percent else 200)
        if percent == 60:
            assert breaker.state == BreakerState(state)
        else:
            assert healthy == () or breaker.state is BreakerState.CLOSED


def test_a_time_out_and_another_status_still_count() -> None:
    for status in (0, 503):
        breaker = Breaker(BreakerPolicy(healthy_statuses=(500,)))
        for at in range(30):
            attempt(breaker, at * 10, status)
        assert breaker.state is not BreakerState.CLOSED


def test_only_what_is_read_as_it_is_surely_says_no_fault() -> None:
    packed = soap("Client")
    coded = (*packed.headers, (b"Content-Encoding", b"gzip"))
    assert says_no_fault(FINE)
    assert not says_no_fault(packed)
    assert not says_no_fault(errors())
    assert not says_no_fault(Answer(500, coded, gzip.compress(packed.body)))
    named = (*FINE.headers, ("content-encoding", "gzip"))
    assert not says_no_fault(Answer(200, named, FINE.body))
