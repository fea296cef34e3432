# Everything a contributor types. `make help` lists it.
GO      ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/chitin-sh/chitin/internal/version.version=$(VERSION)
STATIC  := CGO_ENABLED=0 $(GO) build -trimpath
ARGS    ?=

.DEFAULT_GOAL := help
.PHONY: help build run test test-deps vet lint fmt generate bench fuzz runsc clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## bin/chitin: one static binary, its sandbox supervisor inside
	@mkdir -p bin internal/embedded/bin
	$(STATIC) -ldflags "-s -w" -o internal/embedded/bin/chitin-sup ./cmd/chitin-sup
	$(STATIC) -ldflags "$(LDFLAGS)" -o bin/chitin ./cmd/chitin

run: build ## build, and start the gateway on a loopback port
	@scripts/docker-up || true
	bin/chitin serve $(ARGS)

test-deps: build ## install and start what the tests need
	scripts/test-deps

test: test-deps vet lint ## every test, with the race detector
	CHITIN_REQUIRE_DOCKER=1 CHITIN_BIN=$(CURDIR)/bin/chitin $(GO) test -race -timeout 30m ./...

vet: ## go vet and gofmt
	$(GO) vet ./...
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run make fmt"; exit 1; }

lint: ## staticcheck
	$(GO) tool -modfile=tools/lint/go.mod staticcheck ./...

fmt: ## gofmt
	gofmt -w $$(git ls-files '*.go')

generate: ## write the generated documents and the configuration schema
	$(GO) run ./internal/docgen/cmd/docgen -write

bench: build ## the side-by-side measurements
	scripts/bench

fuzz: ## every fuzz target for FUZZTIME (default 20s)
	scripts/fuzz $(or $(FUZZTIME),20s)

runsc: ## bin/runsc: gVisor, for the sandbox backend that needs no daemon
	scripts/build-runsc

clean: ## remove what was built
	rm -rf bin internal/embedded/bin/chitin-sup
