# make test runs every test there is, on real parts. It needs a MariaDB (or
# MySQL) server and Chromium; what is missing it installs from Debian's
# packages, and where it may not, it says what to install and fails: a test
# that quietly did not run is worth less than none.

.PHONY: test lint deps run bench scaling drill drill-cluster attacks fuzz mutants vulncheck

test: deps lint
	go test -race -shuffle=on ./...
	go test -run=Allocates ./middleware
	go -C example test -race -shuffle=on -timeout=20m ./...
	go -C example/drill test -race -shuffle=on ./...
	go -C middleware/benchmark test -race -shuffle=on ./...
	./.ci/fuzz 30s

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these"; exit 1; }
	go vet ./...
	go -C example vet ./...
	go -C example/drill vet ./...
	go -C middleware/benchmark vet ./...
	go tool -modfile=.ci/tools.mod staticcheck ./...
	cd example && go tool -modfile=../.ci/tools.mod staticcheck ./...
	cd example/drill && go tool -modfile=../../.ci/tools.mod staticcheck ./...
	cd middleware/benchmark && go tool -modfile=../../.ci/tools.mod staticcheck ./...

deps:
	@./.ci/deps

run:
	go run -C example .

# Against its peers, in up to ten minutes; BENCH=-short takes one. Leave the
# machine alone meanwhile.
bench:
	@go run -C middleware/benchmark . $(BENCH)

# What many users ask of the database, counted in fake time and measured on a
# MariaDB of its own, in some minutes.
scaling:
	@go test -C middleware/benchmark/scaling -count=1 -timeout=30m -full $(SCALING)

# What the README's table of attacks rests on, with how often each was tried.
attacks: deps
	@./.ci/attacks

# Every fuzz target, for longer than make test has time for.
fuzz:
	@./.ci/fuzz $(or $(FUZZTIME),5m)

# Breaks the rules one by one, and says which test saw it, in some minutes.
mutants: deps
	@./.ci/mutants/run

# Three database nodes that take writes and die, in some three minutes. It
# installs galera-4, which is small.
drill-cluster:
	@./.ci/deps cluster
	@go test -C sqlstore/cluster -race -count=1 -timeout=15m -cluster

# Known vulnerabilities that the code reaches, where their database can be had.
vulncheck:
	@./.ci/vulncheck

# Every fault and every load that the example is put under, with all that
# happened checked afterwards, in a quarter of an hour; DRILL='-soak 30m' surfs on for
# as long, with a fault every two minutes. Leave the machine alone meanwhile.
drill:
	@go test -C example/drill -count=1 -timeout=2h -full $(DRILL) .
