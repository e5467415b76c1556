#!/usr/bin/env bash
# Sees that the programs are there that the tests start; installs them where it may.
set -euo pipefail
missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
{ command -v prometheus && command -v promtool; } >/dev/null || missing+=(prometheus)
{ command -v prometheus-alertmanager && command -v amtool; } >/dev/null || missing+=(prometheus-alertmanager)
command -v openssl >/dev/null || missing+=(openssl)
command -v skopeo >/dev/null || missing+=(skopeo)
command -v docker-registry >/dev/null || missing+=(docker-registry)
command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)

# The manifests are built with what users have: kubectl's kustomize, 5.7 or newer, or one of our own.
if ! { kubectl version --client 2>/dev/null || .tools/bin/kustomize version 2>/dev/null; } |
  grep -Eq 'v5\.([7-9]|[1-9][0-9])\.'; then
  if ! command -v go >/dev/null; then
    echo "The tests build manifests with kubectl 1.34 or newer, or kustomize 5.7 or newer, on PATH" >&2
    exit 1
  fi
  echo "Building kustomize, which the tests start ..." >&2
  GOBIN=$PWD/.tools/bin go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
fi

# Monitors and rules are held against the definitions of the operator that the charts bring.
operator=github.com/prometheus-operator/prometheus-operator@v0.93.1
if [ ! -f .tools/prometheus-operator/"${operator##*@}" ]; then
  if ! command -v go >/dev/null; then
    echo "The tests read the Prometheus operator's definitions from its Go module: Go is needed on PATH" >&2
    exit 1
  fi
  echo "Fetching the definitions of the Prometheus operator ..." >&2
  module=$(go mod download -json "$operator" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  mkdir -p .tools/prometheus-operator
  for kind in podmonitors servicemonitors prometheusrules; do
    install -m 644 "$module/example/prometheus-operator-crd/monitoring.coreos.com_$kind.yaml" .tools/prometheus-operator
  done
  touch .tools/prometheus-operator/"${operator##*@}"
fi

[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "Installing ${missing[*]}, which the tests start ..." >&2
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  exit 0
fi
echo "The tests start ${missing[*]}; on Debian and Ubuntu: sudo apt-get install ${missing[*]}" >&2
exit 1
