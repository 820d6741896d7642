"""Tables with broken policies and backends, each with the code of its finding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from figway.model.backend import (
    Backend,
    BackendKind,
    CredentialHeader,
    HealthPolicy,
    OutlierPolicy,
    RetryPolicy,
)
from figway.model.policies import (
    BodyPolicy,
    ClaimRule,
    HeaderEdits,
    HeaderField,
    JwtPolicy,
    Maintenance,
    PathRewrite,
    RateKey,
    RateLimit,
    RewriteKind,
    RoutePolicies,
)
from figway.model.table import Stage, Table
from figway.model.words import Side
from tests.support.tables import LEGACY, NEW, route, table

ISSUER = "https://id.example"
LIMIT = RateLimit(requests=10)
TWO = ("http://10.0.0.1", "http://10.0.0.2")


def policy_plan(**fields: Any) -> Table:
    """A table with a route that has policies."""
    return table(route("r", "/shop/{id}", policies=RoutePolicies(**fields)))


def backend(**fields: Any) -> Table:
    return table(backends=[LEGACY, replace(NEW, **fields)])


def jwt(**fields: Any) -> Table:
    return policy_plan(jwt=JwtPolicy(**{"issuer": ISSUER, "audiences": ("shop",), **fields}))


def path(**fields: Any) -> Table:
    return policy_plan(path=PathRewrite(**fields))


def template(to: str) -> Table:
    return path(kind=RewriteKind.TEMPLATE, to=to)


def header(name: str, value: str = "x") -> Table:
    return policy_plan(request_headers=HeaderEdits(set=(HeaderField(name=name, value=value),)))


def limit(**fields: Any) -> Table:
    return policy_plan(rate_limits=(replace(LIMIT, **fields),))


def credential(**fields: str) -> Table:
    given = {"header": "Authorization", "value": "env:FIGWAY_SECRET_X", **fields}
    return backend(credentials=(CredentialHeader(**given),))


FUNCTION = Backend(id="f", side=Side.NEW, kind=BackendKind.LAMBDA, function="f", urls=TWO)

_KEPT = HeaderEdits(set=(HeaderField(name="Cache-Control", value="s-maxage=60"),))
PUBLIC = table(
    route(
        "r",
        "/shop/{id}",
        new=NEW.id,
        stage=Stage.CANARY,
        weight=100,
        policies=RoutePolicies(response_headers=_KEPT),
    )
)
CASES: list[tuple[str, Table]] = [
    ("policy_range", policy_plan(maintenance=Maintenance(status=600))),
    ("policy_range", policy_plan(body=BodyPolicy(max_bytes=-1))),
    ("policy_range", limit(requests=0)),
    ("policy_range", jwt(leeway_s=-1)),
    ("policy_invalid", policy_plan(maintenance=Maintenance(status=204))),
    ("policy_invalid", policy_plan(maintenance=Maintenance(content_type="a\r\nb"))),
    ("policy_invalid", policy_plan(body=BodyPolicy(content_types=("json",)))),
    ("rate_limit_invalid", limit(key=RateKey.HEADER)),
    ("rate_limit_invalid", limit(key_name="x")),
    ("rate_limit_invalid", limit(name='a"b')),
    ("rate_limit_invalid", policy_plan(rate_limits=(LIMIT, LIMIT))),
    (
        "list_too_long",
        policy_plan(rate_limits=tuple(replace(LIMIT, name=f"n{n}") for n in range(9))),
    ),
    ("jwt_invalid", jwt(issuer="id.example")),
    ("jwt_invalid", jwt(issuer="http://id.example")),
    ("jwt_invalid", jwt(issuer="https://169.254.169.254/")),
    ("jwt_invalid", jwt(jwks_url="https://[broken")),
    ("jwt_invalid", jwt(algorithms=())),
    ("jwt_invalid", jwt(claims=(ClaimRule(name=""),))),
    ("jwt_audience", jwt(audiences=())),
    ("rewrite_invalid", path(prefix="shop")),
    ("rewrite_invalid", path(prefix="/a?b", to="/c")),
    ("rewrite_invalid", path(prefix="/a", to="/a/")),
    ("rewrite_invalid", path(prefix="/a", sides=())),
    ("rewrite_invalid", template("/v2/{name}")),
    ("rewrite_invalid", template("/v2/{id")),
    ("rewrite_invalid", template("v2/{id}")),
    ("rewrite_invalid", path(kind=RewriteKind.TEMPLATE, to="/v2", prefix="/a")),
    ("header_edit_invalid", header("Host")),
    ("header_edit_invalid", header("Transfer-Encoding")),
    ("header_edit_invalid", header("X-Forwarded-For")),
    ("header_edit_invalid", header("a b")),
    ("header_edit_invalid", header("a", "b\r\nc: d")),
    ("header_edit_invalid", policy_plan(response_headers=HeaderEdits(remove=("Content-Length",)))),
    ("redirect_permanent", policy_plan(maintenance=Maintenance(status=308))),
    ("cache_mixes_sides", PUBLIC),
    ("urls_invalid", backend(urls=(NEW.url,))),
    ("urls_invalid", backend(urls=("http://10.0.0.2/other",))),
    ("list_too_long", backend(urls=tuple(f"http://10.0.0.{n}" for n in range(70)))),
    ("url_invalid", backend(urls=("ftp://10.0.0.2",))),
    ("address_link_local", backend(urls=("http://169.254.169.254",))),
    ("url_unused", table(backends=[LEGACY, FUNCTION])),
    ("outlier_range", backend(outlier=OutlierPolicy(failures=0))),
    ("health_range", backend(health=HealthPolicy(interval_ms=1))),
    ("health_invalid", backend(health=HealthPolicy(path="health"))),
    ("health_invalid", backend(health=HealthPolicy(path="/a\r\nb: c"))),
    ("budget_range", backend(retry=RetryPolicy(percent=-1))),
    ("credential_invalid", credential(value="s3cret")),
    ("credential_invalid", credential(value="env:HOME")),
    ("credential_invalid", credential(value="env:FIGWAY_CONTROL_KEY")),
    ("credential_invalid", credential(value="file:/run/secrets/../../etc/shadow")),
    ("credential_invalid", credential(header="Host")),
]
