# Both commands make their own environment in .venv and install what they need; nothing but packages is downloaded.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# torch's CPU build, in the version the networks are tested with
TORCH ?= torch==2.13.0
OUT ?= out
# options of the check of the proofs, such as --require-mathcomp
PROOFS ?=
# more options of pytest, such as -x
PYTEST ?=

.DEFAULT_GOAL := help
.PHONY: help verify test lint proofs mistakes mutants bench report docs gallery clean

help:
	@echo "make verify    the statement table, the rate plots and a first network figure, under $(OUT)/"
	@echo "make test      every test"
	@echo "make proofs    compile the machine-checked proofs and compare their axioms (needs coqc)"
	@echo "make lint      lint and types;  make mistakes  deliberate mistakes, each caught by a named test"
	@echo "make mutants   a seeded sample of small wrong edits, and those that no test notices, under $(OUT)/"
	@echo "make bench     speed, as ratios;  make report  one HTML page;  make docs  the documentation as a site"
	@echo "make gallery   remake the pictures in docs/gallery, by the code of its pages"

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@

$(VENV)/.lint: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[lint]"
	touch $@

verify: $(VENV)/.installed
	$(BIN)/python -m contraction verify
	$(BIN)/python -m contraction rates --out $(OUT)/rates
	$(BIN)/python -m nn_experiments run digits --out $(OUT)/networks
	$(BIN)/python -m nn_experiments plot digits --out $(OUT)/networks --pictures $(OUT)/figures

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n auto --dist worksteal $(PYTEST) tests

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

mistakes: $(VENV)/.installed
	$(BIN)/python -m tests.mistakes

mutants: $(VENV)/.installed
	mkdir -p $(OUT)
	nice $(BIN)/python -m tests.mutation --out $(OUT)/mutants.md

bench: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.core --out $(OUT)/benchmarks
	$(BIN)/python -m benchmarks.expansions --reach --out $(OUT)/benchmarks
	$(BIN)/python -m benchmarks.networks --out $(OUT)/benchmarks
	$(BIN)/python -m benchmarks.networks --convolutional --out $(OUT)/benchmarks
	$(BIN)/python -m benchmarks.convolutions --out $(OUT)/benchmarks
	$(BIN)/python -m benchmarks.diagnosis --out $(OUT)/benchmarks
	$(BIN)/python -m benchmarks.self_check --out $(OUT)/benchmarks

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[docs]"
	touch $@

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs $(OUT)/site
	@echo "$(OUT)/site/index.html"

gallery: $(VENV)/.installed
	$(BIN)/python -m tests.gallery

report: $(VENV)/.installed
	$(BIN)/python -m nn_experiments report --out $(OUT)/networks --results results --page $(OUT)/report.html

proofs: $(VENV)/.installed
	$(BIN)/python proofs/check_axioms.py $(PROOFS)

clean:
	rm -rf $(OUT) docs/plots build dist *.egg-info
