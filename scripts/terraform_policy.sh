#!/usr/bin/env bash
# Holds terraform/ against checkov's policies and tflint's rules, without a network or an account. What is not kept says
# why beside its resource (#checkov:skip=ID:reason).
# usage: scripts/terraform_policy.sh CHECKOV TFLINT
set -euo pipefail
cd "$(dirname "$0")/.."
# With --skip-download it asks nobody for policies.
report=$("$1" --directory terraform --framework terraform --skip-download --quiet --compact) || {
  printf '%s\n' "$report"
  exit 1
}
printf '%s\n' "$report"
# To checkov a file that it cannot read is no failure: nothing in it is looked at.
if grep -q 'Parsing errors' <<<"$report"; then
  echo "checkov could not read a file of terraform/; LOG_LEVEL=INFO says which" >&2
  exit 1
fi
# Of the language alone: tflint's rules about AWS are a program of their own, which cannot be had as a module of Go.
for folder in terraform/modules/* terraform/environments/*/; do
  "$2" --chdir="$folder" --config="$PWD/terraform/.tflint.hcl" --no-color
done
