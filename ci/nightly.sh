#!/bin/bash
# Every night: the nightly profile. Ends with 1 if a cell failed, 6 if the lab is broken; arguments go to `kmatrix run`.
# With KMATRIX_SITE=DIR the site in DIR is brought up to date, whatever the run came to. Keep DIR and reports/ for it.
set -eu
cd "$(dirname "$0")/.."
make setup
status=0
.venv/bin/kmatrix run --profile nightly --fail-on breakage --junitxml reports/junit.xml "$@" || status=$?
if [ -n "${KMATRIX_SITE:-}" ]; then
	.venv/bin/kmatrix publish "$KMATRIX_SITE" || status=$((status ? status : 6))
fi
exit "$status"
