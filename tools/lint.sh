#!/usr/bin/env bash
# What a reviewer should not have to say: formatting, vet, staticcheck.
set -euo pipefail
cd "$(dirname "$0")/.."
unformatted=$(gofmt -l $(git ls-files --cached --others --exclude-standard '*.go'))
[ -z "$unformatted" ] || { echo "not gofmt'ed: $unformatted"; exit 1; }
go vet ./...
(cd tools && go vet ./cellgo ./kernel ./setuptest)
.venv/latent/bin/staticcheck ./...
