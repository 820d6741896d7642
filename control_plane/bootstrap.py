"""The composition root: the only place that knows every part."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache, partial
from importlib.metadata import version
from uuid import uuid4

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.routing import BaseRoute

from control_plane import health
from control_plane.approvals.api import router as approvals_router
from control_plane.approvals.service import ApprovalService
from control_plane.audit.api import router as audit_router
from control_plane.audit.entry import AuditEntry
from control_plane.auth.access import Anyone
from control_plane.auth.api import router as auth_router
from control_plane.auth.keys import ApiKey
from control_plane.auth.service import AuthService, first_keys
from control_plane.auth.sessions import Sessions
from control_plane.clock import now_ms
from control_plane.comparisons.api import router as comparisons_router
from control_plane.comparisons.api_replays import router as replays_router
from control_plane.comparisons.api_rules import router as rules_router
from control_plane.comparisons.examples import Keep
from control_plane.comparisons.export import Exports
from control_plane.comparisons.ingest import BatchIngest
from control_plane.comparisons.previews import Previews
from control_plane.comparisons.replay_jobs import ReplayJobs
from control_plane.comparisons.retention import Retention
from control_plane.comparisons.service import ComparisonService
from control_plane.comparisons.stored_pairs import StoredPairs
from control_plane.comparisons.views import EvidenceViews
from control_plane.console import app as console
from control_plane.db.engine import UNAVAILABLE, Database, database_url
from control_plane.db.migrate import prepared
from control_plane.decisions.api import router as decisions_router
from control_plane.decisions.service import RENEW_S, Decisions
from control_plane.explain.api import router as explain_router
from control_plane.fleet import store as fleet_store
from control_plane.fleet.api import router as fleet_router
from control_plane.fleet.service import FleetService
from control_plane.http import headers, openapi, problems, reference
from control_plane.http.body_limit import BodyLimit
from control_plane.installation.api import router as installation_router
from control_plane.kill.api import router as kill_router
from control_plane.kill.service import KillService
from control_plane.proofs import exposure_policy
from control_plane.publishing import store as table_store
from control_plane.publishing.api import router as publishing_router
from control_plane.publishing.compiled import LiveCompiled
from control_plane.publishing.follow import listen
from control_plane.publishing.history import History
from control_plane.publishing.hub import Hub
from control_plane.publishing.service import Publisher
from control_plane.publishing.state import Snapshot, TableState
from control_plane.revisions.api import router as revisions_router
from control_plane.rollouts.api import router as rollouts_router
from control_plane.rollouts.evidence import ComparedEvidence
from control_plane.rollouts.metrics import router as metrics_router
from control_plane.rollouts.observing import Observer
from control_plane.rollouts.service import RolloutService
from control_plane.rollouts.ticker import RolloutTicker
from control_plane.routes.api import router as routes_router
from control_plane.routes.backends import router as backends_router
from control_plane.routes.capabilities import router as capabilities_router
from control_plane.services import Services
from control_plane.settings import Settings, SettingsError
from control_plane.tables.api import router as tables_router
from control_plane.tasks import TaskKeeper
from control_plane.traffic.api import router as traffic_router
from control_plane.traffic.service import TrafficService
from control_plane.webhooks.api import router as webhooks_router
from control_plane.webhooks.delivery import Sender
from control_plane.webhooks.service import WebhookService
from control_plane.webhooks.watching import Watcher
from figway.compare.plugin_names import plugin_names
from figway.model.backend import Backend
from figway.model.change import Change, Kind
from figway.model.words import Side

_KILL_S = 0.25  # how soon a press at another control plane is noticed without being told
_ROUTERS = (
    backends_router,
    capabilities_router,
    routes_router,
    # Before publishing, whose `/table` is a prefix of theirs in name only.
    tables_router,
    publishing_router,
    revisions_router,
    explain_router,
    kill_router,
    fleet_router,
    traffic_router,
    decisions_router,
    comparisons_router,
    rules_router,
    replays_router,
    rollouts_router,
    metrics_router,
    approvals_router,
    webhooks_router,
    audit_router,
    auth_router,
    installation_router,
)


def make_services(settings: Settings) -> Services:
    """The parts of one control plane, not yet started. Raises `SettingsError`."""
    database = Database(database_url(settings), pool=settings.database_pool)
    state = TableState()
    tables, live = Hub(settings.max_streams), Hub(settings.max_streams)
    publisher = Publisher(database, state, tables, live)
    publisher.plugins = plugin_names(settings.compare_plugins)
    owner = uuid4().hex
    comparisons = make_comparisons(database, settings, state)
    webhooks, evidence = WebhookService(database), ComparedEvidence(comparisons.views)
    sender = Sender(database, owner)
    observer = Observer(database, state, evidence, live_seconds=settings.live_seconds)
    rollouts = RolloutService(database, state, publisher, observer, sender, live, webhooks.emit)
    approvals = ApprovalService(database, webhooks.emit, rollouts.started_by)
    watcher = Watcher(database, webhooks, evidence, state, live_seconds=settings.live_seconds)
    publisher.checks.append(approvals.check)
    publisher.riders += [webhooks.ride, approvals.ride]
    services = Services(
        settings=settings,
        database=database,
        auth=AuthService(database, failures=settings.auth_failures),
        sessions=Sessions(database),
        state=state,
        publisher=publisher,
        history=History(database, state),
        kill=KillService(database, tables, live),
        adopts=[],
        compiled=LiveCompiled(),
        fleet=FleetService(database, state, live, live_seconds=settings.live_seconds),
        traffic=TrafficService(database, settings, live),
        comparisons=comparisons,
        decisions=Decisions(tables, live),
        rollouts=rollouts,
        ticker=RolloutTicker(database, rollouts, owner, watcher.round),
        approvals=approvals,
        webhooks=webhooks,
        sender=sender,
        tables=tables,
        live=live,
    )
    services.publisher.policy = exposure_policy(services)
    services.kill.riders.append(webhooks.ride_kill)
    return services


def make_comparisons(
    database: Database, settings: Settings, state: TableState
) -> ComparisonService:
    """What compares, of one control plane."""
    keep, live = Keep.of(settings), Hub(settings.max_streams)
    views = EvidenceViews(database, state)
    pairs = StoredPairs(database, views)
    return ComparisonService(
        live,
        BatchIngest(database, keep, live),
        views,
        pairs,
        Previews(state, views, pairs),
        Exports(database, state, views, pairs),
        ReplayJobs(database, state, pairs, live),
        Retention(database, settings, keep),
    )


async def prepare(services: Services) -> ApiKey | None:
    """Migrate the database, accept or make the first keys, load the table.

    Returns the one-time admin key of a first start. Raises `SettingsError`, `NewerDatabase`,
    `DatabaseUnreachable`.
    """
    async with prepared(services.database):
        first = await first_keys(services.database, services.settings)
        await services.auth.learn()
        await services.publisher.load()
        await services.kill.refresh()
        await _follow_adoptions(services)
        await _seed(services)
        await _free_the_switch(services)
    return first


async def _follow_adoptions(services: Services) -> None:
    """Whose proxies may follow this installation, by a word that may have been given at another
    control plane."""
    async with services.database.read() as connection:
        services.adopts[:] = await table_store.adopted(connection)


async def _free_the_switch(services: Services) -> None:
    """Take the kill switch of an older release out of the table."""
    if not services.state.current.table.kill_switch:
        return
    entry = AuditEntry("system", "", "kill.on", "kill switch", "it stood in the table")
    await services.kill.press(True, entry)

    def make(_: Snapshot) -> list[Change]:
        return [Change(Kind.SETTING, "kill_switch", False)]

    entry = AuditEntry("system", "", "table.migrate", "table", "the kill switch is no part of it")
    await services.publisher.change(make, entry, source="start")


async def _seed(services: Services) -> None:
    """Give an empty installation its legacy, so that the first table can already serve."""
    url = services.settings.legacy_url
    if not url or services.state.current.revision:
        return

    def make(_: Snapshot) -> list[Change]:
        backend = Backend(id="legacy", side=Side.LEGACY, url=url)
        return [
            Change(Kind.BACKEND, backend.id, backend),
            Change(Kind.SETTING, "default_backend", backend.id),
        ]

    try:
        await services.publisher.change(
            make, AuditEntry("system", "", "table.seed", "table", "first start"), source="start"
        )
    except problems.ApiProblem as error:
        raise SettingsError(f"FIGWAY_LEGACY_URL={url}: {error.detail}") from None


def start_tasks(services: Services, keeper: TaskKeeper) -> None:
    """What runs beside the requests: following other control planes, and retention."""
    publisher, database = services.publisher, services.database
    keeper.every("following the database", services.settings.poll_seconds, publisher.refresh)
    keeper.every("following the kill switch", _KILL_S, services.kill.refresh)
    adoptions = partial(_follow_adoptions, services)
    keeper.every("following adoptions", services.settings.poll_seconds, adoptions)

    async def hear() -> None:
        await services.kill.refresh()
        await publisher.refresh()

    if database.is_postgres:
        keeper.start("listening for revisions", listen(database.url, hear))
    keeper.every("learning keys", 30.0, services.auth.learn)
    keeper.start("learning the fleet at first", services.fleet.learn())
    keeper.every("learning the fleet", 10.0, services.fleet.learn)
    keeper.every("trimming traffic", 60.0, services.traffic.trim)
    keeper.every("trimming comparisons", 60.0, services.comparisons.retention.trim)

    keeper.every("moving rollouts", services.settings.rollout_seconds, services.ticker.round)
    keeper.every("sending events", 1.0, services.sender.round)
    keeper.every("trimming rollouts", 3_600.0, services.ticker.trim)
    keeper.every("trimming events", 3_600.0, services.webhooks.trim)

    async def renew() -> None:
        services.decisions.renew()

    keeper.every("telling proxies what is watched", RENEW_S, renew)

    async def forget() -> None:
        before = now_ms() - services.settings.forget_instance_hours * 3_600_000
        async with database.write() as connection:
            await fleet_store.forget(connection, before)

    keeper.every("forgetting proxies", 300.0, forget)


@cache
def _endpoints() -> tuple[BaseRoute, ...]:
    """All endpoints of the API. Made once a process: it takes most of a second."""
    api = APIRouter(prefix="/api/v1")
    for router in _ROUTERS:
        api.include_router(router)

    @api.get("/openapi.json", include_in_schema=False)
    async def description(_: Anyone, request: Request) -> dict[str, object]:
        return openapi.describe(request.app)

    root = APIRouter()

    @root.get("/openapi.json", include_in_schema=False)
    async def described(request: Request) -> dict[str, object]:
        return openapi.describe(request.app)

    @root.get("/docs", include_in_schema=False)
    async def reference_page(request: Request) -> HTMLResponse:
        return HTMLResponse(reference.page(openapi.describe(request.app)))

    holder = FastAPI(generate_unique_id_function=openapi.operation_id)
    holder.router.routes.clear()
    holder.include_router(api)
    holder.include_router(root)
    return tuple(holder.router.routes)


def create_app(services: Services) -> FastAPI:
    """The application over prepared services. Starting and stopping it starts and stops the
    tasks."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        keeper = TaskKeeper()
        start_tasks(services, keeper)
        try:
            yield
        finally:
            services.tables.close()
            services.live.close()
            services.comparisons.live.close()
            await keeper.stop()
            with suppress(*UNAVAILABLE):
                await services.ticker.stop()
                await services.sender.close()
            await services.database.close()

    app = FastAPI(
        title="Figway admin API",
        version=version("figway"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=openapi.operation_id,
    )
    app.state.services = services
    problems.install(app)
    openapi.install(app)
    app.add_middleware(BodyLimit, most=services.settings.max_body)
    app.add_middleware(headers.SecurityHeaders)
    app.router.routes.extend(_endpoints())
    app.include_router(health.router)
    console.install(app, services)
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]
    return app
