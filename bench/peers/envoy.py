"""Envoy: routes by `safe_regex`, weighted clusters by a hash of the cookie, request mirroring.

By operation it routes with a Lua filter, which puts the operation's name into a header. The filter
takes the first `operationName` that it finds in the text: it reads no JSON and no GraphQL, so it
does less than what is measured beside it.
"""

from __future__ import annotations

import json
from typing import Any

from bench.peers import Spec, Start, program
from bench.routes import regex

_MANY = 1_000_000
_TYPES = "type.googleapis.com/envoy.extensions.filters"
_LUA = """
function envoy_on_request(handle)
  local body = handle:body()
  local name = ""
  if body then
    name = string.match(body:getBytes(0, body:length()), '"operationName"%s*:%s*"([%w_]+)"') or ""
  end
  handle:headers():replace("x-operation", name)
  handle:clearRouteCache()
end
"""


def _cluster(name: str, port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    thresholds = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), _MANY)
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [thresholds]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


def _action(spec: Spec) -> dict[str, Any]:
    action: dict[str, Any] = {"timeout": "0s"}
    if spec.split:
        action["hash_policy"] = [{"cookie": {"name": "figway_id"}}]
        action["weighted_clusters"] = {
            "clusters": [{"name": "new", "weight": 25}, {"name": "legacy", "weight": 75}],
            "use_hash_policy": True,
        }
    else:
        action["cluster"] = "legacy"
    if spec.mirror:
        action["request_mirror_policies"] = [{"cluster": "new"}]
    return action


def _by_operation() -> dict[str, Any]:
    """The filter that names the operation in a header, and has the route chosen again."""
    kind = f"{_TYPES}.http.lua.v3.Lua"
    source = {"inline_string": _LUA}
    return {
        "name": "envoy.filters.http.lua",
        "typed_config": {"@type": kind, "default_source_code": source},
    }


def config(spec: Spec) -> dict[str, Any]:
    """The bootstrap configuration."""
    routes: list[dict[str, Any]] = [
        {"match": {"safe_regex": {"regex": regex(number)}}, "route": _action(spec)}
        for number in range(spec.routes)
    ]
    if spec.operation:
        named = {"name": "x-operation", "string_match": {"exact": "GetCart"}}
        match = {"path": "/graphql", "headers": [named]}
        routes.append({"match": match, "route": {"cluster": "new", "timeout": "0s"}})
    default: dict[str, Any] = {"cluster": "legacy", "timeout": "0s"}
    routes.append({"match": {"prefix": "/"}, "route": default})
    manager = {
        "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "facade",
        "use_remote_address": True,
        "route_config": {"virtual_hosts": [{"name": "facade", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            *([_by_operation()] if spec.operation else []),
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPES}.http.router.v3.Router"},
            },
        ],
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": spec.port}},
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }
    return {
        "static_resources": {
            "listeners": [listener],
            "clusters": [_cluster("legacy", spec.legacy), _cluster("new", spec.new)],
        }
    }


def prepare(spec: Spec) -> Start:
    """Envoy with as many worker threads as asked."""
    path = spec.directory / "envoy.json"
    path.write_text(json.dumps(config(spec)))
    command = [program("envoy"), "-c", str(path), "--concurrency", str(spec.workers)]
    return Start([*command, "--log-level", "error", "--disable-hot-restart"])
