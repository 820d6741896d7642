"""Regression tests for the new service, exported by Figway from stored comparisons.

Each case is a request that was answered by legacy; the new service is expected to answer it in the
same way: status, media type, Location, and JSON by value, but for what the comparison rules and the
learned noise of the route allow. Secrets were redacted when the pair was stored: where legacy's
answer was redacted, any value passes.

    FIGWAY_BASE_URL=http://127.0.0.1:9001 pytest {name}
    python {name} http://127.0.0.1:9001

Credentials are not stored. Give those that the cases need as a JSON object of headers:

    FIGWAY_HEADERS='{{"Authorization": "Bearer ..."}}' FIGWAY_BASE_URL=... pytest {name}

Needs Python 3.9 or later and pytest.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

CASES: list[dict[str, Any]] = []

REDACTED = re.compile(r"\[redacted:[a-z_]+:[0-9a-f]{8}\]")
Difference = tuple[str, str, Any, Any]
MISSING = object()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_answers_as_legacy_does(case: dict[str, Any]) -> None:
    """The new service answers as legacy did."""
    given = {
        name.lower(): value for name, value in json.loads(_env("FIGWAY_HEADERS", "{}")).items()
    }
    needed = [name for name in case["credentials"] if name.lower() not in given]
    if needed:
        pytest.skip(f"needs {', '.join(needed)}: give FIGWAY_HEADERS")
    if case["skip"]:
        pytest.skip(case["skip"])
    base = _env("FIGWAY_BASE_URL", "")
    if not base:
        pytest.skip("needs the new service's address: give FIGWAY_BASE_URL")
    status, headers, body = send(base, case, given)
    found = list(differences(case, status, headers, body))
    assert not found, "\n".join(
        f"{path}: {kind}: legacy {_short(legacy)}, new {_short(new)}"
        for path, kind, legacy, new in found[:20]
    )


def _env(name: str, default: str) -> str:
    return os.environ.get(name, default)


def _short(value: Any) -> str:
    text = "nothing" if value is MISSING else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:199] + "…"


# -- the request -------------------------------------------------------------------------------


def send(base: str, case: dict[str, Any], given: dict[str, str]) -> tuple[int, Any, bytes]:
    """Status, headers and body of the new service's answer. No redirect is followed."""
    url = urlsplit(base)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=30)
    body = base64.b64decode(case["body"]) if case["body"] else None
    try:
        connection.putrequest(
            case["method"],
            url.path.rstrip("/") + case["target"],
            skip_accept_encoding=True,
        )
        for name, value in case["headers"]:
            if name.lower() not in given:
                connection.putheader(name, value)
        for name, value in given.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


# -- the comparison ----------------------------------------------------------------------------


def differences(
    case: dict[str, Any], status: int, headers: Any, body: bytes
) -> Iterator[Difference]:
    """What the new service answers otherwise."""
    expected = case["expect"]
    if status != expected["status"] and not _covered(case, "status", expected["status"], status):
        yield "status", "changed", expected["status"], status
        return
    for name in ("content-type", "location"):
        if name in expected["headers"]:
            yield from _header(case, name, expected["headers"][name], headers.get(name))
    if expected["kind"] == "json":
        try:
            actual = json.loads(body)
        except ValueError:
            yield "$", "format", "json", body[:100].decode("utf-8", "replace")
            return
        yield from _values(case, (), expected["body"], actual)
    elif expected["kind"] == "text" and not _covered(case, "$", "", ""):
        text = body.decode("utf-8", "replace").strip()
        if not _same_text(expected["body"].strip(), text):
            yield "$", "changed", expected["body"], text


def _header(case: dict[str, Any], name: str, legacy: str, new: str | None) -> Iterator[Difference]:
    plain = _media_type if name == "content-type" else _without_origin
    same = new is not None and _same_text(plain(legacy), plain(new))
    if not same and not _covered(case, f"header:{name}", legacy, new):
        yield f"header:{name}", "missing" if new is None else "changed", legacy, new


def _media_type(value: str) -> str:
    return value.split(";")[0].strip().lower()


def _without_origin(location: str) -> str:
    url = urlsplit(location)
    return url._replace(scheme="", netloc="").geturl() or "/"


def _same_text(legacy: str, new: str) -> bool:
    if legacy == new:
        return True
    parts = REDACTED.split(legacy)
    return len(parts) > 1 and bool(
        re.fullmatch(".*?".join(re.escape(part) for part in parts), new, re.S)
    )


Trail = tuple[Any, ...]


def _values(case: dict[str, Any], trail: Trail, legacy: Any, new: Any) -> Iterator[Difference]:
    if _is_redacted(legacy, new) or _excused(case, trail, "ignore"):
        return
    if isinstance(legacy, dict) and isinstance(new, dict):
        hidden = any(REDACTED.search(name) for name in legacy)
        for name in legacy if hidden else list(dict.fromkeys([*legacy, *new])):
            if not REDACTED.search(name):
                inner = (*trail, name)
                yield from _members(case, inner, legacy.get(name, MISSING), new.get(name, MISSING))
    elif isinstance(legacy, list) and isinstance(new, list):
        yield from _arrays(case, trail, legacy, new)
    elif not _same_scalar(legacy, new):
        kind = "changed" if _type(legacy) == _type(new) else "type"
        yield from _unless_covered(case, trail, kind, legacy, new)


