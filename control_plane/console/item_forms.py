"""Forms of backends, capabilities and routes: the fields that most of them need, the rest as YAML.

A form holds an item whole: what has no field of its own stands in the text below, so that nothing
is lost by opening and saving. Stage and weight of a route are in neither; a flip moves them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from control_plane.console.formats import points
from control_plane.http.problems import invalid
from control_plane.tables.documents import read_part, written_part
from figway.model.backend import Backend, BackendKind, HostPolicy, WorkflowMode
from figway.model.change import Kind
from figway.model.codec import CodecError, Item, from_data, to_data
from figway.model.share import share
from figway.model.table import Capability, Route, RouteMatch, SameSite, Stage, Table
from figway.model.words import Side

REST = "rest"
"""Name of the text that holds every other field."""
_NOT_HERE = ("id", "stage", "weight", "evidence_since")
_NAMED = "it has a field of its own above; change it there"
_MOVED = "a flip moves it: save the route, then flip it on its page"
_HIDDEN = {"id": _NAMED, "stage": _MOVED, "weight": _MOVED}


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a form. `name` is its place in the item, `kinds` the backends that have it."""

    name: str
    label: str
    shape: str = "text"
    """text, number, share, flag, choice, words (by line, comma or space), or keys (a line each)."""
    hint: str = ""
    choices: tuple[str, ...] = ()
    kinds: tuple[BackendKind, ...] = ()


@dataclass(frozen=True, slots=True)
class FormGroup:
    """Fields under one heading."""

    title: str
    fields: tuple[FormField, ...]


_HTTP, _LAMBDA = (BackendKind.HTTP,), (BackendKind.LAMBDA,)
_QUEUE, _EVENTS = (BackendKind.QUEUE,), (BackendKind.EVENTS,)
_WORKFLOW = (BackendKind.WORKFLOW,)
_LATER = (*_QUEUE, *_EVENTS, *_WORKFLOW)
_AWS = (*_LAMBDA, *_LATER)


def _values(words: Iterable[StrEnum]) -> tuple[str, ...]:
    return tuple(word.value for word in words)


