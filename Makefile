# Everything here needs only Rust, a C compiler and python3; `scripts/setup` brings the rest.
.DEFAULT_GOAL := help
.PHONY: help up test lint fmt bench setup python proto-baseline

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 18

up: python ## build Muster and run it here with its own NATS and PostgreSQL
	@scripts/setup nats-server postgresql mail-server mariadb redis
	@exec cargo run --locked -p muster -- up

test: setup ## all checks, then all tests
	@scripts/check

lint: setup ## all checks, no tests
	@scripts/check rustfmt clippy docs arrows proto-lint proto-breaking dependencies console

fmt: ## format the Rust code
	cargo fmt --all

bench: setup ## measure
	cargo build --locked --release -p muster
	cargo bench --locked -p muster-testing

proto-baseline: setup ## record additions to the protobuf contracts; refuses a breaking change
	@export PATH="$$(scripts/setup --where)/tools/bin:$$PATH" && cd proto && \
	if [ -e baseline.binpb ]; then buf breaking --against baseline.binpb; fi && \
	buf build --exclude-source-info -o baseline.binpb

setup: python
	@scripts/setup

python:
	@command -v python3 >/dev/null || { echo "setup: python3 is missing. Next: apt-get install python3"; exit 1; }
