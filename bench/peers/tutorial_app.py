"""The tutorials' application; its configuration is the file that BENCH_TUTORIAL names."""

from __future__ import annotations

import json
import os
from hashlib import md5
from pathlib import Path

import httpx
from fastapi import FastAPI, Request, Response

from bench.routes import template


def application() -> FastAPI:
    """The FastAPI application, as it is written everywhere."""
    config = json.loads(Path(os.environ["BENCH_TUTORIAL"]).read_text())
    app = FastAPI(openapi_url=None)

    async def forward(request: Request, port: int) -> Response:
        url = request.url.replace(scheme="http", netloc=f"127.0.0.1:{port}")
        async with httpx.AsyncClient() as client:
            answer = await client.request(
                request.method,
                str(url),
                headers=[pair for pair in request.headers.raw if pair[0] != b"connection"],
                content=await request.body(),
            )
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name not in ("transfer-encoding", "connection", "content-encoding")
        }
        return Response(answer.content, answer.status_code, headers)

    async def split(request: Request) -> Response:
        key = request.cookies.get("figway_id", "").encode()
        bucket = int.from_bytes(md5(key).digest()[:4], "big") % 10_000
        return await forward(request, config["new" if bucket < 2_500 else "legacy"])

    async def legacy(request: Request) -> Response:
        return await forward(request, config["legacy"])

    methods = ["GET", "POST"]
    for number in range(config["routes"]):
        path = template(number).replace("{rest=**}", "{rest:path}")
        app.add_api_route(path, split if config["split"] else legacy, methods=methods)
    app.add_api_route("/{path:path}", legacy, methods=methods)
    return app
