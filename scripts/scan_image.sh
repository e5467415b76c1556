#!/usr/bin/env bash
# Looks for known vulnerabilities in what an SBOM names, and fails on a high one that has a fix: one without is no
# reason to keep what else was mended from being released.
# usage: scan_image.sh SBOM   (build/bert-ner-cpu.cdx.json)
set -euo pipefail
[ $# -eq 1 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
GRYPE_CHECK_FOR_APP_UPDATE=false "$(dirname "$0")/../.tools/bin/grype" "sbom:$1" --only-fixed --fail-on high
