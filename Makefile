# `make help` lists the targets. Everything is installed into .venv; nothing else is touched.
PYTHON ?= python3
BIN := .venv/bin
DEMO := data.root=outputs/demo

NEXT := echo "Before the first command of your own, in each new terminal: source .venv/bin/activate"

.PHONY: help install lock check test test-fast test-slow sweep demo site peers clean

help: ## the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: .venv/installed ## .venv with the hash-locked packages

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) install.py
	@touch $@

lock: ## compile requirements.lock anew from pyproject.toml
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet uv
	.venv-lock/bin/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header --upgrade --quiet -o requirements.lock
	rm -rf .venv-lock

check: install ## formatting, linting, strict types
	$(BIN)/black --check --quiet .
	$(BIN)/ruff check .
	$(BIN)/basedpyright

test: install ## the tests, but for the slow ones
	$(BIN)/python -m pytest

FAST := config data scoring maps
test-fast: install ## a change's first check, in less than a minute: what reads, checks and counts
	$(BIN)/python -m pytest $(addprefix tests/src/,$(FAST)) tests/sweeps/search

test-slow: install ## the slow tests; many of them wait for processes, so three run at once
	$(BIN)/python -m pytest -m slow -n 3 --dist worksteal

sweep: install ## a first sweep: minutes, on synthetic cracks if data/ holds no photographs
	$(BIN)/python -m sweeps.run quickstart --fresh
	$(BIN)/python -m analysis.report quickstart
	@$(NEXT)

demo: install ## DATA=FOLDER: from photographs and masks to a report, with a tiny network; says first how long that takes
	@test -n "$(DATA)" || { echo "error: which photographs? make demo DATA=FOLDER, with photographs and masks in it" >&2; exit 2; }
	rm -rf outputs/demo
	$(BIN)/python -m src.prepare "$(DATA)" --out outputs/demo --find-groups
	$(BIN)/python -m sweeps.run demo $(DEMO) --dry-run
	$(BIN)/python -m sweeps.run demo $(DEMO) --fresh
	$(BIN)/python -m analysis.report demo
	@echo "The network of this demo is tiny and sees photographs at 256 x 256 pixels. For use in the field take a larger one; this says how long that takes here:"
	@echo "  python -m sweeps.run unet_encoder data.root=outputs/demo --dry-run"
	@$(NEXT)

site: install ## the documents as a site, in build/site
	rm -rf build/pages && mkdir -p build/pages
	cp -r README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE docs build/pages
	$(BIN)/zensical build --clean --strict

peers: .venv-peers/installed ## .venv-peers: searches of other packages, for benchmarks/search_efficiency.py

.venv-peers/installed: .venv/installed benchmarks/peers.txt
	$(BIN)/python -m venv .venv-peers
	$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > "$$(.venv-peers/bin/python -c 'import site; print(site.getsitepackages()[0])')/project.pth"
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/peers.txt
	touch $@

clean: ## remove the environment and caches; data and outputs stay
	rm -rf .venv .venv-peers .pytest_cache .ruff_cache .hypothesis *.egg-info
