# Everything that people and CI do with this repository. `make` alone says what there is.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

GO  ?= go
BIN := $(CURDIR)/bin

# What all Go is built and tested with. no_fs_access: the WAF's engine keeps uploads in memory and needs no writable disk.
TAGS := no_fs_access
export GOFLAGS := $(strip $(GOFLAGS) -tags=$(TAGS))

# Folders with a go.mod, tools/ left out: the product, what outsiders import, the black-box tests.
MODULES := . sdk tests

# Tools are built into bin/ when their versions change: the stamp's name is the sum of tools/go.sum.
TOOLS_STAMP := bin/.tools-$(shell cksum < tools/go.sum | cut -d' ' -f1)
WITH_TOOLS  := PATH="$(BIN):$$PATH"

# Field limits are written with protovalidate's options. Their .proto comes in a module without Go packages, which
# go mod tidy would drop from any go.mod: so it is pinned here. Raise it together with buf.build/go/protovalidate.
PROTOVALIDATE         := github.com/bufbuild/protovalidate
PROTOVALIDATE_VERSION := v1.2.2
PROTOVALIDATE_SUM     := a1dc1163ebac930b3b070655b91f2bc78df8b4aea940021661fe5ec7904a7b88
SHA256                := $(shell command -v sha256sum || echo shasum -a 256)

# Programs of the product. What lies in a folder of its own below deploy/local (the demo upstream) is built as well.
PROGRAMS := ./controlplane/cmd/sallyport-control ./dataplane/cmd/sallyport-edge \
            $(patsubst %/main.go,./%,$(wildcard deploy/local/*/main.go deploy/local/*/*/main.go))

# The race detector needs cgo, which needs a C compiler.
CC_FOUND := $(shell command -v $${CC:-cc} || command -v gcc || command -v clang)
RACE     := $(if $(CC_FOUND),-race)

# The console is built when what it is made of changes, and its packages are installed when their lock file does.
NODE_STAMP := web/node_modules/.installed-$(shell cksum < web/package-lock.json | cut -d' ' -f1)
WEB_STAMP  := web/dist/.built

# So are those of the OpenID provider that tests run.
PROVIDER       := tests/harness/provider
PROVIDER_STAMP := $(PROVIDER)/node_modules/.installed-$(shell cksum < tests/harness/provider/package-lock.json | cut -d' ' -f1)
WEB_MADE_OF := $(shell find web/client web/ui web/console -type f -not -name schema.gen.ts -not -path '*/node_modules/*') \
               web/package.json web/tsconfig.json controlplane/internal/api/openapi.json

# Black-box packages of tests/ run the built programs; the rest of tests/ are unit tests.
BLACK_BOX := e2e chaos compat conformance
NOT_UNIT  := /(e2e|chaos|conformance|compat|soak)(/|$$)

# The commit whose programs and contract this build must get on with: the end of the issue before.
BASE := $(shell cat tests/compat/BASE)

UNIT_TIMEOUT      ?= 10m
BLACK_BOX_TIMEOUT ?= 20m
LONG_TIMEOUT      ?= 4h
FUZZTIME          ?= 2m
BENCH             ?= .
BENCH_COUNT       ?= 5
SUITE             ?= all
BENCH_RESULTS     ?= bench-results
BENCH_FLAGS       ?=

# go build takes a file of this name beside a program's main package for its profile.
PGO_PROFILE := dataplane/cmd/sallyport-edge/default.pgo

say = @printf '\n==> %s\n' $(1)

.PHONY: help
help: ## Say what there is to make
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Start the whole stack on this machine: Postgres, control plane, two edges, a demo service
	@exec bin/sallyport-local

.PHONY: build
build: $(WEB_STAMP) ## Build the programs into bin/, the console in them
	$(call say,"building the programs into bin/")
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ $(PROGRAMS)
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/sallyport-local ./deploy/local
	CGO_ENABLED=0 $(GO) -C sdk build -trimpath -o "$(BIN)/" ./cmd/sallyport

.PHONY: test
test: test-unit test-web test-black-box ## Test the three modules and the console, then the built programs end to end

.PHONY: provider
provider: $(PROVIDER_STAMP) ## Install the OpenID provider that tests run

$(PROVIDER_STAMP): $(PROVIDER)/package-lock.json
	$(call say,"installing the tests' OpenID provider")
	cd $(PROVIDER) && npm ci --no-audit --no-fund
	@touch $@

