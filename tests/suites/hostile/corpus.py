"""Requests and answers that two servers could read in two ways: a corpus of our own.

Written from RFC 9112 (2.2, 3.2, 5.1, 5.2, 6.1, 6.3, 7.1, 11.2) and the published classes of request
smuggling: CL.TE, TE.CL, TE.TE, CL.0, 0.CL, chunk extensions, chunk-size tricks, obs-fold, white
space and control characters, line ends, targets and hosts. Every request carries, somewhere in its
body or behind it, a request for `/smuggled`, so that a disagreement would show.
"""

from __future__ import annotations

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\nX-Inner: 1\r\n\r\n"
"""What an attacker hides. It must never start a request of its own at a backend, unless the client
sent it as one in every reading."""

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: a\r\n"


def _post(*lines: bytes, body: bytes = SMUGGLED) -> bytes:
    return POST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def _get(*lines: bytes, body: bytes = b"") -> bytes:
    return GET + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def _target(target: bytes, host: bytes = b"a") -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, host)


N = b"%d" % len(SMUGGLED)
TE = b"Transfer-Encoding: chunked"
CL = b"Content-Length: " + N
EMPTY = b"0\r\n\r\n"
WHOLE = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)

REFUSED: dict[str, bytes] = {
    # Content-Length with Transfer-Encoding (RFC 9112, 6.1 and 6.3)
    "CL.TE": _post(CL, TE, body=EMPTY + SMUGGLED),
    "TE.CL": _post(TE, b"Content-Length: 4", body=WHOLE),
    "CL 0 and TE": _post(b"Content-Length: 0", TE, body=WHOLE),
    "TE identity and CL": _post(b"Transfer-Encoding: identity", CL),
    "empty TE and CL": _post(b"Transfer-Encoding:", CL),
    # Two lengths, and lengths that are not plain numbers
    "two lengths": _post(CL, b"Content-Length: 0"),
    "two equal lengths": _post(CL, CL),
    "lengths in other case": _post(CL, b"content-length: 0"),
    "a list of lengths": _post(b"Content-Length: 0, " + N),
    "a list of equal lengths": _post(b"Content-Length: " + N + b", " + N),
    "a plus sign": _post(b"Content-Length: +" + N),
    "a minus sign": _post(b"Content-Length: -1"),
    "minus zero": _post(b"Content-Length: -0"),
    "an underscore in digits": _post(b"Content-Length: 1_0"),
    "a space in digits": _post(b"Content-Length: 1 0"),
    "a fraction": _post(b"Content-Length: 0.0"),
    "an exponent": _post(b"Content-Length: 1e1"),
    "hexadecimal": _post(b"Content-Length: 0x10"),
    "an empty length": _post(b"Content-Length:"),
    "a length of blanks": _post(b"Content-Length: \t "),
    "a huge length": _post(b"Content-Length: " + b"1" * 40),
    "a length of 2**64": _post(b"Content-Length: 18446744073709551616"),
    "a length of 2**64 plus": _post(b"Content-Length: 18446744073709551620"),
    "a comma behind": _post(b"Content-Length: " + N + b","),
    "a semicolon behind": _post(b"Content-Length: " + N + b";"),
    "quotes": _post(b'Content-Length: "' + N + b'"'),
    "superscript digits": _post(b"Content-Length: \xb2"),
    "arabic digits": _post("Content-Length: ٤".encode()),
    "a form feed before digits": _post(b"Content-Length: \x0c" + N),
    "NUL behind digits": _post(b"Content-Length: " + N + b"\0"),
    # Transfer-Encoding that one server knows and another does not
    "gzip": _post(b"Transfer-Encoding: gzip", body=WHOLE),
    "identity": _post(b"Transfer-Encoding: identity"),
    "gzip then chunked": _post(b"Transfer-Encoding: gzip, chunked", body=WHOLE),
    "chunked then gzip": _post(b"Transfer-Encoding: chunked, gzip", body=WHOLE),
    "chunked twice in one": _post(b"Transfer-Encoding: chunked, chunked", body=WHOLE),
    "chunked twice in two": _post(TE, TE, body=WHOLE),
    "chunked and identity": _post(TE, b"Transfer-Encoding: identity", body=WHOLE),
    "identity and chunked": _post(b"Transfer-Encoding: identity", TE, body=WHOLE),
    "a comma before": _post(b"Transfer-Encoding: ,chunked", body=WHOLE),
    "a comma behind chunked": _post(b"Transfer-Encoding: chunked,", body=WHOLE),
    "a parameter": _post(b"Transfer-Encoding: chunked;q=1", body=WHOLE),
    "quoted chunked": _post(b'Transfer-Encoding: "chunked"', body=WHOLE),
    "xchunked": _post(b"Transfer-Encoding: xchunked", body=WHOLE),
    "chunkedx": _post(b"Transfer-Encoding: chunkedx", body=WHOLE),
    "a vertical tab": _post(b"Transfer-Encoding: \x0bchunked", body=WHOLE),
    "a form feed": _post(b"Transfer-Encoding:\x0c chunked", body=WHOLE),
    "a backspace": _post(b"Transfer-Encoding: chunked\x08", body=WHOLE),
    "a no-break space": _post(b"Transfer-Encoding: \xa0chunked", body=WHOLE),
    "next line": _post(b"Transfer-Encoding: \x85chunked", body=WHOLE),
    "NUL in chunked": _post(b"Transfer-Encoding: chunked\0", body=WHOLE),
    "a bare CR behind chunked": _post(b"Transfer-Encoding: chunked\r", body=WHOLE),
    "a tab inside": _post(b"Transfer-Encoding: chu\tnked", body=WHOLE),
    "chunked in 1.0": b"POST / HTTP/1.0\r\nHost: a\r\n" + TE + b"\r\n\r\n" + WHOLE,
    "hidden behind a bare LF": _post(b"X: 1\n" + TE, body=WHOLE),
    "hidden behind a bare CR": _post(b"X: 1\r" + TE, body=WHOLE),
    # Names with white space and control characters
    "a space before the colon": _post(b"Transfer-Encoding : chunked", body=WHOLE),
    "a tab before the colon": _post(b"Content-Length\t: " + N),
    "a space in the name": _post(b"Content Length: " + N),
    "NUL in the name": _post(b"Content-Length\0: " + N),
    "a vertical tab in the name": _post(b"\x0bTransfer-Encoding: chunked", body=WHOLE),
    "a leading space": _post(b" " + TE, body=WHOLE),
    "a leading tab": _post(b"\t" + TE, body=WHOLE),
    "a leading space in the first line": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "a high byte in the name": _post(b"Content-Length\xff: " + N),
    "no name": _post(b": chunked"),
    "no colon": _post(b"Content-Length " + N),
    # Folding (RFC 9112, 5.2)
    "a folded coding": _post(b"Transfer-Encoding:\r\n chunked", body=WHOLE),
    "a folded length": _post(b"Content-Length:\r\n " + N),
    "folding adds a coding": _post(b"Transfer-Encoding: chunked\r\n , identity", body=WHOLE),
    "folding hides a header": _post(b"X: 1\r\n " + TE, body=WHOLE),
    "a line of one space": _post(b" ", CL),
    # Line ends
    "bare LF everywhere": (POST + TE + b"\r\n\r\n").replace(b"\r\n", b"\n") + WHOLE,
    "bare LF after the request line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare LF ends the head": POST + CL + b"\n\n" + SMUGGLED,
    "CR CR LF": _post(b"X: 1\r", CL),
    "LF CR": b"GET / HTTP/1.1\r\nHost: a\n\r\r\n\r\n",
    "NUL in a value": _get(b"X: a\0b"),
    "DEL in a value": _get(b"X: a\x7fb"),
    "escape in a value": _get(b"X: \x1b[0m"),
    # The request line
    "no version": b"GET /\r\nHost: a\r\n\r\n",
    "HTTP/0.9": b"GET /smuggled\r\n\r\n",
    "HTTP/1": b"GET / HTTP/1\r\nHost: a\r\n\r\n",
    "HTTP/1.10": b"GET / HTTP/1.10\r\nHost: a\r\n\r\n",
    "HTTP/01.1": b"GET / HTTP/01.1\r\nHost: a\r\n\r\n",
    "http in lower case": b"GET / http/1.1\r\nHost: a\r\n\r\n",
    "a space behind the version": b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "a tab before the version": b"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "a space in the target": _target(b"/a b"),
    "another request in the line": b"GET / HTTP/1.1 GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in the target": _target(b"/a\0b"),
    "CR in the target": _target(b"/a\rb"),
    "LF in the target": _target(b"/a\nb"),
    "no slash": _target(b"a"),
    "an unknown scheme": _target(b"ftp://a/"),
    "user information": _target(b"http://user@a/"),
    "an empty authority": _target(b"http:///x"),
    "a star with GET": _target(b"*"),
    "a bracket in the method": b"G[T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a colon in the method": b"GET: / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a leading space of the line": b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    # Host (RFC 9112, 3.2)
    "no host": b"GET / HTTP/1.1\r\nX: 1\r\n\r\n",
    "two hosts": _get(b"Host: b"),
    "two equal hosts": _get(b"Host: a"),
    "a list of hosts": b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "a path in the host": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "an at in the host": b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "a space in the host": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a bad port": b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
    "a hash in the host": b"GET / HTTP/1.1\r\nHost: a#b\r\n\r\n",
    "an absolute target and two hosts": b"GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
}
"""Never forwarded: a 4xx or 5xx, and the connection is closed."""

