# Every target makes its own surroundings; after the first time that takes no time.
# ARGS goes to pytest: make test ARGS='-k conformance -x'

PY := .venv/bin/python
INPUTS := setup.py pyproject.toml .ci/install

# `.ci/install tensorflow` makes it; with it the tests that need TensorFlow run too.
ifneq ($(wildcard .venv-tensorflow/bin/python),)
export PYTHON_TENSORFLOW ?= $(abspath .venv-tensorflow/bin/python)
endif

.PHONY: help demo test check bench format dev clean

help:
	@echo 'make demo     serve a real network and send it a picture; Ctrl-C ends it (ONCE=1: by itself)'
	@echo 'make test     run the whole test suite'
	@echo 'make check    formatting, lint, types, known vulnerabilities, the quick tests'
	@echo 'make bench    what a request costs: HTTP, hops, threads, memory (minutes; needs wrk)'
	@echo 'make format   apply formatting and the safe lint fixes'
	@echo 'make dev      install for development again'
	@echo 'make clean    remove what was built, the virtual environment too'

demo: .venv/.serves
	@$(PY) examples/demo.py $(if $(ONCE),--once)

test: .venv/.develops
	@$(PY) -m pytest $(ARGS)

check: .venv/.develops
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy -p runway -p runway_serve
	$(PY) -m bandit -q -c pyproject.toml -r runway runway_serve workers batching
	$(PY) .ci/audit.py
	$(PY) -m pytest -m 'not slow' $(ARGS)

bench: .venv/.develops
	@command -v wrk >/dev/null || { echo 'wrk is needed: apt-get install wrk' >&2; exit 1; }
	$(PY) -m benchmarks.http_layers
	$(PY) -m benchmarks.hops
	$(PY) -m benchmarks.front_budget
	$(PY) -m benchmarks.memory

format: .venv/.develops
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

dev:
	@rm -f .venv/.develops
	@$(MAKE) --no-print-directory .venv/.develops

clean:
	rm -rf .venv .venv-tensorflow build dist .cache *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -f runway_serve/workers runway_serve/batching

.venv/.serves: $(INPUTS)
	@.ci/install
	@touch $@

.venv/.develops: $(INPUTS)
	@.ci/install dev
	@touch $@ .venv/.serves
