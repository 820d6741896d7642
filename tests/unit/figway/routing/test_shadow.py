"""What is copied, where new makes a message or an execution of every request."""

from __future__ import annotations

from typing import Any

import pytest

from figway.model.backend import Backend, WorkflowMode
from figway.model.comparison import ShadowPolicy
from figway.model.table import Stage
from figway.model.words import Side
from figway.routing.compile import Plan, compile_table
from figway.routing.shadow import Skip, why_not_copied
from tests.support.tables import Head
from tests.unit.figway.validate.aws_cases import events, led, queue, workflow


def plan(backend: Backend, **fields: Any) -> Plan:
    table = led(backend, methods=(), **{"stage": Stage.CANARY, "weight": 100, **fields})
    return compile_table(table).match(Head(path=b"/exports/pdf"))


@pytest.mark.parametrize("backend", [queue(), events(), workflow(mode=WorkflowMode.START)])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("served", list(Side))
def test_what_answers_later_is_never_copied(backend: Backend, method: str, served: Side) -> None:
    """Trap 24: a copy would be a message, and 202 compares with nothing."""
    policy = ShadowPolicy(dry_run="a contract", from_new=True)
    assert why_not_copied(plan(backend, shadow=policy), served, method) is Skip.ANSWERS_LATER


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_execution_is_a_copy_only_by_contract(method: str) -> None:
    """Trap 24: a GET that starts a workflow changes something, too."""
    assert why_not_copied(plan(workflow()), Side.LEGACY, method) is Skip.UNSAFE_METHOD
    policy = ShadowPolicy(dry_run="Figway-Dry-Run")
    assert why_not_copied(plan(workflow(), shadow=policy), Side.LEGACY, method) is Skip.NO
    back = ShadowPolicy(from_new=True)
    expected = Skip.NO if method == "GET" else Skip.UNSAFE_METHOD
    assert why_not_copied(plan(workflow(), shadow=back), Side.NEW, method) is expected