CHUNKS: dict[str, bytes] = {
    "no size": b"\r\n" + SMUGGLED,
    "a signed size": b"+5\r\nabcde\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nabcde\r\n0\r\n\r\n",
    "0x": b"0x5\r\nabcde\r\n0\r\n\r\n",
    "an underscore": b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n",
    "a leading space": b" 5\r\nabcde\r\n0\r\n\r\n",
    "a trailing space": b"5 \r\nabcde\r\n0\r\n\r\n",
    "a trailing tab": b"5\t\r\nabcde\r\n0\r\n\r\n",
    "not hexadecimal": b"5g\r\nabcde\r\n0\r\n\r\n",
    "2**64": b"10000000000000000\r\n" + SMUGGLED,
    "2**64 and five": b"10000000000000005\r\nabcde\r\n0\r\n\r\n",
    "a row of zeros": b"0" * 300 + b"5\r\nabcde\r\n0\r\n\r\n",
    "bare LF after the size": b"5\nabcde\r\n0\r\n\r\n",
    "bare CR after the size": b"5\rabcde\r\n0\r\n\r\n",
    "bare LF after the data": b"5\r\nabcde\n0\r\n\r\n",
    "bare CR after the data": b"5\r\nabcde\r0\r\n\r\n",
    "two bytes that are no CRLF": b"5\r\nabcdeXX0\r\n\r\n",
    "data longer than its size": b"5\r\nabcdef\r\n0\r\n\r\n",
    "data shorter than its size": b"5\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "bare LF in an extension": b"5;a\nb\r\nabcde\r\n0\r\n\r\n",
    "bare CR in an extension": b"5;a\rb\r\nabcde\r\n0\r\n\r\n",
    "NUL in an extension": b"5;a\0\r\nabcde\r\n0\r\n\r\n",
    "bare LF ends the last chunk": b"5\r\nabcde\r\n0\n\n" + SMUGGLED,
    "bare LF ends the trailers": b"5\r\nabcde\r\n0\r\n\n" + SMUGGLED,
    "a folded trailer": b"0\r\nX: 1\r\n 2\r\n\r\n",
    "a trailer that frames": b"0\r\nContent-Length: 5\r\n\r\n",
    "a trailer that codes": b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a trailer that routes": b"0\r\nHost: b\r\n\r\n",
    "a trailer with a space": b"0\r\nX : 1\r\n\r\n",
    "a trailer without colon": b"0\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    "an extension without end": b"5;" + b"a" * 400,
}
"""Bodies behind a chunked head that must never complete a request at a backend."""

