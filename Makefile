# Every target is explained by `make help`.
PYTHON ?= python3
LOG ?= memory
DEMO ?=
CHAOS ?=
SOAK ?=
SHORT ?=
QUICK ?=
BENCH ?=
SPEED ?=
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup demo test bench bench-quick bench-learning chaos soak broker lint type arch ci

help:  ## Show what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{sub(/:.*/, "", $$1); printf "  make %-14s %s\n", $$1, $$2}'

$(VENV)/ready: pyproject.toml constraints.txt
	@start=$$(date +%s); \
	$(PYTHON) -m venv $(VENV) && \
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt uv && \
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --constraint constraints.txt \
		--compile-bytecode --editable '.[minilm,dev,peers]' && \
	echo "Installed in $$(($$(date +%s) - start)) s."
	@touch $@

setup: $(VENV)/ready  ## Make the virtual environment (.venv) and install everything, at known-good versions

demo: setup  ## Run the whole loop on simulated readers and write a report; LOG=kafka runs it over a real broker
	@start=$$(date +%s); $(BIN)/streambandit demo --log $(LOG) $(DEMO); status=$$?; \
	echo "The demo took $$(($$(date +%s) - start)) s."; exit $$status

test: setup  ## Run all tests, with the real broker and Ray; without Java or Maven what needs them is skipped
	$(BIN)/python -m pytest

bench: setup  ## Measure speed beside its limits, in about half an hour; SPEED="transport start" for some of it
	$(BIN)/python -m deploy.bench speed $(SPEED)

bench-quick: setup  ## The same with less of everything, in less than three minutes
	$(BIN)/python -m deploy.bench speed --quick $(SPEED)

bench-learning: setup  ## Learn known worlds side by side with other bandit libraries, in hours; QUICK=1 in minutes
	$(BIN)/python -m deploy.bench $(if $(QUICK),--quick) $(BENCH)

chaos: setup  ## Kill, flood and forge, then count what was lost and what came twice; SHORT=1 in some minutes
	PYTHONPATH=tests:. $(BIN)/python -m chaos all $(if $(SHORT),--short) $(CHAOS)

soak: setup  ## Run for 30 minutes with an outage in the middle: memory, queues, lag; SOAK="--minutes 5" for less
	PYTHONPATH=tests:. $(BIN)/python -m chaos soak $(SOAK)

broker: setup  ## Run a real Kafka broker on this machine until Ctrl-C; the jars come through Maven
	$(BIN)/python -m deploy.broker

lint: setup  ## Check style and formatting (ruff)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: setup  ## Check types (mypy, strict)
	$(BIN)/mypy

arch: setup  ## Check that imports only descend: deploy, agent, envs, stream (import-linter)
	$(BIN)/lint-imports

ci: test lint type arch  ## Everything that must pass before a change lands
