"""Operations are counted by name, within bounds, and without a word of the body."""

from __future__ import annotations

import pytest

from figway.model.operations import OperationKind
from figway.operation.label import HIDDEN, OTHER
from figway.operation.operation import Operation
from proxy.loop.operation_counts import MOST_CODES, MOST_ROWS, OperationCounts
from proxy.loop.record import RequestRecord

GET = Operation(OperationKind.SOAP, "{urn:shop}Get")


def record(status: int = 200, side: str = "legacy", **fields: str) -> RequestRecord:
    made = RequestRecord(route="soap", side=side, backend="b", status=status, head_us=50)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_requests_failures_and_time_by_name() -> None:
    counts = OperationCounts()
    counts.count(record(), "/ws", (GET, GET))
    counts.count(record(503), "/ws", (GET,))
    counts.count(record(unread="malformed"), "/ws", ())
    first, unread = counts.take()
    assert first == {
        "place": "/ws", "kind": "soap", "field": "", "type": "", "name": "{urn:shop}Get",
        "route": "soap", "side": "legacy", "requests": 2, "errors": 1, "faults": 0, "head_us": 100,
    }  # fmt: skip
    assert (unread["kind"], unread["name"], unread["requests"]) == ("unread", "malformed", 1)
    assert counts.take() == []


FAULTS = {
    "a server's fault within a 200 is a failure": (200, True, 1, {"failed": 1}),
    "a client's fault within a 200 is none": (200, False, 0, {}),
    "a server's fault of status 500 is one as it is": (500, True, 1, {}),
    "a client's fault of status 500 is none": (500, False, 0, {"answered": 1}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_from_a_failure(name: str) -> None:
    status, blamed, errors, faulted = FAULTS[name]
    counts = OperationCounts()
    counts.count(record(status, "new"), "/ws", (GET,), "soap X", blamed=blamed)
    [row] = counts.take()
    assert (row["errors"], row["faults"]) == (errors, 1)
    [series] = counts.take_faults()
    assert series["faults"] == {"soap X": 1}
    assert series.get("faulted", {}) == faulted
    assert counts.take_faults() == []


def test_a_flood_of_names_keeps_the_sum_and_the_bound() -> None:
    counts = OperationCounts()
    for number in range(MOST_ROWS + 500):
        counts.count(record(), "/rpc", (Operation(OperationKind.JSONRPC, f"m{number}"),))
    rows = counts.take()
    assert len(rows) == MOST_ROWS + 1
    assert sum(row["requests"] for row in rows) == MOST_ROWS + 500
    assert [row["requests"] for row in rows if row["name"] == OTHER] == [500]


def test_a_flood_of_codes_keeps_the_sum_and_the_bound() -> None:
    counts = OperationCounts()
    for number in range(MOST_CODES + 20):
        counts.count(record(), "/rpc", (GET,), f"jsonrpc {number}")
    [series] = counts.take_faults()
    assert len(series["faults"]) == MOST_CODES + 1
    assert series["faults"]["(more)"] == 20


@pytest.mark.parametrize(
    "name", ["ann@example.org", "4111 1111 1111 1111", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
             "k9Xq3mZ7vB2nL5pR8tW1"]
)  # fmt: skip
def test_what_a_client_may_have_put_there_by_mistake_is_not_kept(name: str) -> None:
    counts = OperationCounts()
    counts.count(record(), "/cgi", (Operation(OperationKind.FORM, name, field="action"),))
    [row] = counts.take()
    assert row["name"] == HIDDEN
    assert name not in str(row)


def test_two_counts_add_up() -> None:
    one, other = OperationCounts(), OperationCounts()
    for counts in (one, other):
        counts.count(record(), "/ws", (GET,))
    one.merge(other.take())
    [row] = one.to_data()
    assert (row["requests"], row["head_us"]) == (2, 100)
