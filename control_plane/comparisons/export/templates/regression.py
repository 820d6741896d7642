"""Regression tests for the new service, exported by Figway from stored comparisons.

Each case is a request that legacy answered; the new service is expected to answer it alike: status,
headers, and the body as JSON, HTML, XML, CSV, text or bytes, read by Figway's own comparer, which
lies at the end of this file. The comparison rules of the route apply, and the forms in which legacy
varies by itself. Secrets were redacted when the pair was stored: where legacy's answer was
redacted, any value passes. Pictures, files and archives were not stored: they are held to a digest.

    FIGWAY_BASE_URL=http://127.0.0.1:9001 pytest {name}
    python {name} http://127.0.0.1:9001

Credentials are not stored, and cases are sent without them. One that is then refused (401, 403, or
a redirect) is skipped. Give credentials as a JSON object of headers:

    FIGWAY_HEADERS='{{"Authorization": "Bearer ..."}}' FIGWAY_BASE_URL=... pytest {name}

A run in which every case is skipped fails. Needs Python 3.11 or later; pytest is optional.
"""

from __future__ import annotations

import atexit
import base64
import http.client
import importlib
import json
import os
import re
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

CASES: list[dict[str, Any]] = []
SETTINGS: dict[str, Any] = {}

REDACTED = re.compile(r"\[redacted:[a-z_]+:[0-9a-f]{8}\]")
UNSTORED = re.compile(r"[0-9]+ bytes \[redacted:(?:binary|unreadable):[0-9a-f]{8}\]")
REFUSED = (301, 302, 303, 307, 401, 403)
NEAR_S = 60.0
ran: list[str] = []


class Skipped(Exception):
    """A case that cannot be tried here; the text says why."""


def check(case: dict[str, Any]) -> None:
    """Ask the new service, and hold its answer to legacy's. Raises AssertionError, `Skipped`."""
    if case["skip"]:
        raise Skipped(case["skip"])
    base = os.environ.get("FIGWAY_BASE_URL", "")
    if not base:
        raise Skipped("needs the new service's address: give FIGWAY_BASE_URL")
    given = {
        name.lower(): value
        for name, value in json.loads(os.environ.get("FIGWAY_HEADERS", "{}")).items()
    }
    answer = send(base, case, given)
    needed = [name for name in case["credentials"] if name.lower() not in given]
    if needed and answer["status"] in REFUSED and case["legacy"]["status"] not in REFUSED:
        raise Skipped(f"needs {', '.join(needed)}: give FIGWAY_HEADERS")
    ran.append(case["name"])
    found = list(differences(case, answer, SETTINGS))
    assert not found, "\n".join(found[:20])


# -- the request -------------------------------------------------------------------------------


