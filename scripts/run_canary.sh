#!/usr/bin/env bash
# Tries the new revision of an InferenceService, from inside the cluster, and keeps all that was seen in FOLDER: the
# verdict (`status`), what happened (`lines.jsonl`), the measurements and the page.
# usage: run_canary.sh BIN SERVICE FOLDER [OPTION…]   (BIN: the folder of the environment's programs; OPTIONs of
#                                                      `modelserve canary run`)
# Its exit status is that of `modelserve canary run`.
set -euo pipefail
[ $# -ge 3 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
bin=$1 service=$2 folder=$3
shift 3
mkdir -p "$folder"

status=0
"$bin/modelserve" canary run "$service" "$@" --json --record "$folder/measurements.jsonl" \
  --report "$folder/report.html" >"$folder/lines.jsonl" 2> >(tee "$folder/errors.txt" >&2) || status=$?
echo "$status" >"$folder/status"
exit "$status"
