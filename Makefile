# Everything a developer or a newcomer runs. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# Tests start many processes; without kept bytecode each compiles some 800 modules anew.
unexport PYTHONDONTWRITEBYTECODE

# The first interpreter that is new enough; `make PYTHON=/path/to/python3` overrides it.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python3.14 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
# Measures run on an interpreter built with optimisations, where install_peers.sh found one.
BENCH_PYTHON ?= $(if $(wildcard bench/.peers/python/bin/python),bench/.peers/python/bin/python,$(BIN)/python)
ROUNDS ?= 3
SECONDS_EACH ?= 0
COMPILED := build/compiled/.done
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

##@ Try it
demo: $(VENV)/.runtime ## Start a whole migration: legacy, new functions, control plane, proxy, traffic
	@$(BIN)/figway demo $(ARGS)

demo-serverless: $(VENV)/.dev ## The shop's whole new side: functions, queues, events, a workflow, a bucket
	@$(BIN)/python -m new_services.cloud.demo $(ARGS)

##@ Check it
# Everything once that runs in a test's own process or on its own sockets; of whole systems, faults and the
# console in a browser a part, which the targets below have whole. The compiled build has targets of its own.
# Style, types and the browser leave cores unused, and so do tests that wait for processes: side by side.
test: $(VENV)/.dev ## Lint, strict types, import rules, tests, and a part of the long suites (10 to 15 minutes on two cores, installation included)
	@$(MAKE) --no-print-directory -j2 test-lint-browser test-quick

test-all: lint ## Everything: all inputs, both databases, all windows, and all tests on the compiled build (an hour)
	@THOROUGH=1 $(MAKE) --no-print-directory coverage unit-rest test-compiled test-browser

lint: $(VENV)/.dev ## Style, strict types, and which package may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# tests/conftest.py tries a failed test again where real processes share two cores with others, and the
# summary names it (RERUN). A pure test that fails fails at once.
AGAIN := -rR
# A file to a worker, in the order of the tree: files of few tests and much work are in its middle, so that
# no worker waits for the other at the end.
BY_FILE := --dist loadfile --no-loadscope-reorder
# With two, a third of the time of two cores went unused: tests wait for processes and sockets.
WORKERS ?= 3

WHOLE := tests/architecture tests/unit tests/integration tests/suites/api tests/suites/conformance tests/suites/hostile
# Of each other suite the tests that notice most: an installation by its README, a route moved by the
# command line, both sides of the shop, supervisor and kill switch, a backend that refuses or hangs.
PART := tests/system/test_readme.py tests/system/legacy_stub/test_pages.py tests/system/new_services/test_signature.py \
	tests/system/control_plane/test_server.py tests/system/control_plane/cli/test_cli.py::test_a_route_moves_and_comes_back \
	tests/system/proxy/kill/test_kill_switch.py tests/system/proxy/processes/test_supervisor.py \
	tests/suites/faults/test_refuses.py tests/suites/faults/test_hangs_before_head.py
PART_BROWSER := tests/suites/browser/test_screens.py tests/suites/browser/test_actions.py::test_a_flip_by_keyboard_reaches_the_facade \
	tests/suites/browser/test_actions.py::test_the_kill_switch

# QUICK=1: a test that runs on both databases runs on one, half of them on each (tests/conftest.py).
test-quick: $(VENV)/.dev
	QUICK=1 $(BIN)/python -m pytest -n $(WORKERS) $(BY_FILE) -m "not long" $(AGAIN) $(PART) $(WHOLE)

test-lint-browser: lint
	QUICK=1 $(BIN)/python -m pytest -n 1 -rs $(AGAIN) $(PART_BROWSER)

test-long: $(VENV)/.dev ## Tests of much work that make test leaves out: the API's description, exports, hostile bodies, error rates
	QUICK=1 $(BIN)/python -m pytest -n $(WORKERS) -m long $(AGAIN) $(WHOLE) $(ARGS)

# The browser's driver keeps an event loop running in its process, so its tests have one of their own.
unit: $(VENV)/.dev ## The tests alone, but for the browser's: make unit ARGS="tests/unit -k match"
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --ignore tests/suites/browser $(AGAIN) $(ARGS)

# The core by its own tests alone; the floor is what they reach today, and only rises.
FLOOR := 78
coverage: $(VENV)/.dev ## The tests of figway, and the share of its lines and branches that they reach
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile tests/unit/figway --cov=figway --cov-branch \
		--cov-report=term:skip-covered --cov-fail-under=$(FLOOR) $(ARGS)

unit-rest: $(VENV)/.dev
	@$(MAKE) --no-print-directory unit ARGS="--ignore tests/unit/figway"

