#!/usr/bin/env bash
# Makes a virtual environment from a lock of hashes, and this project in it as it stands here where the lock
# has what builds it.
# usage: make_env.sh PYTHON FOLDER LOCK
set -euo pipefail
python=$1 folder=$2 lock=$3

say() { printf '%s\n' "$*" >&2; }

if ! "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))'; then
  say "$python is $("$python" -V 2>&1); Python 3.10, 3.11 or 3.12 is needed: make PYTHON=python3.11 ..."
  exit 1
fi
rm -rf "$folder"
say "Making the environment $folder ..."
"$python" -m venv "$folder" || {
  say "python -m venv failed; on Debian and Ubuntu: apt-get install python3-venv"
  exit 1
}
count=$(grep -c '==' "$lock")
say "Installing about $count packages from $lock; the first time this takes a minute or more ..."
began=$SECONDS
# A lock names all that is needed, some of it against what a package asks for (drift_detector.overrides).
"$folder/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --require-hashes -r "$lock"
if grep -q '^hatchling==' "$lock"; then
  "$folder/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
fi
touch "$folder/.ready"
say "Installed in $((SECONDS - began)) s."
