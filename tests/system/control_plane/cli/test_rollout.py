"""`figway rollout` against a control plane that runs, while a proxy reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_plane.cli import rollout
from control_plane.cli.errors import CliError, Exit
from control_plane.clock import now_ms
from tests.support.command_line import Cli
from tests.support.control import ROUTE
from tests.support.control_process import running, start
from tests.support.until import until

PLAN: dict[str, Any] = {
    "id": "orders",
    "target": {"route": "orders"},
    "steps": [{"stage": "shadow"}, {"weight": "5%", "approve": True}, {"weight": "25%"}],
    "gates": {"parity": False, "errors": False, "latency": False},
    "warmup": "0s",
    "stale_after": "1h",
}


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A control plane that looks every second, and a route that a proxy serves."""
    folder = tmp_path_factory.mktemp("control")
    with running(folder, FIGWAY_ROLLOUT_SECONDS="1") as process:
        url, key = start(process)
        found = Cli(url, str(key))
        for side, name in (("legacy", "legacy"), ("new", "fn")):
            found.post("backends", {"id": name, "side": side, "url": "http://127.0.0.1:9"})
        found.post("routes", ROUTE)
        _report(found)
        yield found
        found.api.close()


@pytest.fixture
def cli(control: Cli) -> Iterator[Cli]:
    """The same; afterwards the route is back at legacy, and no rollout is left."""
    yield control
    for left in control.data("rollout", "list"):
        if left["phase"] not in ("planned", "completed", "aborted", "superseded"):
            control.text("rollout", "abort", "orders", "--reason", "the end")
        control.text("rollout", "delete", "orders")
    back = {"stage": "legacy", "reason": "the end"}
    control.api.post("routes/orders/flip", json=back, headers={"if-match": "*"})


def _report(cli: Cli) -> None:
    """Ten minutes of traffic of legacy, up to now."""
    now = now_ms()
    series = [{"route": "orders", "side": "legacy", "backend": "legacy", "requests": 100,
               "statuses": {"2xx": 100}, "fallbacks": {}, "latency": {}}]  # fmt: skip
    for number in range(10):
        to_ms = now - (9 - number) * 60_000
        body = {
            "instance": "p1", "boot": "b1", "sequence": number + 1, "from_ms": to_ms - 1_000,
            "to_ms": to_ms, "series": series,
        }  # fmt: skip
        cli.post("reports", body)


def _serve(cli: Cli) -> None:
    """The proxy takes the newest table."""
    table = cli.api.get("table").json()
    body = {"instance": "p1", "boot": "b1", "revision": table["revision"], "etag": table["etag"]}
    assert cli.api.post("fleet/acks", json=body).is_success


async def _once(cli: Cli, **wanted: Any) -> dict[str, Any]:
    """The rollout, once it is so; the proxy follows meanwhile."""

    def holds() -> dict[str, Any] | None:
        _serve(cli)
        found = cli.data("rollout", "get", "orders")
        same = all(found[name] == value for name, value in wanted.items())
        return found if same else None

    found: dict[str, Any] = await until(holds, f"{wanted}")
    return found


def _file(tmp_path: Path, plan: dict[str, Any]) -> str:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan), encoding="utf-8")
    return str(path)


async def test_a_rollout_from_its_plan_to_its_end(cli: Cli, tmp_path: Path) -> None:
    """start, list, get, approve (by another person), pause, resume, promote, abort, retry, delete:
    each says what is so afterwards."""
    file = _file(tmp_path, PLAN)
    assert "has begun at legacy" in cli.text("rollout", "start", "orders", "--file", file)
    found = await _once(cli, stands="5 %", waiting_for="approval")
    own = cli.fails("rollout", "approve", "orders")
    assert "cannot approve" in str(own)
    listed = cli.data("rollout", "list", "--attention")
    assert [entry["id"] for entry in listed] == ["orders"]
    assert "orders" in cli.text("rollout", "list")
    shown = cli.text("rollout", "get", "orders")
    assert "shadow - 5 % - 25 %" in shown
    assert "another person" in shown
    other = Cli(f"{cli.env['FIGWAY_ADMIN_URL']}/api/v1", _operator(cli))
    assert "is running at 5 %" in other.text("rollout", "approve", "orders", "--reason", "fine")
    other.api.close()
    await _once(cli, stands="25 %")
    assert "is paused at 25 %" in cli.text("rollout", "pause", "orders")
    assert "is running at 25 %" in cli.text("rollout", "resume", "orders")
    found = await _once(cli, phase="completed")
    assert not found["needs_attention"]
    assert cli.fails("rollout", "abort", "orders").code is Exit.CONFLICT
    cli.text("rollout", "delete", "orders")
    assert cli.fails("rollout", "get", "orders").code is Exit.NOT_FOUND


def _operator(cli: Cli) -> str:
    made: str = cli.post("keys", {"name": "eve", "role": "operator"})["key"]
    return made


async def test_abort_and_retry(cli: Cli, tmp_path: Path) -> None:
    """It goes back to where the plan began, and begins there again."""
    cli.text("rollout", "start", "orders", "--file", _file(tmp_path, PLAN))
    await _once(cli, stands="5 %")
    assert "is aborted at shadow" in cli.text("rollout", "abort", "orders", "--reason", "not today")
    assert cli.data("routes", "show", "orders")["stage"] == "shadow"
    assert "is pending at shadow" in cli.text("rollout", "retry", "orders")
    await _once(cli, stands="5 %", attempts=2)


