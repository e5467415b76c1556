#!/usr/bin/env bash
# A plan's text as GitHub shows it in the summary of a run, whose bound is 1 MiB.
# usage: summarise_plan.sh ENVIRONMENT TEXT
set -euo pipefail
[ $# -eq 2 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
most=900000
printf '### %s\n\n~~~~~~text\n' "$1"
head -c "$most" "$2"
[ "$(stat -c %s "$2")" -le "$most" ] || printf '\n… and more: run scripts/terraform_plan.sh %s PLAN yourself.' "$1"
printf '\n~~~~~~\n'
