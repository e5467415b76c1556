#!/usr/bin/env bash
# Deploys a commit with the predictors' images of one flavour, as deploy_branch.py does.
# usage: deploy_release.sh ENVIRONMENT COMMIT FLAVOUR REFERENCES   (prints commit=…, as GitHub takes outputs)
set -euo pipefail
[ $# -eq 4 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
images=()
for service in bert-ner resnet-classifier; do
  images+=("$service=$(<"$4/$service-$3.reference")")
done
commit=$("$(dirname "$0")/deploy_branch.py" deploy "$1" "$2" "${images[@]}")
echo "commit=$commit"
