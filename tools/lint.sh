#!/usr/bin/env bash
# What a reviewer should not have to say: formatting, vet, staticcheck, comments of at most 100 columns.
set -euo pipefail
cd "$(dirname "$0")/.."
unformatted=$(gofmt -l $(git ls-files --cached --others --exclude-standard '*.go'))
[ -z "$unformatted" ] || { echo "not gofmt'ed: $unformatted"; exit 1; }
go vet ./...
CGO_ENABLED=0 go vet ./pkg/... # networks run without a C compiler, on the pure-Go backend
(cd tools && go vet ./cell ./cellgo ./cellimports ./cellrun ./kernel ./setuptest)
.venv/latent/bin/staticcheck ./...
(cd tools/lint && go vet ./wrap && go test ./wrap)
# What is too wide is wrapped by: cd tools/lint && go run ./wrap -w ../.. FILE...
(cd tools/lint && go run ./wrap ../..)
