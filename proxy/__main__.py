"""`python -m proxy`: a proxy, with its settings from the environment.

Exit codes: 0 after a clean stop; 1 if a stop had to cut requests off; 2 for settings that cannot be
used; 3 for an address that cannot be listened on or a state folder that another proxy uses.
"""

from __future__ import annotations

import sys

from proxy.processes.bootstrap import run
from proxy.processes.hand_over import CannotTakeOver
from proxy.processes.listeners import ListenError
from proxy.processes.state_lock import StateLocked
from proxy.settings import SettingsError, load

EXIT_CUT_OFF = 1
EXIT_SETTINGS = 2
EXIT_LISTEN = 3


def main() -> int:
    """Run until stopped; the exit code."""
    try:
        return EXIT_CUT_OFF if run(load()) else 0
    except SettingsError as error:
        sys.stderr.write("".join(f"figway: {line}\n" for line in error.lines))
        return EXIT_SETTINGS
    except (ListenError, StateLocked, CannotTakeOver) as error:
        sys.stderr.write(f"figway: {error}\n")
        return EXIT_LISTEN


if __name__ == "__main__":
    sys.exit(main())