# The compiled build in the place of the sources, for the tests and for the processes they start.
AS_COMPILED := FIGWAY_COMPILE=1 PYTHONSAFEPATH=1 PYTHONPATH=$(CURDIR)/build/compiled:$(CURDIR)
WIRE := tests/suites/conformance tests/integration/proxy/upstreams/test_port.py \
	tests/unit/proxy/wire tests/unit/proxy/request tests/unit/figway/serving/attempts

test-wire-compiled: ## What goes over the wire, on the compiled build, where there is a C compiler
	@if command -v cc >/dev/null; then $(MAKE) --no-print-directory test-compiled ARGS="$(WIRE) --ignore tests/suites/conformance/serverless -k 'not asgi'"; \
	else echo "No C compiler (Debian: apt install gcc python3-dev): the compiled build is not tested."; fi

test-compiled: $(COMPILED) ## Tests on the compiled build: make test-compiled [ARGS=tests/integration]
	@$(AS_COMPILED) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --ignore tests/suites/browser $(AGAIN) \
		-o "pythonpath=build/compiled ." tests/architecture/test_compiled.py $(or $(ARGS),tests)

test-system: $(VENV)/.dev ## Whole systems of real processes: make test-system [ARGS=...]
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(AGAIN) tests/system tests/suites/soak $(ARGS)

test-faults: $(VENV)/.dev ## Every fault on real processes, tests alone: make test-faults [ARGS=...]
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(AGAIN) tests/suites/faults $(ARGS)

test-browser: $(VENV)/.dev ## The console in Chromium, where a browser is found: [WINDOWS=all]
	@WINDOWS=$(WINDOWS) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -rs $(AGAIN) tests/suites/browser $(ARGS)

story: $(VENV)/.dev ## The whole story on real processes, one JSON object a step: make story [CHAPTER=name]
	@$(BIN)/python -m tests.suites.story $(if $(CHAPTER),--chapter $(CHAPTER))

##@ Ship it
PREFIX ?= $(HOME)/.local
install: requirements/runtime.lock pyproject.toml ## Install the command figway for this user: make install [PREFIX=~/.local]
	@test -n "$(PYTHON)" || { echo "Figway needs Python 3.11 or later." >&2; exit 1; }
	@echo "Installing figway with $$($(PYTHON) --version) into $(PREFIX)"
	@$(PYTHON) -m venv --clear "$(PREFIX)/share/figway"
	@"$(PREFIX)/share/figway/bin/python" -m pip --disable-pip-version-check --quiet install \
		--no-deps --require-hashes -r requirements/runtime.lock
	@"$(PREFIX)/share/figway/bin/python" -m pip --disable-pip-version-check --quiet install \
		--no-deps --no-build-isolation --force-reinstall .
	@mkdir -p "$(PREFIX)/bin" && ln -sf "$(PREFIX)/share/figway/bin/figway" "$(PREFIX)/bin/figway"
	@echo "Installed: $(PREFIX)/bin/figway ($$("$(PREFIX)/bin/figway" --version))"
	@case ":$$PATH:" in *":$(PREFIX)/bin:"*) ;; \
		*) echo "Put it on the path of this terminal: export PATH=\"$(PREFIX)/bin:\$$PATH\"" ;; esac

dist: $(VENV)/.dev ## Build sdist and wheels, pure and (with a C compiler) compiled, into dist/
	@rm -rf dist build/bdist* build/lib* build/temp* && mkdir -p dist
	@$(BIN)/uv build --quiet --sdist --wheel --no-build-isolation --python $(BIN)/python --out-dir dist .
	@if command -v cc >/dev/null; then FIGWAY_COMPILE=1 $(BIN)/uv build --quiet --wheel \
		--no-build-isolation --python $(BIN)/python --out-dir dist .; \
	else echo "No C compiler: the compiled wheel is not built."; fi
	@ls -l dist

compiled: $(COMPILED) ## Build the package into build/compiled with the path of a request compiled
package: $(VENV)/.dev ## Build the Lambda packages into build/lambda, and say their sizes
	@$(BIN)/python scripts/package_lambda.py $(ARGS)

##@ Measure it
bench-peers: $(VENV)/.dev ## Install the proxies to compare with (apt, PyPI, npm; apt needs root)
	@PYTHON=$(abspath $(BIN)/python) bench/install_peers.sh

bench: $(VENV)/.dev $(COMPILED) ## Side by side with peers: make bench [SCENARIOS=a,b] [SERVERS=native,nginx] [ROUNDS=3]
	@$(BENCH_PYTHON) -m bench --scenarios "$(SCENARIOS)" --servers "$(SERVERS)" --rounds $(ROUNDS) \
		--seconds $(SECONDS_EACH)

bench-console: $(VENV)/.dev ## The console with 1 000 routes and 1 000 000 stored pairs; ten minutes and 10 GB of disk
	@$(BIN)/python -m bench.console --json docs/results/console.json $(ARGS)

##@ Put it under fire
foreign: $(VENV)/.dev ## Suites of other projects with and without the facade (needs litmus: apt install litmus)
	@$(BIN)/python -m tests.suites.foreign $(ARGS)

rewrites: $(VENV)/.dev ## Real rewrites of real servers, held to what truly differs (fetches them from npm and Debian)
	@tests/suites/rewrites/install.sh build/rewrites
	@$(BIN)/python -m pytest tests/suites/rewrites $(ARGS)

faults: $(VENV)/.dev ## Every fault on real processes; writes the table of docs/operate/reliability.md
	@TABLE_OF_FAULTS=docs/operate/reliability.md $(BIN)/python -m pytest tests/suites/faults $(ARGS)

fuzz: $(VENV)/.dev ## 100 000 hostile requests, and long runs of the codecs: make fuzz [REQUESTS=n] [EXAMPLES=n] [SECONDS=n]
	@$(BIN)/python -m tests.suites.hostile.fuzz --requests $(or $(REQUESTS),100000)
	@FUZZ_EXAMPLES=$(or $(EXAMPLES),20000) $(BIN)/python -m pytest tests/suites/hostile/test_codecs.py --timeout 1800
	@$(BIN)/python -m tests.suites.hostile.guided --seconds $(or $(SECONDS),60)

operations: $(VENV)/.dev ## 100 000 GraphQL and SOAP documents beside graphql-core and lxml: make operations [DOCUMENTS=n]
	@DOCUMENTS=$(or $(DOCUMENTS),100000) $(BIN)/python -m pytest -q --timeout 3600 tests/unit/figway/operation/test_against_references.py

api-fuzz: $(VENV)/.dev ## Hold every answer of the admin API to its description: make api-fuzz [EXAMPLES=n]
	@$(BIN)/python -m tests.suites.api.fuzz --examples $(or $(EXAMPLES),100)

outage: $(VENV)/.dev ## Kill new under load, and draw what happened
	@$(BIN)/python -m bench.outage --strict --json docs/images/outage.json --picture docs/images/outage.svg
	@$(BIN)/python -m bench.outage_rates --strict

storm: $(VENV)/.dev ## 50 flips a second under load: make storm [SECONDS=30]
	@$(BIN)/python -m tests.suites.soak.storm --seconds $(or $(SECONDS),30)

burst: $(VENV)/.dev ## 5 000 writes to a queue route: 202 for all, every id once, order by key: make burst [REQUESTS=n]
	@$(BIN)/python -m bench.queue_burst --requests $(or $(REQUESTS),5000)

burst-latency: $(VENV)/.dev ## What the facade adds to a message, with a queue that answers at once: make burst-latency [REQUESTS=n]
	@$(BIN)/python -m bench.queue_latency --requests $(or $(REQUESTS),5000)

soak: $(VENV)/.dev ## Mixed traffic, flips and faults: make soak [MINUTES=10]
	@$(BIN)/python -m tests.suites.soak.soak --minutes $(or $(MINUTES),10)

sagas: $(VENV)/.dev ## 200 booking sagas by state machine and by events, with every step broken: make sagas [SAGAS=200]
	@SAGAS=$(or $(SAGAS),200) $(BIN)/python -m pytest -n 0 -s --timeout 1800 tests/system/new_services/test_sagas.py $(ARGS)

##@ Work on it
venv: $(VENV)/.dev ## Create the virtual environment with everything that development needs

lock: $(VENV)/.dev ## Resolve the dependencies anew into requirements/
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--all-extras pyproject.toml -o requirements/runtime.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--all-extras --group dev -c requirements/runtime.lock pyproject.toml -o requirements/dev.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--extra shadow -c requirements/runtime.lock pyproject.toml -o requirements/proxy.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--group compile -c requirements/dev.lock -o requirements/compile.lock

reference: $(VENV)/.dev ## Write docs/reference/ (settings, commands, table, codes, API) and the states in the architecture page from the code
	$(BIN)/python scripts/reference.py
	$(BIN)/python scripts/state_diagram.py

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

$(COMPILED): setup.py $(shell find figway proxy -name '*.py') | $(VENV)/.dev
	@echo "Compiling the path of a request"
	@rm -rf build/compiled build/lib* build/temp*
	@FIGWAY_COMPILE=1 $(PIP) install --no-deps --no-build-isolation --target build/compiled .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	@echo "Installing the locked dependencies of development"
	@$(PIP) install --no-deps --require-hashes -r requirements/dev.lock
	@touch $@

.PHONY: rewrites operations demo-serverless sagas coverage unit-rest test-all test-quick test-system test-faults foreign install dist bench bench-console bench-peers compiled demo test lint unit test-browser test-compiled test-wire-compiled story package venv lock reference clean help faults fuzz api-fuzz outage storm soak
