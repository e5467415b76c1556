#!/usr/bin/env bash
# Looks up every version of the locks in the advisories of PyPI, and fails on a known vulnerability; on a package that
# could not be looked up too, as of that one nothing is known.
# usage: audit.sh BIN [LOCK…]   (BIN: the folder of the environment's programs; all of requirements/)
set -euo pipefail
[ $# -ge 1 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
bin=$(realpath "$1")
shift
cd "$(dirname "$0")/.."

locks=("$@")
[ ${#locks[@]} -gt 0 ] || locks=(requirements/*.txt)
failed=()
for lock in "${locks[@]}"; do
  echo "== $lock"
  # The locks name everything, with hashes: nothing is to be resolved, nor a pip to be started for it.
  "$bin/pip-audit" --strict --disable-pip --require-hashes --progress-spinner off --requirement "$lock" || failed+=("$lock")
done
[ ${#failed[@]} -eq 0 ] || { echo "Not without fault, or not to be looked up: ${failed[*]}" >&2; exit 1; }
