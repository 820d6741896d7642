"""A bar chart as SVG, by hand: no more than the page needs."""

from __future__ import annotations

from html import escape

_WIDTH, _LEFT, _BAR, _GAP, _TOP = 720, 110, 20, 8, 34


def bars(values: list[tuple[str, float]], title: str) -> str:
    """Horizontal bars. A value beyond five times the median is cut off, and says so."""
    ordered = sorted(value for _, value in values)
    most = min(ordered[-1], ordered[len(ordered) // 2] * 5) or 1.0
    height = _TOP + len(values) * (_BAR + _GAP) + 6
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="20" fill="#444444">{escape(title)}</text>',
    ]
    room = _WIDTH - _LEFT - 110
    for number, (name, value) in enumerate(values):
        y = _TOP + number * (_BAR + _GAP)
        length = max(1.0, min(value, most) / most * room)
        colour = "#2f6f4f" if name in ("native", "interpreted", "asgi") else "#9aa5b1"
        shown = f"{value:,.1f}" + (" (cut off)" if value > most else "")
        parts += [
            f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end" fill="#222222">'
            f"{escape(name)}</text>",
            f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR}" fill="{colour}"/>',
            f'<text x="{_LEFT + length + 6:.1f}" y="{y + 15}" fill="#222222">{shown}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