.PHONY: test-unit
test-unit: provider
	$(if $(RACE),,@echo "no C compiler found: tests run without the race detector (install gcc or clang to have it)")
	$(call say,"unit tests$(if $(RACE), with the race detector): the product$(,) at most $(UNIT_TIMEOUT) a package")
	$(GO) test $(RACE) -timeout $(UNIT_TIMEOUT) ./...
	$(if $(RACE),$(call say,"what the race detector hides: allocations per request"))
	$(if $(RACE),$(GO) test -run AllocatesNothing ./dataplane/internal/listener ./dataplane/internal/upstream)
	$(call say,"unit tests: sdk")
	$(GO) -C sdk test $(RACE) -timeout $(UNIT_TIMEOUT) ./...
	$(call say,"unit tests: tests")
	cd tests && $(GO) test $(RACE) -timeout $(UNIT_TIMEOUT) $$($(GO) list ./... | grep -Ev '$(NOT_UNIT)')

.PHONY: web
web: $(WEB_STAMP) ## Build the console into web/dist, from where build takes it

$(WEB_STAMP): $(WEB_MADE_OF) $(NODE_STAMP)
	$(call say,"building the console")
	cd web && npm run --silent build
	@touch $@

$(NODE_STAMP): web/package-lock.json
	$(call say,"installing the console's packages")
	cd web && npm ci --no-audit --no-fund
	@touch $@

.PHONY: test-web
test-web: build provider
	$(call say,"the console: unit tests")
	cd web && npm run --silent unit
	$(call say,"the console in a browser")
	cd web && SALLYPORT_BIN="$(BIN)" npm run --silent browser

.PHONY: test-black-box
test-black-box: build provider
	$(call say,"black-box tests against the built programs: $(BLACK_BOX)")
	cd tests && SALLYPORT_BIN="$(BIN)" $(GO) test -count=1 -timeout $(BLACK_BOX_TIMEOUT) $(BLACK_BOX:%=./%/...)

