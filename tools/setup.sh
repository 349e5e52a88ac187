#!/usr/bin/env bash
# Set up the laboratory inside the clone: Jupyter in .venv, the Go kernel, the XLA plugin, a warm build cache.
#
#   tools/setup.sh [lab|test|bench|grade]      lab is the default; test, bench and grade add what those need
#
# Each step leaves a stamp named by the hash of what it was made from, so that an interrupted run goes on where it stopped, a changed pin
# runs one step again, and a second run does nothing. Nothing is written outside the clone but Go's own caches.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD venv=$PWD/.venv
what=${1:-lab} backend=${BACKEND:-cpu}
stamps=$venv/stamps bin=$venv/latent/bin
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONDONTWRITEBYTECODE= GOEXPERIMENT=simd GOFLAGS=

die() { echo "setup: $*" >&2; exit 1; }
doing=
trap '[ -z "$doing" ] || echo "setup: $doing: failed, see above; run it again when that is mended" >&2' EXIT
trap 'doing=; echo; echo "setup: interrupted; run it again and it goes on from here" >&2; exit 130' INT TERM

# step NAME INPUTS… : run step_NAME unless it was completed with the same inputs.
step() {
  local name=$1 title=$2 hash begun; shift 2
  hash=$( { cat "$@" "$0" 2>/dev/null || true; echo "$root ${PYTHON_VERSION:-} ${GO_VERSION:-} ${GO_ROOT:-}"; } | cksum | cut -d' ' -f1)
  [ "$(cat "$stamps/$name" 2>/dev/null)" = "$hash" ] && return 0
  echo "→ $title"
  begun=$SECONDS
  doing=$title
  "step_$name" # not in a condition: there bash would go on after an error inside
  doing=
  mkdir -p "$stamps" && echo "$hash" >"$stamps/$name.part" && mv "$stamps/$name.part" "$stamps/$name"
  echo "  done in $((SECONDS - begun)) s"
}

check() {
  command -v go >/dev/null || die "Go is missing. Install Go 1.26 or newer: https://go.dev/dl"
  GO_VERSION=$(go env GOVERSION) || die "the go command does not work"
  case $GO_VERSION in go1.2[6-9]*|go1.[3-9][0-9]*|go1.[1-9][0-9][0-9]*|devel*) ;; *) die "Go 1.26 or newer is needed, this is $GO_VERSION. Install it: https://go.dev/dl" ;; esac
  GO_ROOT=$(go env GOROOT)
  python=${PYTHON:-}
  for p in ${python:-python3 python3.14 python3.13 python3.12 python3.11 python3.10}; do
    if command -v "$p" >/dev/null && "$p" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then python=$p; break; fi
    python=
  done
  [ -n "$python" ] || [ -z "${PYTHON:-}" ] || die "PYTHON=$PYTHON is no Python 3.10 or newer"
  [ -n "$python" ] || die "Python 3.10 or newer is needed (found: $(python3 --version 2>/dev/null || echo none)). On Debian or Ubuntu: apt install python3 python3-venv; on macOS: brew install python"
  PYTHON_VERSION=$("$python" --version)
  [ -x "$venv/bin/python" ] || "$python" -c 'import venv, ensurepip' 2>/dev/null || die "Python's venv module is missing. On Debian or Ubuntu: apt install python3-venv"
  command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null || die "a C compiler is missing. On Debian or Ubuntu: apt install gcc; on macOS: xcode-select --install"
  if [ ! -d "$stamps" ]; then
    local free need=3; free=$(df -Pk . | awk 'NR==2 {print int($4 / 1024)}')
    [ "$backend" != cuda ] || need=8
    [ "$free" -ge $((need * 1000)) ] || die "$need GB of free disk are needed here, there are $((free / 1000)).$((free % 1000 / 100)) GB"
    echo "Setting up Latent in $root; the first time takes two to six minutes and some 2 GB."
  fi
}

pip_install() { "$venv/bin/python" -m pip install --quiet --require-hashes --only-binary :all: "$@"; }

step_venv() {
  rm -rf "$venv"/{bin,lib,lib64,include,pyvenv.cfg} # of another Python, perhaps; what else lies there has stamps of its own
  "$python" -m venv "$venv"
}
step_jupyter() { pip_install -r tools/requirements.txt; }
step_tests() {
  pip_install -r tools/requirements-test.txt
  (cd tools/lint && GOBIN=$bin go install tool) # a module of its own: gopls wants another version of staticcheck
}
step_bench() {
  rm -rf .venv-bench && "$python" -m venv .venv-bench
  .venv-bench/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r bench/requirements.txt
}
step_grade() { # an environment of its own: its extensions of JupyterLab are for teachers
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "nbgrader needs Python 3.11 or newer, this is $PYTHON_VERSION. Name another by PYTHON=python3.12"
  rm -rf .venv-grade && "$python" -m venv .venv-grade
  .venv-grade/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r tools/requirements-grade.txt
}
step_gotools() {
  mkdir -p "$bin"
  (cd tools && GOBIN=$bin go install tool && go build -o "$venv/latent/cell/go" ./cellgo && go build -o "$venv/latent/cell/goimports" ./cellimports &&
    go build -o "$venv/latent/cell/cellrun" ./cellrun && go build -o "$bin/latent-kernel" ./kernel)
}

