#!/usr/bin/env bash
# Instructions a request of bench/pipeline.py, or a pair of bench/pair.py, counted by valgrind: the
# same on a busy machine as on a quiet one, which no clock is.
#
#     bench/instructions.sh [.venv/bin/python] [pipeline | pair [--kind same|dated|spelt]]
#
# Prints the difference between two lengths, so start-up drops out.
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python
if [ -x "${1:-}" ]; then
  python="$1"
  shift
fi
what="${1:-pipeline}"
shift || true
case $what in
pipeline) one=request first=640 ;;
pair) one=pair first=320 ;;
*) echo "There is no bench/$what.py whose instructions can be counted: pipeline, pair." >&2; exit 2 ;;
esac
count() {
  PYTHONHASHSEED=0 valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null \
    "$python" -m "bench.$what" "--${one}s" "$@" --rounds 1 2>&1 |
    awk '/I *refs:/ {gsub(",", "", $NF); print $NF}'
}
few=$(count "$first" "$@")
many=$(count $((4 * first)) "$@")
# Each length is driven twice: once to open the connections, once to be measured.
echo "{\"instructions_per_$one\": $(((many - few) / (6 * first)))}"
