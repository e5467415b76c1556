#!/usr/bin/env bash
# Writes what is in an image: its SBOM in CycloneDX, beside the archive.
# usage: image_bom.sh ARCHIVE   (build/bert-ner-cpu.tar makes build/bert-ner-cpu.cdx.json)
set -euo pipefail
[ $# -eq 1 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
# Its packages: the files of an image are thousands, and the layers hold them already.
SYFT_CHECK_FOR_APP_UPDATE=false SYFT_FILE_METADATA_SELECTION=none \
  "$(dirname "$0")/../.tools/bin/syft" scan "oci-archive:$1" --output "cyclonedx-json=${1%.tar}.cdx.json" --quiet