ACCEPTED: dict[str, bytes] = {
    "plain": _get(),
    "a body": _post(CL),
    "a GET with a body": _get(CL, body=SMUGGLED),
    "chunked": _post(TE, body=WHOLE),
    "chunked in capitals": _post(b"TRANSFER-ENCODING: CHUNKED", body=WHOLE),
    "blanks around chunked": _post(b"Transfer-Encoding: \t chunked \t", body=WHOLE),
    "no blank after the colon": _post(b"Content-Length:" + N),
    "leading zeros": _post(b"Content-Length: 000" + N),
    "a length of zero": _post(b"Content-Length: 0", body=b""),
    "an extension": _post(TE, body=b'5;a="b"\r\nabcde\r\n0;last\r\n\r\n'),
    "trailers": _post(TE, body=b"5\r\nabcde\r\n0\r\nX-Sum: 1\r\n\r\n"),
    "capital digits": _post(TE, body=b"0000A\r\n0123456789\r\n0\r\n\r\n"),
    "empty lines before": b"\r\n\r\n" + _get(),
    "an absolute target": _target(b"http://a/x?y"),
    "an absolute target of another host": _target(b"http://b/x", b"a"),
    "a fragment in the target": _target(b"/a#b"),
    "an encoded slash": _target(b"/a%2Fb"),
    "encoded dots": _target(b"/a/%2e%2e/b"),
    "dot segments": _target(b"/a/../b"),
    "double slashes": _target(b"//a//b"),
    "a backslash": _target(b"/a\\b"),
    "an encoded NUL": _target(b"/a%00b"),
    "an encoded line break": _target(b"/a%0d%0aX:%201"),
    "a semicolon": _target(b"/a;b/../c"),
    "an upgrade to h2c": _get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c"),
    "Connection names framing": _post(CL, b"Connection: Content-Length"),
    "Connection names Host": _get(b"Connection: Host"),
    "underscores in a name": _post(CL, b"Content_Length: 0"),
    "Expect": _post(CL, b"Expect: 100-continue"),
    "pipelined": _get() + _get(),
    "a length in 1.0": b"POST / HTTP/1.0\r\nHost: a\r\n" + CL + b"\r\n\r\n" + SMUGGLED,
}
"""Unambiguous: may be forwarded, and then as what it is."""

