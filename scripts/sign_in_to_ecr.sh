#!/usr/bin/env bash
# Signs in to a registry of ECR with the job's role, for half a day, where skopeo and cosign both look.
# usage: sign_in_to_ecr.sh REGISTRY   (ACCOUNT.dkr.ecr.REGION.amazonaws.com)
set -euo pipefail
[ $# -eq 1 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
[[ $1 =~ ^[0-9]{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$ ]] ||
  { echo "$1 is no registry of ECR: ACCOUNT.dkr.ecr.REGION.amazonaws.com" >&2; exit 2; }
region=${BASH_REMATCH[1]}
mkdir -p "$HOME/.docker"
aws ecr get-login-password --region "$region" |
  skopeo login --authfile "$HOME/.docker/config.json" --username AWS --password-stdin "$1"
