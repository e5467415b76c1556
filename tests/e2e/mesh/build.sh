#!/usr/bin/env bash
# Builds Istio into a folder: its control plane, what runs beside Envoy in a sidecar, the installer, and Envoy's
# bootstrap. Istio has no versions as a module; this is its main branch of August 2026, before 1.31.
# usage: build.sh FOLDER
set -euo pipefail
source=$("$(dirname "$0")/../build_programs.sh" "$1" istio.io/istio@v0.0.0-20260827124520-eed52ebb66ad \
  ./pilot/cmd/pilot-discovery ./pilot/cmd/pilot-agent ./istioctl/cmd/istioctl)
install -m 644 "$source/tools/packaging/common/envoy_bootstrap.json" "$1/envoy_bootstrap.json"
