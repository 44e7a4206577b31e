# make test runs every test there is, on real parts. It needs a MariaDB (or
# MySQL) server and Chromium; what is missing it installs from Debian's
# packages, and where it may not, it says what to install and fails: a test
# that quietly did not run is worth less than none.

.PHONY: test lint deps run

test: deps lint
	go test -race -shuffle=on ./...
	go -C example test -race -shuffle=on -timeout=20m ./...

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these"; exit 1; }
	go vet ./...
	go -C example vet ./...
	go tool -modfile=.ci/tools.mod staticcheck ./...
	cd example && go tool -modfile=../.ci/tools.mod staticcheck ./...

deps:
	@./.ci/deps

run:
	go run -C example .
