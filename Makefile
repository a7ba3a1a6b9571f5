# The table of contents of this project's commands. `make help` prints it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
KUBLER := $(BIN)/airflow-kubler
# A process for each processor, up to four; one that dies is no try more for the test that it ran.
PYTEST := $(BIN)/pytest --quiet --numprocesses=auto --maxprocesses=4 --max-worker-restart=0
FAST := not network and not tools and not slow

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
	$(PYTEST) -m "$(FAST)"

tools: env ## real peers for the tests: installed on Debian as root, else said what is missing
	.ci/tools $(BIN)

# Tests of one file share what is costly to make, so they stay in one process; tests/conftest.py puts the long files first.
test: check tools ## everything: the fast checks, then all other tests
	$(PYTEST) -m "not ($(FAST))" --dist=loadfile --no-loadscope-reorder --durations=25

golden: env ## write what any machine must give: digests into tests/golden, the picture in docs
	$(BIN)/python tests/golden/write.py
	$(BIN)/python tests/golden/graph.py

hostile: env tools ## what pip, uv and installer do with the hostile corpus: the table of docs/security.md
	$(BIN)/python -m tests.hostile.table

# Ten minutes a target: seven hours for all; FUZZ="wheel deb" names some. Where atheris is not to be had, inputs are changed
# blindly: far fewer ways are found.
FUZZ ?=
fuzz: env ## ten minutes of fuzzing for each reader of things from outside
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements/fuzz.txt || echo "atheris is not to be had here"
	$(BIN)/python -m tests.fuzz.run --seconds 600 $(FUZZ)

schemas: env ## write docs/schemas and tests/golden/deploy, after a form or a shape changed
	$(BIN)/python -m tests.golden.write_deploy

lock: env ## pin everything again: stacks, bases, this project's own requirements
	$(KUBLER) lock
	.ci/pin $(BIN)/uv

# What the image is made of is this commit, not what lies in the folder; another folder that is like examples/builder does as well.
BUILDER ?= examples/builder
BUILDER_BASES = $(basename $(notdir $(wildcard $(BUILDER)/stacks/bases/*.toml)))
builder: env ## the image that runs nights: Airflow and airflow-kubler as committed here, locked, built, built again and compared
	$(BIN)/python examples/builder/pack.py $(BUILDER)/dists
	$(KUBLER) --project $(BUILDER) lock $(addprefix --base ,$(BUILDER_BASES))
	$(KUBLER) --project $(BUILDER) lock
	$(KUBLER) --project $(BUILDER) fetch
	$(KUBLER) --project $(BUILDER) build builder
	$(KUBLER) --project $(BUILDER) verify builder

bench: env ## build times as ratios
	$(BIN)/python bench/build

clean: ## what was made here; the cache of files stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .fuzz .hypothesis .coverage build dist .tools *.egg-info examples/builder/{build,dists}

.PHONY: help env demo lint types check tools test golden schemas lock builder bench hostile fuzz clean
