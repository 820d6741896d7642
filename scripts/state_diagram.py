"""Draws the states of a request in docs/concepts/architecture.md from `exchange.TRANSITIONS`.

    python scripts/state_diagram.py [--check]

With --check nothing is written: the exit code is 1 if the page does not show the table of the code.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from figway.serving.exchange import TRANSITIONS, Do, State

PAGE = Path(__file__).resolve().parents[1] / "docs" / "concepts" / "architecture.md"
BEGIN = "<!-- Made from figway/serving/exchange.py by `make reference`. -->\n"
END = "<!-- End of what is made. -->\n"


def diagram() -> str:
    """The table of transitions as a Mermaid state diagram."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.IDLE.name}"]
    for state, events in TRANSITIONS.items():
        for event, steps in events.items():
            for do, after in steps.items():
                done = "" if do is Do.NOTHING else f" / {do.name}"
                lines.append(f"    {state.name} --> {after.name}: {event.name.lower()}{done}")
        if not events:
            lines.append(f"    {state.name} --> [*]")
    return "\n".join([*lines, "```", ""])


def page(text: str) -> str:
    """The page with the diagram of today's table. Raises ValueError where it lacks the marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not rest or not after:
        raise ValueError(
            "docs/concepts/architecture.md lacks the marks that the diagram stands between"
        )
    return before + BEGIN + diagram() + END + after


def main() -> int:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    asked = parser.parse_args()
    text = PAGE.read_text(encoding="utf-8")
    made = page(text)
    if asked.check:
        if made != text:
            sys.stderr.write(
                "docs/concepts/architecture.md is not what the code says: make reference\n"
            )
        return int(made != text)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
