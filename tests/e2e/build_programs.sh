#!/usr/bin/env bash
# Builds a module's programs as its own go.mod has them, but for parts of it in folders that a module does not bring.
# Go holds the sources against its checksum database. Prints where they are.
# usage: build_programs.sh FOLDER MODULE@VERSION PACKAGE…   (GOFLAGS as anywhere)
set -euo pipefail
folder=$(mkdir -p "$1" && cd "$1" && pwd)
module=$2
shift 2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export CGO_ENABLED=0 GOWORK=off

source=$(go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)".*/\1/p')
install -m 644 "$source/go.mod" "$source/go.sum" "$scratch"
replaced=$(go mod edit -json "$scratch/go.mod" | sed -n '/"Replace"/,/^\t\]/s/^\t\t\t\t"Path": "\([^.].*\)".*/\1/p')
for package in $replaced; do go mod edit -dropreplace "$package" "$scratch/go.mod"; done
go build -C "$source" -modfile "$scratch/go.mod" -mod mod -ldflags -s -o "$folder/" "$@"
echo "$source"
