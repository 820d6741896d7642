"""`figway rollout`: routes that move by their evidence."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from control_plane.cli.changing import Consent, Force, confirmed
from control_plane.cli.client import Api, at
from control_plane.cli.context import Shared, default_reason, shared
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.files import read_yaml
from control_plane.cli.output import Markup, Output, console, show, show_one
from control_plane.cli.times import ago, clock

rollout = typer.Typer(
    no_args_is_help=True,
    help="Move routes step by step as their evidence allows, and back when it breaks.",
)
RolloutId = Annotated[str, typer.Argument(help="The rollout's id.")]
Why = Annotated[str, typer.Option(help="Why, for the audit log.", show_default=False)]
PlanFile = Annotated[
    Path | None,
    typer.Option("--file", "-f", help="A plan as YAML or JSON.", show_default=False),
]
Preset = Annotated[str, typer.Option(help="careful, quick or observe.", show_default=False)]
_STYLES = {
    "completed": "green", "aborted": "red", "paused": "yellow", "stepping_back": "red",
    "superseded": "yellow", "waiting": "cyan", "running": "cyan",
}  # fmt: skip
_ENDED = ("completed", "aborted", "superseded")
_WATCH_S = 2.0


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.add_typer(rollout, name="rollout", rich_help_panel=panel)


@rollout.command("list")
def list_rollouts(
    ctx: typer.Context,
    attention: Annotated[
        bool, typer.Option("--attention", help="Only those that wait for a person.")
    ] = False,
) -> None:
    """Show every rollout: where it stands, and why it waits."""
    context = shared(ctx)
    rows = list(context.api().pages("/rollouts", attention="true" if attention else None))
    columns = [
        ("ROLLOUT", lambda row: row["id"]),
        ("TARGET", lambda row: row["target"]),
        ("STATE", _phase),
        ("STANDS AT", lambda row: row["stands"]),
        ("STEP", lambda row: f"{max(0, row['step'] + 1)} of {len(row['steps'])}"),
        ("SINCE", lambda row: ago(row["since_ms"])),
        ("WHY", lambda row: row["reasons"][0]["text"] if row["reasons"] else ""),
    ]
    show(rows, context.output, columns, empty="no rollouts; figway rollout start ROUTE")


@rollout.command("get")
def get_rollout(
    ctx: typer.Context,
    rollout_id: RolloutId,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Follow it until it ends, or needs a person.")
    ] = False,
) -> None:
    """Show a rollout: its steps, where it stands, every gate and guard, the last of its timeline.

    With --watch it exits with 0 when the rollout has completed, else with 1.
    """
    context = shared(ctx)
    api = context.api()
    found = api.get(at("rollouts", rollout_id))
    if not watch:
        if context.output is not Output.TABLE:
            show_one(found, context.output)
            return
        _print(found)
        _print_timeline(api, rollout_id)
        return
    _watch(api, rollout_id, found)


@rollout.command("start")
def start(
    ctx: typer.Context,
    rollout_id: Annotated[
        str, typer.Argument(help="A stored plan's id; or a route or capability, for a preset.")
    ],
    preset: Preset = "",
    file: PlanFile = None,
    capability: Annotated[str, typer.Option(help="Move this capability.", show_default=False)] = "",
    route: Annotated[str, typer.Option(help="Move this route.", show_default=False)] = "",
    reason: Why = "",
) -> None:
    """Begin a rollout where its routes stand. `figway rollout start orders` is enough: without a
    stored plan it takes the preset `careful` for the capability or route of that name."""
    context = shared(ctx)
    api = context.api()
    body: dict[str, Any] = {"reason": reason or default_reason()}
    given = bool(preset or file or capability or route)
    if given or not _stored(api, rollout_id):
        body["plan"] = _plan(api, rollout_id, preset, file, capability, route)
    found, _ = api.call("POST", at("rollouts", rollout_id, "start"), body)
    _said(context, found, f"Rollout {rollout_id} has begun at {found['stands']}.")
    if context.output is Output.TABLE:
        console.print(f"[dim]Follow it: figway rollout get {escape(rollout_id)} --watch[/dim]")


@rollout.command("approve")
def approve(ctx: typer.Context, rollout_id: RolloutId, reason: Why = "") -> None:
    """Approve the step that waits for it. Not by whoever started the rollout."""
    _tell(ctx, rollout_id, "approve", reason)


@rollout.command("pause")
def pause(ctx: typer.Context, rollout_id: RolloutId, reason: Why = "") -> None:
    """Stay where it is until `resume`; guards still lead back."""
    _tell(ctx, rollout_id, "pause", reason)


@rollout.command("resume")
def resume(ctx: typer.Context, rollout_id: RolloutId, reason: Why = "") -> None:
    """Go on from where the routes stand."""
    _tell(ctx, rollout_id, "resume", reason)


@rollout.command("promote")
def promote(
    ctx: typer.Context,
    rollout_id: RolloutId,
    full: Annotated[
        bool,
        typer.Option("--full", help="To the last step at once: for emergencies, by an admin."),
    ] = False,
    reason: Why = "",
    force: Force = False,
) -> None:
    """Go to the next step without waiting for hold and gates. Guards still hold.

    With --full, what a live proxy cannot open takes --force.
    """
    if full and not reason:
        raise CliError(
            "a full promotion skips every gate: say why",
            hint=f'figway rollout promote {rollout_id} --full --reason "legacy is down"',
            code=Exit.USAGE,
        )
    consent = Consent(force=force, reason=reason)
    _tell(ctx, rollout_id, "promote-full" if full else "promote", reason, consent)


@rollout.command("abort")
def abort(ctx: typer.Context, rollout_id: RolloutId, reason: Why = "") -> None:
    """End it, and take every user back to legacy."""
    _tell(ctx, rollout_id, "abort", reason)


@rollout.command("retry")
def retry(ctx: typer.Context, rollout_id: RolloutId, reason: Why = "") -> None:
    """Begin an aborted rollout again; what agreement was proven of this build still counts."""
    _tell(ctx, rollout_id, "retry", reason)


@rollout.command("delete")
def delete(ctx: typer.Context, rollout_id: RolloutId, reason: Why = "") -> None:
    """Forget a plan and its timeline. It must not be moving."""
    query = {"reason": reason or default_reason()}
    shared(ctx).api().call("DELETE", at("rollouts", rollout_id), query=query)
    console.print(f"Rollout {escape(rollout_id)} is gone.")


@rollout.command("lint")
def lint(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A plan, or a document with `rollouts`.")],
) -> None:
    """Check plans against the table and what moves already; nothing is kept."""
    context = shared(ctx)
    api = context.api()
    # `start` gives a plan its id; without one it is checked under the file's name.
    name = re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()).strip("-._") or "plan"
    plans = [{"id": name, **plan} for plan in _plans(file)]
    answers = [api.call("POST", "/rollouts/lint", plan, again=True)[0] for plan in plans]
    if context.output is not Output.TABLE:
        show(answers, context.output)
    for answer in answers if context.output is Output.TABLE else ():
        for finding in answer["findings"]:
            style = "red" if finding["severity"] == "error" else "yellow"
            where = escape(f"{finding['code']} {finding['path']}")
            console.print(f"[{style}]{where}[/{style}]: {escape(finding['message'])}")
            console.print(f"  [dim]{escape(finding['resolution'])}[/dim]")
        if not answer["findings"]:
            console.print("Valid.")
    if not all(answer["valid"] for answer in answers):
        raise CliError(f"a plan of {file} cannot be done", code=Exit.REFUSED)


@rollout.command("simulate")
def simulate(
    ctx: typer.Context,
    rollout_id: Annotated[
        str, typer.Argument(help="A stored plan's id; or a route or capability, for a preset.")
    ],
    days: Annotated[int, typer.Option(min=1, max=14, help="Days to look back.")] = 7,
    preset: Preset = "",
    file: PlanFile = None,
    capability: Annotated[str, typer.Option(help="Move this capability.", show_default=False)] = "",
    route: Annotated[str, typer.Option(help="Move this route.", show_default=False)] = "",
) -> None:
    """Say what a plan would have done with the traffic and comparisons of the last days."""
    context = shared(ctx)
    api = context.api(timeout=120.0)
    if not (preset or file or capability or route) and (stored := _stored(api, rollout_id)):
        plan = stored["plan"]
    else:
        plan = {"id": rollout_id, **_plan(api, rollout_id, preset, file, capability, route)}
    found, _ = api.call("POST", "/rollouts/simulate", plan, query={"days": days})
    if context.output is not Output.TABLE:
        show_one(found, context.output)
        return
    for entry in found["entries"]:
        state = entry["waiting_for"] and f" for {entry['waiting_for']}"
        line = f"{clock(entry['at_ms'])}  {entry['stands']:>7}  {entry['phase']}{state}"
        console.print(escape(f"{line}  {entry['text']}"))
    console.print(f"[bold]{escape(found['summary'])}[/bold]")
    for line in found["assumed"]:
        console.print(f"[dim]Assumed: {escape(line)}.[/dim]")


@rollout.command("figures")
def figures(
    ctx: typer.Context,
    rollout_id: RolloutId,
    hours: Annotated[int, typer.Option(min=1, max=336, help="Hours to look back.")] = 24,
) -> None:
    """Show the interval of each gate and guard against its bound, as the console draws them."""
    context = shared(ctx)
    moments = context.api().call(
        "GET", at("rollouts", rollout_id, "figures"), query={"hours": hours}
    )
    if context.output is not Output.TABLE:
        show(moments[0], context.output)
        return
    rows = [{**judged, "at_ms": at["at_ms"]} for at in moments[0] for judged in at["judged"]]
    columns = [
        ("AT", lambda row: clock(row["at_ms"])),
        ("JUDGED", lambda row: f"{row['role']} {row['name']}"),
        ("ROUTE", lambda row: row["route"]),
        ("INTERVAL", lambda row: f"{_share(row['low'])} to {_share(row['high'])}"),
        ("BOUND", lambda row: _share(row["bound"])),
        ("OK", lambda row: "yes" if row["ok"] else "no"),
    ]
    show(rows, context.output, columns, empty="nothing was judged yet")


@rollout.command("plan")
def print_plan(ctx: typer.Context, rollout_id: RolloutId) -> None:
    """Print a stored plan whole, as a document that `figway rollout start --file` takes."""
    context = shared(ctx)
    show_one(context.api().get(at("rollouts", rollout_id))["plan"], context.output)


# -- plans -------------------------------------------------------------------------------------


def _stored(api: Api, rollout_id: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = api.get(at("rollouts", rollout_id))
    except CliError as error:
        if error.code is Exit.NOT_FOUND:
            return None
        raise
    return found


def _plan(
    api: Api, name: str, preset: str, file: Path | None, capability: str, route: str
) -> dict[str, Any]:
    """The plan that is meant: a file's, or a preset for what `name` names."""
    if file is not None:
        plans = _plans(file)
        named = plans if len(plans) == 1 else [one for one in plans if one.get("id") == name]
        if len(named) != 1:
            raise CliError(
                f"{file} holds {len(plans)} plans, and {len(named)} of them have the id {name!r}",
                hint="Start one of them by its id.",
                code=Exit.USAGE,
            )
        plan = dict(named[0])
    else:
        plan = {"preset": preset or "careful"}
    if capability or route:
        plan["target"] = {"capability": capability} if capability else {"route": route}
    elif "target" not in plan:
        plan["target"] = {_kind_of(api, name): name}
    plan.pop("id", None)
    return plan


