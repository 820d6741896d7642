"""How much a run tries: `make test` each thing once, `make test-all` everything."""

from __future__ import annotations

import os

THOROUGH = os.environ.get("THOROUGH") == "1"
LOOKING = THOROUGH or "FUZZ_EXAMPLES" in os.environ
"""Properties are tried with inputs that no run had before (`make test-all`, `make fuzz`)."""


def examples(number: int) -> int:
    """How many inputs a property is tried with: `number`, and a third of it in `make test`."""
    return number if THOROUGH else max(1, number // 3)
