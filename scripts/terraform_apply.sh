#!/usr/bin/env bash
# Plans one environment again and applies that, where it is what was approved: between the two the account may have
# changed, and a plan's file, which has secrets in it, is kept nowhere.
# usage: terraform_apply.sh ENVIRONMENT SUM   (SUM: what terraform_plan.sh printed)
set -euo pipefail
[ $# -eq 2 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
here=$(realpath "$(dirname "$0")")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

planned=$("$here/terraform_plan.sh" "$1" "$folder/plan")
if ! grep -Fqx "sum=$2" <<<"$planned"; then
  cat "$folder/plan.txt" >&2
  echo "This is not what was approved ($2): look at it, and start again." >&2
  exit 1
fi
cd "$here/../terraform/environments/$1"
terraform apply -input=false -no-color "$folder/plan"
