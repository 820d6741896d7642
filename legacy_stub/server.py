"""The shop on a socket: uvicorn, with the transport within reach of the faults."""

from __future__ import annotations

import socket
import sys

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from legacy_stub.app import build
from legacy_stub.edge import TRANSPORT
from legacy_stub.shop import Shop


class _Protocol(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"transport": self.transport}}


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, shop: Shop, url: str) -> None:
        super().__init__(config)
        self._shop = shop
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(f"Wayfarer 2.9 listens on {self._url}\n")
        sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._shop.stopping.set()
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def serve(shop: Shop, bound: socket.socket, host: str) -> None:
    """Serve until a signal; what is in flight then has one second."""
    config = uvicorn.Config(
        build(shop),
        http=_Protocol,
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
    )
    name = f"[{host}]" if ":" in host else host
    _Server(config, shop, f"http://{name}:{bound.getsockname()[1]}").run(sockets=[bound])
