#!/bin/sh
# Inside an image's build: the environment /opt/modelserve from a lock, without what no process needs.
# usage: make_image_env.sh requirements/cpu.txt
set -eu
lock=$1
python3 -m venv --without-pip /opt/modelserve
pip --python /opt/modelserve/bin/python install --no-cache-dir --disable-pip-version-check \
  --only-binary :all: --no-deps --require-hashes --requirement "$lock"
# Of the Kubernetes client's 700 generated classes, and of pandas, a server imports none (see
# src/modelserve/light_kserve.py): their tests and bytecode are a sixth of the image.
cd /opt/modelserve/lib/python3*/site-packages
rm -rf pandas/tests numpy/tests numpy/_core/tests
for package in kubernetes pandas; do
  if [ -d "$package" ]; then find "$package" -name __pycache__ -prune -exec rm -rf {} +; fi
done
