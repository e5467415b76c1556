#!/usr/bin/env bash
# Signs an image by its digest and attests its SBOM, without a key: the certificate names the workflow that signs, by the
# job's own OIDC token.
# usage: sign_image.sh REPOSITORY@DIGEST SBOM
set -euo pipefail
[ $# -eq 2 ] && [[ $1 == *@sha256:* ]] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
cosign=$(dirname "$0")/../.tools/bin/cosign
"$cosign" sign --yes "$1"
"$cosign" attest --yes --type cyclonedx --predicate "$2" "$1"
