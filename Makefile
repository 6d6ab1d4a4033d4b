# Cosmos Policy Workbench. Everything is installed into .venv; every target sets up first what it needs.
#
#   VENV         folder of the virtual environment
#   PYTHON       interpreter to make it with; by default the first of python3.11, 3.12, 3.13 that works
#   TORCH_INDEX  where torch without CUDA is found on Linux machines without a GPU; empty: pip's own indexes only

SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV ?= .venv
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
export VENV PYTHON TORCH_INDEX
BIN := $(VENV)/bin

.PHONY: help setup demo lab course test test-all test-unit format lint

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 12

setup:  ## everything that demo, lab and test need
	@.ci/setup browser

demo:  ## set up, then the app on http://127.0.0.1:7860
	@.ci/setup
	$(BIN)/workbench app

lab:  ## set up, then the notebooks in JupyterLab
	@.ci/setup
	$(BIN)/jupyter lab notebooks/index.ipynb

course:  ## set up, then the executed notebooks as web pages in build/course
	@.ci/setup
	$(BIN)/workbench course

test: setup  ## set up, then all tests but the minutes-long ones
	$(BIN)/python -m pytest -m "not slow" --durations 10

test-all: setup  ## set up, then all tests
	$(BIN)/python -m pytest --durations 20

test-unit: setup  ## set up, then the quick tests alone
	$(BIN)/python -m pytest -m "not (sim or notebook or browser or heavy or slow or gpu)"

format: setup  ## ruff: format the code and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: setup  ## ruff: what is wrong
	$(BIN)/ruff check .
