#!/usr/bin/env bash
# Writes what an environment is made of where Terraform looks for it, from variables that the environment has in GitHub.
# None of it is secret: names, addresses and sizes.
# usage: TERRAFORM_BACKEND=… TERRAFORM_INPUTS=… terraform_inputs.sh ENVIRONMENT
#        (as in terraform/environments/backend.hcl.example and terraform.tfvars.example)
set -euo pipefail
[ $# -eq 1 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
: "${TERRAFORM_BACKEND:?is what backend.hcl has, see terraform/environments/backend.hcl.example}"
: "${TERRAFORM_INPUTS:?is what terraform.tfvars has, see terraform/environments/terraform.tfvars.example}"
cd "$(dirname "$0")/../terraform/environments"
printf '%s\n' "$TERRAFORM_BACKEND" >backend.hcl
printf '%s\n' "$TERRAFORM_INPUTS" >"$1/terraform.tfvars"
