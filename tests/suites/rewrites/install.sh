#!/usr/bin/env bash
# Fetches the servers that the rewrites are made of into build/rewrites: from npm and Debian, pinned.
# Nothing is installed on the machine. Needs npm, and apt-get with dpkg.
set -euo pipefail
into=${1:-build/rewrites}
mkdir -p "$into/debian"
for version in 0.17.4 1.0.0-beta.3; do
  folder="$into/json-server-$version"
  [ -e "$folder/node_modules/.bin/json-server" ] && continue
  npm install --prefix "$folder" --no-save --no-fund --no-audit --loglevel=error "json-server@$version"
done
if [ ! -x "$into/debian/usr/sbin/nginx" ] || [ ! -x "$into/debian/usr/bin/caddy" ]; then
  fetched=$(mktemp -d)
  trap 'rm -rf "$fetched"' EXIT
  (cd "$fetched" && apt-get download -q "nginx=1.22.1-*" "caddy=2.6.2-*")
  for package in "$fetched"/*.deb; do dpkg -x "$package" "$into/debian"; done
fi
