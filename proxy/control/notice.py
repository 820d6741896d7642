"""What every answer of the control plane says beside its content: the kill switch, and whose it is.

It stands in headers, so that it arrives with answers that carry no table: a 304, the answer to a
heartbeat, an error of a control plane that cannot read its newest table. A control plane of an
older release says none of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

KILL, NUMBER = "figway-kill", "figway-kill-number"
INSTALLATION, ADOPTS = "figway-installation", "figway-adopts"
_MOST = 10**18
_ID = re.compile(r"[0-9a-zA-Z._-]{1,64}").fullmatch


@dataclass(frozen=True, slots=True)
class Notice:
    """`kill` is None where nothing was said of the switch; `number` goes up with each press.

    `adopts` are installations whose proxies this one takes over, by an operator's word. `asked` is
    when the answer was asked for, in seconds of the monotonic clock; events are not asked for.
    `plane` counts the control planes that this proxy was told of: whose word it is.
    """

    kill: bool | None = None
    number: int = 0
    installation: str = ""
    adopts: tuple[str, ...] = ()
    asked: float = inf
    plane: int = 0


def of_headers(headers: Mapping[str, str], asked: float = inf, plane: int = 0) -> Notice:
    """The notice in an answer's headers; what cannot be read is not said."""
    kill = {"on": True, "off": False}.get(headers.get(KILL, "").strip().lower())
    number = headers.get(NUMBER, "").strip()
    adopts = (item.strip() for item in headers.get(ADOPTS, "").split(","))
    return Notice(
        kill,
        int(number) if number.isascii() and number.isdecimal() and len(number) < 19 else 0,
        _id(headers.get(INSTALLATION, "").strip()),
        tuple(item for item in adopts if _id(item)),
        asked,
        plane,
    )


def to_headers(on: bool, number: int, installation: str) -> dict[str, str]:
    """What a proxy says of the press that it heard of last, by which a control plane learns of one
    that it does not know."""
    return {KILL: "on" if on else "off", NUMBER: str(number), INSTALLATION: installation}


def of_event(name: str, data: Mapping[str, Any], plane: int = 0) -> Notice:
    """The notice in an event of the table stream."""
    kill = data if name == "kill" else data.get("kill")
    installation = _id(data.get("installation"))
    if not isinstance(kill, Mapping) or not isinstance(kill.get("on"), bool):
        return Notice(installation=installation, plane=plane)
    number = kill.get("number")
    known = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < _MOST
    pressed = number if known and isinstance(number, int) else 0
    return Notice(kill["on"], pressed, installation, plane=plane)


def _id(value: object) -> str:
    return value if isinstance(value, str) and _ID(value) else ""
