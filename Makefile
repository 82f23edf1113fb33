# Every target sets up what it needs: Python 3.11+, git and make are enough.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests wait more than they work.
TEST_JOBS ?= $(shell expr $$(nproc 2>/dev/null || echo 1) + 1)
SOURCES := src collectors detectors dashboards tests bench docs

.PHONY: help venv demo test check format bench soak pictures screenshots lock

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

venv: $(VENV)/.current ## create or refresh .venv from the lock file

$(VENV)/.current: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "make: Undertow needs Python 3.11 to 3.13, %s is %s; name another: make PYTHON=python3.12" % (sys.executable, sys.version.split()[0]))'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) cannot make virtual environments; install its venv package first (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@echo "setting up $(VENV) from requirements.lock (once, about a minute)" >&2
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

demo: venv ## everything on embedded parts: a planted silent update, the alert, the dashboard
	@$(BIN)/undertow demo $(DEMO_ARGS)

test: check ## lint, types, import rules and the whole suite
	@$(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile $(PYTEST_ARGS)

check: venv ## ruff, format, mypy strict, import rules
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: venv ## rewrite the sources as `make check` wants them
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

bench: venv ## figures beside their limits, one JSON object a line; BENCH=ingest for one family
	@$(BIN)/python -m bench $(BENCH)

soak: venv ## the long runs
	@$(BIN)/python -m pytest -m soak $(PYTEST_ARGS)

pictures: venv ## draw docs/images/lane-*.svg anew, from simulated streams
	@$(BIN)/python -m docs.pictures

screenshots: venv ## every page of the dashboard in light and dark, into build/screenshots
	@$(BIN)/python -m tests.dashboards.screenshots

lock: venv ## renew requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --custom-compile-command "make lock" --extra demo --extra dev --extra oidc --upgrade --output-file requirements.lock pyproject.toml