_BACKEND = (
    FormGroup(
        "What it is",
        (
            FormField("side", "Side", "choice", choices=_values(reversed(Side))),
            FormField("kind", "Kind", "choice", choices=_values(BackendKind)),
            FormField("description", "For people"),
        ),
    ),
    FormGroup(
        "Where it is",
        (
            FormField(
                "url",
                "URL; of a queue in Redis: redis:// or rediss://",
                hint="http://10.0.0.5:8080",
                kinds=(*_HTTP, *_QUEUE),
            ),
            FormField("urls", "Further URLs that answer alike", "words", kinds=_HTTP),
            FormField("function", "Function, name or ARN", hint="orders:live", kinds=_LAMBDA),
            FormField(
                "aws.resource", "Queue, bus, topic or state machine: URL, name or ARN", kinds=_LATER
            ),
            FormField(
                "region",
                "AWS region",
                hint="from the ARN or the environment",
                kinds=(*_HTTP, *_AWS),
            ),
            FormField("endpoint_url", "Endpoint of AWS's API other than its own", kinds=_AWS),
            FormField("stream.name", "Redis: key of the stream", kinds=_QUEUE),
        ),
    ),
    FormGroup(
        "How it is asked",
        (
            FormField(
                "host_policy",
                "Host that it is sent",
                "choice",
                choices=_values(HostPolicy),
                kinds=_HTTP,
            ),
            FormField("host", "That Host, for literal", kinds=_HTTP),
            FormField(
                "sign.service",
                "Sign for the AWS service",
                hint="s3, execute-api, lambda, es, aoss",
                kinds=_HTTP,
            ),
            FormField(
                "sign.region", "Region of the signature", hint="the region above", kinds=_HTTP
            ),
            FormField(
                "aws.mode",
                "Does the client wait",
                "choice",
                choices=_values(WorkflowMode),
                kinds=_WORKFLOW,
            ),
            FormField(
                "aws.respond_async",
                "Start only where a client prefers it (RFC 7240)",
                "flag",
                kinds=_WORKFLOW,
            ),
            FormField("aws.location", "Location of a 202", hint="/api/exports/{id}", kinds=_LATER),
            FormField("aws.retry_after_s", "Retry-After of a 202, seconds", "number", kinds=_LATER),
            FormField(
                "aws.group_by", "FIFO: what is kept in order", hint="the sticky key", kinds=_LATER
            ),
            FormField(
                "stream.user", "Redis: user to log in as", hint="the default user", kinds=_QUEUE
            ),
            FormField(
                "stream.password",
                "Redis: its password, by reference",
                hint="env:FIGWAY_SECRET_REDIS",
                kinds=_QUEUE,
            ),
            FormField(
                "stream.max_length",
                "Redis: entries that the stream is cut to, about; 0 cuts nothing",
                "number",
                kinds=_QUEUE,
            ),
            FormField(
                "stream.dedupe_s",
                "Redis: seconds in which an Idempotency-Key is taken once",
                "number",
                kinds=_QUEUE,
            ),
            FormField(
                "aws.detail_type", "Event's detail-type", hint="the route's id", kinds=_EVENTS
            ),
            FormField("aws.source", "Event's source", kinds=_EVENTS),
            FormField(
                "aws.with_credentials",
                "Hand on Authorization and Cookie, which are then stored",
                "flag",
                kinds=_LATER,
            ),
        ),
    ),
)
_CAPABILITY = (
    FormGroup(
        "What moves as one journey",
        (
            FormField("description", "For people"),
            FormField("salt", "Salt of its buckets", hint="its id"),
        ),
    ),
    FormGroup(
        "Who is who",
        (
            FormField(
                "sticky",
                "Sticky key, the first that a request has; a line each",
                "keys",
                hint="cookie figway_id",
            ),
            FormField(
                "issue_cookie", "Issue the first cookie of these to clients without a key", "flag"
            ),
            FormField("cookie_same_site", "Its SameSite", "choice", choices=_values(SameSite)),
            FormField("cookie_domain", "Its Domain", hint="the host that was asked"),
            FormField("cookie_max_age_s", "Its Max-Age, seconds", "number"),
        ),
    ),
)


def _route(table: Table) -> tuple[FormGroup, ...]:
    sides = {
        side: ("", *sorted(b.id for b in table.backends.values() if b.side is side))
        for side in Side
    }
    return (
        FormGroup(
            "Which requests",
            (
                FormField("match.path", "Path template", hint="/orders/{id}"),
                FormField("match.methods", "Methods", "words", hint="any"),
                FormField("match.hosts", "Hosts", "words", hint="any"),
                FormField("description", "For people"),
            ),
        ),
        FormGroup(
            "Who answers",
            (
                FormField("new", "New", "choice", choices=sides[Side.NEW]),
                FormField(
                    "legacy",
                    "Legacy",
                    "choice",
                    "empty: the table's default",
                    choices=sides[Side.LEGACY],
                ),
                FormField(
                    "capability",
                    "Capability that it moves with",
                    "choice",
                    choices=("", *sorted(table.capabilities)),
                ),
            ),
        ),
        FormGroup(
            "What is compared",
            (
                FormField("shadow.sample", "Share of reads that is copied", "share", hint="100%"),
                FormField("reads", "Methods that only read besides GET", "words", hint="POST"),
                FormField(
                    "comparison.null_equals",
                    "What null equals: absent, empty",
                    "words",
                    hint="nothing but null",
                ),
                FormField(
                    "comparison.compare",
                    "Comparison plugin that reads the bodies",
                    hint="module:function",
                ),
            ),
        ),
    )


def groups(kind: Kind, table: Table) -> tuple[FormGroup, ...]:
    """The form of a kind of item; routes choose among the table's backends."""
    if kind is Kind.ROUTE:
        return _route(table)
    return _BACKEND if kind is Kind.BACKEND else _CAPABILITY


CLASSES: dict[Kind, type[Backend] | type[Capability] | type[Route]] = {
    Kind.BACKEND: Backend,
    Kind.CAPABILITY: Capability,
    Kind.ROUTE: Route,
}
_BLANK: dict[Kind, Item] = {
    Kind.BACKEND: Backend(id="", side=Side.NEW),
    Kind.CAPABILITY: Capability(id=""),
    Kind.ROUTE: Route(id="", match=RouteMatch(path=""), stage=Stage.LEGACY),
}


