"""Templates, and the headers that every page has."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from control_plane.console import formats
from control_plane.console import sanitise as text
from figway.model.table import Stage

HERE = Path(__file__).parent
STATIC = HERE / "static"
CSP = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
STAGES = {
    Stage.LEGACY: ("○", "Legacy serves. Nothing is copied."),
    Stage.SHADOW: ("◔", "Legacy serves. Copies go to new, and the answers are compared."),
    Stage.CANARY: ("◑", "New serves a share of the users. Legacy stands behind it."),
    Stage.NEW: ("●", "New serves everybody. Legacy stands behind it."),
    Stage.RETIRED: ("■", "New serves. Legacy is never called."),
}
"""A sign and a sentence for each stage: colour never says it alone."""


def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=text.finalize,
    )
    found.filters.update(
        address=formats.address,
        percent=formats.percent,
        at_least=formats.at_least,
        weight=formats.weight,
        rate=formats.rate,
        ms=formats.ms,
        thousands=formats.thousands,
        size=formats.size,
        ago=formats.ago,
        span=formats.span,
        moment=formats.moment,
        clock=formats.clock,
        iso=formats.iso,
        clip=text.clip,
        lines=text.lines,
        redactions=text.redactions,
        json=_compact,
        value=_value,
    )
    found.globals.update(static=static_url, integrity=integrity, STAGES=STAGES, ROOT="/console")
    return found


def _value(value: Any) -> str:
    """A value of a table as JSON has it; text without its quotes."""
    return value if isinstance(value, str) else _compact(value)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@cache
def static_url(name: str) -> str:
    """The address of a static file, with its content's hash: it may be cached for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/console/static/{name}?v={digest}"


@cache
def integrity(name: str) -> str:
    """The recorded integrity hash of a vendored file."""
    found: str = json.loads((STATIC / "vendor" / "vendor.json").read_bytes())[name]["integrity"]
    return found


_TEMPLATES = _environment()


def is_fragment(request: Request) -> bool:
    """Does htmx ask, which wants the part and not the page?"""
    return request.headers.get("hx-request") == "true"


def part(template: str, **context: Any) -> str:
    """A rendered template without a page around it: a piece of a stream, or of an open page."""
    return _TEMPLATES.get_template(template).render(**context)


def page(
    request: Request, template: str, context: dict[str, Any], status: int = 200
) -> HTMLResponse:
    """A rendered template; alone for htmx, within the page's frame otherwise."""
    frame = "base.html" if "visit" in context else "bare.html"
    layout = "part.html" if is_fragment(request) else frame
    body = _TEMPLATES.get_template(template).render(layout=layout, **context)
    return answer(body, status)


def answer(body: str, status: int = 200) -> HTMLResponse:
    """What was rendered, with the headers of every page."""
    return HTMLResponse(
        body, status, {"Content-Security-Policy": CSP, "Vary": "HX-Request, Cookie"}
    )