async def test_promote_says_why_it_is_not_followed(cli: Cli, tmp_path: Path) -> None:
    """Past a hold, not past an approval; whole only with a reason."""
    held = {**PLAN, "steps": [{"stage": "shadow", "hold": "1d"}, *PLAN["steps"][1:]]}
    cli.text("rollout", "start", "orders", "--file", _file(tmp_path, held))
    await _once(cli, stands="shadow", waiting_for="hold")
    _serve(cli)
    assert "is running at 5 %" in cli.text("rollout", "promote", "orders")
    await _once(cli, stands="5 %", waiting_for="approval")
    assert "another person has to approve" in str(cli.fails("rollout", "promote", "orders"))
    bare = cli.fails("rollout", "promote", "orders", "--full")
    assert (bare.code, "say why" in str(bare)) == (Exit.USAGE, True)
    cli.text("rollout", "promote", "orders", "--full", "--reason", "legacy burns")
    assert cli.data("routes", "show", "orders")["weight"] == 2_500


async def test_watch_ends_when_it_ends_or_needs_a_person(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It prints the timeline as it grows. Exit 1 while a person is needed, 0 once completed."""
    monkeypatch.setattr(rollout, "_WATCH_S", 0.05)
    cli.text("rollout", "start", "orders", "--file", _file(tmp_path, PLAN))
    await _once(cli, stands="5 %", waiting_for="approval")
    watched = cli.run("rollout", "get", "orders", "--watch")
    assert isinstance(watched.exception, CliError)
    assert "needs a person" in str(watched.exception)
    assert "waiting for approval" in watched.stdout
    cli.text("rollout", "promote", "orders", "--full", "--reason", "it is late")
    await _once(cli, phase="completed")
    assert "completed" in cli.text("rollout", "get", "orders", "-w")


def test_a_preset_is_one_command(cli: Cli) -> None:
    """`figway rollout start orders`: a route or capability of that name, and `careful`."""
    cli.text("rollout", "start", "orders")
    plan = cli.data("rollout", "plan", "orders")
    assert [step.get("weight", step.get("stage")) for step in plan["steps"]] == [
        "shadow", "1%", "5%", "25%", "50%", "100%", "new",
    ]  # fmt: skip
    assert cli.fails("rollout", "start", "nobody").code is Exit.NOT_FOUND


def test_lint_names_every_mistake_and_keeps_nothing(cli: Cli, tmp_path: Path) -> None:
    """Exit code of a refusal; each finding with what to do."""
    wrong = {**PLAN, "steps": [{"weight": "50%"}, {"weight": "5%"}], "guard": {}}
    failed = cli.run("rollout", "lint", _file(tmp_path, wrong))
    assert isinstance(failed.exception, CliError)
    assert failed.exception.code is Exit.REFUSED
    for code in ("rollout_field_unknown", "rollout_steps_order"):
        assert code in failed.stdout
    assert "Valid." in cli.text("rollout", "lint", _file(tmp_path, PLAN))
    assert cli.data("rollout", "list") == []


@pytest.mark.parametrize(
    "text", ["[", "steps: *gone", "date: 2026-13-45", "- 1", "", "a: " + "[" * 3_000]
)
def test_a_file_that_is_no_plan(cli: Cli, tmp_path: Path, text: str) -> None:
    """The file is named, and why; never a traceback."""
    path = tmp_path / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    failed = cli.fails("rollout", "start", "orders", "--file", str(path))
    assert (failed.code, "plan.yaml" in str(failed)) == (Exit.USAGE, True)
    assert failed.hint


def test_of_several_plans_the_one_of_that_name_is_started(cli: Cli, tmp_path: Path) -> None:
    """A document of all plans is no reason to write another file."""
    path = tmp_path / "plans.yaml"
    plans = [{**PLAN, "id": name} for name in ("orders", "others")]
    path.write_text(json.dumps({"rollouts": plans}), encoding="utf-8")
    failed = cli.fails("rollout", "start", "third", "--file", str(path))
    assert "holds 2 plans, and 0 of them have the id 'third'" in str(failed)
    assert "has begun" in cli.text("rollout", "start", "orders", "--file", str(path))


def test_simulate_plays_what_is_stored(cli: Cli, tmp_path: Path) -> None:
    """Ten minutes of traffic: it would have walked to its last step, and says what was assumed. A
    plan that is not kept is played too."""
    file = _file(tmp_path, PLAN)
    found = cli.data("rollout", "simulate", "orders", "--file", file, "--days", "1")
    assert [entry["stands"] for entry in found["entries"]][-1] == "25 %"
    assert found["stands"] == "25 %"
    told = cli.text("rollout", "simulate", "orders", "--preset", "quick", "--days", "1")
    assert "Assumed: every approval was given at once" in told
    assert cli.data("rollout", "list") == []


async def test_figures_are_the_console_s_in_numbers(cli: Cli, tmp_path: Path) -> None:
    """Each gate and guard that was judged, its interval against its bound, over time."""
    plan = {**PLAN, "steps": [{"stage": "shadow", "hold": "1d"}, {"weight": "5%"}],
            "gates": {"errors": False, "latency": False}}  # fmt: skip
    cli.text("rollout", "start", "orders", "--file", _file(tmp_path, plan))
    await _once(cli, stands="shadow")
    await until(lambda: cli.data("rollout", "figures", "orders"))
    rows = cli.data("rollout", "figures", "orders")
    assert {entry["name"] for entry in rows[0]["judged"]} == {"parity"}
    assert "parity" in cli.text("rollout", "figures", "orders")
