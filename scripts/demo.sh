#!/usr/bin/env bash
# From a bare clone to a report: sets up, analyses the bundled synthetic call, says where the report is.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh
sample=mmser/assets/sample
.venv/bin/mmser analyze "$sample/call.wav" --transcript "$sample/call.vtt" --roles agent,customer \
  --overwrite -o out/demo
echo "Report: $PWD/out/demo/report.html"
