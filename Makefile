# The one vocabulary for people, hooks and CI. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# What Keras computes with: tensorflow or jax.
BACKEND ?= $(or $(KERAS_BACKEND),tensorflow)
# A machine with an NVIDIA driver gets the lock with CUDA; `make retrain LOCK=requirements.lock` overrules it.
LOCK ?= $(if $(shell nvidia-smi -L 2>/dev/null),requirements-gpu$(if $(filter jax,$(BACKEND)),-jax).lock,requirements.lock)
INSTALLED := $(VENV)/.installed-$(basename $(LOCK))
# Half of the tests' time is spent in one thread. More than four would need more memory than most have.
WORKERS := -n logical --maxprocesses 4 --dist loadscope --no-loadscope-reorder
# The scripts of an environment name the folder that it was made in.
MOVED := $(shell made=$$(sed -n 's/^command = .* -m venv //p' $(VENV)/pyvenv.cfg 2>/dev/null); test -z "$$made" || test "$$made" -ef $(VENV) || echo moved)

export PATH := $(CURDIR)/$(BIN):$(PATH)
export KERAS_BACKEND := $(BACKEND)
export PREFECT_HOME ?= $(or $(MEDLOOP_STATE),$(CURDIR)/.medloop)/prefect
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := 1

.PHONY: help
help: ## list what make can do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(INSTALLED) ## build .venv from the pinned lock

.PHONY: moved
moved:
	@echo "The project was moved or copied: $(VENV) is built anew"
	@rm -rf $(VENV)

$(INSTALLED): $(LOCK) $(MOVED)
	@echo "Building $(VENV) from $(LOCK) (once; about 4.5 GiB) ..."
	@test -n "$(PYTHON)" && command -v $(PYTHON) >/dev/null || { echo "Medloop needs Python 3.11 or later: make PYTHON=<your python> ..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Medloop needs Python 3.11 or later, $(PYTHON) is older: make PYTHON=<your python> ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -oE '^uv==[0-9.]+' $(LOCK))"
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python $(LOCK)
	@$(BIN)/python -m tasks.plots
	@touch $@

# Before the environment is built: `flows` says so too, but only then.
.PHONY: repository
repository:
	@git rev-parse --git-dir >/dev/null 2>&1 || grep -qis 'no_scm *= *true' .dvc/config || { echo "Medloop needs git and a repository here; a ZIP download is none: git init && git add -A && git commit -m 'The project as downloaded'"; exit 1; }

.PHONY: retrain
retrain: repository $(INSTALLED) ## pull, run the stages, register and gate: the main job
	@python -m flows.retrain

.PHONY: repro
repro: repository $(INSTALLED) ## run the stages that changed on the data that are here, without a flow
	@python -m flows.repro

.PHONY: doctor
doctor: ## look at everything that a run needs, and say how to fix what is wrong
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "BROKEN  Python: 3.11 or later is needed: install it, and name it, make doctor PYTHON=<your python>"; exit 1; }
	@command -v git >/dev/null || { echo "BROKEN  git: none on the PATH: install it"; exit 1; }
	@test -x $(BIN)/python || { echo "BROKEN  environment: no $(VENV) yet: make setup"; exit 1; }
	@$(BIN)/python -c "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ('ruamel', 'pandas', 'prefect', 'dvc', 'mlflow'))))" || { echo "BROKEN  environment: $(VENV) is not whole: rm -r $(VENV) && make setup"; exit 1; }
	@python -m tasks.doctor

.PHONY: test-fast
test-fast: $(INSTALLED) ## what needs no TensorFlow (under 90 seconds)
	python -m pytest -q $(WORKERS) -m "not slow" --fast

.PHONY: test
test: $(INSTALLED) ## the suite without what is marked slow (under 10 minutes)
	python -m pytest -q $(WORKERS) -m "not slow"

.PHONY: test-slow
test-slow: $(INSTALLED) ## only what is marked slow: kills, cron and whole runs (under 40 minutes)
	python -m pytest -q $(WORKERS) -m slow

.PHONY: test-all
test-all: $(INSTALLED) ## everything, slow tests included (under 50 minutes)
	python -m pytest -q $(WORKERS)

.PHONY: lint
lint: $(INSTALLED) ## ruff, mypy and the import contracts
	ruff check .
	ruff format --check .
	mypy
	lint-imports

.PHONY: format
format: $(INSTALLED) ## fix what ruff can fix
	ruff check --fix .
	ruff format .

.PHONY: server ui
server: $(INSTALLED) ## MLflow UI and Prefect server on loopback (MLFLOW_PORT, PREFECT_SERVER_API_PORT)
	@python -m flows.server
ui: server ## the same as server

.PHONY: worker
worker: $(INSTALLED) ## deploy the schedule of prefect.yaml and work on it (needs `make server`)
	@python -m flows.worker

.PHONY: key
key: $(INSTALLED) ## make a de-identification key and name it in params.yaml
	@python -m tasks.key

.PHONY: lock
lock: $(INSTALLED) ## pin the newest versions that pyproject.toml allows
	@uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --no-emit-index-url --generate-hashes --upgrade --quiet --custom-compile-command "make lock" -o requirements.lock
	@uv pip compile pyproject.toml --extra dev --extra gpu --universal --python-version 3.11 --no-emit-index-url --generate-hashes --upgrade --quiet --custom-compile-command "make lock" -c requirements.lock -o requirements-gpu.lock
	@uv pip compile pyproject.toml --extra dev --extra gpu-jax --universal --python-version 3.11 --no-emit-index-url --generate-hashes --upgrade --quiet --custom-compile-command "make lock" -c requirements.lock -o requirements-gpu-jax.lock

.PHONY: clean
clean: ## delete what runs made, except data/raw, dvc.lock, the DVC cache, mlruns and phantom
	rm -rf .medloop code models reports data/processed data/manifest.parquet data/views.json data/test_views.json data/beside_scores.parquet data/scores.parquet data/served_scores.parquet .pytest_cache .mypy_cache .ruff_cache
