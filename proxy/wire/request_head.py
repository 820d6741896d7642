"""Writing a request head (RFC 9112, 3 and 5), with one join and a check against injection."""

from __future__ import annotations

from figway.message.http import Headers


class BadRequestHead(ValueError):
    """The head cannot be written without changing its meaning."""


def encode_request_head(
    method: str, target: bytes, headers: Headers, *, has_body: bool, content_length: int | None
) -> bytes:
    """The head as bytes; the framing field of the body, which `headers` must lack, comes last.

    Field names and values go out as they are. Raises `BadRequestHead` for a line break or NUL in
    any part, and for a space in the method or target.
    """
    lines = [b"%b %b HTTP/1.1" % (method.encode("latin-1"), target)]
    lines += [b": ".join(pair) for pair in headers]
    if has_body:
        if content_length is None:
            lines.append(b"Transfer-Encoding: chunked")
        else:
            lines.append(b"Content-Length: %d" % content_length)
    head = b"\r\n".join(lines)
    breaks = len(lines) - 1
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
        raise BadRequestHead("The request head holds a line break or NUL inside a field.")
    if lines[0].count(b" ") != 2:
        raise BadRequestHead("The method or target holds a space.")
    return head + b"\r\n\r\n"


def encode_section(
    method: str, target: bytes, section: bytes, *, has_body: bool, content_length: int | None
) -> bytes:
    """The same for a header section that is bytes already and known to be well-formed."""
    if not has_body:
        framing = b""
    elif content_length is None:
        framing = b"Transfer-Encoding: chunked\r\n"
    else:
        framing = b"Content-Length: %d\r\n" % content_length
    return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (method.encode("latin-1"), target, section, framing)
