"""`figway up --check`: what the facade would make of legacy's answers, before it is there."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from rich.markup import escape

from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import console
from control_plane.cli.processes import python_module

_HINT = "The list of what is refused: docs/concepts/routing.md, What is refused, and waited for."


def dry_look(legacy: str) -> None:
    """Ask legacy for a sample, and print what becomes of it; nothing is started.

    Raises `CliError`: REFUSED where the facade would refuse an answer, FAILED where none comes.
    """
    command = python_module("proxy.processes.look", legacy)
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode:
        said = asked.stderr.strip().splitlines() or ["it said nothing"]
        raise CliError(f"{legacy} could not be asked: {said[-1]}", hint="Correct --legacy.")
    answers: list[dict[str, Any]] = [json.loads(line) for line in asked.stdout.splitlines()]
    for answer in answers:
        console.print(escape(_line(answer)), soft_wrap=True)
    refused = sum("refused" in answer for answer in answers)
    if refused:
        raise CliError(
            f"{refused} of {len(answers)} answers of legacy would be refused with 502",
            hint=_HINT,
            code=Exit.REFUSED,
        )
    console.print("Every answer would pass. Nothing was started.")


def _line(answer: dict[str, Any]) -> str:
    asked = f"{answer['method']} {answer['target']}"
    if "refused" in answer:
        return f"{asked}  refused: {answer['refused']}"
    said = [f"passes ({answer['status']})"] if "status" in answer else []
    if answer.get("mended"):
        said.append("mended and counted: " + ", ".join(answer["mended"]))
    return f"{asked}  " + "; ".join([*said, *answer.get("notes", [])])
