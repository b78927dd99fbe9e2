# make help says what there is. PYTHON=... chooses the interpreter (see tools/setup.sh).

PYTHON ?=
export PYTHON

.PHONY: help setup demo test clean

help:
	@echo 'make setup                 make .venv with all requirements (PYTHON=python3.11 chooses the Python)'
	@echo 'make demo                  set up, then train and test a toy model on synthetic notes (3 minutes)'
	@echo 'make test                  set up, then run the tests on every TensorFlow there is a Python for'
	@echo 'make test TESTARGS="-k x"  the same with arguments for pytest'
	@echo 'make clean                 remove the environments and caches; corpus, BERT and results stay'

setup:
	@bash tools/setup.sh
	@echo 'Activate it with: source .venv/bin/activate'

demo:
	@bash tools/setup.sh
	@.venv/bin/python run_i2b2.py demo

test:
	@bash tools/test.sh $(TESTARGS)

clean:
	rm -rf .venv .venv-tf1 .venv-tf2 .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
