"""Files of YAML or JSON that a command is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from control_plane.cli.errors import CliError, Exit


def read_yaml(file: Path, hint: str = "") -> Any:
    """What the file holds; JSON is YAML too. Raises `CliError` with the file's name, and why."""
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        why = error.strerror or str(error)
        raise CliError(f"{file} cannot be read: {why}", hint=hint, code=Exit.USAGE) from None
    # What a scalar cannot be (`2027-02-29`, `!!bool x`) PyYAML raises as it comes.
    except (ValueError, LookupError, AttributeError, RecursionError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())
        raise CliError(f"{file} cannot be read: {why}", hint=hint, code=Exit.USAGE) from None