step_xla() {
  rm -rf "$venv/latent/xla" "$venv/latent/xla.part" && mkdir -p "$venv/latent/xla" "$venv/log"
  case "$(uname -sm)" in
  "Linux x86_64")
    for file in requirements-xla requirements-xla-fallback; do
      if pip_install --no-deps --target "$venv/latent/xla.part" -r "tools/$file.txt"; then
        find "$venv/latent/xla.part" -name '*pjrt*cpu*.so' -exec mv {} "$venv/latent/xla/pjrt_c_api_cpu_plugin.so" \;
        rm -rf "$venv/latent/xla.part"
        [ -s "$venv/latent/xla/pjrt_c_api_cpu_plugin.so" ] && return 0
      fi
    done
    echo "  The XLA plugin can't be had from PyPI; trying GoMLX's own installer." ;;
  *) echo "  No XLA plugin on PyPI for $(uname -sm); trying GoMLX's own installer." ;;
  esac
  local limit=; ! command -v timeout >/dev/null || limit="timeout 300" # macOS has none
  if $limit go run ./internal/xlainstall "$venv/latent/xla" >"$venv/log/xla.log" 2>&1; then return 0; fi
  echo "  No XLA here: neural networks will run on GoMLX's pure-Go backend, slower and with nothing else to install."
}

# Not yet run on a machine with a GPU. The plugin loads CUDA's libraries from the folder ../nvidia beside its own, and go-xla finds it by
# this name. Only shared libraries are used, so the Python that the wheels ask for does not matter.
step_cuda() {
  local dir=$venv/latent/cuda
  [ "$(uname -sm)" = "Linux x86_64" ] || die "BACKEND=cuda is for Linux on x86-64"
  rm -rf "$dir" && mkdir -p "$dir/pjrt"
  pip_install --no-deps --ignore-requires-python --target "$dir" -r tools/requirements-cuda.txt
  mv "$dir/jax_plugins/xla_cuda13/xla_cuda_plugin.so" "$dir/pjrt/pjrt_c_api_cuda_plugin.so"
}

step_kernel() {
  local dir=$venv/share/jupyter/kernels/gonb
  mkdir -p "$dir" "$venv/log"
  LATENT_ROOT=$root "$venv/bin/python" tools/kernelspec.py >"$dir/kernel.json.part" && mv "$dir/kernel.json.part" "$dir/kernel.json"
  # JupyterLab shows a kernel as Unknown until it has answered something that counts. Its first question, about the kernel, does not count by default, and the next one,
  # about history, gonb does not answer: page_config.json lets the first count. The overrides wrap lines of code that are wider than the page, ask for no news, give completions time and their
  # documentation, and leave the width of the file browser to the files' names.
  mkdir -p "$venv/etc/jupyter/labconfig" && cp tools/labconfig/*.json "$venv/etc/jupyter/labconfig/"
  [ -e .jupyter/custom/custom.css ] || { mkdir -p .jupyter/custom && cp tools/labconfig/custom.css .jupyter/custom/; } # a reader's own is left
}

# All of go.mod's modules, those of tests too: a cell is built in a workspace, where the go command looks each of them up, and without a
# proxy.
step_warm() { go mod download && go build ./... && go build -ldflags="-s -w" -o /dev/null ./internal/warm; }

step_trust() {
  ls notebooks/[0-9]*.ipynb >/dev/null 2>&1 || return 0
  JUPYTER_DATA_DIR=$venv/share/jupyter JUPYTER_CONFIG_DIR=$root/.jupyter "$venv/bin/jupyter" trust notebooks/[0-9]*.ipynb >/dev/null
}

check
step venv "Python environment in .venv" /dev/null
step jupyter "JupyterLab (about 30 s)" tools/requirements.txt
step gotools "GoNB, goimports and gopls (about 90 s the first time)" tools/go.mod tools/go.sum tools/cell*/*.go tools/kernel/*.go
step xla "XLA for the CPU (63 MB)" tools/requirements-xla.txt tools/requirements-xla-fallback.txt
[ "$backend" != cuda ] || step cuda "XLA for CUDA (4 GB on disk)" tools/requirements-cuda.txt
step kernel "The Go kernel" tools/kernelspec.py tools/labconfig/* "$stamps/xla" "$stamps/cuda"
step warm "Go build cache, so that the first cell is quick (about 60 s the first time)" go.mod go.sum
step trust "Trusting the notebooks of this clone" notebooks/[0-9]*.ipynb
[ "$what" != test ] || step tests "Test tools" tools/requirements-test.txt tools/lint/go.mod
[ "$what" != bench ] || step bench "The Python peers in .venv-bench (about a minute)" bench/requirements.txt
[ "$what" != grade ] || step grade "nbgrader in .venv-grade (about a minute)" tools/requirements-grade.txt
