"""Which response headers are not compared, and why: the list that pages and the manual show.

Everything else that is end-to-end is compared. A route may have any of these compared as well, by
naming it among its `headers`.
"""

from __future__ import annotations

from collections.abc import Collection

NOT_COMPARED: dict[str, tuple[str, ...]] = {
    "It tells when this one answer was made": ("date", "age"),
    "It tells how long this one answer took": ("server-timing", "x-response-time", "x-runtime"),
    "It names the server or proxy that answered": ("server", "via"),
    "It names this one request": (
        *("x-request-id", "request-id", "x-correlation-id", "correlation-id", "x-trace-id"),
        *("traceparent", "tracestate", "traceresponse", "b3", "x-b3-traceid", "x-b3-spanid"),
        *("x-b3-parentspanid", "x-b3-sampled", "uber-trace-id", "sentry-trace", "baggage"),
        *("x-amzn-trace-id", "x-amzn-requestid", "x-amz-request-id", "x-amz-id-2"),
        *("x-amz-apigw-id", "apigw-requestid", "x-amz-cf-id", "x-amz-cf-pop", "cf-ray"),
        *("x-cloud-trace-context", "x-datadog-trace-id", "x-datadog-parent-id", "x-varnish"),
    ),
    "It belongs to one connection (RFC 9110 section 7.6.1)": (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te"),
        *("transfer-encoding", "upgrade"),
    ),
    "It frames the body, which is compared decoded": ("content-encoding", "content-length"),
    "It names the build of a Lambda function": ("x-amz-executed-version",),
    "Figway adds it": ("figway-hop", "figway-shadow", "figway-side"),
}
"""Lower-case names by the reason that they are not compared for."""

LEFT_OUT = frozenset(name for names in NOT_COMPARED.values() for name in names)
"""All of these names."""
_DECODING = frozenset({"content-encoding"})
SAYS_NOTHING = frozenset(name.encode() for name in LEFT_OUT - _DECODING)
"""Those that say nothing of the body either."""
OWN_COOKIES = frozenset({"figway_id"})
"""Cookies that the facade sets, and not a backend."""
# Of a 304 they are those of the 200 that it stands for, and a server may leave them out
# (RFC 9110 section 15.4.5).
_NOT_OF_304 = frozenset(
    (
        *("content-type", "content-language", "content-disposition", "accept-ranges"),
        *("content-range", "content-digest", "repr-digest", "digest", "content-md5"),
    )
)


def compared_names(
    present: Collection[str], *, wanted: Collection[str], connection: Collection[str], status: int
) -> list[str]:
    """Of the header names `present` on either side, those to compare, sorted.

    `wanted` are compared all the same; `connection` are those that a Connection header names.
    """
    left_out = LEFT_OUT | _NOT_OF_304 if status == 304 else LEFT_OUT
    return sorted(
        name
        for name in present
        if name in wanted or (name not in left_out and name not in connection)
    )
