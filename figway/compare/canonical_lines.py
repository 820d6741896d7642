"""Streams of JSON values and of events, as arrays: JSON Lines, JSON text sequences (RFC 7464),
server-sent events.
"""

from __future__ import annotations

from figway.compare.canonical_json import NotThisFormat, Value, parse_json


def parse_json_lines(text: str) -> Value:
    """One JSON value a line; empty lines say nothing.

    Raises:
        NotThisFormat: a line is not JSON.
        CompareError: `too_deep`.
    """
    return [parse_json(line) for line in text.split("\n") if line.strip()]


def parse_json_sequence(text: str) -> Value:
    """JSON values, each after a record separator.

    Raises:
        NotThisFormat: there is none, or a record is not JSON.
        CompareError: `too_deep`.
    """
    before, mark, rest = text.partition("\x1e")
    if before.strip() or not mark:
        raise NotThisFormat("not a JSON sequence: it begins with no record separator")
    return [parse_json(record) for record in rest.split("\x1e") if record.strip()]


def parse_events(text: str) -> Value:
    """Events in the order sent: their fields, with data as JSON where it is (WHATWG HTML 9.2.6)."""
    events: list[Value] = []
    for block in text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
        fields: dict[str, Value] = {}
        data: list[str] = []
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                data.append(value)
            elif name in ("event", "id", "retry"):
                fields[name] = value
        if data:
            fields["data"] = _data("\n".join(data))
        if fields:
            events.append(fields)
    return events


def _data(text: str) -> Value:
    if text[:1] in ("{", "["):
        try:
            return parse_json(text)
        except NotThisFormat:
            return text
    return text
