"""`python -m proxy.processes.look URL`: what the facade would make of legacy's answers.

Asks for a few answers with safe methods, over plain sockets, and reads them as the facade does:
what it would mend, what it would refuse, and what else an operator should know beforehand. Writes
one JSON object an answer. Nothing is started and nothing is kept.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
from typing import Any, Final
from urllib.parse import urlsplit

from proxy.upstreams.logins import is_challenge
from proxy.wire.chunked import BadChunk, ChunkedReader
from proxy.wire.message import ResponseHead
from proxy.wire.odd_head import CHUNK_LINE, BadResponse
from proxy.wire.response_head import CHUNKED, MAX_HEAD, UNTIL_CLOSE, parse_response_head

SAMPLE: Final = (("GET", "/"), ("HEAD", "/"), ("GET", "/figway-dry-look"), ("OPTIONS", "/"))
"""Safe requests; the third is for a page that is not there."""
MAX_BODY: Final = 1 << 20
"""Bytes of a body that are read."""
PATIENCE_S: Final = 10.0


def look(url: str) -> list[dict[str, Any]]:
    """Ask for the sample. Raises OSError where nothing can be asked."""
    return [{"method": method, "target": target, **_ask(url, method, target)}
            for method, target in SAMPLE]  # fmt: skip


def _ask(url: str, method: str, target: str) -> dict[str, Any]:
    parts = urlsplit(url)
    host, tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    prefix = parts.path.rstrip("/")
    head = f"{method} {prefix}{target} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\n"
    fields = "Accept: */*\r\nX-Forwarded-Proto: http\r\nConnection: close\r\n\r\n"
    with socket.create_connection((host, port), timeout=PATIENCE_S) as plain:
        sock = (
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) if tls else plain
        )
        with sock:
            sock.sendall((head + fields).encode("latin-1"))
            try:
                return read(sock, method)
            except (BadResponse, BadChunk) as error:
                return {"refused": str(error)}
            except TimeoutError:
                return {"notes": [f"No whole answer within {PATIENCE_S:g} s."]}


def read(sock: socket.socket, method: str) -> dict[str, Any]:
    """Read one answer as the facade does. Raises `BadResponse` or `BadChunk` where it would refuse
    it, OSError for a connection that broke."""
    data = b""
    while True:
        parsed = parse_response_head(data, to_head=method == "HEAD") if data else None
        if parsed is not None and parsed.head.status >= 200:
            break
        if parsed is not None:
            data = data[parsed.body_at :]
            continue
        piece = sock.recv(65_536)
        if not piece:
            raise BadResponse("The connection ended before the response head.")
        data += piece
        if len(data) > 2 * MAX_HEAD:
            raise BadResponse("The response head is too large.")
    odd = list(parsed.odd)
    if _body(sock, data[parsed.body_at :], parsed.length):
        odd.append(CHUNK_LINE)
    found: dict[str, Any] = {"status": parsed.head.status, "mended": odd}
    return found | {"notes": _notes(parsed.head)}


def _body(sock: socket.socket, data: bytes, length: int) -> bool:
    """Read a body to its end; whether its chunked coding was odd."""
    chunks = ChunkedReader(lenient=True)
    total = 0
    while True:
        total += len(data)
        if length == CHUNKED:
            chunks.feed(data)
            while chunks.more:
                chunks.feed(b"")
            if chunks.done:
                return chunks.odd
        elif length >= 0 and total >= length:
            if total > length:
                raise BadResponse("The answer is longer than its Content-Length.")
            return False
        if total > MAX_BODY:
            return chunks.odd
        data = sock.recv(65_536)
        if not data:
            if length == UNTIL_CLOSE:
                return False
            raise BadResponse("The answer is shorter than it says.")


def _notes(head: ResponseHead) -> list[str]:
    notes = []
    if head.status in (401, 407) and is_challenge(head.headers):
        notes.append(
            "Logs connections in (NTLM, Negotiate): a client gets backend connections of its own."
        )
    if head.status // 100 == 3:
        places = [value for name, value in head.headers if name.lower() == b"location"]
        if any(place.lower().startswith(b"https://") for place in places):
            notes.append(
                "Redirects to https: name the TLS proxy in front in FIGWAY_TRUSTED_PROXIES."
            )
    return notes


def main() -> int:
    """Look at the URL of the command line; 0 when answers were read, 1 when nothing answers."""
    try:
        for found in look(sys.argv[1]):
            sys.stdout.write(json.dumps(found) + "\n")
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
