#!/usr/bin/env bash
# Serves the sample models, their calls mirrored to a drift detector beside them, until Ctrl-C.
# usage: run_local.sh BIN HTTP_PORT GRPC_PORT DRIFT_PORT   (BIN: the folder of the environment's programs)
set -euo pipefail
bin=$1 http_port=$2 grpc_port=$3 drift_port=$4
cd "$(dirname "$0")/.."

state=$(mktemp -d)
trap 'kill "$detector" 2>/dev/null || true; wait "$detector" 2>/dev/null || true; rm -rf "$state"' EXIT
"$bin/python" -m drift_detector --host 127.0.0.1 --http_port "$drift_port" --store "sqlite:///$state/drift.db" \
  --references samples/bert-ner/reference.zip --log_level warning &
detector=$!

echo "Starting: REST on port $http_port, gRPC on port $grpc_port, what the drift detector sees on" \
  "http://localhost:$drift_port/report. Stop with Ctrl-C."
"$bin/modelserve" serve --http_port "$http_port" --grpc_port "$grpc_port" \
  --log_url "http://127.0.0.1:$drift_port/" \
  --model bert-ner=samples/bert-ner --model resnet-classifier=samples/resnet-classifier
