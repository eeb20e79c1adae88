#!/bin/bash
# Every night: the nightly profile. Ends with 1 if a cell failed, 6 if the lab is broken; arguments go to `kmatrix run`.
set -eu
cd "$(dirname "$0")/.."
make setup
exec .venv/bin/kmatrix run --profile nightly --fail-on breakage --junitxml reports/junit.xml "$@"
