# The fixed interface of this repository. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:

PREFIX ?= /usr/local
DESTDIR ?=
NAMES ?=
TARGET := x86_64-unknown-linux-gnu
LAUNCH := target/$(TARGET)/release/kata-launch

.PHONY: help run setup setup-test setup-full build build-native build-js build-guest build-node check format generate test test-full bench guest-kernel install clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

run: build ## set up what is missing, build, run a container in its own VM
	@scripts/demo

setup: ## install what building and testing need (Debian packages, npm packages)
	@scripts/setup

# First of all: a missing toolchain is told before anything is built.
setup-test:
	@scripts/setup --test

setup-full:
	@scripts/setup --full

build: setup build-native build-js build-guest build-node build/configuration.toml ## programs in build/bin, guest in build/guest, library in build/node

build-native: setup
	@cargo build --quiet --release --locked -p kata-engine -p kata-launch

build-js: build-native
	@node scripts/bundle.mjs
	@node scripts/bundle.mjs --test
	@install -m 0755 $(LAUNCH) build/bin/kata-launch

build-guest: build-js
	@guest/build

# A shared library for Node.js, and so with the host's C library.
build-node: build-js
	@RUSTFLAGS="-C target-feature=-crt-static" cargo build --quiet --release --locked -p kata-node
	@node scripts/bundle-node.mjs
	@node scripts/bundle-node.mjs --test

build/configuration.toml: build-js
	@node scripts/write-configuration.mjs $@

check: setup ## format, lint, types, unit tests (under 3 minutes)
	@scripts/check

format: ## format everything
	npx biome check --write .
	cargo fmt

generate: ## generated sources: the ops' types, the protocol codecs
	@node packages/protocols/scripts/generate.mjs
	@cargo run --quiet --locked -p kata-sys --features types --example generate-ops -- packages/sys/src/ops.gen.ts
	@node scripts/write-docs.mjs docs

test: setup-test build guest-kernel ## everything once: unit tests, ops on the engine, runk, containers in VMs, OCI conformance
	@node scripts/test.mjs

test-full: setup-full build guest-kernel ## test, then the matrix, the soak, the faults, a systemd host, docker and podman; NAMES="soak host": these of its parts
	@node scripts/test.mjs --full $(NAMES)

bench: build guest-kernel ## the promises of SPECIFICATION.md, measured; NAMES="run exec": these of them
	@node bench/run.mjs $(NAMES)

guest-kernel: setup ## our own guest kernel, build/guest/vmlinux-own (5 to 15 minutes; cached)
	@node guest/kernel-own/build.mjs

install: build ## install under DESTDIR/PREFIX
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" packaging/install

clean: ## remove what was built
	rm -rf build target
