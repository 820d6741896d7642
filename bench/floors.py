"""What was promised, held against what was measured."""

from __future__ import annotations

from typing import Any

Rows = dict[str, dict[str, dict[str, Any]]]
NO_FLOOR = 1e9
Verdict = tuple[str, str, str, str, str]


def verdicts(rows: Rows) -> list[Verdict]:
    """One line a promise: what, measured, floor, goal, and whether they are met."""
    out: list[Verdict] = []

    def value(key: str, server: str, figure: str = "cpu_us_per_request") -> float | None:
        found = rows.get(key, {}).get(server, {}).get(figure)
        return None if found is None else float(found)

    def line(
        what: str,
        own: float | None,
        other: float | None,
        floor: float,
        goal: float | None,
        unit: str = "",
    ) -> None:
        if own is None or other is None or not other:
            out.append((what, "not measured", "", "", "-"))
            return
        ratio = own / other
        met = "floor missed" if ratio > floor else "floor met"
        if goal is not None and ratio <= goal:
            met = "goal met"
        shown = f"{ratio:.3g}{unit}"
        least = "" if floor == NO_FLOOR else f"{floor:.3g}{unit}"
        most = "" if goal is None else f"{goal:g}{unit}"
        out.append((what, shown, least, most, met if least or met == "goal met" else "goal missed"))

    a = value("a", "native")
    line("(a) native, of Envoy's CPU", a, value("a", "envoy"), 0.5, 0.33)
    line("(a) native, of Traefik's CPU", a, value("a", "traefik"), 0.5, None)
    line("(a) native, of nginx's CPU", a, value("a", "nginx"), 1.6, 1.0)
    line("(a) native, of FastAPI's with httpx", a, value("a", "fastapi"), 1 / 60, None)
    line("(a) ASGI door, of Envoy's CPU", value("a", "asgi"), value("a", "envoy"), 0.9, 0.7)
    line("(b) native, of nginx's CPU", value("b", "native"), value("b", "nginx"), 1.8, 1.0)
    worker = value("c", "native", "worker_cpu_us_per_request")
    line("(c) serving worker, of (a)", worker, a, 1.5, 1.25)
    line("(c) serving worker, of nginx's with mirror", worker, value("c", "nginx"), 1.4, 1.0)
    line("(c) serving worker, of Envoy's with mirror", worker, value("c", "envoy"), 0.6, 0.4)
    for key in ("d", "g"):
        line(
            f"({key}) native, of Envoy's CPU", value(key, "native"), value(key, "envoy"), 1.0, None
        )
        own, other = value(key, "native", "p99_ms"), value(key, "envoy", "p99_ms")
        line(f"({key}) native, of Envoy's p99", own, other, 1.0, None)
        line(f"({key}) native, of nginx's p99", own, value(key, "nginx", "p99_ms"), NO_FLOOR, 1.0)
    for key in ("e1", "e2"):
        line(
            f"({key}) native, of Envoy's CPU", value(key, "native"), value(key, "envoy"), 1.2, None
        )
        line(
            f"({key}) native, of nginx's CPU",
            value(key, "native"),
            value(key, "nginx"),
            NO_FLOOR,
            1.0,
        )
    direct, own = value("f", "direct", "p50_ms"), value("f", "native", "p50_ms")
    added = None if direct is None or own is None else own - direct
    line("(f) native, added p50", added, 1.0, 3.0, None, " ms")
    line(
        "(f) Envoy's rate, of native's",
        value("f", "envoy", "rps"),
        value("f", "native", "rps"),
        1.0,
        None,
    )
    for size, figure, floor, goal in (
        ("memory of a worker with 200 routes", "start_rss_mb", 60.0, 40.0),
        ("memory an idle connection, at 10 000", "kb_per_connection_10000", 6.0, 3.0),
    ):
        unit = " MB" if "rss" in figure else " KB"
        line(f"(h) {size}", value("h", "native", figure), 1.0, floor, goal, unit)
    few = value("i10", "native")
    line("(i) 100 000 routes, of 10", value("i100000", "native"), few, 1.15, 1.0)
    line(
        "(j) flips, p99 of (a)'s",
        value("j", "native", "p99_ms"),
        value("a", "native", "p99_ms"),
        1.5,
        1.1,
    )
    return out
