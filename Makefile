# What a user and a developer do with this project. `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
STAMP_DEV := $(VENV)/.installed-dev

# A Python of this range; `make demo PYTHON=/path/to/python` overrides the search.
PYTHON ?= $(shell for candidate in python3.11 python3.12 python3.13 python3 python; do \
	if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; \
	then command -v "$$candidate"; break; fi; done)

# Prices for the demo: a folder of CSV or Parquet files, and the session to run. Both may stay empty.
DATA ?=
SESSION ?=
DEMO_OPTIONS := $(if $(DATA),--data "$(DATA)") $(if $(SESSION),--session "$(SESSION)")

# Further options for pytest, e.g. PYTEST="-k timetable -x".
PYTEST ?=

# One file of tests at a time to each of several processes; `make test WORKERS=0` runs them in one.
WORKERS ?= logical
PARALLEL := -n $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: help demo up down status doctor test test-fast lint format bench bad-orders faults book-faults mutants outages wal-kills models venv venv-dev lock calendar clean

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  make demo DATA=DIR SESSION=YYYY-MM-DD   the demo on a folder of real prices"
	@echo "  PYTHON=/path/to/python                  the interpreter for .venv (3.11 to 3.13)"

demo: $(STAMP) ## Start everything, run one session through Airflow, show what was decided
	@$(BIN)/trading demo $(DEMO_OPTIONS)

up: $(STAMP) ## Start PostgreSQL, MLflow and Airflow
	@$(BIN)/trading stack up

down: $(STAMP) ## Stop them again
	@$(BIN)/trading stack down

status: $(STAMP) ## Show what runs where
	@$(BIN)/trading stack status

doctor: $(STAMP) ## Check interpreter, packages, ports, database, services and disk
	@$(BIN)/trading doctor

test: $(STAMP_DEV) ## Run every test, the end-to-end run included, and measure coverage
	@$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term $(PYTEST)

test-fast: $(STAMP_DEV) ## Run the tests that start no stack
	@$(BIN)/python -m pytest $(PARALLEL) -m "not e2e" $(PYTEST)

lint: $(STAMP_DEV) ## Check style, formatting, types and import direction
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(STAMP_DEV) ## Format the code and fix what can be fixed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMP_DEV) ## Measure speed and memory
	@$(BIN)/python -m benchmarks

# How many kills, from which seed, and where the result goes: evidence/ where OUT is empty.
TRIALS ?=
SEED ?= 1
OUT ?=

faults: $(STAMP_DEV) ## Kill the daily run at named points of its orders' way, at two brokers (an hour); writes evidence/
	@$(BIN)/python -m tests.campaigns.order_kills $(if $(TRIALS),--trials $(TRIALS)) --seed $(SEED) $(if $(OUT),--out "$(OUT)")

book-faults: $(STAMP_DEV) ## Play 2,000 random histories of a book with faults (an hour); writes evidence/
	@$(BIN)/python -m tests.campaigns.book_faults

bad-orders: $(STAMP_DEV) ## Judge a million orders on the limits of the checks and a unit beyond (two minutes)
	@$(BIN)/python -m tests.campaigns.bad_orders

mutants: $(STAMP_DEV) ## Plant faults in the money path and see each one found; writes evidence/
	@$(BIN)/python -m tests.campaigns.mutants

outages: $(STAMP_DEV) ## Stop the database five times during 20 sessions (half an hour); writes evidence/
	@$(BIN)/python -m tests.campaigns.outages

damages: $(STAMP_DEV) ## Damage 100 backups, kill S3 servers at every request (minutes); writes evidence/
	@$(BIN)/python -m tests.campaigns.backups

wal-kills: $(STAMP_DEV) ## Kill PostgreSQL 50 times during writes, and restore to moments between; writes evidence/
	@$(BIN)/python -m tests.campaigns.wal

models: $(STAMP_DEV) ## Train models on 40 worlds of noise and 20 with a planted signal (20 minutes); writes evidence/
	@$(BIN)/python -m tests.campaigns.models

venv: $(STAMP) ## Create or refresh .venv from requirements.txt

venv-dev: $(STAMP_DEV) ## The same with what tests and lint need

lock: $(STAMP_DEV) ## Compile requirements*.in into requirements*.txt (needs uv; keeps pinned versions)
	@command -v uv >/dev/null || { echo "make lock needs uv: install it with 'pip install uv'" >&2; exit 2; }
	@for name in requirements requirements-dev; do \
		uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
			--no-emit-index-url --no-emit-find-links $$name.in --output-file $$name.txt || exit 1; done

calendar: $(STAMP_DEV) ## Write the exchange's sessions anew, after an update of exchange_calendars
	@$(BIN)/python -c "from trading_lib.domain.market import session_table, sessions; \
		session_table.write_sessions(str(sessions.FIRST_SESSION), f'{sessions.LAST_SESSION_YEAR}-12-31')"

clean: ## Remove caches (not .venv, not .local)
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.* htmlcov build *.egg-info
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# With uv when it is there, which takes seconds where pip takes a minute; `make demo UV=` insists on pip.
UV ?= $(shell command -v uv 2>/dev/null)
# uv does not know pip's own configuration (an index, a certificate): where it cannot install, pip is asked.
INSTALL = install() { \
	if [ -n "$(UV)" ] && "$(UV)" pip install --quiet --python $(BIN)/python "$$@"; then return; fi; \
	[ -z "$(UV)" ] || echo "uv could not install: trying pip" >&2; \
	$(BIN)/python -m pip install -qq --no-compile --disable-pip-version-check "$$@"; }; install
# Both leave the packages as source. Compiled here once on all cores, nothing has to be compiled at the first start, by
# five services at once, nor at every start where PYTHONDONTWRITEBYTECODE is set. A package's own tests are left out, and
# what does not compile (templates, other versions' syntax) is compiled by nobody else either.
COMPILE = $(BIN)/python -m compileall -qq -j 0 -x '/(tests?|testing/data)/' \
	"$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" trading_lib || true

$(STAMP): requirements.txt pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "no Python 3.11, 3.12 or 3.13 with venv was found: install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python" >&2; \
		exit 2; fi
	@if ! "$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
		echo "PYTHON=$(PYTHON) is no Python 3.11 to 3.13: name another one" >&2; exit 2; fi
	@if [ ! -x $(BIN)/python ] || ! $(BIN)/python -c '' 2>/dev/null; then \
		echo "creating $(VENV) with $$("$(PYTHON)" --version)" >&2; "$(PYTHON)" -m venv --clear $(VENV); fi
	@echo "installing $$(grep -c == requirements.txt) pinned packages into $(VENV) with $(if $(UV),uv (half a minute),pip (a minute and a half))" >&2
	@$(INSTALL) -r requirements.txt
	@$(INSTALL) --no-deps -e .
	@$(COMPILE)
	@touch $@

$(STAMP_DEV): $(STAMP) requirements-dev.txt
	@echo "installing the tools for tests and lint" >&2
	@$(INSTALL) -r requirements-dev.txt
	@$(COMPILE)
	@touch $@
