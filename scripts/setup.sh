#!/usr/bin/env bash
# Makes .venv and installs mmser into it; does nothing where that was done for this pyproject.toml.
#   scripts/setup.sh [EXTRAS]      for example: scripts/setup.sh dev
set -euo pipefail
cd "$(dirname "$0")/.."
extras="${1:-}"
stamp=".venv/.installed-${extras:-base}-$(sha256sum pyproject.toml | cut -c1-16)"
if [ -e "$stamp" ]; then exit 0; fi
python="$(command -v python3.11 || command -v python3)" || { echo "setup: Python 3.11 or newer is needed" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: $("$python" --version) is too old; Python 3.11 or newer is needed" >&2; exit 1; }
echo "setup: installing mmser and its dependencies into .venv (about 6 GB, a few minutes)" >&2
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check --editable ".${extras:+[$extras]}" >&2
touch "$stamp"
