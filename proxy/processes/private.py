"""The private listener: live, ready, metrics and table, for the operator's machines only.

It is apart from the facade, whose path space belongs to legacy whole, and on loopback
unless a setting says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from figway.message.problem import Problem
from proxy.private.responder import Answer
from proxy.processes.acknowledge import kill_state, release
from proxy.processes.quarantine import merged
from proxy.telemetry.backends import granted
from proxy.telemetry.prometheus import CONTENT_TYPE, Exposition, add_requests

if TYPE_CHECKING:
    from proxy.processes.supervisor import Supervisor

_PATHS = "/live, /ready, /metrics and /table"


class Private:
    """Answers for a supervisor."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def respond(self, method: str, path: str) -> Answer:
        """The answer to one request."""
        if method not in ("GET", "HEAD"):
            return _problem(Problem(405, "method", "Only GET and HEAD are answered here"))
        if path == "/live":
            return _json(200, {"live": True})
        if path == "/ready":
            return self._ready()
        if path == "/metrics":
            await self._supervisor.collector.flush()
            body = exposition(self._supervisor)
            return Answer(200, body, [(b"content-type", CONTENT_TYPE.encode())])
        if path == "/table":
            return _json(200, self._table())
        return _problem(Problem(404, "not_found", "Nothing here", f"There are {_PATHS}."))

    def _ready(self) -> Answer:
        """Ready when every worker serves a table, and none is going away."""
        supervisor = self._supervisor
        why = ""
        if supervisor.stopping:
            why = "stopping"
        elif supervisor.lame:
            why = "about to stop"
        elif supervisor.tables.served is None:
            why = "no table"  # or one that is on its way
        elif not supervisor.workers.ready:
            why = "workers are starting"
        return _json(503 if why else 200, {"ready": not why, "why": why})

    def _table(self) -> dict[str, Any]:
        supervisor = self._supervisor
        served, follower, refused = (
            supervisor.tables.served,
            supervisor.tables.follower,
            supervisor.tables.refused,
        )
        return {
            "revision": None if served is None else served.revision,
            "etag": None if served is None else served.etag,
            "source": None if served is None else served.source.value,
            "routes": 0 if served is None else len(served.table.routes),
            "installation": supervisor.allegiance.followed,
            "kill_switch": kill_state(supervisor),
            "control_plane": None
            if follower is None
            else {"reachable": follower.reachable, "streaming": follower.streaming},
            "refused": None
            if refused is None
            else {"revision": refused.revision, "findings": refused.findings},
            "quarantine": merged(supervisor.workers.live, None if served is None else served.table),
            "store_error": supervisor.tables.store.error,
            "workers": [
                {
                    "id": worker.number,
                    "pid": worker.child.pid,
                    "ready": worker.ready,
                    "revision": worker.revision,
                    "etag": worker.etag,
                    "kill": worker.kill,
                    "restarts": worker.child.restarts,
                    "breakers": worker.breakers,
                }
                for worker in supervisor.workers.all
            ],
        }


def exposition(supervisor: Supervisor) -> bytes:
    """All metrics. Counters outlive the workers that counted, so they never go backwards."""
    out = Exposition()
    add_requests(out, supervisor.collector.totals)
    _add_workers(out, supervisor)
    _add_backends(out, supervisor)
    _add_quarantine(out, supervisor)
    _add_table(out, supervisor)
    _add_reports(out, supervisor)
    _add_shadow(out, supervisor)
    out.family("figway_info", "gauge", "The release that runs.", [((("version", release()),), 1)])
    return out.text()


def _add_workers(out: Exposition, supervisor: Supervisor) -> None:
    workers = supervisor.workers.all
    out.one(
        "figway_workers",
        "gauge",
        "Workers that run.",
        len([item for item in workers if item.alive]),
    )
    restarts = sum(item.child.restarts for item in workers)
    out.one("figway_worker_restarts_total", "counter", "Workers that were replaced.", restarts)
    in_flight = sum(item.gauges.get("in_flight", 0) for item in workers)
    out.one("figway_requests_in_flight", "gauge", "Requests being served.", in_flight)
    dropped = supervisor.collector.lost("log_dropped")
    out.one("figway_log_dropped_total", "counter", "Requests whose log line was lost.", dropped)
    errors = supervisor.collector.lost("unexpected_errors")
    out.one("figway_unexpected_errors_total", "counter", "Faults of the proxy itself.", errors)
    for name, key, help_text in (
        ("figway_worker_tasks", "tasks", "Tasks of asyncio in a worker."),
        ("figway_worker_descriptors", "descriptors", "Open descriptors of a worker."),
    ):
        each = [((("worker", str(w.number)),), float(w.gauges.get(key, 0))) for w in workers]
        out.family(name, "gauge", help_text, each)
    killed = [((("worker", str(item.number)),), float(item.kill)) for item in workers]
    out.family("figway_kill_switch", "gauge", "Kill switch of this host in effect.", killed)
    breakers = [
        (
            (
                ("worker", str(item["worker"])),
                ("route", item["route"]),
                ("backend", item["backend"]),
                ("state", item["state"]),
            ),
            1.0,
        )
        for worker in workers
        for item in worker.breakers
    ]
    out.family("figway_breaker", "gauge", "Breakers that are not closed.", breakers)


