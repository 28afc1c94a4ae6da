# Everything a developer or CI does, from a fresh clone: needs Python 3.11 or later and a network, no more.
# Only test-kafka needs Java, Maven and redis-server besides.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-pure test-kafka test-storm bench bench-webhooks bench-check bench-import fuzz contracts check lint types audit lock clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## Make .venv with everything of requirements.lock and Bounceline itself

# Made anew when the lock or the project's metadata change; --clear, so that a half-made one is no trap.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Bounceline needs Python 3.11 or later; say which: make PYTHON=python3.11 setup")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## Show Bounceline at work: a day of events, then what was blocked and why
	$(BIN)/bounceline demo

test: $(STAMP) ## Run all tests that need nothing but .venv
	$(BIN)/python -m pytest -m "not kafka"

test-pure: $(STAMP) ## Run the tests that start no server
	$(BIN)/python -m pytest -m "not embedded and not kafka"

test-kafka: $(STAMP) ## Run the tests of the servers against Apache Kafka and Debian's Redis
	$(BIN)/python -m pytest --stack=apache tests/embedded tests/kafka

test-storm: $(STAMP) ## Throw 10,000 requests by chance at the webhooks
	$(BIN)/python -m pytest --storm=10000 tests/embedded/test_webhooks_storm.py

bench: $(STAMP) ## Measure speed and cost, beside stock Faust, as JSON
	$(BIN)/python -m tests.bench.throughput
	$(BIN)/python -m tests.bench.state
	$(BIN)/python -m tests.bench.providers

fuzz: $(STAMP) ## Try a million spoilt payloads on the parsers, for 15 min at most, as JSON
	$(BIN)/python -m tests.fuzz.parsers --count 1000000 --seconds 900

contracts: $(STAMP) ## Write schemas/json and schemas/asyncapi.yaml anew from the types
	$(BIN)/python -m streams.contracts

bench-webhooks: $(STAMP) ## Measure how many webhooks a second one worker accepts, as JSON
	$(BIN)/python -m tests.bench.webhooks

bench-check: $(STAMP) ## Measure how many recipients a second are checked, over HTTP and in one process, as JSON
	$(BIN)/python -m tests.bench.check

bench-import: $(STAMP) ## Import a list of a million rows and fail if memory grows with it, as JSON
	$(BIN)/python -m tests.bench.importing

check: lint types audit test ## Run everything CI runs but test-kafka and test-storm

lint: $(STAMP) ## Check style, layers and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/codespell

types: $(STAMP) ## Check types
	$(BIN)/mypy

audit: $(STAMP) ## Ask whether a locked package has known vulnerabilities
	$(BIN)/python .ci/audit.py

lock: $(STAMP) ## Resolve pyproject.toml anew into requirements.lock
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --group dev \
		--output-file requirements.lock pyproject.toml

clean: ## Remove all that was made
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
