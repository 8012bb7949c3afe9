# Everything a developer does with a clone; `make` alone lists it.
# Needs Linux and Python 3.11 or newer. Services are found or started by batchtask/local, see there.

CANDIDATES := python3.13 python3.12 python3.11 python3
# A name on the path is not enough: a version switcher's shim may be there without the version.
PYTHON ?= $(shell for p in $(CANDIDATES); do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

VENV := .venv
EXAMPLE := examples/batchtask-overdue-sales
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# PIP_CONFIG_FILE and friends are the user's business; hashes hold whatever index they name.
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

.DEFAULT_GOAL := help
.PHONY: help venv demo up test test-faults lint types bench bench-tasks bench-web screenshots lock clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target what; \
	do printf '  make %-12s %s\n' "$$target" "$$what"; done

venv: $(READY) ## make .venv from requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(BIN)/python -c '' 2>/dev/null || { rm -rf $(VENV) && $(MAKE) --no-print-directory new-venv; }
	@echo "Installing requirements.lock into $(VENV) ..."
	@$(PIP) install --no-compile --require-hashes -r requirements.lock  # halves the time; Python compiles what it imports
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# Debian leaves ensurepip out of Python; a pip that is there all the same can fill the environment.
.PHONY: new-venv
new-venv:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or run make PYTHON=/path/to/python"; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) >/dev/null 2>&1 \
	|| { "$(PYTHON)" -m venv --clear --without-pip $(VENV) \
	     && "$(PYTHON)" -m pip --python $(BIN)/python install --quiet pip; } >/dev/null 2>&1 \
	|| { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment; on Debian or Ubuntu run:"; \
	     echo "    sudo apt-get install python3-venv"; echo "then make again."; exit 1; }

demo: $(READY) ## see it work: services, workers, tasks, one command
	@$(BIN)/python -m batchtask.demo

up: $(READY) ## run the whole system here, until Ctrl-C
	@$(BIN)/batchtask up

test: $(READY) ## run all tests but the slow ones, on real services
	@# Two at once: they wait more than they compute. Whoever is done takes from what the other has left.
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist worksteal

test-faults: $(READY) ## run the tests that kill and cut, slow ones too, on all brokers
	$(BIN)/python -m pytest tests/faults

lint: $(READY) ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## check types
	$(BIN)/mypy
	$(BIN)/mypy --config-file $(EXAMPLE)/pyproject.toml $(EXAMPLE)/src $(EXAMPLE)/tests

bench: $(READY) ## measure
	$(BIN)/python -m tests.benchmarks

bench-tasks: $(READY) ## measure the built-in tasks
	$(BIN)/python -m tests.benchmarks.tasks

screenshots: $(READY) ## take pictures of every page, into var/screenshots
	$(BIN)/python -m tests.screenshots

bench-web: $(READY) ## measure the web application: reads of a million tasks, 500 live streams
	$(BIN)/python -m tests.benchmarks.web_reads
	$(BIN)/python -m tests.benchmarks.web_live

LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --quiet
IMAGE_EXTRAS := worker projections web migrate cli

lock: $(READY) ## write the lock files anew from pyproject.toml
	@$(BIN)/uv --version >/dev/null 2>&1 || $(PIP) install uv
	$(LOCK) --all-extras --group dev --output-file requirements.lock
	$(LOCK) $(IMAGE_EXTRAS:%=--extra %) --group build --constraint requirements.lock --no-annotate \
		--output-file docker/requirements.lock

clean: ## remove .venv, caches and the data of private services
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