def _kind_of(api: Api, name: str) -> str:
    for kind, path in (("capability", "capabilities"), ("route", "routes")):
        try:
            api.get(at(path, name))
        except CliError as error:
            if error.code is not Exit.NOT_FOUND:
                raise
        else:
            return kind
    raise CliError(
        f"there is no stored plan, capability or route {name!r}",
        hint="`figway routes list` and `figway capabilities list` show what there is.",
        code=Exit.NOT_FOUND,
    )


_FORM = "A plan is YAML or JSON with `steps`: docs/concepts/rollouts.md has one to begin from."


def _plans(file: Path) -> list[dict[str, Any]]:
    data = read_yaml(file, _FORM)
    found = data.get("rollouts", data) if isinstance(data, dict) else data
    plans = found if isinstance(found, list) else [found]
    if not plans or not all(isinstance(plan, dict) for plan in plans):
        raise CliError(f"{file} holds no plan", hint=_FORM, code=Exit.USAGE)
    return plans


# -- showing -----------------------------------------------------------------------------------


def _share(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.4g} %"


def _tell(
    ctx: typer.Context, rollout_id: str, word: str, reason: str, consent: Consent | None = None
) -> None:
    context = shared(ctx)
    body, path = {"reason": reason or default_reason()}, at("rollouts", rollout_id, word)

    def send(confirm: str | None) -> Any:
        return context.api().call("POST", path, body, query={"confirm": confirm})[0]

    found = confirmed(send, consent)
    _said(context, found, f"Rollout {rollout_id} is {found['phase']} at {found['stands']}.")


