# Every command of the course. `make help` lists them.
PYTHONS = python3 python3.13 python3.12 python3.11 python
SUPPORTED = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(or $(shell for p in $(PYTHONS); do $$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done),python3)
VENV = $(if $(filter Windows_NT,$(OS)),.venv/Scripts/python.exe,.venv/bin/python)
REPO ?=
QUICK ?=

.PHONY: help setup run test lab notebooks bench lint lock badges readme

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/'

setup: ## make .venv from requirements.lock, if it is missing or stale
	@"$(PYTHON)" tools/environment.py

run: setup ## run every lesson (or LESSON=05) into build/, with a table of times, memory and results
	@$(VENV) tools/run.py $(LESSON)

test: setup ## test the package with pytest and every notebook with nbval
	@$(VENV) -m pytest tests notebooks --nbval-lax --nbval-current-env --nbval-cell-timeout=300

lab: setup ## open JupyterLab on the first lesson
	@$(VENV) -m jupyter lab notebooks/01_generate_synthetic_data.ipynb

notebooks: setup ## sync scripts and notebooks, run them (or LESSON=05), write their outputs
	@$(VENV) tools/notebooks.py $(LESSON)

bench: setup ## measure quality, speed and cost into build/bench.md in 20 minutes (or QUICK=1: a first look in 2)
	@$(VENV) tools/bench.py $(QUICK)

lint: setup ## check package, tools, scripts and tests with ruff
	@$(VENV) -m ruff check recsys_utils tools notebooks/scripts tests
	@$(VENV) -m ruff format --check recsys_utils tools notebooks/scripts tests

lock: setup ## resolve requirements.lock and environment.yml anew from pyproject.toml
	@$(VENV) tools/lock.py

badges: setup ## point every badge at REPO=owner/name
	@$(VENV) tools/badges.py $(REPO)

readme: setup ## copy the leaderboard of the last `make run` into README.md
	@$(VENV) tools/readme.py
