#!/usr/bin/env bash
# Pushes an image's archive and prints REPOSITORY@DIGEST, by which alone it is signed, deployed and verified.
# usage: publish_image.sh ARCHIVE REPOSITORY TAG
# Tags of ECR's repositories stay what they are, so a run that is repeated takes what the first one pushed.
set -euo pipefail
[ $# -eq 3 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
archive=$1 repository=$2 tag=$3
insecure=()
case $repository in 127.0.0.1:* | localhost:*) insecure=(--tls-verify=false) ;; esac

digest_of() { skopeo inspect "${insecure[@]}" --no-tags --format '{{.Digest}}' "docker://$repository:$tag"; }

# Errors other than an absent tag would come again from the push, which says them.
if ! digest=$(digest_of 2>/dev/null); then
  skopeo copy "${insecure[@]/#--tls/--dest-tls}" --retry-times 3 --quiet "oci-archive:$archive" "docker://$repository:$tag"
  digest=$(digest_of)
fi
echo "$repository@$digest"
