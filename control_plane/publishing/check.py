"""Holds a table to `figway.validate.table`, in the shape that the API answers with."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from control_plane.http.problems import FindingOut, clipped
from figway.model.table import Table
from figway.validate.plugins import unnamed_plugins
from figway.validate.table import Finding, Severity, validate, validate_change


def shown(findings: Iterable[Finding]) -> list[FindingOut]:
    """Findings as the API shows them."""
    return [
        FindingOut(
            code=finding.code,
            severity=finding.severity.value,
            path=clipped(finding.path),
            message=clipped(finding.message),
            resolution=finding.resolution,
        )
        for finding in findings
    ]


def errors(findings: Iterable[FindingOut]) -> list[FindingOut]:
    """Those that refuse a table."""
    return [finding for finding in findings if finding.severity == Severity.ERROR.value]


def check(
    before: Table, after: Table, plugins: Collection[str] = ()
) -> tuple[list[FindingOut], list[FindingOut]]:
    """What refuses the step from `before` to `after`, and what is worth a warning. `plugins` are
    the comparison plugins that shadow workers run.

    An error that `before` has as well does not refuse: a table that an older release let through
    must not stand in the way of going back to legacy.
    """
    found = shown([*validate_change(before, after), *unnamed_plugins(after, plugins)])
    wrong = errors(found)
    if wrong:
        known = {(finding.code, finding.path) for finding in errors(shown(validate(before)))}
        wrong = [finding for finding in wrong if (finding.code, finding.path) not in known]
    return wrong, [finding for finding in found if finding not in wrong]