def _is_redacted(legacy: Any, new: Any) -> bool:
    """Whether legacy's value was redacted, and new's may be it."""
    if not isinstance(legacy, str) or not REDACTED.search(legacy):
        return False
    return not isinstance(new, str) or _same_text(legacy, new)


def _members(case: dict[str, Any], trail: Trail, legacy: Any, new: Any) -> Iterator[Difference]:
    if legacy is MISSING or new is MISSING:
        kind = "missing" if new is MISSING else "added"
        yield from _unless_covered(case, trail, kind, legacy, new)
    else:
        yield from _values(case, trail, legacy, new)


def _arrays(
    case: dict[str, Any], trail: Trail, legacy: list[Any], new: list[Any]
) -> Iterator[Difference]:
    keyed = next((rule for rule in _rules(case, trail) if rule["kind"] == "keyed_array"), None)
    unordered = any(rule["kind"] == "unordered" for rule in _rules(case, trail))
    unordered = unordered or _is_noise(case, trail, "order")
    if keyed is not None:
        right = {_key(item, keyed["key"]): item for item in new}
        for index, item in enumerate(legacy):
            found = right.pop(_key(item, keyed["key"]), MISSING)
            yield from _members(case, (*trail, index), item, found)
        for item in right.values():
            yield from _members(case, (*trail, len(legacy)), MISSING, item)
        return
    if unordered:
        left = list(new)
        alone = []
        for index, item in enumerate(legacy):
            same = next(
                (x for x in left if not any(_values(case, (*trail, index), item, x))), MISSING
            )
            if same is MISSING:
                alone.append(item)
            else:
                left.remove(same)
        legacy, new = alone, left
    for index in range(max(len(legacy), len(new))):
        pair = (side[index] if index < len(side) else MISSING for side in (legacy, new))
        yield from _members(case, (*trail, index), *pair)


def _key(item: Any, name: str) -> str:
    return json.dumps(item.get(name) if isinstance(item, dict) else item, sort_keys=True)


def _type(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return type(value).__name__
    return "number"


def _same_scalar(legacy: Any, new: Any) -> bool:
    return _type(legacy) == _type(new) and bool(legacy == new)


# -- rules and noise ---------------------------------------------------------------------------


def _unless_covered(
    case: dict[str, Any], trail: Trail, kind: str, legacy: Any, new: Any
) -> Iterator[Difference]:
    if _excused(case, trail, "ignore") or _is_noise(case, trail, kind):
        return
    if kind in ("changed", "type") and any(
        covers(rule, legacy, new) for rule in _rules(case, trail)
    ):
        return
    path = "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in trail)
    yield path, kind, legacy, new


def _covered(case: dict[str, Any], target: str, legacy: Any, new: Any) -> bool:
    return any(
        rule["target"] == target and (rule["kind"] == "ignore" or covers(rule, legacy, new))
        for rule in case["rules"]
    ) or any(noise["path"] == target for noise in case["noise"])


def _rules(case: dict[str, Any], trail: Trail) -> list[dict[str, Any]]:
    return [rule for rule in case["rules"] if matches(rule.get("steps"), trail)]


def _excused(case: dict[str, Any], trail: Trail, kind: str) -> bool:
    return any(rule["kind"] == kind for rule in _rules(case, trail))


def _is_noise(case: dict[str, Any], trail: Trail, kind: str) -> bool:
    return any(
        noise["kind"] in (kind, "*") and matches(noise.get("steps"), trail)
        for noise in case["noise"]
    )


def matches(steps: Any, trail: Trail) -> bool:
    """Whether a path leads to a place. A step: [name, index or null for any, may start deeper]."""
    if steps is None:
        return False
    if not steps:
        return not trail
    selector, deeper = steps[0]
    return any(
        (selector is None or selector == trail[start]) and matches(steps[1:], trail[start + 1 :])
        for start in range(len(trail) if deeper else min(1, len(trail)))
    )


def covers(rule: dict[str, Any], legacy: Any, new: Any) -> bool:
    """Whether a rule allows two values to differ."""
    kind = rule["kind"]
    if kind == "map_value":
        return any(_same_scalar(legacy, a) and _same_scalar(new, b) for a, b in rule["pairs"])
    if kind == "time_tolerance":
        left, right = _moment(legacy), _moment(new)
        return left is not None and right is not None and abs(left - right) <= rule["seconds"]
    if kind == "number_tolerance":
        return _near(rule, legacy, new)
    if not isinstance(legacy, str) or not isinstance(new, str):
        return False
    if kind == "pattern":
        return re.sub(rule["pattern"], "\0", legacy) == re.sub(rule["pattern"], "\0", new)
    return bool(kind == "case" and legacy.casefold() == new.casefold())


def _near(rule: dict[str, Any], legacy: Any, new: Any) -> bool:
    try:
        left, right = float(legacy), float(new)
    except (TypeError, ValueError):
        return False
    larger = max(abs(left), abs(right))
    apart = abs(left - right) - 1e-12 * larger
    return bool(apart <= rule["absolute"] or apart <= rule["relative"] * larger)


def _moment(value: Any) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value / 1000 if value > 4e10 else float(value)
    if not isinstance(value, str):
        return None
    for read in (
        lambda text: datetime.fromisoformat(text.replace("Z", "+00:00")),
        parsedate_to_datetime,
    ):
        try:
            when = read(value)
        except (TypeError, ValueError):
            continue
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return None


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        os.environ["FIGWAY_BASE_URL"] = sys.argv.pop(1)
    sys.exit(pytest.main([__file__, *sys.argv[1:]]))
