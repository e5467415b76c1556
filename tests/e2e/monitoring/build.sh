#!/usr/bin/env bash
# Builds what watches a cluster in tests into a folder: Prometheus with nothing but its discovery of pods (Debian's has
# none of it), its operator, and kube-state-metrics.
# usage: build.sh FOLDER
set -euo pipefail
export GOFLAGS=-tags=netgo,remove_all_sd,enable_kubernetes_sd
programs=$(dirname "$0")/../build_programs.sh

"$programs" "$1" github.com/prometheus/prometheus@v0.316.0 ./cmd/prometheus
"$programs" "$1" github.com/prometheus-operator/prometheus-operator@v0.93.1 ./cmd/operator ./cmd/prometheus-config-reloader
"$programs" "$1" k8s.io/kube-state-metrics/v2@v2.19.1 .
