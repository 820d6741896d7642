"""References to secrets: what a table may hold in the place of one.

Only what was made for it can be named: a proxy reads variables of one prefix, files of its secrets
directory and secrets of AWS below a prefix, so that a table cannot fetch other secrets of a host.
"""

from __future__ import annotations

import re

_REFERENCE = re.compile(
    r"env:FIGWAY_SECRET_[A-Z0-9_]{1,128}"
    r"|file:/[A-Za-z0-9._/-]{1,512}"
    r"|aws-secret:[A-Za-z0-9/_+=.@:-]{1,512}"
).fullmatch
HOW = "write env:FIGWAY_SECRET_X, file:/run/secrets/figway/x or aws-secret:NAME"


def is_reference(value: str) -> bool:
    """May `value` stand in a table where a secret is named?"""
    return _REFERENCE(value) is not None and ".." not in value
