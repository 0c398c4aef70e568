# Everything is done in .venv; `make` alone lists what there is.
PYTHON ?= python3
ARGS ?=
SECONDS ?= 60
N ?= 20000
SEED ?= 0
export VAULT_BINARY
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install demo demo-cluster test test-fast truth fuzz bench lint docs clean

help: ## List what there is.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

install: $(VENV)/.runtime ## Install the program into .venv.

demo: $(VENV)/.runtime ## Start the server on a loopback port and send it the examples; KEEP=1 leaves it running.
	@$(BIN)/vault-webhook demo $(if $(KEEP),--keep) $(ARGS)

demo-cluster: $(VENV)/.test ## A real cluster, OpenBao and the webhook; apply the examples; stays until Ctrl-C (root).
	@$(BIN)/python -m tests.cluster.demo $(ARGS)

test: $(VENV)/.test ## Run every test, those on the real cluster too (root); ARGS="-k name" passes through; VAULT_BINARY=PATH runs them on that Vault.
	@$(BIN)/python -m tests.cluster build
	$(BIN)/python -m pytest $(ARGS)

test-fast: $(VENV)/.test ## Run the tests that need no cluster and little time.
	$(BIN)/python -m pytest -m "not cluster and not slow" $(ARGS)

fuzz: $(VENV)/.fuzz ## Feed the code with what atheris makes up, SECONDS=60 for each entry point; finds go to build/fuzz.
	@mkdir -p build/fuzz
	@for entry in tests/fuzz/fuzz_*.py; do echo "$$entry for $(SECONDS) s"; $(BIN)/python $$entry -max_total_time=$(SECONDS) -max_len=20000 -rss_limit_mb=2048 -artifact_prefix=build/fuzz/ -verbosity=0 -print_final_stats=1 || exit 1; done

truth: $(VENV)/.test ## Ask a live OpenBao N=20000 random questions of each kind and compare; SEED=... repeats a run (root).
	TRUTH_N=$(N) TRUTH_SEED=$(SEED) $(BIN)/python -m pytest -q tests/truth $(ARGS)

lint: $(VENV)/.test ## Check style, types, import contracts and generated pages.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.runtime ## Measure the admission path beside a constant answer (wrk; an idle machine).
	@$(BIN)/python benchmarks/compare.py

docs: $(VENV)/.runtime ## Make the generated pages anew.
	$(BIN)/vault-webhook annotations --markdown > docs/annotations.md
	$(BIN)/vault-webhook settings > docs/settings.md
	$(BIN)/vault-webhook presets > docs/presets.md
	$(BIN)/vault-webhook bindings schema > docs/bindings.schema.json
	$(BIN)/vault-webhook reasons > docs/reasons.md

clean: ## Remove .venv and what tests and tools left; the cache of built test binaries stays.
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# Whatever .venv holds beyond the lock file stays, so that a test installation is one for running, too.
$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/pip
	@echo "Installing the program and its pinned dependencies into $(VENV) ..."
	@$(BIN)/pip install --quiet --no-compile --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: requirements-test.lock $(VENV)/.runtime
	@echo "Installing what the tests need into $(VENV) ..."
	@$(BIN)/pip install --quiet --no-compile --require-hashes -r requirements-test.lock
	@touch $@

$(VENV)/.fuzz: requirements-fuzz.lock $(VENV)/.test
	@$(BIN)/pip install --quiet --no-compile --require-hashes -r requirements-fuzz.lock
	@touch $@

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "vault-webhook needs Python 3.11 or newer; PYTHON=... names one"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv"; exit 2; }
