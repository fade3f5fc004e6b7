#!/usr/bin/env bash
# From a bare clone to a verdict: sets up, checks style and types, runs the tests.
# With MMSER_DATA set to the folder of corpora and calls, the data tests run too. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh dev
# The browser tests drive Debian's Chromium; without it they are skipped, and the suite says so.
if ! command -v chromium >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  (apt-get update -qq && apt-get install -y -qq chromium) >/dev/null 2>&1 || echo "test: no Chromium to be had" >&2
fi
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
# One process per core, one thread each: two torch threads on shared cores can be slower than one.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec .venv/bin/python -m pytest --numprocesses "${MMSER_TEST_PROCESSES:-2}" "$@"
