"""How comparison plugins are named, `module:function`. Nothing here loads one."""

from __future__ import annotations

import re

LONGEST = 200
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII).fullmatch


def is_plugin_name(text: str) -> bool:
    """Whether a text can name a plugin."""
    return len(text) <= LONGEST and _NAME(text) is not None


def plugin_names(text: str) -> tuple[str, ...]:
    """The plugins that a setting names, separated by commas. Raises ValueError."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if not is_plugin_name(name):
            raise ValueError(
                f"{name[:80]!r} is no plugin: write module:function, with commas between"
            )
    return tuple(dict.fromkeys(names))