def _add_backends(out: Exposition, supervisor: Supervisor) -> None:
    workers, totals = supervisor.workers.all, supervisor.collector.backends
    sick = [
        (
            (
                ("worker", str(worker.number)),
                ("backend", item["backend"]),
                ("member", item["member"]),
                ("state", item["state"]),
            ),
            1.0,
        )
        for worker in workers
        for item in worker.out
    ]
    out.family("figway_member_out", "gauge", "URLs of backends that are left out.", sick)
    ejected = [((("backend", a), ("member", b)), float(n)) for a, b, n in totals.rows("ejected")]
    out.family("figway_ejections_total", "counter", "Times a URL failed too often.", ejected)
    odd = [((("backend", a), ("kind", b)), float(n)) for a, b, n in totals.rows("odd")]
    out.family("figway_odd_answers_total", "counter", "Answers that had to be mended.", odd)
    checks = [
        ((("backend", backend), ("member", member), ("result", result)), float(count))
        for result in ("bad", "good")
        for backend, member, count in totals.rows(result)
    ]
    out.family("figway_health_checks_total", "counter", "Health checks by result.", checks)
    for name, what, help_text in (
        ("figway_budget_spent_total", "spent", "Fallbacks and retries that a budget paid."),
        ("figway_budget_refused_total", "refused", "Those that no budget was left for."),
    ):
        rows = [((("backend", a), ("budget", b)), float(n)) for a, b, n in totals.rows(what)]
        out.family(name, "counter", help_text, rows)
    per_s = granted(item for worker in workers for item in worker.budgets)
    samples = [((("backend", a), ("budget", b)), value) for a, b, value in per_s]
    out.family("figway_budget_per_second", "gauge", "What a budget grants now.", samples)


def _add_quarantine(out: Exposition, supervisor: Supervisor) -> None:
    left_out = [
        (
            (
                ("worker", str(worker.number)),
                ("kind", row["kind"]),
                ("id", row["id"]),
                ("code", row["code"]),
            ),
            1.0,
        )
        for worker in supervisor.workers.all
        for row in worker.quarantine
    ]
    out.family("figway_quarantine", "gauge", "What cannot be opened of the table.", left_out)


def _add_table(out: Exposition, supervisor: Supervisor) -> None:
    served = supervisor.tables.served
    revisions = [
        ((("worker", str(worker.number)),), float(max(0, worker.revision)))
        for worker in supervisor.workers.all
    ]
    out.family("figway_table_revision", "gauge", "Revision served.", revisions)
    routes = 0 if served is None else len(served.table.routes)
    out.one("figway_table_routes", "gauge", "Routes of the table.", routes)
    refused = 0 if supervisor.tables.refused is None else 1
    out.one("figway_table_refused", "gauge", "1 while a published table is refused.", refused)
    stored = 0 if supervisor.tables.store.error else 1
    out.one("figway_table_kept", "gauge", "0 while the table cannot be kept on disk.", stored)
    if supervisor.tables.follower is not None:
        reachable = float(supervisor.tables.follower.reachable)
        out.one("figway_control_plane_up", "gauge", "Control plane reachable.", reachable)
        silent = supervisor.tables.follower.silent_s
        out.one("figway_control_plane_silent_seconds", "gauge", "Time since it was heard.", silent)


def _add_reports(out: Exposition, supervisor: Supervisor) -> None:
    reporter = supervisor.collector.reporter
    if reporter is None:
        return
    out.one("figway_reports_total", "counter", "Reports sent.", reporter.outbox.sent)
    out.one("figway_reports_waiting", "gauge", "Reports that wait.", len(reporter.outbox))
    lost = reporter.outbox.dropped
    out.one("figway_reports_dropped_total", "counter", "Reports lost.", lost)
    events = reporter.dropped_events
    out.one("figway_report_events_dropped_total", "counter", "Events lost.", events)


def _add_shadow(out: Exposition, supervisor: Supervisor) -> None:
    shadow = supervisor.shadow
    if shadow is None or not shadow.path:
        return
    for name, kind, help_text in (
        ("figway_shadow_pairs_total", "verdict", "Captured requests that were worked on."),
        ("figway_shadow_dropped_total", "dropped", "Captured requests that were lost."),
    ):
        totals = sorted(shadow.batches.totals.items())
        label = "reason" if kind == "dropped" else kind
        samples = [(((label, which),), float(n)) for (of, which), n in totals if of == kind]
        out.family(name, "counter", help_text, samples)
    out.one("figway_shadow_open", "gauge", "Captured requests on their way.", shadow.ledger.open)
    paused = len(shadow.batches.worker["paused"])
    out.one("figway_shadow_paused", "gauge", "Backends left alone by the shadow.", paused)
    up, restarts = float(shadow.child.alive), shadow.child.restarts
    out.one("figway_shadow_worker_up", "gauge", "1 while the shadow worker runs.", up)
    out.one("figway_shadow_worker_restarts_total", "counter", "Times it was replaced.", restarts)
    waiting = len(shadow.batches.outbox)
    out.one("figway_shadow_batches_waiting", "gauge", "Batches that wait.", waiting)
    lost = shadow.batches.examples_lost
    out.one("figway_shadow_examples_lost_total", "counter", "Examples without room.", lost)


def _json(status: int, data: Any) -> Answer:
    body = orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return Answer(
        status,
        body,
        [
            (b"content-type", b"application/json"),
            (b"cache-control", b"no-store"),
        ],
    )


def _problem(problem: Problem) -> Answer:
    body = problem.body()
    return Answer(problem.status, body, problem.headers(body))
