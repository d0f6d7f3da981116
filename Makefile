# Everything a fresh clone needs: an interpreter is found, .venv is made from the lock once, the package is installed into it.
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
DEMO := params/demo.yaml

.PHONY: help setup emulator demo test test-thorough test-fast nbval lint types format lock benchmark clean

help:            ## show the targets
	@grep -hE '^[a-z-]+: .*##|^[a-z-]+:  *##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

setup: $(READY)  ## make .venv from requirements.lock and install courtbook

$(READY): requirements.lock pyproject.toml tools/setup.sh
	@sh tools/setup.sh $(VENV)
	@touch $(READY)

emulator: $(READY) ## make .venv-emulator, in which a BigQuery for the tests runs; needs Python 3.13
	@$(BIN)/python tests/emulator/environment.py

demo: $(READY)   ## replay the incident of January 2026, repair it, judge it
	@$(BIN)/courtbook prepare $(DEMO) --fresh
	@$(BIN)/courtbook run $(DEMO)

test: $(READY)   ## run the tests
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not thorough"

test-thorough: $(READY) ## run what is left: brute force, faults and killed runs, real data
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m thorough

test-fast: $(READY) ## run the tests that need neither kernels nor whole leagues
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow and not thorough"

nbval: $(READY)  ## run the notebooks cell by cell over the demo warehouse, as an analyst would
	@$(BIN)/python -m pytest -c tests/nbval.ini --rootdir . --nbval-lax notebooks

lint: $(READY)   ## lint and check the format, notebooks included
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY)  ## type-check the library
	@$(BIN)/mypy

format: $(READY) ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock:            ## resolve the lock files anew (needs uv on the PATH)
	uv pip compile pyproject.toml --all-extras --universal --generate-hashes --no-header --python-version 3.11 -o requirements.lock
	uv pip compile tests/emulator/requirements.in --excludes tests/emulator/left_out.txt --universal --generate-hashes --no-header --python-version 3.13 -o tests/emulator/requirements.lock

benchmark: $(READY) ## count and measure what docs/scale.md says; takes half an hour and 6 GB of memory
	@$(BIN)/python tools/benchmark.py --write warehouse/benchmark

clean:           ## remove the environments, the warehouses and the runs
	rm -rf $(VENV) .venv-emulator runs warehouse
