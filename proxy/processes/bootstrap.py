"""The composition root of the supervisor: from settings to a proxy that is ready to run."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
import uuid
from dataclasses import dataclass

from proxy.control.client import ControlPlane
from proxy.control.http import Client, control_client
from proxy.kill.file import KillFile
from proxy.kill.watch import KillWatch
from proxy.loop.events import EventLog
from proxy.loop.last_resort import end_within
from proxy.private.responder import Responder
from proxy.processes.acknowledge import release
from proxy.processes.hand_over import TakeOver, take_over
from proxy.processes.listeners import close_all, listening_sockets
from proxy.processes.memory import MB, memory_limit, plan_memory
from proxy.processes.private import Private
from proxy.processes.state_lock import StateLock
from proxy.processes.supervisor import Parts, Supervisor
from proxy.processes.worker_settings import WorkerSettings
from proxy.request.runtime import FacadeSettings
from proxy.settings import LogMode, Settings, misspelt, split_address
from proxy.tables.check import Checker
from proxy.tables.last_good import LastGood

END_S = 2.0
"""How long the interpreter may take to end once all is said: a thread may hang on a disk."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """What a proxy listens on."""

    facade: list[socket.socket]
    private: socket.socket
    take_over: TakeOver | None = None
    """From whom they come, where another proxy hands over."""


def open_sockets(settings: Settings) -> Sockets:
    """Listen on both addresses, or take them over. Raises `ListenError`, `CannotTakeOver`."""
    if settings.take_over:
        successor = take_over(settings.state_dir)
        *facade, private_sock = successor.sockets
        return Sockets(facade, private_sock, successor)
    host, port = split_address(settings.listen)
    facade = listening_sockets(
        host, port, settings.workers, settings.backlog, variable="FIGWAY_LISTEN"
    )
    host, port = split_address(settings.private_listen)
    try:
        private = listening_sockets(host, port, 1, 128, variable="FIGWAY_PRIVATE_LISTEN")
    except OSError:
        close_all(facade)
        raise
    return Sockets(facade, private[0])


async def run_proxy(settings: Settings, sockets: Sockets, log: EventLog, lock: StateLock) -> int:
    """Run a proxy until it is told to stop; the number of requests that were cut off."""
    facade_url = settings.facade_url or url_of(sockets.facade[0])
    private_url = url_of(sockets.private)
    parts = _parts(settings, sockets, facade_url, log, lock)
    supervisor = Supervisor(parts)
    private = Responder(Private(supervisor).respond)
    parts.on_taken = private.close
    await private.start(sockets.private)
    log.info(
        "listening",
        f"The facade is at {facade_url}; live, ready, metrics and table are at {private_url}.",
        facade=facade_url,
        private=private_url,
        workers=len(sockets.facade),
        version=release(),
    )
    for name, meant in misspelt():
        text = f"{name} is no setting and has no effect; did you mean {meant}?"
        log.warning("setting_unknown", text, variable=name)
    try:
        return await supervisor.run()
    finally:
        private.close()


def url_of(sock: socket.socket) -> str:
    """The URL of a listening socket, as this machine reaches it."""
    host, port = sock.getsockname()[:2]
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(settings: Settings) -> int:
    """Listen and run. Raises `ListenError`, `StateLocked`, `CannotTakeOver`."""
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # until the supervisor handles them
    lock = StateLock(settings.state_dir)
    if settings.control_url and not settings.take_over:
        lock.take()
    sockets = open_sockets(settings)
    log = EventLog(plain=settings.log is LogMode.OFF)
    return asyncio.run(_run(settings, sockets, log, lock))


async def _run(settings: Settings, sockets: Sockets, log: EventLog, lock: StateLock) -> int:
    unfinished = await run_proxy(settings, sockets, log, lock)
    end_within(END_S, 1 if unfinished else 0)
    return unfinished


def _parts(
    settings: Settings, sockets: Sockets, facade_url: str, log: EventLog, lock: StateLock
) -> Parts:
    control = kill_watch = None
    if settings.control_url:
        control = ControlPlane(*_control_clients(settings))
        kill_watch = KillWatch(_control_clients(settings))
    return Parts(
        settings=settings,
        worker_settings=_worker_settings(settings, _captures(settings, len(sockets.facade), log)),
        listeners=sockets.facade,
        facade_url=facade_url,
        boot=str(uuid.uuid4()),
        log=log,
        checker=Checker(),
        last_good=LastGood(settings.state_dir),
        kill_file=KillFile(settings.state_dir),
        control=control,
        kill_watch=kill_watch,
        lock=lock,
        private=sockets.private,
        take_over=sockets.take_over,
        terminal=_has_terminal(),
    )


def _control_clients(settings: Settings) -> list[Client]:
    """One for each control plane."""
    key, agent = settings.control_key.get_secret_value(), f"figway-proxy/{release()}"
    return [
        control_client(url, key, agent, ca_file=settings.control_ca_file)
        for url in settings.control_urls
    ]


def _captures(settings: Settings, workers: int, log: EventLog) -> int:
    """Bytes that the captures of each worker may hold, within the memory that there is."""
    shadow = settings.shadow and bool(settings.control_url)
    limit, most = memory_limit(), settings.shadow_memory_bytes
    plan = plan_memory(limit, workers, most, shadow=shadow)
    if not plan.enough:
        log.warning(
            "memory_tight",
            f"The container allows {limit // MB} MB, {workers} workers need {plan.need // MB} MB"
            + (f": captures get {plan.captures // MB} MB a worker." if shadow else "."),
        )
    return plan.captures


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _worker_settings(settings: Settings, captures: int) -> WorkerSettings:
    facade = FacadeSettings(
        trusted_proxies=tuple(
            ipaddress.ip_network(item, strict=False) for item in settings.trusted_proxies
        ),
        force_secret=settings.force_secret.get_secret_value().encode(),
        max_head=settings.max_header_bytes,
        max_line=settings.max_line_bytes,
        max_fields=settings.max_headers,
        max_body=settings.max_body_bytes,
        max_connections=settings.max_connections,
        backlog=settings.backlog,
        max_connections_per_client=settings.max_connections_per_client,
        head_ms=int(settings.head_timeout_s * 1000),
        body_ms=int(settings.body_timeout_s * 1000),
        idle_ms=int(settings.idle_timeout_s * 1000),
        write_ms=int(settings.write_timeout_s * 1000),
        half_closed_ms=int(settings.half_closed_timeout_s * 1000),
        unrouted_ms=int(settings.unrouted_timeout_s * 1000),
        secure=settings.secure,
    )
    return WorkerSettings(
        facade=facade,
        door=settings.door.value,
        state_dir=settings.state_dir.absolute(),
        instance=settings.instance_name,
        log=settings.log is LogMode.JSON,
        log_sample=settings.log_sample,
        log_query=settings.log_query,
        otel_endpoint=settings.otel_endpoint,
        shadow_memory=captures,
        shadow_queue=settings.shadow_queue,
    )
