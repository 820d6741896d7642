"""One policy for every change: more exposure without proof asks, less exposure never does.

It stands in the publisher, where every change passes: API, command line, console, `apply`, undo.
A change exposes users when new would serve more of them, or serve the same ones otherwise than what
was compared: a larger share, another backend, another address of the backend, a wider match, a
breaker that does not open any more, legacy that is not asked any more. Evidence that proves new
lets it pass, as long as it is of what would serve: pairs of another backend, of one that was
changed since, or of other requests speak for nothing. Without, the caller has to say that it was
seen (`Confirm.EXPOSURE`); against evidence that new is wrong, or where a live proxy cannot open
what it would call, it takes `Confirm.FORCE`.

So does a change that would send a secret somewhere else: whoever may set a backend could otherwise
have any secret of the proxies sent to an address of their own. A secret belongs to the addresses
that the table sends it to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from control_plane.audit.entry import AuditEntry
from control_plane.http.problems import ApiProblem, FindingOut
from control_plane.publishing.service import Confirm, Published
from control_plane.publishing.unopened import LeftOut, next_step, speaks_of, told
from figway.model.backend import Backend, BackendKind, is_stream, secret_references
from figway.model.share import on_new
from figway.model.table import BreakerForce, Route, Stage, Table


@dataclass(frozen=True, slots=True)
class Exposed:
    """A route of which new would serve more, or otherwise; and how."""

    route: str
    why: str
    backend: str
    needs_proof: bool = True
    """False: no evidence can speak for it."""
    compared: bool = True
    """False: what would serve, or what it would be asked, is not what was compared so far."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the evidence says of a route, with the figures."""

    standing: Literal["proven", "promising", "refuted", "not_enough_data"]
    text: str
    of_now: bool = True
    """False: of a backend or of rules that were changed since."""


NOTHING_COMPARED = Proof("not_enough_data", "nothing was compared yet")
Evidence = Callable[[Iterable[str]], Awaitable[Mapping[str, Proof]]]
Unopened = Callable[[], Awaitable[Sequence[LeftOut]]]
"""What live proxies cannot open of the backends as they are now."""


def share(route: Route | None) -> int:
    """Basis points of the sticky keys that new serves."""
    return 0 if route is None else on_new(route.stage, route.weight)


def exposed(before: Table, after: Table) -> list[Exposed]:
    """Where users would be exposed to what they were not. Only what differs is looked at."""
    found = []
    changed = _changed_backends(before, after)
    for route_id, route in after.routes.items():
        known = before.routes.get(route_id)
        if known is route and route.new not in changed:
            continue
        if why := _why(known, route, changed):
            same = known is None or (known.new, known.match) == (route.new, route.match)
            compared = same and route.new not in changed
            found.append(Exposed(route_id, why, route.new, compared=compared))
    found += [
        Exposed(route_id, "it is retired, and its requests would go to legacy again", "", False)
        for route_id, route in before.routes.items()
        if route_id not in after.routes and route.stage is Stage.RETIRED
    ]
    return found


def _changed_backends(before: Table, after: Table) -> set[str]:
    """Backends that are somewhere else, or something else, than they were."""
    if before.backends is after.backends:
        return set()
    return {
        backend_id
        for backend_id, backend in after.backends.items()
        if (known := before.backends.get(backend_id)) is not None
        and known is not backend
        and _address(known) != _address(backend)
    }


def _address(backend: Backend) -> tuple[object, ...]:
    names = (
        "kind",
        "side",
        "url",
        "urls",
        "members",
        "function",
        "region",
        "endpoint_url",
        "sign",
    )
    named = tuple(getattr(backend, name, None) for name in names)
    return (*named, backend.aws.resource, backend.aws.mode, backend.stream.name)


def _why(before: Route | None, after: Route, changed: set[str]) -> str:
    was, becomes = share(before), share(after)
    if becomes > was:
        return f"new would serve {becomes / 100:g}% instead of {was / 100:g}%"
    if not becomes or before is None:
        return ""
    if after.stage is Stage.RETIRED is not before.stage:
        return "retired: legacy would never be asked again, also when new fails"
    if before.stage is Stage.RETIRED and after.stage is not Stage.RETIRED:
        return ""
    if after.new != before.new:
        return f"backend {after.new} instead of {before.new} would serve {becomes / 100:g}%"
    if after.new in changed:
        return f"backend {after.new} would be another one, and serves {becomes / 100:g}%"
    if after.match != before.match:
        return f"other requests would match, of which new serves {becomes / 100:g}%"
    return _unguarded(before, after)


def _unguarded(before: Route, after: Route) -> str:
    was, becomes = before.breaker.force, after.breaker.force
    if becomes is not was and (becomes is BreakerForce.CLOSED or was is BreakerForce.OPEN):
        return "its breaker would let requests through to new"
    if before.breaker.enabled and not after.breaker.enabled:
        return "without a breaker, new would be called while it fails"
    if before.fallback.enabled and not after.fallback.enabled:
        return "without fallback, users would see new's failures"
    return ""


