# Every target builds .venv when it is missing or older than the lock. The README gives the plain command behind each.
.DEFAULT_GOAL := help
.PHONY: help demo test faults bench lint lock

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; exit; }; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## a day on a ward, everything on this machine; ONCE=1 ends by itself with a summary
	$(BIN)/rxvigil demo $(if $(ONCE),--once)

test: $(READY) ## all tests, with a short choice of the fault runs; ARGS="-k name" runs only those
ifdef ARGS
	$(BIN)/pytest $(ARGS)
else
	$(BIN)/pytest -m "not stack and not browser and not faults" -n auto --dist loadfile
	$(BIN)/pytest -m "stack or browser or faults"
endif

faults: $(READY) ## every fault twice in a row on real processes and real Kafka; report in build/faults.txt (half an hour)
	$(BIN)/python -m tests.faults $(ARGS)
	RXVIGIL_FAULT_ROUNDS=$(or $(ROUNDS),5) $(BIN)/pytest tests/faults/test_ward_day.py

.PHONY: faults-short faults-broken
faults-short: $(READY) ## the choice of them that `make test` runs too, below five minutes
	$(BIN)/pytest -m faults $(ARGS)

faults-broken: $(READY) ## three engines broken on purpose: succeeds when the fault runs catch each of them
	$(BIN)/python -m tests.faults --broken $(ARGS)

bench: $(READY) ## ingest, throughput, event-to-alert time, restore, workers, rules, beside a loop without a framework (half an hour)
	$(BIN)/python -m bench $(ARGS)

.PHONY: bench-peers bench-short
bench-peers: $(READY) ## the same beside Kafka Streams, Quix Streams and stock Faust, fetched at the first time
	$(BIN)/python -m bench --peers $(ARGS)

bench-short: $(READY) ## a small form of `make bench`, about a minute
	$(BIN)/python -m bench --short $(ARGS)

.PHONY: quarter
quarter: $(READY) ## a simulated quarter with known problems: what is found, into docs/quarter.md (a minute); SEED=1
	$(BIN)/python -m examples.quarter --seed $(or $(SEED),1) --out build/quarter
	$(BIN)/python -m examples.quarter.score build/quarter --write docs/quarter.md

.PHONY: fuzz
fuzz: $(READY) ## ingest under a fuzzer for SECONDS (60); an input that fails stays in build/fuzz
	$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),60)

.PHONY: mutants
MUTMUT := build/mutants/site/mutmut
mutants: $(READY) $(MUTMUT) ## change each comparison and number of the rules and see a test fail (an hour or two); FILES="qt score" for some
	$(BIN)/python -m tests.mutants $(FILES) $(ARGS)

# apart from .venv: it needs a newer click than Faust allows
$(MUTMUT): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target build/mutants/site mutmut==3.8.1
	@touch $@

lint: $(READY) ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: $(READY) ## write requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links -o requirements.lock

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and none was found; name one: make PYTHON=/path/to/python3" >&2; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@
