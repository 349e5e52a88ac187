# Everything a reader, a teacher or a developer does here. Each target sets up what it needs and nothing twice.
#
#   make lab              JupyterLab on the notebooks          PORT=8899  OPEN=no  BACKEND=cuda
#   make test             all tests, as CI runs them
#   make notebooks        execute what is stale, write outputs  NB=03  ALL=yes  JOBS=2
#   make check-notebooks  do they still say what is committed   NB=03  ALL=yes  AS=plain  JOBS=2
#   make bench            the library beside its Python peers  BENCH=kmeans  ROUNDS=2
#   make growth           how the cost of each method grows with its data
#   make course           a folder for nbgrader to run a course in   COURSE=../my-course
#   make tutorials        the assignments: their tests, and nbgrader from release to gradebook
#   make latency          how long a cell takes, by kind
#   make clean            remove what set-up made here

SHELL := /bin/bash
export GOEXPERIMENT := simd

BACKEND ?= cpu
export BACKEND
PORT ?= 8888
IP ?= 127.0.0.1
JOBS ?= 2
ROUNDS ?= 2
ifeq ($(origin AS),default)
AS := # make's own name for the assembler
endif

# What Jupyter writes stays in the clone: data, the trust database and kernels in .venv, the reader's settings in .jupyter.
jupyter := env -u PYTHONPATH JUPYTER_DATA_DIR=$(CURDIR)/.venv/share/jupyter JUPYTER_CONFIG_DIR=$(CURDIR)/.jupyter \
	JUPYTER_RUNTIME_DIR=$(CURDIR)/.venv/run PATH="$(CURDIR)/.venv/bin:$$PATH" GOFLAGS=
python := $(jupyter) $(CURDIR)/.venv/bin/python

.PHONY: help lab setup test lint unit conformance notebooks check-notebooks browser bench growth tutorials grading course latency requirements clean

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

# jupyter_lsp looks for twenty language servers at every start, 0.7 s, and the Go kernel completes by a gopls of its own.
lab: setup
	@$(jupyter) .venv/bin/jupyter-lab --ip=$(IP) --port=$(PORT) $(if $(filter no,$(OPEN)),--no-browser) \
		--ServerApp.root_dir=$(CURDIR) --LabApp.default_url=/lab/tree/notebooks/00-start-here.ipynb \
		--ServerApp.jpserver_extensions="jupyter_lsp=False" --LabApp.news_url= --LabApp.custom_css=True --LabApp.extension_manager=readonly --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate $(if $(filter 0,$(shell id -u)),--allow-root)

setup:
	@tools/setup.sh lab

# Fast things first, so that a mistake shows soon.
test:
	@for part in lint unit conformance check-notebooks browser grading; do begun=$$SECONDS; \
		$(MAKE) --no-print-directory $$part || exit 1; echo "→ $$part: $$((SECONDS - begun)) s"; done
	@echo "all tests passed, in $$SECONDS s"

lint:
	@tools/setup.sh test
	@tools/lint.sh

# One package at a time: tests hold a cancelled fit to 100 ms, which two packages on the same
# processors can't promise each other. A package has 60 s; what takes longer waits for LATENT_LONG.
unit:
	@set -o pipefail; go test -p 1 ./... | awk '{ print; fflush() } \
		$$1 == "ok" && $$3 + 0 > 60 { late = late " " $$2 " " $$3 } \
		END { if (late) print "over 60 s without LATENT_LONG:" late }'
	cd tools && go test ./cell ./cellgo ./cellrun ./kernel ./setuptest

conformance:
	@tools/setup.sh test
	$(python) -m unittest discover -s tools/nbtest
	$(python) tools/nbtest/conformance.py
	$(python) tools/nbtest/offline.py

# A notebook is stale when what its outputs depend on has changed since they were made: its cells, the packages that they reach, pinned versions.
notebooks: setup
	$(python) tools/nbtest/execute.py --jobs $(JOBS) $(if $(ALL),--all) $(NB)

# What is stale, and of the rest a sample on a processor that is played; the commit chooses both. ALL=yes: every one. AS: plain, avx2, one, xla-avx2, xla-sse4 or none.
check-notebooks: setup
	$(python) tools/nbtest/execute.py --check --jobs $(JOBS) $(if $(ALL),--all) $(if $(AS),--as $(AS)) $(NB)

browser:
	@tools/setup.sh test
	$(python) tools/nbtest/browser.py

bench:
	@tools/setup.sh bench
	go build -o .venv-bench/bin/latent-bench ./bench
	go build -tags lean -o .venv-bench/bin/latent-bench-lean ./bench
	.venv-bench/bin/latent-bench -only "$(BENCH)" -rounds $(ROUNDS)

growth:
	go run -tags lean ./bench growth

course:
	@tools/setup.sh grade
	@.venv-grade/bin/python tutorials/course.py "$(COURSE)"

tutorials: grading
	go test ./tutorials/...

# The assignments in the real nbgrader, from release to gradebook.
grading:
	@tools/setup.sh grade
	$(jupyter) .venv-grade/bin/python tutorials/endtoend.py

latency:
	@tools/setup.sh lab
	$(python) tools/nbtest/latency.py

# Pin again what requirements*.in ask for (needs uv). Review the difference before you commit it.
requirements:
	cd tools && for f in requirements requirements-test; do uv pip compile -q --universal --generate-hashes --python-version 3.10 \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate $$f.in -o $$f.txt; done
	cd tools && uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header \
		--no-annotate requirements-grade.in -o requirements-grade.txt
	cd tools && uv pip compile -q --python-platform x86_64-manylinux_2_28 --generate-hashes --python-version 3.12 --no-emit-index-url \
		--no-emit-find-links --no-header --no-annotate requirements-cuda.in -o requirements-cuda.txt
	cd bench && uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header \
		--no-annotate requirements.in -o requirements.txt

clean:
	rm -rf .venv .venv-bench .venv-grade .cache bench/inputs