def secrets_elsewhere(before: Table, after: Table) -> list[FindingOut]:
    """Secrets that a change would send to an address that they were not sent to."""
    if before.backends is after.backends:
        return []
    sent = _destinations(before)
    found = []
    for backend_id, backend in after.backends.items():
        if before.backends.get(backend_id) is backend:
            continue
        for reference in secret_references(backend):
            known = sent.get(reference)
            other = sorted(_hosts(backend) - known) if known else []
            if known and other:
                text = (
                    f"{reference} would be sent to {', '.join(other[:5])}; so far it is "
                    f"sent to {', '.join(sorted(known)[:5])}"
                )
                path = f"backend {backend_id}"
                found.append(
                    FindingOut(code="secret_elsewhere", severity="warning", path=path, message=text)
                )
    return found


def _destinations(table: Table) -> dict[str, set[str]]:
    """Where each secret is sent to."""
    found: dict[str, set[str]] = {}
    for backend in table.backends.values():
        for reference in secret_references(backend):
            found.setdefault(reference, set()).update(_hosts(backend))
    return found


def _hosts(backend: Backend) -> set[str]:
    if backend.kind is not BackendKind.HTTP and not is_stream(backend):
        name = backend.function or backend.aws.resource
        return {urlsplit(backend.endpoint_url).netloc or f"{backend.kind.value} {name}"}
    return {urlsplit(url).netloc for url in (backend.url, *backend.urls) if url}


class ExposurePolicy:
    """Asks where it has to. Implements `control_plane.publishing.service.Policy`."""

    def __init__(self, evidence: Evidence, unopened: Unopened) -> None:
        self._evidence = evidence
        self._unopened = unopened

    async def __call__(
        self, drafted: Published, entry: AuditEntry, confirm: Confirm, *, gated: bool = False
    ) -> None:
        """Raises `ApiProblem` 409: `confirmation_required` or `force_required`. `gated`: other
        gates judged the evidence; what a proxy cannot open is asked about all the same."""
        if confirm is Confirm.FORCE and not entry.reason.strip():
            raise ApiProblem(
                422, "reason_required", "A reason is required", "say why this is forced"
            )
        if confirm is Confirm.FORCE:
            return
        before, after = drafted.before.table, drafted.after.table
        asked: list[FindingOut] = []
        if gated:
            forced = await self._closed(exposed(before, after), before, after)
        else:
            asked, forced = await self.findings(before, after)
        if forced:
            raise _needs("force_required", "This has to be forced", forced + asked, "force")
        if asked and confirm is Confirm.NOTHING:
            raise _needs("confirmation_required", "New would serve more", asked, "exposure")

    async def findings(
        self, before: Table, after: Table
    ) -> tuple[list[FindingOut], list[FindingOut]]:
        """What has to be confirmed, and what has to be forced."""
        spread = secrets_elsewhere(before, after)
        found = exposed(before, after)
        if not found:
            return [], spread
        proofs = await self._evidence([entry.route for entry in found])
        asked: list[FindingOut] = []
        closed = await self._closed(found, before, after)
        forced = [*spread, *closed]
        settled = {finding.path for finding in closed}
        for entry in found:
            proof = proofs.get(entry.route, NOTHING_COMPARED)
            if f"route {entry.route}" in settled:
                continue
            if not entry.needs_proof:
                asked.append(_finding("exposure", entry, ""))
            elif proof.standing == "refuted" and entry.compared and proof.of_now:
                forced.append(_finding("refuted", entry, proof.text))
            elif doubt := _doubt(entry, proof):
                asked.append(_finding("unproven", entry, doubt))
        return asked, forced

    async def _closed(
        self, found: Sequence[Exposed], before: Table, after: Table
    ) -> list[FindingOut]:
        """What would be served by a backend that a live proxy cannot open."""
        closed = speaks_of(await self._unopened() if found else (), before, after)
        return [
            FindingOut(
                code="cannot_open",
                severity="warning",
                path=f"route {entry.route}",
                message=f"{entry.why}; {told(closed[entry.backend])}",
                resolution=next_step(entry.backend),
            )
            for entry in found
            if entry.backend in closed
        ]


def _doubt(entry: Exposed, proof: Proof) -> str:
    """What keeps the evidence from speaking for what would serve; empty where it does."""
    if proof == NOTHING_COMPARED:
        return proof.text
    if not entry.compared:
        return f"{proof.text}, but that is not what would serve"
    if not proof.of_now:
        return f"{proof.text}, but of a backend or of rules that were changed since"
    return "" if proof.standing == "proven" else proof.text


def _finding(code: str, entry: Exposed, evidence: str) -> FindingOut:
    text = f"{entry.why}; evidence: {evidence}" if evidence else entry.why
    return FindingOut(code=code, severity="warning", path=f"route {entry.route}", message=text)


def _needs(code: str, title: str, findings: list[FindingOut], word: str) -> ApiProblem:
    first = findings[0]
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    detail = f"{first.path}: {first.message}{more}. Repeat with confirm={word} if it is meant"
    return ApiProblem(409, code, title, detail, findings=findings[:100])
