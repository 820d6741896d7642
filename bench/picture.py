"""The picture of `bench.outage` as SVG, by hand: three panels over one axis of seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WIDTH, LEFT, RIGHT = 860, 64, 16
PANELS = {"rate": (48, 190), "state": (276, 60), "errors": (376, 80)}
HEIGHT = 500
COLOURS = {"closed": "#3a7d44", "open": "#b3261e", "half_open": "#c98a00", "ramp": "#7aa6d6"}
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.t{font-weight:600}"
    ".g{stroke:#ddd;stroke-width:1}.m{stroke:#888;stroke-dasharray:4 3}path{fill:none}"
)


class _Sheet:
    def __init__(self, seconds: int) -> None:
        self.seconds = max(1, seconds)
        self.parts: list[str] = []

    def x(self, at: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * at / self.seconds, 1)

    def text(self, x: float, y: float, words: str, *, kind: str = "", end: bool = False) -> None:
        anchor = ' text-anchor="end"' if end else ""
        self.parts.append(f'<text x="{x}" y="{y}" class="{kind}"{anchor}>{words}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self.parts.append(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{kind}"/>')

    def grid(self, panel: str, top: int) -> float:
        """Two marks on the axis of a panel whose highest value is `top`; pixels a unit."""
        y, height = PANELS[panel]
        for value in (0, top):
            at = y + height - height * value / top
            self.line(LEFT, at, WIDTH - RIGHT, at, "g")
            self.text(LEFT - 8, at + 4, str(value), end=True)
        return height / top

    def curve(self, panel: str, values: Sequence[int], scale: float, colour: str) -> None:
        """One value a second, drawn as steps."""
        y, height = PANELS[panel]
        points: list[str] = []
        for second, value in enumerate(values):
            level = round(y + height - value * scale, 1)
            points.append(f"{'M' if not points else 'L'}{self.x(second)} {level}")
            points.append(f"L{self.x(second + 1)} {level}")
        self.parts.append(f'<path d="{"".join(points)}" stroke="{colour}" stroke-width="2"/>')


def draw(series: dict[str, Any]) -> str:
    """The whole picture."""
    sheet = _Sheet(len(series["new"]))
    _rates(sheet, series)
    _states(sheet, series)
    _errors(sheet, series)
    for at, words in (
        (series["killed_s"], "new is killed"),
        (series["restarted_s"], "new is back"),
    ):
        x = sheet.x(at)
        sheet.line(x, 40, x, HEIGHT - 40, "m")
        sheet.text(x + 4, 38, words)
    for second in range(0, sheet.seconds + 1, 5):
        sheet.text(sheet.x(second) - 4, HEIGHT - 22, str(second))
    sheet.text(WIDTH - RIGHT, HEIGHT - 6, "seconds", end=True)
    body = "\n".join(sheet.parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="New is killed under load and comes back">\n<style>{STYLE}</style>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _rates(sheet: _Sheet, series: dict[str, Any]) -> None:
    sheet.text(LEFT, 18, "Requests of the route a second, by who executed them", kind="t")
    curves = (("new", "#1f5fa8", "new"), ("fallback", "#c05b00", "legacy, as fallback"))
    top = 10 * (1 + max(max(series["new"]), max(series["fallback"])) // 10)
    scale = sheet.grid("rate", top)
    for place, (key, colour, name) in enumerate(curves):
        sheet.curve("rate", series[key], scale, colour)
        x = 520 + 90 * place
        sheet.parts.append(f'<rect x="{x}" y="9" width="10" height="10" fill="{colour}"/>')
        sheet.text(x + 15, 18, name)


def _states(sheet: _Sheet, series: dict[str, Any]) -> None:
    y, height = PANELS["state"]
    sheet.text(LEFT, y - 10, "Breaker of each worker", kind="t")
    for place, state in enumerate(COLOURS):
        x = 520 + 82 * place
        colour = COLOURS[state]
        sheet.parts.append(f'<rect x="{x}" y="{y - 19}" width="10" height="10" fill="{colour}"/>')
        sheet.text(x + 15, y - 10, state.replace("_", "-"))
    row = height / series["workers"]
    for worker in range(series["workers"]):
        changes = [item for item in series["breakers"] if item["worker"] == worker]
        spans = [(0.0, "closed"), *((item["at_s"], item["to"]) for item in changes)]
        ends = [at for at, _ in spans[1:]] + [float(sheet.seconds)]
        for (begin, state), end in zip(spans, ends, strict=True):
            start, width = sheet.x(begin), max(1.0, round(sheet.x(end) - sheet.x(begin), 1))
            sheet.parts.append(
                f'<rect x="{start}" y="{y + worker * row}" width="{width}" height="{row - 4}" '
                f'fill="{COLOURS[state]}"/>'
            )
        sheet.text(LEFT - 8, y + worker * row + row / 2 + 2, str(worker), end=True)


def _errors(sheet: _Sheet, series: dict[str, Any]) -> None:
    y, _ = PANELS["errors"]
    words = "Errors that clients saw a second: writes in flight when new died"
    sheet.text(LEFT, y - 10, words, kind="t")
    sheet.curve(
        "errors", series["errors"], sheet.grid("errors", max(5, *series["errors"])), "#b3261e"
    )
