#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the autograder's image: the course's exact packages, without GPUs.
set -euo pipefail
cd "${AUTOGRADER_ROOT:-/autograder}/source"
apt-get update -qq && apt-get install -y -qq python3 python3-pip python3-venv
python3 -m venv /opt/uv && /opt/uv/bin/pip install -qq uv
export UV_PYTHON_INSTALL_DIR=/opt/python  # not in root's home: whoever runs students' code has to read it
/opt/uv/bin/uv venv --quiet --python 3.11 .venv
/opt/uv/bin/uv pip install --quiet --python .venv/bin/python --torch-backend cpu \
    -r requirements/prod.txt -c requirements/dev.txt pytest
