"""What must hold of the own code that a route's answers are compared by."""

from __future__ import annotations

from collections.abc import Collection

from figway.compare.plugin_names import is_plugin_name
from figway.model.table import Table
from figway.validate.findings import Finding, Findings


def check_name(name: str, path: str, findings: Findings) -> None:
    """Check how a route names a plugin."""
    if name and not is_plugin_name(name):
        message = f"{name[:80]!r} names no function"
        hint = "write module:function, such as shop_compare:booking"
        findings.error("compare_plugin_invalid", path, message, hint)


def unnamed_plugins(table: Table, names: Collection[str]) -> list[Finding]:
    """Routes whose plugin is none of `names`, those that shadow workers were started with: their
    pairs cannot be compared."""
    findings = Findings()
    for route in table.routes.values():
        name = route.comparison.compare
        if is_plugin_name(name) and name not in names:
            findings.warning(
                "compare_plugin_unnamed",
                f"routes.{route.id}.comparison.compare",
                f"no shadow worker is known to run {name[:80]!r}: its pairs end as compare_error",
                "set FIGWAY_COMPARE_PLUGINS to it at the shadow workers, and here",
            )
    return findings.found
