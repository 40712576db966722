# Networks at Work. `make lab` opens the course, `make test` checks a change, `make test-all` all.
# Each creates the environment in .venv first where it is missing or out of date.

# The first Python in range that can make an environment. Choose one with `make lab PYTHON=...`.
PROBE := import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
ifndef PYTHON
PYTHON := $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	$$python -c "$(PROBE)" >/dev/null 2>&1 && echo $$python && break; done)
endif

BIN := .venv/bin
READY := .venv/ready
# The same environment with the test tools.
TOOLS := .venv/tools
# The web page, and what it is made of (folders, too: a file may have gone).
PAGE := course_utils/webapp/dist/index.html
PAGE_SOURCES := hatch_build.py $(shell find course_utils/webapp -maxdepth 1 -type f) \
	$(shell find course_utils/webapp/src)
ARGS ?=
BENCHMARKS ?= bench_import first_start mpg_service image_service overload sigterm resume record drift drift_files \
	coreml_parity digits pets servers versions batch scale in_page peers memory
# Three files of tests, or notebooks, at a time (tests/support/scheduling.py): on two processors, since
# each waits for a part of its time. One takes 1 to 3 GB.
PYTEST := $(BIN)/python -m pytest -n 3 --no-loadscope-reorder --durations=15
# What `make test` adds where coverage is counted over both tiers.
COVERAGE ?=
COUNTED := --cov --cov-report= --cov-fail-under=0
# JupyterLab does not start for root unless told to.
ALLOW_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: help lab demo test test-all test-rest lint fast programs test-portable test-colab test-gpu \
	refresh links site slides wheel publish lock bench clean

help:
	@echo "make lab      open the course in JupyterLab (ARGS='--port 9999' for its options)"
	@echo "make demo     serve the image network with its web page, and open the page"
	@echo "make test     lint, spelling, types, floors, the fast tests, every notebook once: 11 minutes on 2 cores"
	@echo "make test-all that and everything else that CI runs: 35 minutes"
	@echo "make test-portable the fast tests that need neither a browser nor Debian's packages"
	@echo "make test-colab all notebooks on Colab's versions (make test-all runs those that lean on it)"
	@echo "make test-gpu the tests that need a GPU"
	@echo "make refresh  run the notebooks again and store their outputs (ARGS='02 03' for some)"
	@echo "make site     the course as a website, in the folder site"
	@echo "make slides   the slides of the notebooks alone, in the folder site/slides (make site makes them, too)"
	@echo "make wheel    the course as one file, for Colab: networks_at_work-*.whl in the folder dist"
	@echo "make publish  set the repository's address, its links and a tag (REPO=owner/name)"
	@echo "make links    write badges, set-up cells and the map of the notebooks"
	@echo "make lock     bring requirements.lock up to date (ARGS=--upgrade: to the newest versions)"
	@echo "make bench    measure, and print tables (resume, drift and coreml_parity take 20 to 40 minutes each;"
	@echo "              BENCHMARKS='mpg_service image_service' for some)"
	@echo "make clean    remove the environment and what tests leave behind"

lab: $(READY)
	@$(BIN)/course fetch
	@$(BIN)/course lab $(ALLOW_ROOT) $(ARGS)

# The request log, on standard output, would bury what is said to people.
demo: $(PAGE)
	@$(BIN)/course fetch
	@$(BIN)/course serve image --open $(ARGS) >/dev/null

# Quick things first, so that a typing error does not take minutes to show.
test: lint fast

test-all: COVERAGE := $(COUNTED)
test-all: test
	@$(MAKE) --no-print-directory test-rest

lint: $(TOOLS)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell

programs: $(TOOLS) $(PAGE)
	@$(BIN)/python tools/programs.py chromium curl git --where-possible apache2 apxs systemd-analyze
	@$(BIN)/course fetch all

# With every notebook once: strictly, offline, from the wheel.
fast: programs
	$(PYTEST) $(COVERAGE)

# Floods, kills, Ray, Apache, the pages in every state, Colab's versions. Coverage is that of
# both tiers together.
test-rest: programs
	$(PYTEST) -m "thorough and not gpu and not nightly" --cov --cov-append --cov-report=term:skip-covered

# What CI runs on all systems. Windows has no make: .github/workflows/ci.yml says it in commands.
test-portable: $(TOOLS) $(PAGE)
	@$(BIN)/course fetch
	$(PYTEST) -m portable

test-colab: programs
	$(BIN)/python -m pytest tests/notebooks/test_colab.py -m slow

test-gpu: $(TOOLS)
	$(BIN)/python -m pytest -m gpu

refresh: $(TOOLS)
	$(BIN)/python tools/refresh.py $(ARGS)

links: $(TOOLS)
	$(BIN)/python tools/links.py

# Warnings are errors, and a link inside that leads nowhere is a warning. MyST-NB writes notebooks
# beside the folder that is made, so that is not the one in the checkout.
site: $(TOOLS) $(PAGE)
	@$(BIN)/course fetch
	$(BIN)/python -m sphinx -q --fresh-env -W --keep-going -c docs -d .cache/site/read . .cache/site/made
	@rm -rf site && cp -R .cache/site/made site

slides: $(TOOLS) $(PAGE)
	@$(BIN)/python docs/slides.py site/slides
	@echo "Made: site/slides/index.html"

wheel: $(READY)
	@$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@echo "Made: $$(ls dist/networks_at_work-*.whl)"

publish: $(TOOLS)
	@$(BIN)/python -m tools.publish $(REPO)

lock: $(TOOLS)
	$(BIN)/python tools/lock.py $(ARGS)

bench: $(TOOLS)
	@$(BIN)/python tools/programs.py wrk --where-possible apache2 apxs
	@set -e; for name in $(BENCHMARKS); do echo; $(BIN)/python -m benchmarks.$$name; done

clean:
	rm -rf .venv .cache dist site $(dir $(PAGE)) course_utils/webapp/node_modules test-artifacts \
		.coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Written last, so that an interrupted set-up is taken up again.
$(READY): requirements.lock pyproject.toml tools/install.py
	@test -n "$(PYTHON)" || { echo >&2 "The course needs Python 3.11, 3.12 or 3.13 with venv\
	(on Debian and Ubuntu: apt-get install python3-venv), and none was found.\
	Where yours has another name: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) tools/install.py
	@touch $@

$(TOOLS): $(READY)
	@$(PYTHON) tools/install.py test
	@touch $@

# The installation builds the page; one that has not changed in content is left as it is.
$(PAGE): $(PAGE_SOURCES) | $(READY)
	@$(PYTHON) tools/install.py
	@test ! -f $@ || touch $@
