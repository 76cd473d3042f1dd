# Every target brings its own environment (.venv), so `make start` is the only thing to know on a fresh machine.
export UV_PYTHON_DOWNLOADS := never
LABS := .venv/bin/labs
COMPOSE := docker compose
PROFILE := all
UV := .venv/uv/bin/uv
COMPILE := pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header

.NOTPARALLEL:
.PHONY: help start up down test test-docker lint format lock uncapped bench clean environment

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

start: environment ## set up, look at this machine, grade a sample submission, show the board
	@$(LABS) doctor || [ $$? -eq 1 ]
	@printf '\nA sample submission of serve_a_model, with faults that a first try often has:\n\n'
	@rm -rf .venv/sample && cp -R infra/sample_submission .venv/sample
	@LABS_WORK=.venv/sample $(LABS) check serve_a_model || [ $$? -eq 1 ]
	@printf '\nThat was ours. Yours begins here:\n\n'
	@$(LABS) list

up: ## real servers in containers; PROFILE=tracking, orchestration, features, monitoring or all
	@python3 infra/compose/make_secrets.py
	@$(COMPOSE) --profile $(PROFILE) up --detach --build --wait
	@printf '\nWhat is where: docs/services-compose.md\n'

down: ## end what `make up` started; ARGS=--volumes removes its data as well
	@$(COMPOSE) --profile all down --remove-orphans $(ARGS)

# authors only
test: environment lint ## lint, then every test and the gate of every lab
	@.venv/bin/python -m pytest tests -p xdist -n 2 --dist loadfile --no-loadscope-reorder

test-docker: environment ## docker-compose.yml on a real engine: up, used, down; some minutes
	@.venv/bin/python -m pytest tests/docker/stack_on_an_engine.py -s

lint: environment ## ruff and mypy
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

format: environment ## put the code into the one format
	@.venv/bin/ruff check --select I --fix --quiet .
	@.venv/bin/ruff format .

lock: environment ## resolve requirements.in again; UPGRADE=--upgrade takes newer versions
	@$(UV) $(COMPILE) $(UPGRADE) requirements.in --output-file requirements.lock
	@$(UV) $(COMPILE) --constraints requirements.lock infra/images/course/requirements.in \
		--output-file infra/images/course/requirements.lock
	@echo uv | $(UV) $(COMPILE) $(UPGRADE) - --output-file infra/bootstrap/uv.lock
	@echo "requirements.lock is written. Next: make test"

uncapped: environment ## what would break without the caps in requirements.in (needs the network)
	@.venv/bin/python infra/bootstrap/uncapped.py

bench: environment ## every benchmark
	@for file in benchmarks/[a-z]*.py; do \
		[ -e "$$file" ] || { echo "There is no benchmark yet."; exit 0; }; \
		echo "== $$file"; .venv/bin/python "$$file" || exit 1; \
	done

# for all
clean: ## remove .venv, caches and build output; work/ and .labs/ stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
	@find labs infra stage[0-9]_* $(wildcard tests benchmarks) -name __pycache__ -type d -prune -exec rm -rf {} +

environment:
	@sh infra/bootstrap/environment.sh

.DEFAULT:
	@echo "There is no target '$@'. What there is: make help"; exit 2