_OK = b"HTTP/1.1 200 OK\r\n"
_POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"


def _answer(*lines: bytes, body: bytes = _POISON) -> bytes:
    return _OK + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


ANSWERS: dict[str, bytes] = {
    "CL and TE": _answer(b"Content-Length: 5", TE, body=EMPTY + _POISON),
    "TE and CL": _answer(TE, b"Content-Length: 5", body=EMPTY + _POISON),
    "two lengths": _answer(b"Content-Length: 5", b"Content-Length: 0"),
    "two equal lengths": _answer(b"Content-Length: 5", b"Content-Length: 5"),
    "a list of lengths": _answer(b"Content-Length: 5, 5"),
    "a signed length": _answer(b"Content-Length: +5"),
    "a negative length": _answer(b"Content-Length: -5"),
    "hexadecimal": _answer(b"Content-Length: 0x5"),
    "a huge length": _answer(b"Content-Length: " + b"9" * 40),
    "gzip coding": _answer(b"Transfer-Encoding: gzip"),
    "gzip, chunked": _answer(b"Transfer-Encoding: gzip, chunked", body=EMPTY + _POISON),
    "chunked twice": _answer(TE, TE, body=EMPTY + _POISON),
    "xchunked": _answer(b"Transfer-Encoding: xchunked", body=EMPTY + _POISON),
    "chunked in 1.0": b"HTTP/1.0 200 OK\r\n" + TE + b"\r\n\r\n" + EMPTY + _POISON,
    "a space before the colon": _answer(b"Content-Length : 5"),
    "a bare LF": _OK + b"X: 1\nContent-Length: 0\r\n\r\n" + _POISON,
    "a bare CR": _OK + b"X: 1\rContent-Length: 0\r\n\r\n" + _POISON,
    "NUL": _answer(b"X: a\0b", b"Content-Length: 0"),
    "bare LF ends the head": _OK + b"Content-Length: 0\n\n" + _POISON,
    "no colon": _answer(b"nonsense", b"Content-Length: 0"),
    "a line break in the reason": b"HTTP/1.1 200 O\nK\r\nContent-Length: 0\r\n\r\n" + _POISON,
    "a version that is none": b"HTTP/1.x 200 OK\r\nContent-Length: 0\r\n\r\n" + _POISON,
    "HTTP/2": b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n" + _POISON,
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n" + _POISON,
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n" + _POISON,
    "a status of letters": b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n" + _POISON,
    "101 unasked": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    + _POISON,
    "an endless run of 1xx": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 64,
    "HTTP/0.9": b"<html>hello</html>",
    "garbage": b"\x16\x03\x01\x00\xff" * 30,
    "bad chunk size": _answer(TE, body=b"xyz\r\n" + _POISON),
    "signed chunk size": _answer(TE, body=b"+5\r\nabcde\r\n" + EMPTY + _POISON),
    "overflowing chunk size": _answer(TE, body=b"10000000000000005\r\nabcde\r\n" + _POISON),
    "chunk longer than its size": _answer(TE, body=b"2\r\nabcde\r\n" + EMPTY),
    "bare LF after a chunk": _answer(TE, body=b"5\r\nabcde\n" + EMPTY + _POISON),
    "an answer behind the last chunk": _answer(TE, body=EMPTY + _POISON),
    "an answer behind the length": _answer(b"Content-Length: 2", body=b"ok" + _POISON),
    "an answer behind 204": b"HTTP/1.1 204 No Content\r\n\r\n" + _POISON,
    "an answer behind 304": b"HTTP/1.1 304 Not Modified\r\n\r\n" + _POISON,
    "204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\nPOISON" + _POISON,
    "trailers that frame": _answer(TE, body=b"0\r\nContent-Length: 6\r\n\r\n" + _POISON),
    "folded": _answer(b"X: 1\r\n Content-Length: 0", b"Content-Length: 2", body=b"ok"),
    "header injection in a value": _answer(b"X: a\r\nContent-Length: 2", body=b"ok" + _POISON),
    "a length of zeros": _answer(b"Content-Length: 000002", body=b"ok" + _POISON),
    "empty": b"",
    "only the status line": _OK,
}
"""Answers of a hostile backend. Whatever its client gets, the next client gets its own answer."""
