# Each target is complete on a machine with only Python 3.11+ and pip.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test lint coverage docs clean

demo: $(VENV)/.installed
	$(BIN)/ta demo

test: $(VENV)/.tested
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform darwin
	$(BIN)/mypy --platform win32
	$(BIN)/lint-imports

# The modules whose numbers a paper quotes.
GATED = tables scoring series correlate significance
GATED_ROOMS = ground.tables engines.scoring stages.series stages.correlate engines.significance

coverage: $(VENV)/.tested
	$(BIN)/python -m pytest -n auto $(wildcard $(GATED:%=tests/test_%*.py)) tests/test_power.py tests/test_compare.py $(GATED_ROOMS:%=--cov=temporal_adapters.%) --cov-report=term:skip-covered --cov-fail-under=95

docs: $(VENV)/.tested
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python docs/pages.py build/docs
	$(BIN)/zensical build --strict --clean

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build .cache runs .pytest_cache .mypy_cache .ruff_cache
