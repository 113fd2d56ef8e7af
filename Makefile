# Every target sets up what it needs: Python 3.11 or newer, make, git and a package registry are enough.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

export MLFLOW_DISABLE_TELEMETRY := true
export DAGSTER_DISABLE_TELEMETRY := yes
export GX_ANALYTICS_ENABLED := false

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types bench ui constraints clean

help: ## Show the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## Create .venv with everything pinned in constraints.txt

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, found " + sys.version.split()[0] + ". Name one with: make PYTHON=python3.12")'
	@echo "Setting up $(VENV) (first time only; a few minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP) ## Run the story of the reference project in the terminal
	@$(BIN)/python -m examples.credit_default.demo

test: $(STAMP) ## Lint, check types, run the tests
	@$(MAKE) --no-print-directory lint types
	@$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(STAMP) ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP) ## mypy, strict
	@$(BIN)/mypy

bench: $(STAMP) ## Run the benchmarks (an hour; QUICK=1: minutes); tables and the plot go to benchmarks/results
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

ui: $(STAMP) ## Open Dagster and MLflow on the results of the demo
	@$(BIN)/python -m examples.credit_default.ui

constraints: $(STAMP) ## Resolve the pins again (for maintainers)
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --upgrade \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header -q | grep -v '^aims-pipelines' > constraints.txt
	@for peer in nannyml whylogs; do \
	  $(BIN)/uv pip compile benchmarks/peers/$$peer.in --universal --python-version 3.11 --upgrade \
	    --no-emit-index-url --no-emit-find-links --no-annotate --no-header -q \
	    --no-emit-package nvidia-nccl-cu12 --no-emit-package kaleido -o benchmarks/peers/$$peer.txt; done

clean: ## Remove what the targets made
	rm -rf $(VENV) .bench demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
