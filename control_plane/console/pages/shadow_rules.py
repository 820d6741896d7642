"""What a person says about differences: a rule, previewed first; a word on noise; a replay."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from control_plane.comparisons import rules
from control_plane.comparisons.schemas_replays import ReplayIn
from control_plane.comparisons.schemas_rules import OverruleIn, PreviewIn, PreviewOut, RuleIn
from control_plane.console.access import Operating, Viewing, Visit
from control_plane.console.pages.flips import spread
from control_plane.console.pages.route import found
from control_plane.http.problems import ApiProblem, invalid
from figway.model.change import Kind
from figway.model.comparison import NoiseWord, RuleKind

router = APIRouter()
_TEXTS = ("id", "kind", "target", "key", "pattern", "note")
_NUMBERS = ("absolute", "relative", "seconds")
_WORDS = {"noise": NoiseWord.NOISE, "signal": NoiseWord.SIGNAL, "": None}


@router.get("/shadow/{route_id}/rule")
async def try_rule(route_id: str, visit: Viewing, request: Request) -> Response:
    """The form of a rule, and what the rule would do to the stored examples."""
    given = {name: value[:2_000] for name, value in request.query_params.items()}
    if proposed := given.pop("proposed", ""):
        given = {**_proposal(proposed), **given}
    stored = visit.services.state.stored(Kind.ROUTE, found(visit, route_id).id)
    return await _form(visit, route_id, given, stored.etag if stored else "")


@router.post("/shadow/{route_id}/rule")
async def write_rule(route_id: str, visit: Operating) -> Response:
    """Write the rule: a revision, which starts a new evidence window."""
    form = visit.form
    try:
        edit = visit.edit(form.get("etag", ""), visit.reason("note", needed=False))
        make = rules.add(edit.state, route_id, rules.spec(_rule(form)), edit.if_match)
        changed = await edit.publish_item("rule.add", Kind.ROUTE, route_id, make)
    except ApiProblem as error:
        return await _form(visit, route_id, form, form.get("etag", ""), error)
    return await _changed(visit, changed.revision, "The rule is written")


@router.post("/shadow/{route_id}/rule/remove")
async def drop_rule(route_id: str, visit: Operating) -> Response:
    """Take a rule away."""
    edit = visit.edit()
    make = rules.remove(edit.state, route_id, visit.form.get("id", ""), edit.if_match)
    changed = await edit.publish_item("rule.remove", Kind.ROUTE, route_id, make)
    return await _changed(visit, changed.revision, "The rule is gone")


@router.post("/shadow/{route_id}/noise")
async def say(route_id: str, visit: Operating) -> Response:
    """Say that a field is noise, or that it is not."""
    try:
        word = _WORDS[visit.form.get("word", "")]
        body = OverruleIn(field=visit.form.get("field", ""), word=word)
    except (KeyError, ValidationError):
        raise invalid("word", "say noise, signal, or nothing") from None
    edit = visit.edit()
    make = rules.overrule(edit.state, route_id, body, edit.if_match)
    changed = await edit.publish_item("noise.overrule", Kind.ROUTE, route_id, make)
    return await _changed(visit, changed.revision, "Noted")


@router.post("/shadow/{route_id}/compare-header")
async def compare_header(route_id: str, visit: Operating) -> Response:
    """Have a header compared that is not compared otherwise."""
    edit = visit.edit()
    make = rules.compare_header(
        edit.state, route_id, visit.form.get("name", "")[:100], edit.if_match
    )
    changed = await edit.publish_item("header.compare", Kind.ROUTE, route_id, make)
    return await _changed(visit, changed.revision, "The header is compared from now on")


@router.get("/shadow/{route_id}/restart")
async def ask_restart(route_id: str, visit: Viewing) -> Response:
    """The form that begins the evidence of a route anew."""
    found(visit, route_id)
    return await visit.page("restart.html", route_id=route_id, problem=None)


@router.post("/shadow/{route_id}/restart")
async def restart(route_id: str, visit: Operating) -> Response:
    """Begin the evidence of a route anew."""
    found(visit, route_id)
    try:
        reason = visit.reason()
    except ApiProblem as problem:
        return await visit.page("restart.html", 422, route_id=route_id, problem=problem)
    edit = visit.edit("", reason)
    make = rules.restart(edit.state, route_id, "*")
    changed = await edit.publish(
        "evidence.restart", f"route {route_id}", make, item=(Kind.ROUTE, route_id), back=True
    )
    return await _changed(visit, changed.revision, "The evidence begins anew")


@router.post("/shadow/{route_id}/replay")
async def replay(route_id: str, visit: Operating) -> Response:
    """Have stored requests sent once more; first say how many, and ask."""
    form = visit.form
    body = ReplayIn(
        route=route_id,
        examples=[form["example"][:64]] if form.get("example") else [],
        verdict=form.get("verdict", "")[:20],
        field=form.get("field", "")[:2_200],
        reason="from the console",
        headers=_cookies(form.get("cookie", "")),
        preview=not form.get("confirmed"),
    )
    entry = visit.actor.entry("replay.create", f"route {route_id}", body.reason)
    made = await visit.services.comparisons.replays.create(body, entry)
    if body.preview:
        kept = {name: form.get(name, "") for name in ("example", "verdict", "field")}
        return await visit.page("replay_ask.html", planned=made, route_id=route_id, kept=kept)
    return await progress(made.id, visit)


def _cookies(text: str) -> list[tuple[str, str]]:
    """What was typed, as the header of every request."""
    typed = text.strip()[:8_000]
    return [("Cookie", typed)] if typed else []


@router.get("/replays/{replay_id}")
async def progress(replay_id: str, visit: Viewing) -> Response:
    """How far a replay is, and what came of each example."""
    replays = visit.services.comparisons.replays
    found_replay = await replays.one(replay_id)
    results, _ = await replays.results(replay_id, "", "", 50)
    return await visit.page("replay.html", replay=found_replay, results=results)


async def _form(
    visit: Visit,
    route_id: str,
    given: dict[str, Any],
    etag: str,
    problem: ApiProblem | None = None,
) -> Response:
    preview: PreviewOut | None = None
    if given.get("target") and problem is None:
        try:
            body = PreviewIn(add=[_rule(given)])
            preview = await visit.services.comparisons.previews.preview(route_id, body)
        except ApiProblem as error:
            problem = error
    return await visit.page(
        "rule.html",
        problem.status if problem else 200,
        route_id=route_id,
        given={name: given.get(name, "") for name in (*_TEXTS, *_NUMBERS, "pairs")},
        kinds=list(RuleKind),
        preview=preview,
        problem=problem,
        etag=etag,
    )


def _rule(given: dict[str, Any]) -> RuleIn:
    values: dict[str, Any] = {name: given[name] for name in _TEXTS if given.get(name)}
    try:
        for name in _NUMBERS:
            if given.get(name):
                values[name] = float(given[name])
        if given.get("pairs"):
            values["pairs"] = orjson.loads(given["pairs"])
        return RuleIn(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise invalid(where, str(first["msg"])) from None
    except ValueError:
        raise invalid("rule", "a number or the pairs cannot be read") from None


def _proposal(text: str) -> dict[str, str]:
    """A proposed rule, as the fields of the form."""
    try:
        data = orjson.loads(text)
    except ValueError:
        return {}
    if not isinstance(data, dict):
        return {}
    return {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in data.items()
        if name in (*_TEXTS, *_NUMBERS, "pairs") and value not in (None, "", 0, 0.0, [])
    }


async def _changed(visit: Visit, revision: int, heading: str) -> Response:
    response = await spread(visit, revision, heading=heading)
    response.headers["HX-Trigger"] = "figway:change"
    return response
