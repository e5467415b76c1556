#!/usr/bin/env bash
# Copies every image of a folder of references to the repositories below PREFIX, as promote_image.sh does, and leaves
# their references there in FOLDER.
# usage: promote_images.sh REFERENCES PREFIX FOLDER   (references ACCOUNT.dkr.ecr.REGION.amazonaws.com/modelserve-prod promoted)
set -euo pipefail
[ $# -eq 3 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
references=("$1"/*.reference)
[ -e "${references[0]}" ] || { echo "$1 has no file *.reference" >&2; exit 1; }
mkdir -p "$3"
for file in "${references[@]}"; do
  reference=$(<"$file")
  repository=${reference%@*}
  "$(dirname "$0")/promote_image.sh" "$reference" "$2/${repository##*/}" >"$3/${file##*/}"
done
