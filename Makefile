# How envcrypt is built and checked. "make" alone lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.8.0
PLATFORMS   := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
FUZZTIME    ?= 20s
RACE        := ./envfile ./internal/... ./recipients
TAGS        := urfave_cli_no_docs
GO_BUILD    := CGO_ENABLED=0 go build -tags $(TAGS) -trimpath -ldflags "-s -w"

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## build, and run the main job on this repository's own secrets/
	@scripts/demo

.PHONY: build
build: ## build bin/envcrypt
	@mkdir -p bin
	$(GO_BUILD) -o bin/envcrypt ./cmd/envcrypt

.PHONY: build-all
build-all: ## build dist/ for linux, darwin and windows on amd64 and arm64
	@mkdir -p dist
	@for platform in $(PLATFORMS); do \
		os=$${platform%/*} arch=$${platform#*/} suffix=; \
		if [ "$$os" = windows ]; then suffix=.exe; fi; \
		echo "dist/envcrypt-$$os-$$arch$$suffix"; \
		GOOS=$$os GOARCH=$$arch $(GO_BUILD) -o "dist/envcrypt-$$os-$$arch$$suffix" ./cmd/envcrypt; \
	done

.PHONY: test
test: ## run all tests, those against the real sops and age too
	go vet ./...
	go test ./...
	@if command -v "$$(go env CC)" >/dev/null; then \
		echo "go test -race $(RACE)"; CGO_ENABLED=1 go test -race $(RACE); \
	else \
		echo "test: NOT RUN with the race detector, which needs a C compiler: $(RACE)"; \
	fi
	cd conformance && go vet ./... && go test -count=1 ./...  # it builds the program, which Go's cache does not see

.PHONY: bench
bench: ## measure against sops and print the ratios (see docs/performance.md)
	go run ./bench $(BENCH)

.PHONY: lint
lint: ## check formatting, vet, staticcheck, go.mod of both modules
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	GOBIN=$(CURDIR)/bin go install $(STATICCHECK)
	go vet ./...
	bin/staticcheck ./...
	for os in darwin windows; do GOOS=$$os bin/staticcheck -tests=false ./...; done
	go mod tidy -diff
	cd conformance && go vet ./... && ../bin/staticcheck ./... && go mod tidy -diff

.PHONY: vuln
vuln: ## look for known vulnerabilities, where their database can be reached
	@scripts/vuln $(GOVULNCHECK) -tags $(TAGS) ./...

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (20s)
	@scripts/fuzz $(FUZZTIME)

.PHONY: docs
docs: build ## write docs/commands.md from the help pages
	@scripts/docs bin/envcrypt > docs/commands.md.new
	@mv docs/commands.md.new docs/commands.md
