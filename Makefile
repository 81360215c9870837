# Headrace: `make demo` and `make test` are all a fresh machine needs.

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
BIN := .venv/bin
SOURCES := headrace components pipelines feature_store serving cli examples benchmarks scripts tests setup.py

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast lint format compile docs notebooks bench images lock clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

setup: ## Make .venv what the lock file says (nothing to do when it is)
	@$(PYTHON) scripts/bootstrap

demo: setup ## Train, gate and push the flagship model on 336,776 real flights
	@$(BIN)/headrace run examples/flights

test: setup ## Lint, type-check and run every test
	@$(MAKE) --no-print-directory lint
	@$(BIN)/pytest tests --numprocesses=2 --dist=loadgroup --no-loadscope-reorder

test-fast: setup ## Run the unit tests only
	@$(BIN)/pytest tests/unit

lint: setup build/typing ## Check style, types and that generated files are up to date
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check --quiet $(SOURCES)
	@$(BIN)/mypy

# The layout that the import names have, for the type checker.
build/typing: headrace/__init__.py Makefile
	@mkdir -p $@/headrace
	@for name in components pipelines feature_store serving cli; do ln -sfn ../../../$$name $@/headrace/$$name; done
	@for name in __init__.py py.typed; do ln -sfn ../../../headrace/$$name $@/headrace/$$name; done
	@touch $@

format: setup ## Format the code
	@$(BIN)/ruff check --fix --quiet $(SOURCES)
	@$(BIN)/ruff format --quiet $(SOURCES)

compile: setup ## Compile the pipelines to pipelines/compiled (golden files)
	@$(BIN)/python -m headrace.pipelines.compile

docs: setup ## Write the generated pages: component READMEs and docs/project.md
	@$(BIN)/python scripts/generate_readmes.py
	@$(BIN)/python scripts/generate_docs.py

notebooks: setup ## Execute the notebooks and keep their outputs (needs a run: make demo)
	@$(BIN)/python scripts/run_notebooks.py

bench: setup ## Measure against the targets, side by side in one run
	@$(BIN)/python -m benchmarks

images: setup ## Build the container images of the last commit (needs Docker)
	@$(BIN)/python scripts/images.py build

lock: setup ## Resolve the dependencies again
	@$(BIN)/python scripts/lock.py

clean: ## Remove what runs and tools left behind (not .venv)
	@rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis examples/*/.headrace
