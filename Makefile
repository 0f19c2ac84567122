# Every target works from a fresh clone: it makes .venv from requirements.lock, once.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
BLUEPRINTS := $(RUN) -m blueprints
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup render lint test prove bench docs fix variants types foreign check new lock

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Install what development needs into .venv

$(READY): requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --require-hashes -r requirements.lock
	@touch $@

render: $(READY) ## Render and validate every stack into templates/
	@$(BLUEPRINTS) render --strict

lint: $(READY) ## Lint templates, code and scripts; nothing may be stale
	@$(BLUEPRINTS) render --check --strict
	@$(BLUEPRINTS) lint
	@$(BLUEPRINTS) check
	@$(BLUEPRINTS) docs --check
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@scripts/shellcheck.sh

test: $(READY) ## Run the tests
	@$(RUN) -m pytest -n auto --ignore=tests/proofs

prove: $(READY) ## Run the executed proofs; ONLY=name for one, ALL=1 for all
	@$(RUN) -m scripts.prove

bench: $(READY) ## Measure speed beside what it is compared to
	@$(RUN) -m benchmarks.run

docs: $(READY) ## Write the generated tables of the READMEs
	@$(BLUEPRINTS) docs

fix: $(READY) ## Format code and mend what ruff can
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

variants: $(READY) ## Lint the variants of every blueprint with cfn-lint
	@$(RUN) scripts/lint_variants.py

types: $(READY) ## Check types
	@$(RUN) -m pyright

foreign: $(READY) ## Run tools that are not ours over our templates; ONLY=name for one
	@$(RUN) -m scripts.foreign

check: test lint variants types foreign prove ## All that CI runs

new: $(READY) ## Start a blueprint: make new NAME=queue_worker
	@$(BLUEPRINTS) new $(NAME)

lock: ## Choose exact versions anew, within the bounds of pyproject.toml
	@scripts/lock.sh
