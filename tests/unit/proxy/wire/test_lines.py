"""Header lines that are known: which are kept, and that they stay few."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxy.wire.client_head import parse
from proxy.wire.lines import KNOWN, MAX_KNOWN, read


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    KNOWN.clear()
    yield
    KNOWN.clear()


def test_what_browsers_repeat_is_kept_and_means_the_same() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\nX-Own: c\r\n\r\n"
    first, second = parse(head), parse(head)
    assert set(KNOWN) == {b"Host: a", b"User-Agent: b"}
    assert first.headers == second.headers
    assert first.carried == second.carried == b"User-Agent: b\r\nX-Own: c\r\n"
    assert first.host == second.host == b"a"


@pytest.mark.parametrize(
    "line",
    [
        b"Cookie: session=7",
        b"Authorization: Bearer 7",
        b"Proxy-Authorization: Basic 7",
        b"Idempotency-Key: 7",
        b"X-Api-Key: 7",
        b"Referer: https://a/?token=7",
        b"traceparent: 00-7-7-01",
    ],
)
def test_no_secret_is_kept(line: bytes) -> None:
    """Nor what differs with every request."""
    assert read(line) is not None
    assert not KNOWN


def test_a_client_that_varies_its_lines_fills_nothing() -> None:
    """What is kept is bounded, in number and in size."""
    for number in range(3 * MAX_KNOWN):
        assert read(b"User-Agent: %d" % number) is not None
        assert len(KNOWN) <= MAX_KNOWN
    KNOWN.clear()
    assert read(b"User-Agent: " + b"x" * 600) is not None
    assert not KNOWN


@pytest.mark.parametrize(
    "line", [b"", b"a", b"a:b", b"a:  b", b"a: b ", b"a: ", b"a : b", b"a: \tb", b"a: \n", b"a: \0"]
)
def test_the_rest_is_for_the_other_reader(line: bytes) -> None:
    assert read(line) is None
