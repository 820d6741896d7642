"""nginx: routes as regular expressions, `split_clients` on the cookie, `mirror` for the shadow."""

from __future__ import annotations

from bench.peers import Spec, Start, program
from bench.routes import regex

_CONFIG = """\
worker_processes {workers};
daemon off;
pid {directory}/nginx.pid;
error_log /dev/null;
worker_rlimit_nofile 20000;
events {{ worker_connections 15000; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/temp;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  keepalive_requests 100000000;
  keepalive_timeout 75s;
  proxy_max_temp_file_size 0;
  client_max_body_size 0;
  upstream legacy {{ server 127.0.0.1:{legacy}; keepalive 1024; keepalive_requests 100000000; }}
  upstream new {{ server 127.0.0.1:{new}; keepalive 1024; keepalive_requests 100000000; }}
  split_clients "$cookie_figway_id" $side {{ 25% new; * legacy; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
{mirror}{locations}
    location / {{ proxy_pass http://legacy; }}
  }}
}}
"""
_MIRROR = """\
    mirror /-mirror;
    mirror_request_body off;
    location = /-mirror { internal; proxy_pass http://new$request_uri; }
"""


def prepare(spec: Spec) -> Start:
    """nginx in the foreground."""
    side = "$side" if spec.split else "legacy"
    locations = "\n".join(
        f'    location ~ "{regex(number)}" {{ proxy_pass http://{side}; }}'
        for number in range(spec.routes)
    )
    config = _CONFIG.format(
        workers=spec.workers,
        directory=spec.directory,
        legacy=spec.legacy,
        new=spec.new,
        port=spec.port,
        mirror=_MIRROR if spec.mirror else "",
        locations=locations,
    )
    path = spec.directory / "nginx.conf"
    path.write_text(config)
    return Start([program("nginx"), "-p", str(spec.directory), "-c", str(path)])