.PHONY: test-long
test-long: build provider ## Fuzz every parser for FUZZTIME, compare the WAF's engines, repeat all tests in random order (hours)
	$(call say,"fuzzing every target for $(FUZZTIME)")
	@for module in $(MODULES); do ( cd "$$module"; \
	  for package in $$($(GO) list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do \
	    for target in $$($(GO) test -list '^Fuzz' "$$package" | grep '^Fuzz' || true); do \
	      echo "fuzz $$package $$target"; \
	      $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -timeout $(LONG_TIMEOUT) "$$package"; \
	    done; \
	  done ); done
	$(call say,"thousands of random histories of a simulated fleet")
	SALLYPORT_LONG=1 $(GO) test -run TestNoHistory -timeout $(LONG_TIMEOUT) ./dataplane/internal/configsync ./controlplane/internal/edgeapi
	$(call say,"engines of the WAF beside each other$(,) on the whole corpus")
	SALLYPORT_LONG=1 $(GO) test -v -timeout $(LONG_TIMEOUT) ./dataplane/internal/waf/differential
	$(call say,"unit tests five times in random order")
	$(GO) test $(RACE) -count=5 -shuffle=on -timeout $(LONG_TIMEOUT) ./...
	$(GO) -C sdk test $(RACE) -count=5 -shuffle=on -timeout $(LONG_TIMEOUT) ./...
	$(call say,"black-box tests three times$(,) long variants included")
	cd tests && SALLYPORT_BIN="$(BIN)" SALLYPORT_LONG=1 $(GO) test -count=3 -shuffle=on -timeout $(LONG_TIMEOUT) $(BLACK_BOX:%=./%/...)

.PHONY: gen
gen: $(TOOLS_STAMP) ## Generate code: protobuf, SQL, schemas, API description, client
	$(call say,"generating: protobuf")
	@rm -rf proto/.deps && mkdir -p proto/.deps/buf/validate
	@cd proto/.deps && module=$$(GOWORK=off $(GO) mod download -json $(PROTOVALIDATE)@$(PROTOVALIDATE_VERSION) \
	  | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$$/\1/p'); \
	  install -m 0644 "$$module/proto/protovalidate/buf/validate/validate.proto" buf/validate/validate.proto; \
	  echo "$(PROTOVALIDATE_SUM)  buf/validate/validate.proto" | $(SHA256) -c --status \
	  || { echo "validate.proto isn't the one whose SHA-256 the Makefile names" >&2; exit 1; }
	cd proto && $(WITH_TOOLS) buf generate
	$(call say,"generating: SQL")
	@if [ -f controlplane/internal/postgres/sqlc.yaml ]; then \
	  cd controlplane/internal/postgres && $(WITH_TOOLS) sqlc generate; fi
	$(call say,"generating: schemas$(,) API description$(,) client")
	$(WITH_TOOLS) $(GO) generate ./proto/... # the rest is made of it
	$(WITH_TOOLS) $(GO) generate ./...
	cd sdk && $(WITH_TOOLS) $(GO) generate ./...

.PHONY: verify
verify: $(TOOLS_STAMP) ## Check that generated code is up to date, modules are tidy, import rules hold
	@before=$$($(SOURCE_TREE)); $(MAKE) gen; after=$$($(SOURCE_TREE)); \
	  if [ "$$before" != "$$after" ]; then \
	    git --no-pager diff --stat "$$before" "$$after"; \
	    echo "generated code isn't up to date: run make gen and commit what it changes" >&2; exit 1; \
	  fi
	$(call say,"modules are tidy")
	@for module in $(MODULES); do echo "go mod tidy -diff in $$module"; GOWORK=off $(GO) -C "$$module" mod tidy -diff; done
	$(call say,"every module builds by itself")
	@for module in $(MODULES); do echo "go build in $$module"; GOWORK=off $(GO) -C "$$module" build ./...; done
	$(call say,"import rules and other habits")
	$(GO) test ./internal/habits
	$(call say,"the contract$(,) also beside the build before ($(BASE))")
	cd proto && $(BIN)/buf lint
	@git cat-file -e '$(BASE)^{commit}' 2>/dev/null || { \
	  echo "tests/compat/BASE names a commit that isn't in this clone: fetch the whole history (git fetch --unshallow)" >&2; exit 1; }
	@before=$$(mktemp -d); trap 'rm -rf "$$before"' EXIT; git archive $(BASE) proto | tar -x -C "$$before"; \
	  cp -R proto/.deps "$$before/proto/"; cd proto && $(BIN)/buf breaking --against "$$before/proto"

# The tree of all files, ignored ones left out, whether committed or not: what gen must not change.
SOURCE_TREE = set -e; index=$$(mktemp -d); trap 'rm -rf "$$index"' EXIT; \
  export GIT_INDEX_FILE="$$index/index"; git add --all .; git write-tree

.PHONY: lint
lint: $(TOOLS_STAMP) ## Lint Go and protobuf
	@for module in $(MODULES); do printf '\n==> golangci-lint in %s\n' "$$module"; ( cd "$$module" && "$(BIN)/golangci-lint" run ./... ); done
	$(call say,"buf lint")
	cd proto && $(BIN)/buf lint

.PHONY: fmt
fmt: $(TOOLS_STAMP) ## Format Go and protobuf
	@for module in $(MODULES); do ( cd "$$module" && "$(BIN)/golangci-lint" fmt ./... ); done
	cd proto && $(BIN)/buf format --write --exclude-path .deps

.PHONY: bench
bench: build ## Measure what is promised (SUITE=gateway|product|flood|all, or waf, BENCH_FLAGS="-quick -only plain")
	$(call say,"measuring: $(SUITE)")
	SALLYPORT_BIN="$(BIN)" $(GO) run ./tests/bench -suite $(SUITE) -out "$(BENCH_RESULTS)" $(BENCH_FLAGS)

.PHONY: bench-peers
bench-peers: ## Measure the gateway beside nginx, HAProxy, Caddy and Traefik, into bench-results/
	@$(MAKE) bench SUITE=gateway

.PHONY: bench-flood
bench-flood: ## Measure what a flood of dear bodies from a tenth of the clients does to the p99 of the others
	@$(MAKE) bench SUITE=flood

.PHONY: pgo
pgo: build ## Profile the edge under load, for the compiler: from then on build takes it into account
	$(call say,"where the edge's time goes$(,) into $(PGO_PROFILE)")
	SALLYPORT_BIN="$(BIN)" $(GO) run ./tests/bench -profile $(PGO_PROFILE) $(BENCH_FLAGS)

.PHONY: bench-micro
bench-micro: ## Run every micro-benchmark (BENCH, BENCH_COUNT)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(BENCH_COUNT) ./proto/... ./dataplane/... ./controlplane/...

.PHONY: clean
clean: ## Remove what was built (tools and the local stack's data stay)
	rm -rf $(foreach program,$(PROGRAMS),bin/$(notdir $(program))) bin/sallyport bin/sallyport-local proto/.deps dist coverage* web/dist/console $(WEB_STAMP)

$(TOOLS_STAMP): tools/go.mod tools/go.sum
	$(call say,"building the tools into bin/ (minutes the first time$(,) then only when their versions change)")
	@mkdir -p bin
	GOBIN="$(BIN)" GOWORK=off $(GO) -C tools install tool
	@rm -f bin/.tools-*
	@touch $@

, := ,
