"""Metrics in the Prometheus text format (version 0.0.4), summed over the workers.

The bounds of the latency histogram are powers of two in microseconds, because those are bounds of
`figway.evidence.histogram` too: no count has to be split, so every bucket is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from figway.evidence.histogram import bounds
from proxy.telemetry.series import Series, SeriesSet

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS_US = [1 << power for power in range(9, 27)]  # 0.5 ms to 67 s

Labels = tuple[tuple[str, str], ...]
Sample = tuple[Labels, float]


class Exposition:
    """Collects families of samples, and writes them down."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def family(self, name: str, kind: str, help_text: str, samples: Iterable[Sample]) -> None:
        """Add one family; left out when it has no samples."""
        lines = [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
        self._add(name, kind, help_text, lines)

    def one(self, name: str, kind: str, help_text: str, value: float) -> None:
        """Add a family of a single sample."""
        self.family(name, kind, help_text, [((), value)])

    def histogram(
        self, name: str, help_text: str, found: Iterable[tuple[Labels, Mapping[int, int], int]]
    ) -> None:
        """Add a histogram in seconds of (labels, counts by bucket, sum in microseconds)."""
        lines: list[str] = []
        for labels, counts, total_us in found:
            lines.extend(_histogram(name, labels, counts, total_us))
        self._add(name, "histogram", help_text, lines)

    def text(self) -> bytes:
        """The whole exposition."""
        return "".join(f"{line}\n" for line in self._lines).encode()

    def _add(self, name: str, kind: str, help_text: str, lines: list[str]) -> None:
        if lines:
            self._lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", *lines]


def add_requests(out: Exposition, totals: SeriesSet) -> None:
    """The families about requests."""
    rows = [(_key(key), series) for key, series in sorted(totals.found.items())]
    out.family(
        "figway_requests_total",
        "counter",
        "Requests finished, by status class.",
        _by(rows, "statuses", "status"),
    )
    for name, attribute, label, help_text in _FAMILIES:
        out.family(name, "counter", help_text, _by(rows, attribute, label))
    for name, attribute, help_text in _PLAIN:
        samples = [(labels, getattr(series, attribute)) for labels, series in rows]
        out.family(name, "counter", help_text, [item for item in samples if item[1]])
    out.histogram(
        "figway_response_head_seconds",
        "Time from the request head to the response head.",
        ((labels, series.latency, series.head_us) for labels, series in rows),
    )


_FAMILIES = (
    ("figway_fallbacks_total", "fallbacks", "reason", "Requests that legacy served for new."),
    ("figway_no_fallbacks_total", "no_fallbacks", "reason", "Failures without a fallback."),
    ("figway_failures_total", "failures", "kind", "Requests whose last failure was of a kind."),
    (
        "figway_operation_unread_total",
        "unread",
        "reason",
        "Requests whose operation could not be read, and so decided nothing.",
    ),
    (
        "figway_faults_total",
        "faults",
        "fault",
        "Answers that are faults of SOAP, GraphQL or JSON-RPC, where operations are read.",
    ),
    ("figway_problems_total", "problems", "code", "Answers that the facade gave itself."),
)
_PLAIN = (
    ("figway_client_gone_total", "client_gone", "Requests whose client went away."),
    ("figway_request_bytes_total", "request_bytes", "Bytes of request bodies."),
    ("figway_response_bytes_total", "response_bytes", "Bytes of response bodies."),
)


def _key(key: tuple[str, str, str]) -> Labels:
    return (("route", key[0]), ("side", key[1]), ("backend", key[2]))


def _by(rows: list[tuple[Labels, Series]], attribute: str, label: str) -> Iterable[Sample]:
    for labels, series in rows:
        for value, count in sorted(getattr(series, attribute).items()):
            yield (*labels, (label, value)), count


def _histogram(
    name: str, labels: Labels, counts: Mapping[int, int], total_us: int
) -> Iterable[str]:
    below = sorted((bounds(number)[1], count) for number, count in counts.items())
    seen, index = 0, 0
    for bound in _BOUNDS_US:
        while index < len(below) and below[index][0] <= bound:
            seen += below[index][1]
            index += 1
        le = (*labels, ("le", f"{bound / 1e6:.6f}"))
        yield f"{name}_bucket{_labels(le)} {seen}"
    total = sum(counts.values())
    yield f"{name}_bucket{_labels((*labels, ('le', '+Inf')))} {total}"
    yield f"{name}_sum{_labels(labels)} {_number(total_us / 1e6)}"
    yield f"{name}_count{_labels(labels)} {total}"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
