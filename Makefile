# kmatrix: checkpoint on kernel A, restore on kernel B.
# `make matrix` and `make test` do all the set-up they need. What is there is not done twice.

PYTHON := .venv/bin/python

# `make test SLOW=1` runs the tests that take minutes, too.
ifdef SLOW
UNIT := not vm
GUESTS := vm
else
UNIT := not vm and not slow
GUESTS := vm and not slow
endif

.PHONY: help setup matrix test unit lint bench clean

help:
	@echo 'make matrix   set up what is missing, run the quick profile, print the matrix'
	@echo 'make test     set up what is missing, lint, run all tests; those marked slow with SLOW=1'
	@echo 'make unit     the tests that need no guest, no workload and no browser'
	@echo 'make lint     ruff and mypy'
	@echo 'make bench    measure speed and memory, print a table, write JSON'
	@echo 'make setup    host packages (sudo if some are missing) and the Python environment'
	@echo 'make clean    remove the Python environment and caches of tools; runs and fetched kernels stay'

setup:
	@ci/bootstrap.sh

# Ends well when the lab worked, whatever the kernels did.
matrix: setup
	@.venv/bin/kmatrix run --profile quick

# Tests without guests are many and short: on all cores, those with a browser in one group, so in one Chromium. Those
# with guests share one hypervisor in one process.
test: lint
	$(PYTHON) -m pytest -n auto --dist loadgroup -m "$(UNIT)"
	$(PYTHON) -m pytest -m "$(GUESTS)"

unit: setup
	$(PYTHON) -m pytest -n auto -m "not vm and not slow and not selftest and not browser"

lint: setup
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy --strict

bench: setup
	$(PYTHON) -m benchmarks

clean:
	rm -rf .venv .stamps .mypy_cache .pytest_cache .ruff_cache *.egg-info