def _said(context: Shared, found: dict[str, Any], text: str) -> None:
    if context.output is not Output.TABLE:
        show_one(found, context.output)
    else:
        console.print(escape(text))


def _phase(row: Any) -> Markup:
    text = row["phase"].replace("_", " ")
    if row["waiting_for"]:
        text += f" for {row['waiting_for']}"
    style = _STYLES.get(row["phase"], "dim")
    return Markup(f"[{style}]{escape(text)}[/{style}]")


def _print(found: dict[str, Any]) -> None:
    console.print(f"[bold]{escape(found['id'])}[/bold]  {escape(found['target'])}")
    rail = []
    for entry in found["steps"]:
        text = escape(entry["stands"])
        rail.append(f"[bold reverse]{text}[/bold reverse]" if entry["done"] == "here" else text)
    console.print(" - ".join(rail))
    stands = f" at {escape(found['stands'])}" if found["stands"] else ""
    console.print(f"{_phase(found)}{stands} since {ago(found['since_ms'])}")
    for reason in found["reasons"]:
        console.print(f"  {escape(reason['text'])}")
    for judged in (*found["gates"], *found["guards"]):
        mark = "[green]ok[/green]  " if judged["ok"] else "[red]no[/red]  "
        where = f" ({judged['route']})" if judged["route"] else ""
        line = f"{judged['role']} {judged['name']}{where}: {judged['text']}"
        console.print(f"{mark}{escape(line)}")


