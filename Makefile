# make help says what there is. PYTHON=... chooses the interpreter (see tools/setup.sh).

PYTHON ?=
export PYTHON

.PHONY: help setup demo check test clean

help:
	@echo 'make setup                 make .venv with all requirements (PYTHON=python3.13 chooses the Python)'
	@echo 'make demo                  set up, then train and test a toy model on synthetic notes'
	@echo 'make check                 set up, then ruff and the tests that need no training'
	@echo 'make test                  set up, then run all tests, on both TensorFlows where there is a Python for each'
	@echo 'make test TESTARGS="-k x"  the same with arguments for pytest'
	@echo 'make clean                 remove the environments and caches; corpus, BERT and results stay'

setup:
	@bash tools/setup.sh
	@echo 'Activate it with: source .venv/bin/activate'

demo:
	@bash tools/setup.sh
	@.venv/bin/python run_i2b2.py demo

# Ruff has no release for Python 3.6.
check:
	@bash tools/setup.sh --dev
	@if .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 7))'; then .venv/bin/python -m ruff check .; \
	else echo 'ruff needs Python 3.7 or newer: not run'; fi
	@.venv/bin/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile -m 'not trains' </dev/null

test:
	@bash tools/test.sh $(TESTARGS)

clean:
	rm -rf .venv .venv-tf1 .venv-tf2 .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