def send(base: str, case: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    """The new service's answer. No redirect is followed."""
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
        return {
            "status": answer.status,
            "headers": [list(pair) for pair in answer.getheaders()],
            "body": base64.b64encode(answer.read()).decode(),
            "body_kind": "base64",
        }
    finally:
        connection.close()


# -- the comparison ----------------------------------------------------------------------------


def differences(
    case: dict[str, Any], answer: dict[str, Any], settings: dict[str, Any]
) -> Iterator[str]:
    """What the new service answers otherwise, a line for each field."""
    figway = comparer()
    rules = figway.RuleSet(figway.rule_from(rule) for rule in settings["rules"])
    own = urlsplit(os.environ.get("FIGWAY_BASE_URL", "")).netloc.lower()
    context = figway.Context(
        backend_hosts=frozenset((*settings["hosts"], *case["hosts"], own)),
        method="HEAD" if unknown(case["legacy"]) else case["method"],  # then no body is compared
        path=case["target"].partition("?")[0],
        headers=tuple(settings["headers"]),
        faults=frozenset(map(figway.FaultKind, settings["faults"])),
        html=frozenset(map(figway.HtmlView, settings["html"])),
        build_header=settings["build_header"],
    )
    legacy, new = (stored_answer(figway, one) for one in (case["legacy"], answer))
    compared = figway.compare(legacy, new, rules, context)
    if compared.verdict not in ("match", "mismatch"):
        yield f"{compared.verdict}: {compared.reason} {compared.detail}"
    apart_ms = max(0.0, time.time() * 1_000 - case["at_ms"])
    for one in compared.differences:
        if one.ignored_by is None and not excused(figway, one, case, settings, apart_ms):
            yield f"{one.exact}: {one.kind}: legacy {short(one.legacy)}, new {short(one.new)}"
    if compared.beyond:
        yield f"and {compared.beyond} more"
    if answer["status"] == case["legacy"]["status"] and case["method"] != "HEAD":
        yield from other_bytes(figway, case["legacy"], answer, settings)


def other_bytes(
    figway: Any, legacy: dict[str, Any], answer: dict[str, Any], settings: dict[str, Any]
) -> Iterator[str]:
    """Whether a body that was not stored is another one; unless legacy's own varies, or a rule of
    the route looks into it."""
    places = [rule["target"] for rule in settings["rules"]]
    places += [*settings["forms"], *settings["excused"]]
    if not legacy.get("digest") or any(place.startswith("$") for place in places):
        return
    found = answer.get("digest")
    if found is None:
        found = figway.body_digest(map(tuple, answer["headers"]), base64.b64decode(answer["body"]))
    if found != legacy["digest"]:
        yield f"$: changed: legacy {legacy['digest']}, new {found or 'no such body'}"


def unknown(stored: dict[str, Any]) -> bool:
    """Whether legacy's body was not stored: a binary, unreadable or very long one. Of an empty one
    only a Content-Length of 0 tells."""
    if stored["body_kind"] == "none":
        lengths = [value for name, value in stored["headers"] if name.lower() == "content-length"]
        return lengths != ["0"]
    return bool(UNSTORED.fullmatch(stored["body"] or ""))


def excused(
    figway: Any, one: Any, case: dict[str, Any], settings: dict[str, Any], apart_ms: float
) -> bool:
    """Whether redaction, or a form in which legacy varies by itself, accounts for it."""
    if any([place.exact, place.new] in case["wrong"] for place in one.places):
        return False
    if hidden_cookie(one, case["legacy"]):
        return True
    told = settings["forms"].get(figway.place_of_field(one.field))
    form = None if told is None else figway.Form.from_data(told)
    listed = bool(one.places) and one.count == len(one.places)
    if listed and all(allowed(figway, form, place, case, apart_ms) for place in one.places):
        return True
    return form is None and one.field in settings["excused"]


def allowed(figway: Any, form: Any, place: Any, case: dict[str, Any], apart_ms: float) -> bool:
    """Whether new's value at one place may stand for legacy's."""
    varies = form is not None and form.kind == "text"
    if hidden(place, numbers=varies):
        drawn = form is not None and form.kind == "token" and isinstance(place.new, str)
        return not drawn or conforms(figway, form, place, apart_ms)
    if form is not None:
        return conforms(figway, form, place, apart_ms)
    return of_their_moments(figway, place, case, apart_ms)


def conforms(figway: Any, form: Any, place: Any, apart_ms: float) -> bool:
    """Whether new's value at a place is of legacy's form. Values of choices and words of texts are
    kept as digests only: another one of their nature passes."""
    if form.kind in ("presence", "order"):
        return True
    legacy, new = figway.read(place.legacy), figway.read(place.new)
    if form.kind in ("choice", "mixed"):
        return new.nature in form.natures
    if form.kind == "text":
        return same_skeleton(figway, form, place)
    return figway.fit_of(form, legacy, new, apart_ms, str) in ("yes", "far", "young", "opaque")


def same_skeleton(figway: Any, form: Any, place: Any) -> bool:
    """Whether two texts differ only in what the slots of a form can hold."""
    if not isinstance(place.legacy, str) or not isinstance(place.new, str):
        return False
    found = figway.slots(place.legacy, place.new)
    natures = {nature for slot in form.slots.values() for nature in slot.natures}
    return found is not None and all(figway.read_part(slot[2]).nature in natures for slot in found)


def of_their_moments(figway: Any, place: Any, case: dict[str, Any], apart_ms: float) -> bool:
    """Whether two values differ only in the moments at which each side was asked."""
    texts = (place.legacy, place.new)
    found = figway.slots(*texts) if all(isinstance(text, str) for text in texts) else None
    pairs = [slot[1:] for slot in found] if found else [texts]
    at_ms = case["at_ms"]
    return all(_asked_then(figway, one, other, at_ms, apart_ms) for one, other in pairs)


def _asked_then(figway: Any, one: Any, other: Any, at_ms: float, apart_ms: float) -> bool:
    legacy, new = figway.read(one), figway.read(other)
    if not legacy.nature == new.nature == "instant" or legacy.notation != new.notation:
        return False
    asked, now = at_ms / 1_000, (at_ms + apart_ms) / 1_000
    return bool(abs(legacy.number - asked) <= NEAR_S and abs(new.number - now) <= NEAR_S)


def hidden_cookie(one: Any, legacy: dict[str, Any]) -> bool:
    """Whether a cookie's value differs that was redacted on legacy's side."""
    name = one.path.removeprefix("set-cookie:")
    if name == one.path or ";" in name or one.kind != "changed":
        return False
    lines = [value for key, value in legacy["headers"] if key.lower() == "set-cookie"]
    return any(
        line.strip().startswith(f"{name}=") and REDACTED.search(line.partition(";")[0])
        for line in lines
    )


def hidden(place: Any, *, numbers: bool = False) -> bool:
    """Whether legacy's value was redacted, and new's may be it; `numbers` in it may be others."""
    if REDACTED.search(str(place.exact)):
        return True
    if not isinstance(place.legacy, str) or not REDACTED.search(place.legacy):
        return False
    parts = [re.escape(part) for part in REDACTED.split(place.legacy)]
    if numbers:
        parts = [re.sub("[0-9]+", "[0-9]+", part) for part in parts]
    return not isinstance(place.new, str) or bool(re.fullmatch(".*?".join(parts), place.new, re.S))


def short(value: Any) -> str:
    """A value as a line shows it."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else text[:199] + "…"


def stored_answer(figway: Any, stored: dict[str, Any]) -> Any:
    """An answer as the comparer takes it. A stored text goes back to the charset of its label."""
    untrue = {"transfer-encoding", "content-length"}
    body = stored["body"] or ""
    if stored["body_kind"] == "base64":
        raw = base64.b64decode(body)
    else:
        raw = in_its_charset(figway, body, stored["headers"])
        untrue.add("content-encoding")
    headers = tuple(
        (name, value) for name, value in stored["headers"] if name.lower() not in untrue
    )
    return figway.Answer(status=stored["status"], headers=headers, body=raw)


def in_its_charset(figway: Any, text: str, headers: list[list[str]]) -> bytes:
    """A text in bytes, by the charset that its Content-Type names; else in UTF-8."""
    named = [value for name, value in headers if name.lower() == "content-type"]
    media = figway.MediaType.parse(named[-1] if named else "")
    try:
        return bytes(figway.to_bytes(text, media.family(text.encode("utf-8")), media.charset))
    except UnicodeEncodeError:
        return text.encode("utf-8")


# -- the comparer ------------------------------------------------------------------------------


def comparer() -> Any:
    """What is needed of Figway's comparer: from the end of this file, or as it is installed."""
    if COMPARER and "figway" not in sys.modules:
        with tempfile.NamedTemporaryFile(suffix=".zip", delete=False) as file:
            file.write(base64.b85decode("".join(COMPARER.split())))
        atexit.register(os.unlink, file.name)
        sys.path.insert(0, file.name)
        sys.modules.setdefault("re2", _re2())
    from figway.compare.answer import Answer, Context
    from figway.compare.decode import MediaType, to_bytes
    from figway.compare.digest import body_digest
    from figway.compare.rules import RuleSet, read_rule
    from figway.compare.verdict import compare
    from figway.evidence.noise.form_fit import fit_of
    from figway.evidence.noise.forms import Form
    from figway.evidence.noise.seen import place_of_field
    from figway.evidence.noise.text_forms import read_part, slots
    from figway.evidence.noise.values import read as read_value
    from figway.model.operations import FaultKind
    from figway.model.words import HtmlView

    return types.SimpleNamespace(
        Answer=Answer, Context=Context, RuleSet=RuleSet, rule_from=read_rule,
        compare=compare, Form=Form, fit_of=fit_of, read=read_value, slots=slots,
        read_part=read_part, body_digest=body_digest,
        place_of_field=place_of_field, FaultKind=FaultKind, HtmlView=HtmlView,
        MediaType=MediaType, to_bytes=to_bytes,
    )  # fmt: skip


def _re2() -> Any:
    """RE2 where it is installed; else Python's own expressions stand in for it."""
    try:
        import re2

        return re2
    except ImportError:
        stand_in = types.ModuleType("re2")
        vars(stand_in).update(
            Options=types.SimpleNamespace,
            error=re.error,
            compile=lambda text, _=None: re.compile(text),
        )
        return stand_in


# -- running -----------------------------------------------------------------------------------


def say(text: str) -> None:
    """A line for people."""
    sys.stdout.write(text + "\n")


def plain() -> int:
    """Run without pytest; the exit code."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for case in CASES:
        try:
            check(case)
        except Skipped as why:
            counts["skipped"] += 1
            say(f"SKIPPED {case['name']}: {why}")
        except AssertionError as error:
            counts["failed"] += 1
            say(f"FAILED {case['name']}\n{error}")
        else:
            counts["passed"] += 1
    say(", ".join(f"{count} {name}" for name, count in counts.items() if count))
    if not ran:
        say("every case was skipped, or there is none: nothing was tried")
    return 1 if counts["failed"] or not ran else 0


def _pytest() -> Any:
    """Pytest, where it is installed; the control plane, which writes this file, does without."""
    if __name__.startswith("control_plane."):
        return None
    try:
        return importlib.import_module("pytest")
    except ImportError:
        return None


pytest = _pytest()

if pytest is not None:

    @pytest.mark.parametrize(  # type: ignore[untyped-decorator]
        "case", CASES, ids=[case["name"] for case in CASES]
    )
    def test_answers_as_legacy_does(case: dict[str, Any]) -> None:
        """The new service answers as legacy did."""
        try:
            check(case)
        except Skipped as why:
            pytest.skip(str(why))

    def test_something_was_tried() -> None:
        """A run in which every case is skipped proves nothing."""
        assert ran, "every case was skipped, or there is none: nothing was tried"


COMPARER = ""


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        os.environ["FIGWAY_BASE_URL"] = sys.argv.pop(1)
    sys.exit(plain() if pytest is None else pytest.main([__file__, *sys.argv[1:]]))
