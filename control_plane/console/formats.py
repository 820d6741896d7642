"""Numbers as people read them, and shares as they type them."""

from __future__ import annotations

from datetime import UTC, datetime

from control_plane.clock import now_ms
from control_plane.http.problems import invalid
from control_plane.percent import lower
from figway.model.backend import HANDED_ON, Backend, is_stream
from figway.model.share import basis_points

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def percent(share: float | None, digits: int = 1) -> str:
    """`0.256` as `25.6 %`; a share near an end never rounds to it."""
    if share is None:
        return "–"
    least = 10 ** -(digits + 2)
    if 0 < share < least:
        return f"< {least * 100:g} %"
    if 1 - least < share < 1:
        return f"> {100 - least * 100:g} %"
    shown = f"{share * 100:.{digits}f}"
    return (shown.rstrip("0").rstrip(".") if "." in shown else shown) + " %"


def at_least(share: float | None, digits: int = 2) -> str:
    """A lower bound as `98.99 %`: cut, never rounded up."""
    return percent(None if share is None else lower(share, digits), digits)


def weight(points: int) -> str:
    """Basis points as per cent."""
    return f"{points / 100:g}%"


def points(name: str, typed: str, *, sign_shown: bool = False) -> int:
    """What was typed into a field, `25%`, in basis points; where the sign stands beside the field
    (`sign_shown`), without it as well. Raises `ApiProblem` 422 for what is no share."""
    text = f"{typed.strip().removesuffix('%')}%" if sign_shown else typed
    try:
        return basis_points(text)
    except ValueError as error:
        raise invalid(name, str(error)) from None


def rate(per_second: float | None) -> str:
    """Requests a second."""
    if per_second is None:
        return "–"
    if per_second >= 100:
        return thousands(round(per_second))
    return f"{per_second:.1f}" if per_second >= 0.05 or per_second == 0 else "< 0.1"


def ms(value: float | None) -> str:
    """Milliseconds."""
    if value is None:
        return "–"
    if value >= 10_000:
        return f"{value / 1_000:.1f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def thousands(number: int) -> str:
    """`12 345`."""
    return f"{number:,}".replace(",", "\u202f")


def size(count: int) -> str:
    """Bytes."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1_000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1_000
    return f"{value:.1f} GB"


def ago(at_ms: int | None) -> str:
    """How long ago."""
    if not at_ms:
        return "never"
    return f"{span(max(0, now_ms() - at_ms))} ago"


def span(length_ms: int) -> str:
    """A length of time in its largest unit."""
    seconds = length_ms // 1_000
    for unit_s, name in _UNITS:
        if seconds >= unit_s:
            return f"{seconds // unit_s} {name}"
    return "0 s"


def moment(at_ms: int | None) -> str:
    """Date and time, UTC; scripts show it in the reader's own zone."""
    if not at_ms:
        return "–"
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(at_ms: int) -> str:
    """The time of day, UTC; scripts show it in the reader's own zone."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%H:%M:%S")


def iso(at_ms: int) -> str:
    """For the `datetime` attribute."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds")


def address(backend: Backend) -> str:
    """Where a backend is: its URL, function, queue, stream, bus, topic or state machine."""
    if is_stream(backend):
        return f"{backend.url} stream {backend.stream.name}"
    if backend.kind in HANDED_ON:
        return f"{backend.kind.value} {backend.aws.resource}"
    return backend.url or backend.function
