"""An HTTP message as a part of another body (RFC 9112, 10.2), as OData and Google batch answers it.

Its status, its headers by the list and the readers of answers, its body by its own media type.
"""

from __future__ import annotations

import re

from figway.compare.canonical.json import NotThisFormat, Value
from figway.compare.canonical.multipart import ReadPart, described, headed
from figway.compare.decode import MediaType
from figway.compare.headers.not_compared import compared_names

MEDIA_TYPE = "application/http"
_STATUS = re.compile(rb"HTTP/[0-9.]{1,5} +([0-9]{3})(?: [^\r\n]*)?\Z")


def parse_http(message: bytes, read_body: ReadPart) -> Value:
    """An answer: `status`, `header:NAME`, `body`; of a request, `request` is its first line.

    Raises:
        NotThisFormat: it has no start line.
        CompareError: of reading the body.
    """
    line, _, rest = message.lstrip(b"\r\n").partition(b"\n")
    first = line.rstrip(b"\r")
    if b" " not in first:
        raise NotThisFormat("not an HTTP message: it has no start line")
    answer = _STATUS.match(first)
    status = int(answer[1]) if answer else 0
    found: dict[str, Value] = (
        {"status": status} if answer else {"request": first.decode("utf-8", "backslashreplace")}
    )
    headers, body = headed(rest)
    kept = compared_names(headers, wanted=(), connection=(), status=status)
    found |= described({name: headers[name] for name in kept})
    if body:
        found["body"] = read_body(body, MediaType.parse(headers.get("content-type", [""])[-1]))
    return found
