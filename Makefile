# Every command of the course. `make help` lists them.
PYTHONS = python3 python3.13 python3.12 python3.11 python
SUPPORTED = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(or $(shell for p in $(PYTHONS); do $$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done),python3)
VENV = $(if $(filter Windows_NT,$(OS)),.venv/Scripts/python.exe,.venv/bin/python)
LESSON ?=
REPO ?=
QUICK ?=
FOLDER ?=
ROOT ?=
# Tests of the course around the package: notebooks, benchmark, commands, packaging. `make test-quick` leaves them out.
OF_THE_COURSE = bench bench_sequences colab commands community doctor lab notebooks old_notebook own_data_page pages portability \
	project tools tune website
OF_THE_PACKAGE = $(filter-out $(OF_THE_COURSE:%=tests/test_%.py),$(wildcard tests/test_*.py))

NBVAL = --nbval-lax --nbval-current-env --nbval-cell-timeout=300

.PHONY: help doctor setup site-tools run site test test-quick test-all solutions portability floors colab-check browsers lab \
	notebooks bench sequences tune pairs lint lock badges readme

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/'

doctor: ## say OK or FAIL of Python, disk, memory, package index and .venv, and what to do
	@"$(PYTHON)" tools/doctor.py

setup: ## make .venv from requirements.lock, if it is missing or stale
	@"$(PYTHON)" tools/environment.py $(LESSON)

site-tools:
	@"$(PYTHON)" tools/environment.py --site $(LESSON)

run: site-tools ## run every lesson (or LESSON=05, or LESSON="05 06") into build/, with tables of costs and results, and the site
	@$(VENV) tools/run.py $(LESSON)

site: site-tools ## build the site of lessons and pages into build/site
	@$(VENV) tools/website.py

test: setup ## test the package with pytest and every notebook with nbval
	@$(VENV) -m pytest tests notebooks --ignore=tests/browser --ignore=notebooks/solutions $(NBVAL)

test-quick: setup ## test the package alone, within two minutes
	@$(VENV) -m pytest $(OF_THE_PACKAGE)

test-all: setup ## what takes longer than make test: solutions, portability, floors, colab-check, then browsers
	@$(MAKE) --no-print-directory --keep-going IN_TURN=--in-turn solutions portability floors colab-check browsers

solutions: setup ## run the solutions of the exercises (or LESSON=05), each after its lesson, with a table
	@$(VENV) tools/solutions.py $(LESSON)

portability: setup ## run every lesson (or LESSON=05) on three emulated processors (test-all: on one each), with a table
	@$(VENV) tools/portability.py $(LESSON) $(IN_TURN)

floors: setup ## run lessons 02, 04, 06 and 11 (or LESSON=05) with the lowest versions that pyproject.toml allows
	@$(VENV) tools/floors.py $(LESSON)

colab-check: setup ## run lessons 02, 06, 10 and 11 (or LESSON=05, or LESSON=all) in an environment such as Colab's
	@$(VENV) tools/colab.py $(LESSON)

browsers: site-tools ## try Binder's way in, and the site and JupyterLab in headless Chromium, light and dark
	@$(VENV) -m pytest tests/browser

lab: setup ## open JupyterLab on copies of the lessons in build/lab (as root: ROOT=1)
	@$(VENV) tools/lab.py $(ROOT)

notebooks: setup ## sync scripts and notebooks, run them (or LESSON=05), write their outputs
	@$(VENV) tools/notebooks.py $(LESSON)

bench: setup ## measure quality, speed and cost into build/bench.md in half an hour (or QUICK=1: a first look in 2)
	@$(VENV) tools/bench $(QUICK)

sequences: setup ## measure MovieLens-1M's published protocol alone, in an hour (or FOLDER=... of sequences)
	@$(VENV) tools/bench sequences "$(FOLDER)"

tune: setup ## search the settings of every rival on validation into data/tuned_baselines.json, in about four processor hours
	@$(VENV) tools/tune.py

lint: setup ## check package, tools, scripts and tests with ruff
	@$(VENV) -m ruff check docs recsys_utils tools notebooks/scripts tests
	@$(VENV) -m ruff format --check docs recsys_utils tools notebooks/scripts tests

pairs: setup
	@$(VENV) -m pytest -q tests/test_notebooks.py -k hold_the_same_cells

lock: setup ## resolve requirements.lock and environment.yml anew from pyproject.toml
	@$(VENV) tools/lock.py

badges: setup ## point every badge at REPO=owner/name
	@$(VENV) tools/badges.py $(REPO)

readme: setup ## copy the leaderboard of the last `make run` into README.md
	@$(VENV) tools/readme.py
