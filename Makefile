# One virtual environment, made by whichever target needs it first.
# Paths are relative on purpose: the checkout may stand in a folder whose name has spaces.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SHELLFLAGS := -eu -c
.PHONY: help demo test check fast format lint types mypy pyright contracts bench bench-quick score screenshots soak fuzz record clean

PYTHON ?= python3
# Words added to the pytest command: make test ARGS="-k kafka"
ARGS ?=
# A recording of a real choreography over RabbitMQ; see fixtures/demo/README.md
DEMO ?= fixtures/demo/orders.jsonl.gz

PY := .venv/bin/python
VENV := .venv/.made.stamp
RUN := .venv/.run.stamp
TEST := .venv/.test.stamp
DEV := .venv/.dev.stamp
BENCH := .venv/.bench.stamp

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(RUN) ## analyse a real recording and print the report
	.venv/bin/choreoscope analyze $(DEMO) --fail-on none

test: $(TEST) ## run every test
	$(PY) -m pytest -n auto $(ARGS)

fast: $(TEST) ## run the unit tests only, in seconds
	$(PY) -m pytest -n auto -m "not slow" --ignore=tests/test_packaging.py $(ARGS)

check: format lint types contracts test ## everything that must be green before a commit

format: $(DEV) ## fail where ruff would format differently
	$(PY) -m ruff format --check .

lint: $(DEV) ## ruff's rules
	$(PY) -m ruff check .

types: mypy pyright ## mypy --strict and pyright

mypy: $(DEV)
	$(PY) -m mypy
	$(PY) -m mypy benchmarks

# On its first run pyright fetches its own JavaScript from the npm registry.
pyright: $(DEV)
	$(PY) -m pyright --pythonpath $(PY)

contracts: $(TEST) ## imports go one way: collectors -> analyzer -> tui
	.venv/bin/lint-imports

bench: $(BENCH) ## the whole benchmark: about an hour, 8 GB in benchmarks/data
	$(PY) -m benchmarks.run

bench-quick: $(BENCH) ## the same on 100,000 spans, in minutes
	$(PY) -m benchmarks.run --quick

score: $(RUN) ## precision and recall of the findings on labelled recordings
	$(PY) -m benchmarks.score

screenshots: $(TEST) ## draw the pictures of the documentation anew
	$(PY) -m tests.dashboard.pictures

soak: $(TEST) ## kill the writing store a hundred times under load
	CHOREOSCOPE_KILL_CYCLES=100 $(PY) -m pytest tests/store/test_kill.py $(ARGS)

fuzz: $(TEST) ## new examples for every law, then odd bytes into every decoder, for an hour
	CHOREOSCOPE_FUZZ_CASES=150 $(PY) -m pytest -n auto -m hypothesis $(ARGS)
	CHOREOSCOPE_FUZZ_CASES=50000 $(PY) -m pytest tests/receivers/test_fuzz.py $(ARGS)

record: ## record fixtures/ again: needs rabbitmq-server, node and npm; see fixtures/lab/README.md
	$(PYTHON) fixtures/lab/record.py $(ARGS)

clean: ## remove the environment, caches and benchmark data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	rm -rf benchmarks/data
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check

# pip 25.1 is the first that installs dependency groups; the one inside a new venv may be older.
$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit("choreoscope needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv .venv
	$(INSTALL) --upgrade 'pip>=25.1'
	@touch $@

$(RUN): pyproject.toml $(VENV)
	$(INSTALL) -e .
	@touch $@

$(TEST): pyproject.toml $(VENV)
	$(INSTALL) --group test -e .
	@touch $(RUN) $@

$(DEV): pyproject.toml $(VENV)
	$(INSTALL) --group dev -e .
	@touch $(RUN) $(TEST) $@

$(BENCH): pyproject.toml $(VENV)
	$(INSTALL) --group bench -e .
	@touch $(RUN) $@
