"""Signatures of AWS's own published examples, and of its own signer.

Sources: AWS, Signature Version 4 test suite (get-vanilla and its neighbours); Amazon S3 API
reference, "Signature calculations for the Authorization header: examples".
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.wire.sigv4 import (
    NAMES_OBJECTS,
    UNSIGNED_PAYLOAD,
    Credentials,
    canonical_query,
    object_path,
    sign,
)

SUITE = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
S3 = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
BUCKET = (b"Host", b"examplebucket.s3.amazonaws.com")


def signature(fields: list[tuple[bytes, bytes]]) -> str:
    return dict(fields)[b"Authorization"].decode().rpartition("Signature=")[2]


def of_suite(method: str, path: str, query: str = "", headers: Any = (), body: bytes = b"") -> str:
    added = sign(
        SUITE,
        method=method,
        path=path,
        query=canonical_query(query),
        headers=[(b"Host", b"example.amazonaws.com"), *headers],
        body=body,
        region="us-east-1",
        service="service",
        amz_date="20150830T123600Z",
    )
    return signature(added)


VANILLA = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
POSTED = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"


@pytest.mark.parametrize(
    "path", ["/", "/.", "/./", "//", "/example/..", "/example1/example2/../.."]
)
def test_paths_of_the_suite_are_normalised(path: str) -> None:
    """get-vanilla, get-slash, get-slash-dot-slash, get-relative, get-relative-relative."""
    assert of_suite("GET", path) == VANILLA


def test_post_vanilla() -> None:
    assert of_suite("POST", "/") == POSTED


def test_query_order_of_the_suite() -> None:
    """get-vanilla-query-order-key-case."""
    expected = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
    assert of_suite("GET", "/", "Param2=value2&Param1=value1") == expected


def of_s3(method: str, path: str, query: str, extra: Any, payload: str) -> str:
    hashed = (b"x-amz-content-sha256", payload.encode())
    added = sign(
        S3,
        method=method,
        path=path,
        query=canonical_query(query),
        headers=[BUCKET, *extra, hashed],
        body=b"",
        region="us-east-1",
        service="s3",
        amz_date="20130524T000000Z",
        payload=payload,
    )
    return signature(added)


def test_the_examples_of_s3() -> None:
    """GET object, PUT object, GET bucket lifecycle, list objects."""
    ranged = [(b"range", b"bytes=0-9")]
    assert (
        of_s3("GET", "/test.txt", "", ranged, EMPTY)
        == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )
    put = [
        (b"date", b"Fri, 24 May 2013 00:00:00 GMT"),
        (b"x-amz-storage-class", b"REDUCED_REDUNDANCY"),
    ]
    body = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
    assert (
        of_s3("PUT", "/test$file.text", "", put, body)
        == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    )
    assert (
        of_s3("GET", "/", "lifecycle", [], EMPTY)
        == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    )
    assert (
        of_s3("GET", "/", "max-keys=2&prefix=J", [], EMPTY)
        == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


def by_botocore(service: str, path: str, query: str, payload: str) -> str:
    """The signature of AWS's own signer for the same request."""
    base: Any = S3SigV4Auth if service in NAMES_OBJECTS else SigV4Auth

    class Fixed(base):
        def payload(self, request: Any) -> str:
            return payload

    url = f"https://host.example{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method="GET", url=url)
    request.context["timestamp"] = "20150830T123600Z"
    request.headers["X-Amz-Date"] = "20150830T123600Z"
    request.headers["X-Amz-Content-Sha256"] = payload
    auth = Fixed(BotoCredentials(SUITE.access_key, SUITE.secret_key), service, "eu-west-1")
    return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)


@pytest.mark.parametrize("service", ["s3", "execute-api", "es", "aoss", "lambda"])
@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/a/b.txt", ""),
        ("/a%20b/%C3%A9", "x=%20y&a=1"),
        ("/a~b-c_d.e", "prefix=J&max-keys=2"),
        ("/stage/orders/7", "b=2&a=1&a=0"),
    ],
)
def test_signatures_are_those_of_awss_own_signer(service: str, path: str, query: str) -> None:
    added = sign(
        SUITE,
        method="GET",
        path=path,
        query=canonical_query(query),
        headers=[(b"Host", b"host.example"), (b"X-Amz-Content-Sha256", EMPTY.encode())],
        body=b"",
        region="eu-west-1",
        service=service,
        amz_date="20150830T123600Z",
    )
    assert signature(added) == by_botocore(service, path, query, EMPTY)


@pytest.mark.parametrize(
    "path", ["/b//a", "/b/../a", "/b/./a", "/a%2Bb%25%3F%23", "/%E2%98%83/%C3%A9", "/b/%2e%2e/a"]
)
def test_keys_of_a_bucket_are_signed_as_they_are_named(path: str) -> None:
    """A key may hold anything: no segment of it means "up", and no slash is one too many."""
    added = sign(
        SUITE,
        method="GET",
        path=path,
        query="",
        headers=[(b"Host", b"host.example"), (b"X-Amz-Content-Sha256", EMPTY.encode())],
        body=b"",
        region="eu-west-1",
        service="s3",
        amz_date="20150830T123600Z",
    )
    named = path.replace("%2e", ".")  # what needs no escape is signed without one
    assert signature(added) == by_botocore("s3", named, "", EMPTY)


_PIECES = st.sampled_from(
    [
        "/",
        ".",
        "..",
        "a",
        "%2F",
        "%2f",
        "%2e",
        "%25",
        "%20",
        "+",
        "(",
        "=",
        "~",
        "%7E",
        "%C3%A9",
        "%",
    ]
)
_PATHS = st.lists(_PIECES, max_size=10).map(lambda pieces: "/" + "".join(pieces))


@given(path=_PATHS, service=st.sampled_from([*sorted(NAMES_OBJECTS), "execute-api", "lambda"]))
@example(path="/a%2Fb", service="s3")
@example(path="/a(1)=b+c.txt", service="s3")
@example(path="/a%2Fb/../c//", service="execute-api")
def test_any_path_is_signed_as_awss_own_signer_signs_what_is_sent(path: str, service: str) -> None:
    """S3 gets its paths in one spelling, encoded once; other services what came, encoded twice."""
    sent = object_path(path) if service in NAMES_OBJECTS else path
    added = sign(
        SUITE,
        method="GET",
        path=path,
        query="",
        headers=[(b"Host", b"host.example"), (b"X-Amz-Content-Sha256", EMPTY.encode())],
        body=b"",
        region="eu-west-1",
        service=service,
        amz_date="20150830T123600Z",
    )
    assert signature(added) == by_botocore(service, sent, "", EMPTY)


def test_an_unsigned_body_is_said_so() -> None:
    signed = of_s3("PUT", "/a", "", [], UNSIGNED_PAYLOAD)
    assert signed != of_s3("PUT", "/a", "", [], EMPTY)
