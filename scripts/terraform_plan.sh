#!/usr/bin/env bash
# Plans one environment. PLAN is for `terraform apply` and has secrets in it, PLAN.txt is for people and has none.
# Printed are the sum of that text, which is what is approved, and whether there is anything to apply.
# usage: terraform_plan.sh ENVIRONMENT PLAN   (prints sum=… and changes=true or false, as GitHub takes outputs)
# Its state's place is in terraform/environments/backend.hcl, its inputs in ENVIRONMENT/terraform.tfvars.
set -euo pipefail
[ $# -eq 2 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
plan=$(realpath --canonicalize-missing "$2")
root=$(dirname "$0")/../terraform/environments
[ -f "$root/$1/versions.tf" ] || { echo "$1 is no environment; there are: $(cd "$root" && echo */)" >&2; exit 2; }
cd "$root/$1"

mkdir -p "$(dirname "$plan")"
terraform init -input=false -no-color -backend-config=../backend.hcl >&2
# Who plans may not write beside the state, where the lock would be.
terraform plan -input=false -no-color -lock=false -out="$plan" >&2
terraform show -no-color "$plan" >"$plan.txt"
echo "sum=$(sha256sum <"$plan.txt" | cut -d' ' -f1)"
if grep -q '^No changes\.' "$plan.txt"; then echo changes=false; else echo changes=true; fi
