# Every target does its own set-up into .venv/ from the hashed lock; Python 3.11 or newer, make and git are enough.
# pip does it, because pip alone follows this machine's own package-index configuration.

PYTHON ?= python3.11 python3
BIN := .venv/bin
TESTED := features training serving models rapport.py tests

DEMO_AS_OF ?= 2026-07-01

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export MLFLOW_DISABLE_TELEMETRY := true
export BENTOML_DO_NOT_TRACK := true

.PHONY: setup demo test lint bench lock
.DELETE_ON_ERROR:

setup: .venv/installed

# The project itself, editable. Cheap, so that a change of pyproject.toml does not reinstall the world.
.venv/installed: .venv/locked pyproject.toml
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

# Exactly the lock and nothing else: a changed lock makes a new environment. The lock's own pip installs the rest
# (half the time that an old one takes), and the bytecode is compiled once, on all cores, not at the first start.
.venv/locked: requirements.lock
	@python=; for candidate in $(PYTHON); do \
	    if $$candidate -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "Rapport needs Python 3.11 or newer with its venv module; none of '$(PYTHON)' is that." >&2; \
	    echo "Install it (Debian: python3.11 and python3.11-venv) or name one: make setup PYTHON=/path/to/python3.11" >&2; \
	    exit 1; \
	fi; \
	echo "Installing the locked packages into .venv with $$($$python --version), about two minutes"; \
	$$python -m venv --clear .venv
	@awk '/^[^ #]/ { wanted = /^pip==/ } wanted' requirements.lock > .venv/pip.lock
	@$(BIN)/python -m pip install -qq --require-hashes --no-deps --requirement .venv/pip.lock
	@$(BIN)/python -m pip install -qq --require-hashes --no-deps --no-compile --requirement requirements.lock
	@$(BIN)/python -m compileall -qq -j 0 .venv/lib
	@$(BIN)/python -c 'import lightgbm' || { \
	    echo "LightGBM does not load. Most often the OpenMP runtime is missing (Debian: libgomp1, macOS: libomp)." >&2; exit 1; }
	@touch $@

# A simulated portfolio from raw tables to ranked accounts, then served on loopback until interrupted.
demo: setup
	@rm -rf demo
	$(BIN)/rapport simulate demo/raw --accounts 300 --years 4 --seed 7
	$(BIN)/rapport import demo/raw --store demo/rapport.db
	$(BIN)/rapport train demo/rapport.db
	$(BIN)/rapport score demo/rapport.db --as-of $(DEMO_AS_OF)
	$(BIN)/rapport report demo/rapport.db --as-of $(DEMO_AS_OF) --out demo/report.html
	@if [ "$${RAPPORT_DEMO_SERVE:-1}" != 0 ]; then $(BIN)/rapport serve; fi

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# The tests of pages need a Chromium in PATH. Without one they are skipped, and -rs says so; with CI=true they fail.
test: lint
	$(BIN)/python -m pytest -n 2 -rs

bench: setup
	$(BIN)/python docs/benchmarks/bench.py
	$(BIN)/python docs/benchmarks/store.py

# uv reads its own variables (UV_DEFAULT_INDEX and the like), not pip's. One lock for all platforms; no address in it.
lock:
	@if [ ! -x $(BIN)/uv ]; then $(MAKE) setup; fi
	$(BIN)/uv pip compile --quiet --system-certs --universal --fork-strategy fewest --python-version 3.11 \
	    --all-extras --generate-hashes --custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml
