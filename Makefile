# Everything runs in .venv, which the first target that needs it makes. A fresh machine needs
# Python 3.11 or newer, git and make. Another interpreter: make test PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
USABLE := .venv/usable
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# uv only writes the lock; a copy in the environment is preferred to one on the PATH
UV ?= $(or $(wildcard $(BIN)/uv),uv)
export PIP_ROOT_USER_ACTION = ignore
# the tests start a thousand processes: each would compile everything anew without what is kept
export PYTHONDONTWRITEBYTECODE =

.PHONY: help demo test unit like-windows check bench newcomer soak night fuzz siege lock docs pictures captures format clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo     a rehearsal against the local sandbox: real videos in demo/, no money'
	@echo 'make unit     the quick tests, half a minute: those of single modules, and of the contracts'
	@echo 'make test     all tests'
	@echo 'make like-windows  tests of files, locks and processes without what POSIX has'
	@echo 'make check    what CI runs: the tests, then the linters'
	@echo 'make bench    the benchmarks; one of them: make bench-throughput'
	@echo 'make newcomer a workbook of forty ideas, from a clean environment to the filled workbook'
	@echo 'make soak     simulated nights: make soak SEEDS=20000'
	@echo 'make night    24 hours on a virtual clock: make night JOBS=100000'
	@echo 'make fuzz     damaged manifests for the readers: make fuzz MINUTES=30'
	@echo 'make siege    2,000 bad connections against the page: make siege CONNECTIONS=2000 SECONDS=120'
	@echo 'make format   fix what ruff can fix'
	@echo 'make pictures the pictures of docs/web.md, from a real run'
	@echo 'make captures what a run shows on a terminal, for docs/running.md (needs tmux)'
	@echo 'make docs     redraw docs/design.md from jobs/model/states.py, docs/commands.md, docs/sandbox.md, shapes.json, newest.sql'
	@echo 'make lock     renew requirements/dev.txt, user.txt and witnesses.txt (needs uv)'
	@echo 'make clean    remove caches, builds and the demo'

demo: $(USABLE)
	$(BIN)/batchsora demo --folder demo sample_manifests/campaign.csv

unit: $(INSTALLED)
	$(BIN)/pytest tests/unit tests/conformance -n 2

# The quick tests first, and how much of the engine they reach. Then the others, more at once than
# the two cores that CI has: tests with processes of their own wait for them.
test: $(INSTALLED)
	@failed=0; \
	  $(BIN)/pytest tests/unit tests/conformance -n 2 --cov --cov-fail-under $(COVERED) --cov-report term \
	    || failed=1; \
	  $(BIN)/pytest -m 'not unit' -n 6 --dist worksteal || failed=1; \
	  exit $$failed

# Tests of files, locks and processes by the code for Windows, with hidden what POSIX has:
# tests/like_windows/tests.txt names them
like-windows: $(INSTALLED)
	PYTHONPATH=$(CURDIR)/tests/like_windows $(BIN)/pytest -n 2 --dist worksteal @tests/like_windows/tests.txt

# the quick tests by another Python, in an environment of its own: make newest-unit NEWEST=python3.13
newest-unit:
	$(MAKE) unit PYTHON=$(NEWEST) BIN=.venv-newest/bin INSTALLED=.venv-newest/installed \
	  USABLE=.venv-newest/usable

# percent of the branches and lines of jobs/ that the quick tests run
COVERED := 96

check:
	.ci/run

bench: $(INSTALLED)
	$(BIN)/python benchmarks $(BENCHFLAGS)

bench-%: $(INSTALLED)
	$(BIN)/python benchmarks $* $(BENCHFLAGS)

newcomer: $(INSTALLED)
	$(BIN)/python tests/newcomer.py

SEEDS ?= 1000
soak: $(INSTALLED)
	$(BIN)/python tests/simulation/soak.py --seeds $(SEEDS)

JOBS ?= 100000
night: $(INSTALLED)
	$(BIN)/python tests/simulation/long.py --jobs $(JOBS)

MINUTES ?= 5
fuzz: $(INSTALLED)
	PYTHONPATH=tests $(BIN)/python -m simulation.readers --minutes $(MINUTES)

CONNECTIONS ?= 2000
SECONDS ?= 120
siege: $(INSTALLED)
	PYTHONPATH=tests $(BIN)/python -m web.siege --connections $(CONNECTIONS) --seconds $(SECONDS)

# The locks name no index, so that they install from whichever one pip is configured for.
# That of the benchmark's witnesses has them alone.
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command 'make lock' $(LOCKFLAGS)
lock:
	@command -v $(UV) >/dev/null || { \
	  echo 'make lock needs uv: $(BIN)/pip install uv' >&2; exit 1; }
	$(LOCK) --group dev pyproject.toml --output-file requirements/dev.txt
	$(LOCK) --all-extras --group build --constraints requirements/dev.txt pyproject.toml \
	  --output-file requirements/user.txt
	$(LOCK) --group pyproject.toml:witnesses --output-file requirements/witnesses.txt

pictures: $(INSTALLED)
	$(BIN)/python tests/pictures.py

# needs tmux
captures: $(INSTALLED)
	$(BIN)/python tests/captures.py

docs: $(INSTALLED)
	$(BIN)/python tests/design_diagrams.py
	$(BIN)/python tests/command_reference.py
	$(BIN)/python tests/schema_shapes.py

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name '.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +

# What a user needs, and the program; then what its developers need besides.
$(USABLE): requirements/user.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'batchsora needs Python 3.11 or newer, and $(PYTHON) is older;' \
	    'name another one: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo '$(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv' >&2; \
	  exit 1; }
	@echo 'making the environment in $(dir $@); this takes a minute'
	$(PYTHON) -m venv $(dir $@)
	$(PIP) install --require-hashes -r requirements/user.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(INSTALLED): $(USABLE) requirements/dev.txt
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
