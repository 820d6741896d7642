"""The dashboard and the alert rules name metrics that proxies really have, with their labels."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).parents[3]
_NAME = re.compile(r"\bfigway_[a-z_]+")
_FAMILY = re.compile(r"\.(?:family|one|histogram)\(\s*\"(figway_[a-z_]+)\"")
_TUPLE = re.compile(r"\(\"(figway_[a-z_]+)\", \"[a-z_]+\"")
_SELECTOR = re.compile(r"(figway_[a-z_]+)\{([^}]*)\}")
_LABEL = re.compile(r"\b([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"")
_BY = re.compile(r"\bby \(([a-z_, ]+)\)")
_OF_PROMETHEUS = {"instance", "job", "le"}


def _sources() -> str:
    files = [*(_ROOT / "proxy").rglob("*.py"), _ROOT / "control_plane/rollouts/metrics.py"]
    return "\n".join(file.read_text() for file in files)


@pytest.fixture(scope="module")
def names() -> set[str]:
    """Every metric that the proxy's code writes."""
    source = _sources()
    families = set(_FAMILY.findall(source)) | set(_TUPLE.findall(source))
    families |= set(re.findall(r"_metric\(\s*\"(figway_[a-z_]+)\"", source))
    assert len(families) > 20
    for name in re.findall(r"\.histogram\(\s*\"(figway_[a-z_]+)\"", source):
        families |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    return families


@pytest.fixture(scope="module")
def labels() -> set[str]:
    """Every word that the proxy's code could use as a label."""
    return set(re.findall(r"\"([a-z_]+)\"", _sources())) | _OF_PROMETHEUS


def _dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_ROOT / "deploy/grafana/figway.json").read_text())
    return found


def _rules() -> list[dict[str, Any]]:
    data = yaml.safe_load((_ROOT / "deploy/prometheus/alerts.yml").read_text())
    return [rule for group in data["groups"] for rule in group["rules"]]


def _expressions() -> list[str]:
    board = _dashboard()
    found = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    found += [entry["expr"] for entry in board["annotations"]["list"]]
    found += [entry["definition"] for entry in board["templating"]["list"] if "definition" in entry]
    return found + [rule["expr"] for rule in _rules()]


@pytest.mark.parametrize("expression", _expressions())
def test_metrics_and_labels_exist(expression: str, names: set[str], labels: set[str]) -> None:
    used = set(_NAME.findall(expression))
    assert used
    assert used <= names, f"no proxy has {used - names}"
    for _, selector in _SELECTOR.findall(expression):
        assert set(_LABEL.findall(selector)) <= labels
    for group in _BY.findall(expression):
        assert {name.strip() for name in group.split(",")} <= labels
    assert expression.count("(") == expression.count(")")


def test_nothing_that_matters_is_missing(names: set[str]) -> None:
    """What tells of lost data or lost users is on the dashboard or in a rule."""
    used = {name for expression in _expressions() for name in _NAME.findall(expression)}
    quiet = {
        "figway_info", "figway_reports_total", "figway_reports_waiting", "figway_table_routes",
        "figway_control_plane_up", "figway_log_dropped_total",
        "figway_rollout_step", "figway_rollout_steps", "figway_rollout_acts",
        "figway_report_events_dropped_total", "figway_odd_answers_total",
        "figway_response_head_seconds", "figway_response_head_seconds_sum",
        "figway_response_head_seconds_count",
    }  # fmt: skip
    shadow = {name for name in names if name.startswith("figway_shadow_")}
    assert names - used - quiet - shadow == set()


def test_panels_do_not_overlap_and_rules_say_what_to_do() -> None:
    places: set[tuple[int, int]] = set()
    for panel in _dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not places & cells, panel["title"]
        places |= cells
    for rule in _rules():
        assert rule["alert"].startswith("Figway")
        assert rule["labels"]["severity"] in ("page", "warn", "info")
        assert rule["annotations"]["summary"]
    config = yaml.safe_load((_ROOT / "deploy/prometheus/prometheus.yml").read_text())
    for name in config["rule_files"]:
        assert (_ROOT / "deploy/prometheus" / name).is_file()
