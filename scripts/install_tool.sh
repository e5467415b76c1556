#!/usr/bin/env bash
# Builds a program that checks, scans or signs from its Go module into .tools/bin: Go holds its source and all that it
# is made of against the public checksum database, and no tag or download that somebody may move is trusted.
# usage: install_tool.sh actionlint|gitleaks|syft|grype|cosign|oras|tflint
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
  actionlint) module=github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 ;;
  gitleaks) module=github.com/zricethezav/gitleaks/v8@v8.30.1 ;;
  syft) module=github.com/anchore/syft/cmd/syft@v1.57.1 ;;
  grype) module=github.com/anchore/grype/cmd/grype@v0.121.3 ;;
  cosign) module=github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3 ;;
  tflint) module=github.com/terraform-linters/tflint@v0.64.0 ;;
  oras) module=oras.land/oras/cmd/oras@v1.3.6 ;;
  *) echo "usage: install_tool.sh actionlint|gitleaks|syft|grype|cosign|oras|tflint" >&2; exit 2 ;;
esac
command -v go >/dev/null || { echo "$1 is built with Go, which is not on PATH" >&2; exit 1; }
echo "Building $module ..." >&2
GOBIN=$PWD/.tools/bin go install "$module"
# Older than this script it would be built again by make.
touch ".tools/bin/$1"
