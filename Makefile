# Everything a person does here, by name; `make` alone lists it. Only Python 3.10 to 3.14, make and the package
# registries are needed: the first target makes .venv with pinned versions, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

# DEMO=1 plays the story without a keyboard; SOURCE=1 runs firmware/ as written instead of the compiled tree.
DEMO ?=
SOURCE ?=
BOARD ?=
FAMILY ?=
BOARD_IMAGE ?=
# LONG=1 gives `faults` a night, ONLY=text a part of it; DAYS is for `soak`; SEED=N repeats what either of them did.
LONG ?=
ONLY ?=
DAYS ?= 30
SEED ?=
# ROWS and RECORDS make `benchmark-upload` smaller.
ROWS ?=
RECORDS ?=
export SOURCE

.DEFAULT_GOAL := help
.PHONY: help run test check stage benchmark benchmark-upload faults soak demo-upload pictures clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n  DEMO=1    with run: the whole story by itself, judged from the relay pin and the broker\n'
	@printf '  FAMILY=   with run, soak: the modem, a76xx (default), quectel or luat\n'
	@printf '  BOARD_IMAGE=path/flash.img  with run: a provisioned virtual board instead of a fresh one\n'
	@printf '  LONG=1    with faults: a night instead of five minutes (Ctrl-C: the table so far); SEED=N: the random runs of that seed\n'
	@printf '  ONLY=text with faults: those whose name has it, say "mutant opens" or "scene ban"\n'
	@printf '  SOURCE=1  with run, test, check, benchmark, stage: the firmware as written, for tracebacks with line numbers\n'
	@printf '  MICROPYTHON=/path  another MicroPython than the pinned wheel; MICROPYTHON32=/path  another 32-bit one\n'

run: $(READY) ## a whole world on loopback: platform, modem, terminal (DEMO=1: the story without a keyboard)
	$(BIN)/python -m $(if $(DEMO),host_tests.demo,host_tests.world $(if $(BOARD_IMAGE),--image $(BOARD_IMAGE))) $(if $(FAMILY),--family $(FAMILY))

test: $(READY) ## prove it: lint, every test; gets what it needs, says at the end what it left out
	$(BIN)/hanma tools
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -n 3 --dist loadfile host_tests
	$(BIN)/python -m host_tests.faults

check: $(READY) ## the same in short, under 90 s: lint, the pure parts, one story from power-on to a welder switched on
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" host_tests/unit $(wildcard host_tests/system/test_story.py)

stage: $(READY) ## make the tree that is flashed, in build/stage/: make stage BOARD=lilygo_t_a7670
ifeq ($(BOARD),)
	@echo 'name a board: make stage BOARD=…'; $(BIN)/hanma boards; exit 2
else
	$(BIN)/hanma stage --board $(BOARD) $(if $(SOURCE),--source)
endif

benchmark: $(READY) ## figures: a table, then one line of JSON
	$(BIN)/python -m host_tests.benchmarks

benchmark-upload: $(READY) ## the uploader: 100 000 rows checked, 5 000 sent beside a bare loop (ROWS=, RECORDS=: fewer); table and JSON
	$(BIN)/python -m host_tests.benchmarks.upload $(if $(ROWS),--rows $(ROWS)) $(if $(RECORDS),--records $(RECORDS))

faults: $(READY) ## power cuts at every write, a world that goes wrong, planted defects; a table, then one line of JSON
	$(BIN)/python -m host_tests.faults $(if $(LONG),--long) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only '$(ONLY)')

soak: $(READY) ## DAYS=30: a month of a rough site in minutes (SEED=7 repeats one): laws of the interlock, lost records; a table and one line of JSON
	$(BIN)/python -m host_tests.soak --days $(DAYS) $(if $(FAMILY),--family $(FAMILY)) $(if $(SEED),--seed $(SEED))

demo-upload: $(READY) ## a clerk's week from nothing: a sample site, its errors, faults, a correction; judged from the stand-in's ledger
	$(BIN)/python -m host_tests.demo_upload

pictures: $(READY) ## draw docs/pictures/ anew from real workbooks and virtual boards, and the tables of settings in the clerk's chapter
	$(BIN)/python -m host_tests.demo_upload --pictures docs/pictures
	$(BIN)/python -m host_tests.bench_pictures docs/pictures
	$(BIN)/python -m host_tests.chapter

clean: ## remove what was made: .venv, build, caches
	rm -rf $(VENV) build .hypothesis .pytest_cache .ruff_cache tools/hanma.egg-info
	find boards firmware host_tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@PYTHON='$(PYTHON)' VENV='$(VENV)' sh tools/venv.sh
	@touch $@
