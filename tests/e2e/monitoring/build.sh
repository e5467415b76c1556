#!/usr/bin/env bash
# Builds what watches a cluster in tests into a folder: Prometheus with nothing but its discovery of pods (Debian's has
# none of it), its operator, and kube-state-metrics. Go holds their sources against its checksum database.
# usage: build.sh FOLDER
set -euo pipefail
folder=$(mkdir -p "$1" && cd "$1" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export CGO_ENABLED=0 GOWORK=off

# A module's programs as its own go.mod has them, but for parts of it in folders that a module does not bring.
build() {
  local module=$1 source package replaced
  shift
  source=$(go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)".*/\1/p')
  install -m 644 "$source/go.mod" "$source/go.sum" "$scratch"
  replaced=$(go mod edit -json "$scratch/go.mod" | sed -n '/"Replace"/,/^\t\]/s/^\t\t\t\t"Path": "\([^.].*\)".*/\1/p')
  for package in $replaced; do go mod edit -dropreplace "$package" "$scratch/go.mod"; done
  go build -C "$source" -modfile "$scratch/go.mod" -mod mod -ldflags -s \
    -tags netgo,remove_all_sd,enable_kubernetes_sd -o "$folder/" "$@"
}

build github.com/prometheus/prometheus@v0.316.0 ./cmd/prometheus
build github.com/prometheus-operator/prometheus-operator@v0.93.1 ./cmd/operator ./cmd/prometheus-config-reloader
build k8s.io/kube-state-metrics/v2@v2.19.1 .
