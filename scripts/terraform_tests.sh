#!/usr/bin/env bash
# Formats, validates and tests each Terraform module, without an account: the tests' providers are mocked.
# usage: scripts/terraform_tests.sh [MODULE…]   (all of terraform/modules)
# TERRAFORM_PLUGIN_DIR names a folder of providers, where they are not to be downloaded.
set -euo pipefail
cd "$(dirname "$0")/../terraform/modules"

command -v terraform >/dev/null || { echo "terraform 1.7 or newer is needed on PATH" >&2; exit 1; }
modules=("$@")
[ ${#modules[@]} -gt 0 ] || modules=(*/)
terraform fmt -check -diff -recursive .
for module in "${modules[@]%/}"; do
  echo "== $module"
  terraform -chdir="$module" init -backend=false -input=false ${TERRAFORM_PLUGIN_DIR:+-plugin-dir="$TERRAFORM_PLUGIN_DIR"} >/dev/null
  terraform -chdir="$module" validate -no-color
  terraform -chdir="$module" test -no-color
done
