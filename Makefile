# The table of contents of this project's commands. `make help` prints it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
KUBLER := $(BIN)/airflow-kubler

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 10

# Pinned by hash; the user's own pip settings say where the files come from.
$(VENV)/.made: requirements/dev.txt requirements/runtime.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

env: $(VENV)/.made ## the virtual environment, from pinned files

demo: env ## fetch, build and run Airflow with a DAG, on a fresh machine
	.ci/demo $(KUBLER)

lint: env ## ruff, formatting, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: env ## mypy --strict
	$(BIN)/mypy

check: lint types ## the fast checks: no network, no tools
	$(BIN)/pytest -q -m "not network and not tools and not slow"

tools: env ## real peers for the tests: installed on Debian as root, else said what is missing
	.ci/tools $(BIN)

test: env tools lint types ## everything
	$(BIN)/pytest

golden: env ## write what any machine must give: digests into tests/golden, the picture in docs
	$(BIN)/python tests/golden/write.py
	$(BIN)/python tests/golden/graph.py

schemas: env ## write docs/schemas and tests/golden/deploy, after a form or a shape changed
	$(BIN)/python -m tests.golden.write_deploy

lock: env ## pin everything again: stacks, bases, this project's own requirements
	$(KUBLER) lock
	.ci/pin $(BIN)/uv

bench: env ## build times as ratios
	$(BIN)/python bench/build

clean: ## what was made here; the cache of files stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage build dist .tools *.egg-info

.PHONY: help env demo lint types check tools test golden schemas lock bench clean
