# What a newcomer runs. Each target makes the .venv and its packages when they are missing; a second run reuses them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.core
PAGE := $(VENV)/.page
STAMP := $(VENV)/.installed
export OMP_WAIT_POLICY ?= PASSIVE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install peers demo demo-page test test-slow check format eval bench charts clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP)  ## Make the .venv with everything for work on chartline

$(STAMP): pyproject.toml constraints.txt Makefile tools/make_venv.py
	@$(PYTHON) tools/make_venv.py $(VENV)
	$(BIN)/python -m pip install --quiet --editable \
		'.[adapt,cohort,dev,documents,images,medgemma,medsiglip,postgres,quantized,service,spark]' --constraint constraints.txt
	@touch $(CORE) $(PAGE) $@

peers: $(STAMP)  ## Install the servers and the MCP client that are not ours, for the tests that need them
	$(BIN)/python -m tools.peers.make_sekmet
	$(BIN)/python -m tools.peers.make_medplum
	$(BIN)/python -m tools.peers.make_vllm
	$(BIN)/python -m tools.peers.make_inspector
	$(BIN)/python -m tools.peers.make_axe

# The demo needs the core alone, which is small; where everything is installed already, that serves it.
$(CORE): pyproject.toml tools/make_venv.py
	@$(PYTHON) tools/make_venv.py $(VENV)
	$(BIN)/python -m pip install --quiet --editable . --constraint constraints.txt
	@touch $@

demo: $(CORE)  ## Ask the demo charts a few questions
	$(BIN)/chartline demo

$(PAGE): pyproject.toml tools/make_venv.py
	@$(PYTHON) tools/make_venv.py $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[service]' --constraint constraints.txt
	@touch $(CORE) $@

demo-page: $(PAGE)  ## Open the clinician's page on the demo charts
	$(BIN)/chartline demo --page

test: $(STAMP)  ## Run the fast tests
	$(BIN)/python -m pytest -m 'not slow'

test-slow: $(STAMP)  ## Run the slow tests (packaging, large files)
	$(BIN)/python -m pytest -m slow

check: $(STAMP)  ## Lint, formatting, types and import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## Put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

eval: $(STAMP)  ## Grade the rules reasoner on the evaluation sets, where they are; writes out/
	$(BIN)/python -m benchmarks.run_eval

bench: $(STAMP)  ## Measure speed and memory; about five minutes
	@set -e; for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python -m "benchmarks.$$(basename "$$file" .py)"; done

charts: $(STAMP)  ## Write the demo charts anew (the same bytes each time)
	$(BIN)/python -m tools.make_demo_charts

clean:  ## Remove the .venv, caches and out/
	rm -rf $(VENV) build dist out .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
