"""HAProxy: routes in a map of regular expressions, the split by a hash of the cookie."""

from __future__ import annotations

from bench.peers import Missing, Spec, Start, program
from bench.routes import regex

_CONFIG = """\
global
  nbthread {workers}
  maxconn 9000
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 75s
  timeout http-keep-alive 75s
  http-reuse always
  option forwardfor
frontend facade
  bind 127.0.0.1:{port} backlog 4096
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Proto http
{rules}
  default_backend legacy
backend legacy
  server origin 127.0.0.1:{legacy}
backend new
  server origin 127.0.0.1:{new}
"""


def prepare(spec: Spec) -> Start:
    """HAProxy in the foreground. It has no mirroring of its own."""
    if spec.mirror:
        raise Missing("HAProxy has no mirroring without a separate agent")
    rules = []
    if spec.routes:
        routes = spec.directory / "routes.map"
        routes.write_text("".join(f"{regex(n)} r{n}\n" for n in range(spec.routes)))
        rules.append(f"  http-request set-var(txn.route) path,map_reg({routes})")
    if spec.split:
        rules.append("  http-request set-var(txn.bucket) req.cook(figway_id),xxh32,mod(10000)")
        rules.append(
            "  use_backend new if { var(txn.route) -m found } { var(txn.bucket) -m int lt 2500 }"
        )
    config = _CONFIG.format(
        workers=spec.workers,
        port=spec.port,
        legacy=spec.legacy,
        new=spec.new,
        rules="\n".join(rules),
    )
    path = spec.directory / "haproxy.cfg"
    path.write_text(config)
    return Start([program("haproxy"), "-db", "-f", str(path)])
