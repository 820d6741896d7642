"""Our signatures are those that AWS published."""

from __future__ import annotations

import pytest

from figway.message.http import Headers
from proxy.wire.sigv4 import Credentials, sign, signing_key

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEYS = Credentials("AKIDEXAMPLE", SECRET)
HOST: Headers = [(b"Host", b"example.amazonaws.com")]


def signature(method: str, query: str = "", headers: Headers = HOST, path: str = "/") -> str:
    added = sign(
        KEYS,
        method=method,
        path=path,
        query=query,
        headers=headers,
        body=b"",
        region="us-east-1",
        service="service",
        amz_date="20150830T123600Z",
    )
    return dict(added)[b"Authorization"].decode().rpartition("Signature=")[2]


@pytest.mark.parametrize(
    ("method", "query", "expected"),
    [
        ("GET", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "GET",
            "Param1=value1&Param2=value2",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ],
    ids=["get-vanilla", "post-vanilla", "get-vanilla-query-order-key-case"],
)
def test_the_published_suite(method: str, query: str, expected: str) -> None:
    """AWS Signature Version 4 test suite, by the names of its cases."""
    assert signature(method, query) == expected


def test_the_published_example_of_the_manual() -> None:
    """IAM ListUsers, from "Create a signed AWS API request"."""
    added = sign(
        Credentials("AKIDEXAMPLE", SECRET),
        method="GET",
        path="/",
        query="Action=ListUsers&Version=2010-05-08",
        headers=[
            (b"Content-Type", b"application/x-www-form-urlencoded; charset=utf-8"),
            (b"Host", b"iam.amazonaws.com"),
        ],
        body=b"",
        region="us-east-1",
        service="iam",
        amz_date="20150830T123600Z",
    )
    authorization = dict(added)[b"Authorization"].decode()
    assert authorization.endswith(
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )
    key = signing_key(SECRET, "20150830", "us-east-1", "iam")
    assert key.hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"


def test_every_part_is_signed() -> None:
    base = signature("GET")
    assert signature("GET", path="/a%2Fb") != signature("GET", path="/a/b")
    assert signature("GET", headers=[*HOST, (b"X", b"1")]) != base
    assert signature("GET", "a=1") != base


def test_secrets_do_not_show() -> None:
    assert "wJalr" not in repr(Credentials("AKID", SECRET, "token"))
    assert "token" not in repr(Credentials("AKID", SECRET, "token"))
