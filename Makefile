# Everything a developer or a newcomer runs. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# The first interpreter that is new enough; `make PYTHON=/path/to/python3` overrides it.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python3.14 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

##@ Try it
demo: $(VENV)/.runtime ## Start a whole migration: legacy, new functions, control plane, proxy, traffic
	@$(BIN)/figway demo $(ARGS)

##@ Check it
test: lint unit ## Lint, strict types, import rules and every test (under 10 minutes on two cores)

lint: $(VENV)/.dev ## Style, strict types, and which package may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/.dev ## The tests alone: make unit ARGS="tests/unit -k match"
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

story: $(VENV)/.dev ## The whole story on real processes, one JSON object a step: make story [CHAPTER=name]
	@$(BIN)/python -m tests.story $(if $(CHAPTER),--chapter $(CHAPTER))

##@ Ship it
package: $(VENV)/.dev ## Build the Lambda packages into build/lambda, and say their sizes
	@$(BIN)/python scripts/package_lambda.py $(ARGS)

##@ Work on it
venv: $(VENV)/.dev ## Create the virtual environment with everything that development needs

lock: $(VENV)/.dev ## Resolve the dependencies anew into requirements/
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--all-extras pyproject.toml -o requirements/runtime.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--all-extras --group dev -c requirements/runtime.lock pyproject.toml -o requirements/dev.lock

clean: ## Remove the virtual environment, caches and demo data
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Figway needs Python 3.11 or later. Install it (Debian: apt install python3 python3-venv), or say: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) lacks venv. Debian and Ubuntu keep it apart: apt install python3-venv" >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked dependencies"
	@$(PIP) install --no-deps --require-hashes -r requirements/runtime.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	@echo "Installing the locked dependencies of development"
	@$(PIP) install --no-deps --require-hashes -r requirements/dev.lock
	@touch $@

.PHONY: demo test lint unit story package venv lock clean help
