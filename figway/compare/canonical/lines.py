"""Streams of JSON values and of events, as arrays: JSON Lines, JSON text sequences (RFC 7464),
server-sent events.
"""

from __future__ import annotations

from figway.compare.canonical.json import NotThisFormat, Value, parse_json


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
    """Events in the order sent, as a browser dispatches them (WHATWG HTML 9.2.6).

    A block without data is none, and so is the last one without an empty line after it. An event
    keeps the last id that was told, and is of type `message` where none is named. `retry` is its
    own entry. Data are JSON where they can be.
    """
    events: list[Value] = []
    last_id = ""
    blocks = text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n")
    for block in blocks[:-1]:
        kind, data = "", []
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                data.append(value)
            elif name == "event":
                kind = value
            elif name == "id" and "\0" not in value:
                last_id = value
            elif name == "retry" and value.isascii() and value.isdigit():
                events.append({"retry": int(value)})
        if data:
            events.append(_event(kind, last_id, "\n".join(data)))
    return events


def _event(kind: str, last_id: str, data: str) -> Value:
    event: dict[str, Value] = {"data": _data(data)}
    if kind and kind != "message":
        event["event"] = kind
    if last_id:
        event["id"] = last_id
    return event


def _data(text: str) -> Value:
    if text[:1] in ("{", "["):
        try:
            return parse_json(text)
        except NotThisFormat:
            return text
    return text
