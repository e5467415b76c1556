#!/usr/bin/env bash
# Builds the image of one unit as an archive that needs no daemon to be scanned, pushed or handed to another job.
# usage: build_image.sh UNIT FLAVOUR ARCHIVE   (bert-ner gpu build/bert-ner-gpu.tar)
# FLAVOUR is cpu, or what the unit's Dockerfile calls one. BASE is the base image, where it is not the Dockerfile's.
set -euo pipefail
[ $# -eq 3 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
unit=$1 flavour=$2 archive=$(realpath --canonicalize-missing "$3")
cd "$(dirname "$0")/.."

# A unit in Python is named as its package is.
file=$(compgen -G "*/$unit/Dockerfile" || compgen -G "*/${unit//-/_}/Dockerfile") ||
  { echo "$unit is no unit with a Dockerfile" >&2; exit 2; }
arguments=(${BASE:+--build-arg "BASE=$BASE"})
if grep -q '^ARG FLAVOUR=' "$file"; then
  # The drift detector's own flavours are named by their locks; what it has without one is for CPUs.
  [ "$flavour" = cpu ] && [ "$unit" = drift-detector ] || arguments+=(--build-arg "FLAVOUR=$flavour")
elif [ "$flavour" != cpu ]; then
  echo "$unit has one flavour, cpu, and no $flavour" >&2
  exit 2
fi

name=localhost/modelserve-build/$unit:$flavour
mkdir -p "$(dirname "$archive")"
rm -f "$archive"
buildah build --isolation "${BUILDAH_ISOLATION:-chroot}" --network host --file "$file" --tag "$name" "${arguments[@]}" .
buildah push "$name" "oci-archive:$archive"
# The archive has it all; a machine that builds several would run out of disk.
buildah rmi "$name" >/dev/null
