# One word per job. `make` alone lists them. Settings go on the command line: make up PORT=8001 DATA_DIR=/srv/fanout

.DEFAULT_GOAL := help
.PHONY: help up test test-slow test-browser screenshots check try-fanout-js npm-pack prove prove-webhooks prove-mutants compare-pushpin bench demo-100k conformance cluster xmpp format lock clean
MAKEFLAGS += --no-print-directory
# Where this is set, Python compiles the whole product again at every start, which takes it a second.
unexport PYTHONDONTWRITEBYTECODE

# Finds Python 3.11 or newer, and becomes it.
PREPARE := sh deploy/python.sh deploy/prepare.py
IN_VENV := .venv/bin/python

help: ## list these jobs
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F '|' '{ printf "  %-20s %s\n", $$1, $$2 }'

up: ## install what is needed, migrate and serve everything in one process (PORT=8000 DATA_DIR=./var)
	@exec $(PREPARE) run --port-free -- $(IN_VENV) manage.py serve

test: ## install what the tests need and run them, but for the slow ones (ARGS='-k hub' goes to pytest)
	@$(PREPARE) test -- $(IN_VENV) deploy/services.py postgresql redis chromium node prosody
	@$(IN_VENV) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

test-slow: ## the tests that load, kill and deploy whole installations
	@$(PREPARE) test -- $(IN_VENV) deploy/services.py postgresql redis chromium node prosody
	@$(IN_VENV) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m slow $(ARGS)

test-browser: ## the tests in Chromium alone; tells clicks, fields and seconds of each way through the pages
	@$(PREPARE) test -- $(IN_VENV) deploy/services.py chromium node
	@$(IN_VENV) -m pytest tests/browser $(ARGS)

screenshots: ## pictures of every page, four sizes, light and dark, into var/screenshots (ARGS='landing --size phone')
	@$(PREPARE) test -- $(IN_VENV) deploy/services.py chromium
	@$(IN_VENV) -m tests.browser.screenshots $(ARGS)

check: ## format, lint, types, import contracts, architecture, templates, migrations, committed files
	@$(PREPARE) test -- $(IN_VENV) deploy/check.py

prove: ## kill processes at random for a while, and prove that nothing is lost or repeated (ARGS='--kills 110 --minutes 11 --seed 1')
	@$(PREPARE) test -- $(IN_VENV) deploy/services.py postgresql redis
	@exec $(IN_VENV) -m tests.prove.run $(ARGS)

prove-webhooks: ## kill workers, PostgreSQL and Redis while webhooks run, and prove that each event arrives (ARGS='--events 5000 --kills 28 --seconds 140 --seed 1')
	@$(PREPARE) test -- $(IN_VENV) deploy/services.py postgresql redis
	@exec $(IN_VENV) -m tests.prove.webhooks $(ARGS)

prove-mutants: ## plant known bugs in a copy of the product, and show that the prover finds each
	@$(PREPARE) test -- $(IN_VENV) deploy/services.py postgresql redis
	@exec $(IN_VENV) -m tests.prove.mutants $(ARGS)

compare-pushpin: ## play the same exchanges through Pushpin and through us, and show what differs (ARGS='--exchanges 10000 --seed 1')
	@$(PREPARE) test -- $(IN_VENV) -m tests.compare.run $(ARGS)

bench: ## measure this machine (ARGS='--scenario fan-out channels --subscribers 10000 --rounds 9')
	@$(PREPARE) test -- $(IN_VENV) deploy/services.py postgresql redis
	@$(IN_VENV) -m tests.load.bench $(ARGS)

demo-100k: ## one message to 100,000 subscribers on this machine, with a page that shows it (ARGS='--transport poll --stay')
	@$(PREPARE) test -- $(IN_VENV) deploy/services.py redis
	@exec $(IN_VENV) -m tests.load.demo.run $(ARGS)

conformance: ## try the WebSocket class with the Autobahn TestSuite (needs Python 2.7; ARGS='--cases 6.*')
	@$(PREPARE) test -- $(IN_VENV) -m tests.conformance.run $(ARGS)

cluster: ## the separate processes of a real installation on this machine (PORT=8000 EDGES=2)
	@exec $(PREPARE) run --port-free -- $(IN_VENV) deploy/cluster.py

xmpp: ## everything in one process, and a Prosody in front of it for XMPP clients (PORT=8000 XMPP_CLIENT_PORT=5222)
	@exec $(PREPARE) run --port-free -- $(IN_VENV) deploy/xmpp_pair.py

try-fanout-js: ## the library for pages, with cuts of a minute and the histogram of a reconnect storm
	@$(PREPARE) test -- $(IN_VENV) deploy/services.py postgresql redis chromium node
	@FANOUT_JS_TRIES=full $(IN_VENV) -m pytest tests/browser_library -s --timeout 300 $(ARGS)

npm-pack: ## pack static/js/fanout, the library for pages, as build/fanoutcloud-client-VERSION.tgz
	@mkdir -p build && npm pack --silent --pack-destination build ./static/js/fanout

format: ## put the code into the form that `make check` asks for
	@$(PREPARE) test
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix . && .venv/bin/djlint templates --reformat --quiet

lock: ## pin requirements/*.in again, with hashes
	@$(PREPARE) test -- $(IN_VENV) deploy/lock.py $(ARGS)

clean: ## remove the virtual environment and what was built; keeps the data in DATA_DIR
	@rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
