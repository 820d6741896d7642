"""Prometheus's own tool reads the rules, and the rules fire when they should, and only then.

`promtool` comes with Prometheus (Debian: apt install prometheus). Where it is not found these
tests say so and are skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

_DEPLOY = Path(__file__).parents[3] / "deploy" / "prometheus"
_RULES = _DEPLOY / "alerts.yml"
_PROMTOOL = shutil.which("promtool")

pytestmark = pytest.mark.skipif(
    _PROMTOOL is None, reason="promtool is not installed (Debian: apt install prometheus)"
)


class Case(NamedTuple):
    """What one alert fires for, after half an hour: series as promtool writes them, by labels."""

    alert: str
    ill: dict[str, str]
    well: dict[str, str]
    labels: dict[str, str]


_P1 = {"instance": "p1"}
_NEW = 'figway_requests_total{route="a",side="new",status='
CASES = (
    Case("FigwayNewFails", {_NEW + '"5xx"}': "0+60x60", _NEW + '"2xx"}': "0+540x60"},
         {_NEW + '"5xx"}': "0+6x60", _NEW + '"2xx"}': "0+594x60"}, {"route": "a"}),
    Case("FigwayBreakerOpen",
         {'figway_breaker{route="a",backend="fn",state="open",instance="p1"}': "1x60"},
         {'figway_breaker{route="a",backend="fn",state="open",instance="p1"}': "0x60"},
         {"route": "a", "backend": "fn"}),
    Case("FigwayFallbacks", {'figway_fallbacks_total{route="a",reason="timeout"}': "0+90x60"},
         {'figway_fallbacks_total{route="a",reason="timeout"}': "0+30x60"}, {"route": "a"}),
    Case("FigwayBudgetSpent",
         {'figway_budget_refused_total{backend="legacy",budget="fallback"}': "0+6x60"},
         {'figway_budget_refused_total{backend="legacy",budget="fallback"}': "6x60"},
         {"backend": "legacy", "budget": "fallback"}),
    Case("FigwayUrlLeftOut",
         {'figway_member_out{backend="fn",member="http://a:1",state="ejected"}': "1x60"},
         {'figway_member_out{backend="fn",member="http://a:1",state="ejected"}': "0x60"},
         {"backend": "fn", "member": "http://a:1", "state": "ejected"}),
    Case("FigwayTableRefused", {'figway_table_refused{instance="p1"}': "1x60"},
         {'figway_table_refused{instance="p1"}': "0x60"}, _P1),
    Case("FigwayProxyLags",
         {'figway_table_revision{instance="p1"}': "41x60",
          'figway_table_revision{instance="p2"}': "42x60"},
         {'figway_table_revision{instance="p1"}': "42x60",
          'figway_table_revision{instance="p2"}': "42x60"}, _P1),
    Case("FigwayControlPlaneSilent",
         {'figway_control_plane_silent_seconds{instance="p1"}': "90x60"},
         {'figway_control_plane_silent_seconds{instance="p1"}': "5x60"}, _P1),
    Case("FigwayKillSwitch", {'figway_kill_switch{instance="p1"}': "1x60"},
         {'figway_kill_switch{instance="p1"}': "0x60"}, _P1),
    Case("FigwayTableNotKept", {'figway_table_kept{instance="p1"}': "0x60"},
         {'figway_table_kept{instance="p1"}': "1x60"}, _P1),
    Case("FigwayWorkersRestart", {'figway_worker_restarts_total{instance="p1"}': "0+1x60"},
         {'figway_worker_restarts_total{instance="p1"}': "1x60"}, _P1),
    Case("FigwayUnexpectedErrors", {'figway_unexpected_errors_total{instance="p1"}': "0+1x60"},
         {'figway_unexpected_errors_total{instance="p1"}': "3x60"}, _P1),
    Case("FigwayReportsLost", {'figway_reports_dropped_total{instance="p1"}': "0+1x60"},
         {'figway_reports_dropped_total{instance="p1"}': "0x60"}, _P1),
    Case("FigwayShadowDrops",
         {'figway_shadow_dropped_total{instance="p1",reason="queue"}': "0+120x60"},
         {'figway_shadow_dropped_total{instance="p1",reason="queue"}': "0+20x60"},
         {"instance": "p1", "reason": "queue"}),
)  # fmt: skip


def test_every_rule_is_tried() -> None:
    assert [case.alert for case in CASES] == list(_rules())


def _run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    assert _PROMTOOL is not None
    return subprocess.run(
        [_PROMTOOL, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def _rules() -> dict[str, dict[str, Any]]:
    data = yaml.safe_load(_RULES.read_text())
    return {rule["alert"]: rule for group in data["groups"] for rule in group["rules"]}


def test_rules_and_configuration_are_right() -> None:
    for what, file in (("rules", _RULES), ("config", _DEPLOY / "prometheus.yml")):
        found = _run("check", what, file)
        assert found.returncode == 0, found.stdout + found.stderr


def _scenario(case: Case, *, ill: bool) -> dict[str, Any]:
    rule = _rules()[case.alert]
    series = case.ill if ill else case.well
    labels = {
        "alertname": case.alert, "alertstate": "firing", **rule["labels"], **case.labels
    }  # fmt: skip
    written = ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(labels.items()))
    fires = [{"labels": f"ALERTS{{{written}}}", "value": 1}] if ill else []
    return {
        "name": f"{case.alert} {'fires' if ill else 'is silent'}",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}',
                "eval_time": "30m",
                "exp_samples": fires,
            }
        ],
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_each_rule_fires_when_it_should_and_only_then(case: Case, tmp_path: Path) -> None:
    file = tmp_path / "test.yml"
    told = {
        "rule_files": [str(_RULES)],
        "evaluation_interval": "1m",
        "tests": [_scenario(case, ill=ill) for ill in (True, False)],
    }
    file.write_text(yaml.safe_dump(told))
    found = _run("test", "rules", file)
    assert found.returncode == 0, found.stdout + found.stderr
