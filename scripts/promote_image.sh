#!/usr/bin/env bash
# Copies an image that this repository's workflow has signed, with its signatures and its SBOM, to another registry, and
# prints its reference there: what is served is what was tried, byte for byte.
# usage: promote_image.sh REPOSITORY@DIGEST REPOSITORY
# CERTIFICATE_IDENTITY is who has to have signed it: https://github.com/OWNER/REPO/.github/workflows/publish.yml@REF
set -euo pipefail
[ $# -eq 2 ] && [[ $1 == *@sha256:* ]] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
: "${CERTIFICATE_IDENTITY:?is who has to have signed the image}"
tools=$(dirname "$0")/../.tools/bin
signer=(--certificate-identity "$CERTIFICATE_IDENTITY"
  --certificate-oidc-issuer https://token.actions.githubusercontent.com)
there=$2@${1##*@}

verify() {
  "$tools/cosign" verify "${signer[@]}" "$1" >/dev/null
  "$tools/cosign" verify-attestation "${signer[@]}" --type cyclonedx "$1" >/dev/null
}

verify "$1"
# A run that is repeated finds it there, whose tag cannot be written again. Without a tag it would be cleared away.
if ! verify "$there" 2>/dev/null; then
  # cosign's own copy leaves behind the bundles that cosign makes today.
  "$tools/oras" copy --recursive "$1" "$2:${1##*@sha256:}" >&2
  verify "$there"
fi
echo "$there"
