# `make` lists the targets. Everything runs in .venv, which `make setup` makes from requirements/*.txt.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
UV := $(VENV)/bin/uv
LOCKED := requirements/prod.txt requirements/dev.txt
SOURCES := lab_kit text_recognizer training app tests benchmarks curriculum notebooks \
	$(wildcard lab[0-9]*/homework/test_*.py lab[0-9]*/homework/conftest.py)
LOCK := $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links

# The main job; try others with `make train ARGS="--data_class MNIST --model_class MLP"`.
ARGS ?= --data_class EMNIST --model_class CNN --source pen --max_epochs 2 --one_cycle_max_lr 2e-3

# Let Python keep its compiled modules, whatever the shell says: without them, importing torch takes three times as long.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help setup research site site-serve site-packages train notebooks doctor bench test test-all test-oldest test-newest homework gradescope lint labs check-labs diff-labs lock clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## *' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: $(VENV)/installed  ## make .venv and install everything (does nothing when up to date)

# An environment whose Python is gone, as after an upgrade of the system, or that was made for another folder, does not
# find the kit: it is made anew.
ifneq ($(shell cd / && '$(CURDIR)/$(RUN)' -c 'import lab_kit' >/dev/null 2>&1 && echo fine),fine)
$(shell rm -f $(VENV)/installed)
endif

# uv installs in a third of pip's time, and links instead of copying where its cache is warm. The system's pip puts it
# into the new environment; where there is none, the environment gets a pip of its own first, which takes longer.
$(VENV)/installed: $(LOCKED) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Python 3.11 or newer is needed: make setup PYTHON=python3.11" >&2; exit 2; }
	@{ test -x $(UV) && $(RUN) -c '' 2>/dev/null; } || { rm -rf $(VENV) && $(PYTHON) -m venv --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(RUN) install -qq uv; } || \
		{ rm -rf $(VENV) && $(PYTHON) -m venv $(VENV) && $(RUN) -m pip install -qq uv; }
	@$(UV) pip install --quiet --python $(RUN) $(addprefix -r ,$(LOCKED))
	@touch $@

research: setup  ## add what lab 7 can use besides: MLflow, Weights & Biases, PostgreSQL
	@$(UV) pip install --quiet --python $(RUN) -r requirements/prod.txt -r requirements/research.txt

site: site-packages  ## write the course as a website into site/; a link that leads nowhere is an error
	$(RUN) -m curriculum site

site-serve: site-packages  ## the same, and show it on this machine
	$(RUN) -m curriculum site --serve

site-packages: setup
	@$(UV) pip install --quiet --python $(RUN) -r requirements/prod.txt -r requirements/site.txt

train: setup  ## train and test the CNN on embedded handwriting, in a few minutes and without a network
	$(RUN) training/run_experiment.py $(ARGS)

notebooks: setup  ## execute all notebooks, and write them into the labs with their outputs (twenty minutes)
	$(RUN) -m curriculum notebooks

test: setup lint check-labs  ## lint, check the labs, then run the tests
	$(RUN) -m pytest

test-all: setup lint check-labs  ## the same, with the few tests that take longest and seldom change
	$(RUN) -m pytest -m "slow or not slow"

# In an environment of their own, .venv-oldest or .venv-newest.
test-oldest: RESOLUTION := lowest-direct
test-newest: RESOLUTION := highest
test-oldest: setup  ## run the tests with the lowest versions that requirements/*.in allow
test-newest: setup  ## run the tests with the newest versions that there are
test-oldest test-newest:
	@test -x .venv-$(@:test-%=%)/bin/python || $(UV) venv --quiet --python $(RUN) .venv-$(@:test-%=%)
	@$(UV) pip install --quiet --python .venv-$(@:test-%=%)/bin/python --upgrade --resolution $(RESOLUTION) \
		$(addprefix -r requirements/,prod.in dev.in research.in site.in) -e .
	.venv-$(@:test-%=%)/bin/python -m pytest

doctor:  ## is this machine fit for the course? A table, and advice
	@if [ -x $(RUN) ]; then $(RUN) -m lab_kit.doctor; else $(PYTHON) -m lab_kit.doctor; fi || true

bench: setup  ## measure what docs/speed.md claims, and renew its table (an hour); NAMES="loader lines" for some
	$(RUN) -m benchmarks $(NAMES)

homework: setup  ## check your homework: make homework LAB=1
	@test -d lab$(LAB)/homework || { echo "error: which lab? make homework LAB=1" >&2; exit 2; }
	@$(RUN) -m pytest lab$(LAB)/homework

lint: setup  ## check style, formatting, which package imports which, and that what is imported is declared
	$(RUN) -m ruff check $(SOURCES)
	$(RUN) -m ruff format --check $(SOURCES)
	$(VENV)/bin/lint-imports --no-logo
	$(VENV)/bin/deptry lab_kit text_recognizer training app
	$(VENV)/bin/deptry --ignore DEP002,DEP004 --extend-exclude benchmarks/peer_scripts curriculum benchmarks tests notebooks

gradescope: setup  ## write the zip that Gradescope takes as an autograder: make gradescope LAB=2
	@test -d lab$(LAB)/homework || { echo "error: which lab? make gradescope LAB=2" >&2; exit 2; }
	@$(RUN) -m curriculum gradescope --lab $(LAB)

labs: setup  ## build lab1/, lab2/, ... from labs.toml and the canonical code
	$(RUN) -m curriculum build

check-labs: setup  ## fail where the labs differ from what `make labs` would build; with STRICT=1, by homework too
	$(RUN) -m curriculum check $(if $(STRICT),--strict)

diff-labs: setup  ## show what one lab adds to another: make diff-labs A=1 B=2
	$(RUN) -m curriculum diff $(A) $(B)

# uv takes no editable package as a constraint, so the kit's line comes first in prod.txt, and last of all.
lock: setup  ## compile requirements/*.in to the exact set in requirements/*.txt
	@$(LOCK) requirements/prod.in -o requirements/prod.txt
	@$(LOCK) requirements/dev.in -c requirements/prod.txt -o requirements/dev.txt
	@$(LOCK) requirements/research.in -c requirements/prod.txt -o requirements/research.txt
	@$(LOCK) requirements/site.in -c requirements/prod.txt -c requirements/dev.txt -o requirements/site.txt
	@{ echo '-e .'; cat requirements/prod.txt; } > requirements/prod.unfinished && \
		mv requirements/prod.unfinished requirements/prod.txt

clean:  ## remove .venv, caches and run folders (downloaded data stays)
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis training/logs data/processed
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
