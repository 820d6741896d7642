"""`figway flip`, `weight`, `shadow`: move traffic."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from control_plane.cli.changing import Consent, Force, Reason, Timeout, Wait, Yes, change
from control_plane.cli.client import at
from control_plane.cli.context import Shared, default_reason, shared
from control_plane.cli.output import Output, console
from control_plane.cli.parsing import basis_points
from figway.model.table import BreakerForce, Stage
from figway.model.words import WEIGHT_SCALE

RouteId = Annotated[str, typer.Argument(help="The route's id.")]


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.command("flip", rich_help_panel=panel)(flip)
    app.command("weight", rich_help_panel=panel)(weight)
    app.command("shadow", rich_help_panel=panel)(shadow)
    app.command("breaker", rich_help_panel=panel)(breaker)


def flip(
    ctx: typer.Context,
    route: RouteId,
    stage: Annotated[Stage, typer.Argument(help="legacy, shadow, canary, new or retired.")],
    weight: Annotated[
        str | None, typer.Option(help="Share of the keys for new, with stage canary: 25%.")
    ] = None,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Put a route into another stage. Going back to legacy is always possible."""
    points = None if weight is None else basis_points(weight)
    _flip(shared(ctx), route, stage, points, Consent(yes, force, reason), wait, timeout)


def weight(
    ctx: typer.Context,
    route: RouteId,
    share: Annotated[str, typer.Argument(help="Share of the keys for new: 1%, 25%, 0.5%.")],
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Let new serve a share of the users (stage canary). Raising it moves nobody back."""
    points = basis_points(share)
    _flip(shared(ctx), route, Stage.CANARY, points, Consent(yes, force, reason), wait, timeout)


def shadow(
    ctx: typer.Context,
    route: RouteId,
    sample: Annotated[
        str | None, typer.Option(help="Per cent of the requests to copy.", show_default=False)
    ] = None,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
) -> None:
    """Keep legacy serving, copy requests to new, and compare the answers."""
    context = shared(ctx)
    points = _sample(context, route) if sample is None else basis_points(sample)
    fields: dict[str, Any] = {"stage": Stage.SHADOW.value}
    if points is not None:
        fields["shadow"] = {"sample": points}
    change(
        context, "PATCH", at("routes", route), fields, etag="*",
        reason=reason, wait=wait, timeout=timeout,
    )  # fmt: skip


def _sample(context: Shared, route: str) -> int | None:
    """The sample to set where none was given: a tenth, unless somebody has chosen one already.
    All of it would double the load on new at once."""
    found = context.api().get(at("routes", route))
    if found["shadow"]["sample"] != WEIGHT_SCALE or found["stage"] == Stage.SHADOW.value:
        return None
    if context.output is Output.TABLE:
        console.print("Copies 10% of the requests; --sample 100% copies all of them.")
    return WEIGHT_SCALE // 10


def breaker(
    ctx: typer.Context,
    route: RouteId,
    to: Annotated[
        BreakerForce,
        typer.Argument(
            metavar="FORCE", help="open: leave new alone; closed: never; none: by itself."
        ),
    ],
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Force the breaker of a route open or closed, or let it decide again."""
    body = {"force": to.value, "reason": reason or default_reason()}
    change(
        shared(ctx),
        "POST",
        at("routes", route, "breaker"),
        body,
        etag="*",
        wait=wait,
        timeout=timeout,
        consent=Consent(yes, force, reason),
    )


def _flip(
    context: Shared,
    route: str,
    stage: Stage,
    points: int | None,
    consent: Consent,
    wait: bool,
    timeout: float,
) -> None:
    body = {"stage": stage.value, "reason": consent.reason or default_reason()}
    if points is not None:
        body["weight"] = points  # type: ignore[assignment]
    path = at("routes", route, "flip")
    change(context, "POST", path, body, etag="*", wait=wait, timeout=timeout, consent=consent)
