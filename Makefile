# The commands of the project; `make help` lists them. For GNU make 3.81 (macOS) and newer.

PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3 /usr/bin/python3; do \
            $$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
            && { echo $$p; break; }; done)
PIP     = .venv/bin/python -m pip install --quiet --disable-pip-version-check
ARGS    =
TESTS   = unit or shell or world or e2e or devices or browser
GATES   = check-format check-lint check-types coverage check-web check-imports check-schema
AT_ONCE = $(if $(filter output-sync,$(.FEATURES)),--jobs 2 --output-sync)
WORKERS = 2
TSC     = npx --yes --package typescript@5.9 tsc
comma   = ,

# Say what happens next: coloured on a terminal, plain elsewhere.
say = @if [ -t 1 -o -n "$$MAKE_TERMOUT" ] && [ -z "$$NO_COLOR" ]; then printf '\033[1;36m▸ %s\033[0m\n' "$(1)"; else printf '== %s\n' "$(1)"; fi

.DEFAULT_GOAL := help
ifeq ($(MAKELEVEL),0)
.NOTPARALLEL: # but for the gates
endif
.PHONY: help install demo test bench pictures format coverage clean system-packages $(GATES) check-tests

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

install: .venv/installed ## make .venv with the command callnode in it

demo: .venv/installed ## start the whole system here and measure what is heard (ARGS="--listen", ARGS="--json FILE")
	@.venv/bin/callnode demo $(ARGS)

test: system-packages .venv/installed-dev ## run every gate, then every test (TESTS="unit or world" for some, CALLNODE_SEED=new to draw anew)
	$(call say,gates: two at a time$(comma) each shown when it is done)
	@$(MAKE) --no-print-directory $(AT_ONCE) $(GATES)
	@$(MAKE) --no-print-directory check-tests

bench: .venv/installed-bench ## measure beside stock aiortc and libwebrtc, into bench/ (ARGS="quality --seconds 16")
	$(call say,bench: figures beside stock aiortc and libwebrtc$(comma) into bench/)
	@.venv/bin/python -m tests.bench $(ARGS)

pictures: system-packages .venv/installed-dev ## take the pictures of the page anew, into signaling/web/pictures (Debian: fonts-inter)
	$(call say,pictures: every view of the page)
	@rm -f signaling/web/pictures/*.png && mkdir -p signaling/web/pictures
	@CALLNODE_PICTURES=signaling/web/pictures .venv/bin/python -m pytest -q tests/browser/test_views.py

format: .venv/installed-dev ## format the code and mend what can be mended
	@.venv/bin/ruff check --quiet --fix-only .
	@.venv/bin/ruff format .

coverage: .venv/installed-dev ## show which branches of the pure modules their unit tests miss
	$(call say,coverage: every branch of the pure modules)
	@.venv/bin/python -m tests.coverage_gate

clean: ## remove the environment and everything made
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage bench
	rm -f demo.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

check-format:
	$(call say,format: ruff)
	@.venv/bin/ruff format --check .

check-lint:
	$(call say,lint: ruff)
	@.venv/bin/ruff check .

check-types:
	$(call say,types: mypy --strict)
	@.venv/bin/mypy --strict

check-web:
	$(call say,web: the page and the JavaScript client against the wire$(comma) and the pure parts at work)
	@$(TSC) -p signaling/web
	@out=$$(node --test tests/web/ 2>&1) || { printf '%s\n' "$$out"; exit 1; }

check-imports:
	$(call say,imports: the walls between the rooms)
	@.venv/bin/lint-imports --no-logo

check-schema:
	$(call say,schema: generated files match the messages and the docstrings)
	@.venv/bin/python -m signaling.schema --check
	@.venv/bin/python -m node.reference --check

check-tests:
	$(call say,tests: $(TESTS))
	@.venv/bin/python -m pytest -m "$(TESTS)" -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# Installed once, and again when the dependencies change; the code itself is used in place.
.venv/installed: pyproject.toml
	$(call say,install: callnode and what it needs$(comma) once)
	@$(make-venv)
	@$(PIP) --editable .
	@touch $@

.venv/installed-dev: pyproject.toml
	$(call say,install: callnode$(comma) what it needs and the tools$(comma) once)
	@$(make-venv)
	@$(PIP) --editable '.[dev]'
	@touch .venv/installed $@

.venv/installed-bench: .venv/installed-dev
	$(call say,install: the scores and pictures of the benches$(comma) once)
	@$(PIP) --editable '.[bench]'
	@touch $@

make-venv = .venv/bin/python -c '' 2>/dev/null || { \
	[ -n "$(PYTHON)" ] || { echo "callnode needs Python 3.11 or newer with venv (Debian: apt install python3-venv;" \
	  "macOS: brew install python), or name one: make PYTHON=/path/to/python3" >&2; exit 1; }; \
	"$(PYTHON)" -m venv --clear .venv; }

# Programs that tests run, and their packages; virtual sound cards are Linux's.
PROGRAMS = ffprobe:ffmpeg npx:npm
ifneq ($(findstring e2e,$(TESTS))$(findstring browser,$(TESTS)),)
PROGRAMS += turnserver:coturn
endif
ifneq ($(findstring browser,$(TESTS)),)
ifeq ($(shell command -v chromium chromium-browser google-chrome),)
PROGRAMS += chromium:chromium
endif
ifeq ($(shell command -v firefox-esr firefox),)
PROGRAMS += firefox-esr:firefox-esr
endif
endif
ifeq ($(shell uname),Linux)
PROGRAMS += pulseaudio:pulseaudio pactl:pulseaudio-utils pipewire:pipewire pipewire-pulse:pipewire-pulse \
            wireplumber:wireplumber dbus-daemon:dbus
endif

system-packages:
	@missing=; \
	for need in $(PROGRAMS); do \
	  command -v $${need%%:*} >/dev/null || missing="$$missing $${need#*:}"; done; \
	[ -x .venv/bin/python ] || [ -n "$(PYTHON)" ] || missing="$$missing python3-venv"; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" = 0 ]; then as_root=env; elif [ -t 0 ]; then as_root='sudo env'; else as_root='sudo -n env'; fi; \
	echo "system packages:$$missing"; \
	if command -v apt-get >/dev/null && command -v $${as_root%% *} >/dev/null && $$as_root apt-get -qq update && \
	   $$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing >/dev/null; \
	then exit 0; fi; \
	echo "These could not be installed here:$$missing. Tests that need them will fail. Install them yourself" \
	  "(Debian: sudo apt install$$missing; macOS: brew install$$missing)," \
	  "or run the others: make test TESTS='unit or world'" >&2
