# Vigil. `make help` tells what there is. Each job installs what it lacks (tools/bootstrap), so that all of them work on a fresh
# Debian 12 with git and make; whatever is there is left alone, and nothing is done twice.
#
# Where things go: build/vigil the program; build/meson* the C builds; build/venv the build's own tools; build/venvs the profiled
# Pythons; build/python the package's builds; build/log what each step said. var/ holds the data of `make run`.

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help build run test check fuzz bench install clean need-build need-run need-test need-check need-fuzz need-bench FORCE

# For tools/run.py, which reads them from its environment. Only `make run PORT=…` changes them, not a PORT that happens to be there.
PORT = 8126
APP =
export PORT APP

PREFIX ?= /usr/local
FUZZ_SECONDS ?= 20
PYTHON := build/venv/bin/python
PAGE_SOURCES = $(shell find web -name node_modules -prune -o -name dist -prune -o -type f -print 2>/dev/null)

help:
	@echo 'make run                     build all, profile the example service, open the page (Ctrl-C ends it all)'
	@echo 'make run APP="python app.py" the same with your own program instead of the example'
	@echo 'make run PORT=8127           the same on another port'
	@echo 'make test                    all tests: C with sanitizers, the profiler on each Python found, server, browser'
	@echo 'make check                   form, compiler warnings, layers, types; no test is run'
	@echo 'make build                   only build build/vigil'
	@echo 'make fuzz FUZZ_SECONDS=20    each parser against malformed input for some seconds'
	@echo 'make bench                   what the parts cost on this machine'
	@echo 'make install PREFIX=/usr/local   put vigil into PREFIX/bin (DESTDIR is honoured)'
	@echo 'make clean                   delete what was built; var/, the data of make run, stays'

build: build/vigil

build/vigil: FORCE need-build web/dist/index.html
	@test -f build/meson/build.ninja || tools/step 'vigil: configure' meson setup -Dtests=false build/meson
	@tools/step 'vigil: compile' ninja -C build/meson
	@cmp -s build/meson/vigil $@ || { cp build/meson/vigil $@.new && mv $@.new $@; }

web/dist/index.html: $(PAGE_SOURCES) web/node_modules/.installed | need-build
	@tools/step 'page: build' npm --prefix web run build
	@touch $@

web/node_modules/.installed: web/package-lock.json | need-build
	@tools/step 'page: packages' npm --prefix web ci --prefer-offline --no-audit --no-fund
	@touch $@

run: need-run build
	@$(PYTHON) tools/run.py

test: need-test build
	@$(PYTHON) tools/test.py

check: need-check web/node_modules/.installed
	@$(PYTHON) tools/check.py

fuzz: need-fuzz
	@$(PYTHON) tools/fuzz.py --seconds '$(FUZZ_SECONDS)'

bench: need-bench
	@test -f build/meson-bench/build.ninja || \
	    tools/step 'bench: configure' meson setup --buildtype=release -Dpage=false build/meson-bench
	@tools/step 'bench: compile' meson compile -C build/meson-bench $(basename $(notdir $(wildcard bench/*_bench.c)))
	@rm -rf build/bench && mkdir -p build/bench
	@find build/meson-bench -name '*_bench' -type f | sort | while read -r program; do \
	    name=$$(basename "$$program"); echo "$$name"; "$$program" "build/bench/$$name" || exit; done

install: build
	@install -D -m 755 build/vigil '$(DESTDIR)$(PREFIX)/bin/vigil'
	@echo 'Installed $(DESTDIR)$(PREFIX)/bin/vigil. The profiler goes into each Python: python -m pip install .'

clean:
	rm -rf build web/dist web/node_modules python/*.egg-info

need-build:
	@tools/bootstrap build

need-run:
	@tools/bootstrap build run

need-test:
	@tools/bootstrap build run test

need-check:
	@tools/bootstrap build check

need-bench:
	@tools/bootstrap build bench

need-fuzz:
	@tools/bootstrap build fuzz
