#!/usr/bin/env bash
# Instructions a request of bench/pipeline.py, counted by valgrind: the same on a busy machine as on
# a quiet one, which no clock is. Prints the difference between two lengths, so start-up drops out.
set -eu
cd "$(dirname "$0")/.."
python="${1:-.venv/bin/python}"
count() {
  PYTHONHASHSEED=0 valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null \
    "$python" -m bench.pipeline --requests "$1" --rounds 1 2>&1 |
    awk '/I *refs:/ {gsub(",", "", $NF); print $NF}'
}
few=$(count 640)
many=$(count 2560)
# Each length is driven twice: once to open the connections, once to be measured.
echo "{\"instructions_per_request\": $(((many - few) / 3840))}"
