#!/usr/bin/env bash
# Builds the images that the local overlay and the cluster's tests run, as dev.local/NAME:dev.
# usage: scripts/build_images.sh [NAME…]   (all: bert-ner resnet-classifier ner-text image-tensors
#                                           token-attribution image-attribution drift-detector
#                                           canary-controller pipelines; for a test there are monitoring and mesh)
# MODEL_BASE is the base of the models' own images, any with a shell, where it is not the Dockerfile's.
# IMAGE_BUILDER is the program that builds: it gets FOLDER NAME:TAG -f FILE [--build-arg KEY=VALUE]…
set -euo pipefail
cd "$(dirname "$0")/.."

docker_build() {
  local folder=$1 name=$2
  shift 2
  docker build "$folder" -t "$name" "$@"
}

build_in() { "${IMAGE_BUILDER:-docker_build}" "$@"; }
build() { build_in . "$@"; }

units=("$@")
[ ${#units[@]} -gt 0 ] ||
  units=(bert-ner resnet-classifier ner-text image-tensors token-attribution image-attribution drift-detector
    canary-controller pipelines)
for unit in "${units[@]}"; do
  # No units: what watches a cluster in tests, and the mesh in it, built by Go.
  if [ -x "tests/e2e/$unit/build.sh" ]; then
    "tests/e2e/$unit/build.sh" ".tools/$unit"
    build_in ".tools/$unit" "dev.local/$unit:dev" -f "tests/e2e/$unit/Dockerfile"
    continue
  fi
  # A unit in Python is named as its package is.
  file=$(compgen -G "*/$unit/Dockerfile" || compgen -G "*/${unit//-/_}/Dockerfile") ||
    { echo "$unit is no unit with a Dockerfile" >&2; exit 2; }
  build "dev.local/$unit:dev" -f "$file"
  # A predictor is tried out with a model in its image: KServe brings models from storage only.
  if [ -d "samples/$unit" ]; then
    build "dev.local/$unit-sample:dev" -f samples/Dockerfile \
      --build-arg "PREDICTOR=dev.local/$unit:dev" --build-arg "SAMPLE=$unit"
    build "dev.local/$unit-model:dev" -f samples/model.Dockerfile \
      ${MODEL_BASE:+--build-arg "BASE=$MODEL_BASE"} --build-arg "SAMPLE=$unit"
  fi
  # Rollouts are tested with a model that can be told to have a fault.
  [ "$unit" != bert-ner ] ||
    build_in tests/e2e/faulty dev.local/faulty-ner:dev -f tests/e2e/faulty/Dockerfile
  # And pipelines with a Redis.
  [ "$unit" != pipelines ] || build_in tests/e2e/redis dev.local/redis:dev -f tests/e2e/redis/Dockerfile
done