def shown(kind: Kind, table: Table, item: Item | None) -> dict[str, str]:
    """What the fields of a form hold for `item`; for none, what a new one begins with."""
    data = to_data(_BLANK[kind] if item is None else item, whole=True)
    short = {} if item is None else to_data(item)
    values = {"id": data["id"]}
    for field in _fields(kind, table):
        values[field.name] = _text(field, _at(data, field.name))
        _drop(short, field.name.split("."))
    for name in _NOT_HERE:
        short.pop(name, None)
    return {**values, REST: written_part(short)}


def wanted(kind: Kind, table: Table, item_id: str, form: Mapping[str, str]) -> Item:
    """The item that a form describes. Raises `ApiProblem` 422."""
    data = read_part(form.get(REST, ""), "further fields")
    fields = _fields(kind, table)
    for name, why in (*_HIDDEN.items(), *((field.name, _NAMED) for field in fields)):
        if _at(data, name) is not None:
            raise invalid(name, why)
    for field in fields:
        if (value := _value(field, form.get(field.name))) is not None:
            _put(data, field.name.split("."), value)
    try:
        return from_data(CLASSES[kind], {**data, "id": item_id})
    except CodecError as error:
        raise invalid(error.path, error.message) from None


def difference(known: Item, item: Item) -> dict[str, Any]:
    """The merge patch (RFC 7396) that makes `item` of `known`; stage and weight are left alone."""
    before, after = to_data(known), to_data(item)
    for data in (before, after):
        for name in _NOT_HERE:
            data.pop(name, None)
    return _patch(before, after)


def _patch(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        known = before.get(name)
        if isinstance(value, dict) and isinstance(known, dict):
            if inner := _patch(known, value):
                found[name] = inner
        elif value != known:
            found[name] = value
    return found


def _fields(kind: Kind, table: Table) -> list[FormField]:
    return [field for group in groups(kind, table) for field in group.fields]


def _at(data: Any, name: str) -> Any:
    for part in name.split("."):
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _drop(data: dict[str, Any], path: list[str]) -> None:
    """Take a field out, and what is empty without it."""
    name, *inner = path
    if not inner:
        data.pop(name, None)
    elif isinstance(data.get(name), dict):
        _drop(data[name], inner)
        if not data[name]:
            del data[name]


def _put(data: dict[str, Any], path: list[str], value: Any) -> None:
    name, *inner = path
    if not inner:
        data[name] = value
        return
    below = data.setdefault(name, {})
    if not isinstance(below, dict):
        raise invalid(name, "expected an object")
    _put(below, inner, value)


def _text(field: FormField, value: Any) -> str:
    """A value as the form shows it."""
    if field.shape == "keys":
        return "\n".join(f"{key['source']} {key['name']}".strip() for key in value)
    if field.shape == "words":
        return "\n".join(value)
    if field.shape == "share":
        return share(value)
    return str(int(value) if isinstance(value, bool) else value)


def _value(field: FormField, text: str | None) -> Any:
    """What was typed as a value; None where it is the default. Raises `ApiProblem` 422."""
    if field.shape == "flag":
        return text is not None
    typed = (text or "").strip()
    return _READERS[field.shape](field.name, typed) if typed else None


def _number(name: str, typed: str) -> int:
    if not typed.isdecimal() or len(typed) > 12:
        raise invalid(name, f"{typed[:40]!r} is not a whole number")
    return int(typed)


def _keys(_: str, typed: str) -> list[dict[str, str]]:
    """`cookie figway_id`, a line each."""
    rows = [line.split(None, 1) for line in typed.splitlines() if line.strip()]
    return [{"source": row[0], "name": row[1].strip() if row[1:] else ""} for row in rows]


_READERS: dict[str, Callable[[str, str], Any]] = {
    "text": lambda _, typed: typed,
    "choice": lambda _, typed: typed,
    "number": _number,
    "share": points,
    "words": lambda _, typed: typed.replace(",", " ").split(),
    "keys": _keys,
}
