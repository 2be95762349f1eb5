# What a person types. Thin: the work is in `adx`, pytest and scripts/.
# Variables: PYTHON (which Python makes the environment), ONLY (a benchmark's name or part of it), ARGS (for pytest).
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
AS_ROOT = $$(test "$$(id -u)" = 0 || echo sudo)
APT     = apt-get install --yes --no-install-recommends mariadb-server-core mariadb-client pgbouncer
# The tests start a PgBouncer of their own; the package would leave a service behind.
QUIETEN = if test -d /run/systemd/system; then $(AS_ROOT) systemctl disable --quiet --now pgbouncer; fi

.DEFAULT_GOAL := help
.PHONY: help setup packages tools check format test coverage mutants docs drill bench demo stop lock clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## Python environment with hash-locked dependencies

$(VENV)/.installed: pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ADX needs Python 3.11 or newer; run: make PYTHON=python3.11 …")'
	@echo "installing Python dependencies into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

tools: setup ## external programs: found on PATH, in the cache, or built once (about three quarters of an hour on 2 cores)
	@$(BIN)/python -m scripts.toolchain build

packages: ## Debian and Ubuntu: MariaDB's server and PgBouncer, for the tests; asks for root through sudo where needed
	@PATH="$$PATH:/usr/sbin"; command -v mariadbd >/dev/null && command -v pgbouncer >/dev/null || \
	  { { $(AS_ROOT) $(APT) || { $(AS_ROOT) apt-get update && $(AS_ROOT) $(APT); }; } && $(QUIETEN); }

check: setup ## formatting, lint, types, import contracts, workflows
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/zizmor --quiet --offline --pedantic .github

format: setup ## format and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

test: tools ## all tests, on real parts
	@$(BIN)/pytest -n auto --dist worksteal $(ARGS)

coverage: tools ## all tests with coverage of branches; writes docs/testing.md
	@mkdir -p .adx
	@$(BIN)/pytest -n auto --dist worksteal --cov --cov-report= --junitxml=.adx/suite.xml $(ARGS)
	@$(BIN)/coverage json -q -o .adx/coverage.json
	@$(BIN)/python -m scripts.suite --coverage .adx/coverage.json --slowest .adx/suite.xml

mutants: setup ## change the pure cores a little, count what no test notices; ONLY=core, SAMPLE=changes of a module
	@$(BIN)/python -m scripts.mutants $(if $(ONLY),--only '$(ONLY)') $(if $(SAMPLE),--sample $(SAMPLE))
	@$(BIN)/python -m scripts.suite

drill: tools ## lose everything but git and a backup, and come back
	@$(BIN)/python -m scripts.drills.recovery

docs: setup ## documentation site into .adx/site; every warning is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

bench: tools ## measure, print a table, write docs/benchmarks/results.json
	@$(BIN)/python -m scripts.bench $(if $(ONLY),--only $(ONLY))

demo: setup ## the main job in one terminal: delivered, restored, and one tenant restored alone
	@$(BIN)/python -m scripts.demo

stop: setup ## end the local stack
	@$(BIN)/adx down

lock: setup ## resolve the dependencies anew (hashes only, no addresses)
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --output-file requirements/runtime.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group dev pyproject.toml --output-file requirements/dev.txt
	@echo 'checkov==3.3.30' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header - --output-file scripts/toolchain/checkov-requirements.txt

clean: ## remove the environment and all local state (not the cache of external programs)
	@if [ -x $(BIN)/adx ]; then $(BIN)/adx down; fi
	@rm -rf $(VENV) .adx .pytest_cache .mypy_cache .ruff_cache .hypothesis
