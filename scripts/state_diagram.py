"""Draws the states of a request and of a rollout in docs/concepts from their tables.

    python scripts/state_diagram.py [--check]

With --check nothing is written: the exit code is 1 if a page does not show the table of the code.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from figway.rollout.machine import TABLE
from figway.rollout.state import ENDED, EventKind, RolloutPhase
from figway.serving.attempts.exchange import TRANSITIONS, Do, State

DOCS = Path(__file__).resolve().parents[1] / "docs" / "concepts"
END = "<!-- End of what is made. -->\n"


def begin(module: str) -> str:
    """The mark that what is made of a module stands behind."""
    return f"<!-- Made from {module} by `make reference`. -->\n"


def request_diagram() -> str:
    """The table of a request's transitions as a Mermaid state diagram."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.IDLE.name}"]
    for state, events in TRANSITIONS.items():
        for event, steps in events.items():
            for do, after in steps.items():
                done = "" if do is Do.NOTHING else f" / {do.name}"
                lines.append(f"    {state.name} --> {after.name}: {event.name.lower()}{done}")
        if not events:
            lines.append(f"    {state.name} --> [*]")
    return "\n".join([*lines, "```", ""])


def rollout_diagram() -> str:
    """The table of a rollout: a Mermaid state diagram of a word each, and its rows in order."""
    edges = {
        (phase, row.becomes): []
        for row in TABLE
        for phase in sorted(row.phases)
        if phase is not row.becomes
    }  # type: dict[tuple[RolloutPhase, RolloutPhase], list[str]]
    for row in TABLE:
        for phase in row.phases:
            word = row.condition if row.event is EventKind.TICK else row.event.value
            named = edges.get((phase, row.becomes))
            if named is not None and word not in named:
                named.append(word)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {RolloutPhase.PENDING}: start"]
    lines += [
        f"    {before} --> {after}: {', '.join(words)}" for (before, after), words in edges.items()
    ]
    lines += [f"    {phase} --> [*]" for phase in RolloutPhase if phase in ENDED]
    rows = ["", "| in | when | if | then | moves to |", "|---|---|---|---|---|"]
    for row in TABLE:
        phases = ", ".join(phase.value for phase in RolloutPhase if phase in row.phases)
        after = row.becomes.value + (f" ({row.waiting_for})" if row.waiting_for else "")
        rows.append(
            f"| {phases} | {row.event.value} | `{row.condition}` | {after} | {row.move or '-'} |"
        )
    return "\n".join([*lines, "```", *rows, ""])


MADE = (
    ("architecture.md", "figway/serving/attempts/exchange.py", request_diagram),
    ("rollouts.md", "figway/rollout/machine.py", rollout_diagram),
)


def page(text: str, mark: str, made: str) -> str:
    """The page with the diagram of today's table. Raises ValueError where it lacks the marks."""
    before, _, rest = text.partition(mark)
    _, _, after = rest.partition(END)
    if not rest or not after:
        raise ValueError(f"a page lacks the marks that its diagram stands between: {mark.strip()}")
    return before + mark + made + END + after


def main() -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    asked = parser.parse_args()
    wrong = 0
    for name, module, diagram in MADE:
        text = (DOCS / name).read_text(encoding="utf-8")
        made = page(text, begin(module), diagram())
        if made == text:
            continue
        if asked.check:
            wrong = 1
            sys.stderr.write(f"docs/concepts/{name} is not what the code says: make reference\n")
        else:
            (DOCS / name).write_text(made, encoding="utf-8")
    return wrong


if __name__ == "__main__":
    raise SystemExit(main())