def _print_timeline(api: Api, rollout_id: str) -> None:
    for entry in reversed(api.get(at("rollouts", rollout_id, "timeline"), limit=10)["items"]):
        _print_entry(entry)


def _print_entry(entry: dict[str, Any]) -> None:
    texts = "; ".join(reason["text"] for reason in entry["reasons"])
    made = f" (revision {entry['revision']})" if entry["revision"] else ""
    state = entry["phase"] + (f" for {entry['waiting_for']}" if entry["waiting_for"] else "")
    line = f"{clock(entry['at_ms'])}  {state}{made}  {texts or entry['note']}"
    console.print(escape(line))


def _watch(api: Api, rollout_id: str, found: dict[str, Any]) -> None:
    """Print the timeline as it grows, until the rollout ends or needs a person."""
    _print(found)
    last = 0
    while True:
        page = api.get(at("rollouts", rollout_id, "timeline"), limit=50)["items"]
        for entry in reversed(page):
            if entry["id"] > last:
                _print_entry(entry)
                last = entry["id"]
        if found["phase"] in (*_ENDED, "planned") or found["needs_attention"]:
            break
        time.sleep(_WATCH_S)
        found = api.get(at("rollouts", rollout_id))
    if found["phase"] != "completed":
        what = found["phase"].replace("_", " ")
        what += f" for {found['waiting_for']}" if found["waiting_for"] else ""
        what += ": it needs a person" if found["needs_attention"] else ""
        raise CliError(
            f"rollout {rollout_id} is {what}",
            hint=f"Look at it: figway rollout get {rollout_id}",
        )
