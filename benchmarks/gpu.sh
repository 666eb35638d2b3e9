#!/usr/bin/env bash
# What the course does on a GPU, in at most six minutes, without a network; one JSON. See gpu.py.
#
#     bash benchmarks/gpu.sh OUT.json [--tiny]
#
# Where packages are missing, wheels of them can come along, in .whl/ beside the course.
set -euo pipefail
out=$(realpath -m "${1:?usage: bash benchmarks/gpu.sh OUT.json [--tiny]}")
shift
cd "$(dirname "$0")/.."
python=$(command -v .venv/bin/python || command -v python3)
if compgen -G ".whl/*.whl" > /dev/null; then
    "$python" -m pip install --quiet --no-index --no-deps --no-compile --upgrade --target /tmp/site .whl/*.whl
    export PYTHONPATH="/tmp/site:$PWD"
fi
TEXT_RECOGNIZER_DATA=$(mktemp -d)  # a data root of its own: everything is drawn by the program
export TEXT_RECOGNIZER_DATA
trap 'rm -rf "$TEXT_RECOGNIZER_DATA"' EXIT
timeout 360 "$python" benchmarks/gpu.py "$out" "$@"
