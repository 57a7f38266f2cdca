# Everything a newcomer types. Needs only make and Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv/bin
PY := $(VENV)/python
TEMPLATES := $(shell find templates -name '*.html')
# In the order of tests/conftest.py, the longest first. A third of the time is waiting for processes of theirs, so three
# keep two cores busy; with four, tests with a browser came too late. Each may take a GiB.
PYTEST := $(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help run demo test test-all chaos bench check requirements dev-requirements

help: ## List these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | awk -F'|' '{ printf "make %-10s %s\n", $$1, $$2 }'

run: requirements ## Start everything at http://127.0.0.1:8000 (PORT, HOST); Ctrl-C stops it
	@exec $(PY) -m queueadmin.run

demo: requirements ## Send traffic of all kinds to the running instance, until Ctrl-C
	@exec $(PY) manage.py demo

# Compiled once, also where the environment forbids it: else each of some hundred processes compiles what it imports, and
# pytest rewrites every test file in each of its own.
test test-all: export PYTHONDONTWRITEBYTECODE :=

test: dev-requirements ## Run every test but the long ones
	@$(PYTEST) -m "not long"

test-all: dev-requirements ## Run every test
	@$(PYTEST)

chaos: dev-requirements ## Break everything on purpose and count what was lost; ARGS="--seed 7 --minutes 10 --only NAME"
	@exec $(PY) -m tests.chaos $(ARGS)

bench: requirements ## Measure it beside its peers; ARGS="--only drain --seconds 3", see docs/bench.md
	@$(PY) -m bench $(ARGS)

# A home of its own: a check must not touch the instance that may run in ./var.
check: export QUEUEADMIN_HOME := $(CURDIR)/.venv/check-home
check: dev-requirements ## Format, lint, import contracts, types, templates, settings, migrations
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(VENV)/lint-imports --no-cache
	$(PY) -m mypy
	$(if $(TEMPLATES),$(VENV)/djade --check --target-version 5.2 $(TEMPLATES))
	$(if $(TEMPLATES),$(VENV)/djlint --lint --profile=django --quiet templates)
	$(PY) manage.py check --fail-level WARNING
	$(PY) manage.py makemigrations --check --dry-run

requirements:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found; install Python 3.11 or newer." >&2; exit 1; }
	@$(PYTHON) deploy/bootstrap.py

dev-requirements:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found; install Python 3.11 or newer." >&2; exit 1; }
	@$(PYTHON) deploy/bootstrap.py --dev
