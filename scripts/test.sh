#!/usr/bin/env bash
# Everything that is checked: the linters, then all tests (unit, property and simulation; system;
# interop). Installs what it needs and builds first. The last line is 'N passed, N failed'; the
# exit status is 0 only if nothing failed. Run it as root: system tests make network namespaces.
#
# usage: scripts/test.sh [--no-setup] [PROJECT...]      projects: unit system interop
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$ROOT/scripts/lib/say.sh"
cd "$ROOT"

SETUP=yes
if [ "${1:-}" = --no-setup ]; then SETUP=no; shift; fi
PROJECTS=("${@:-}")
[ -n "${PROJECTS[0]}" ] || PROJECTS=(unit system interop)

PASSED=0
FAILED=0
REPORTS=$(mktemp -d "${TMPDIR:-/tmp}/tapswitch-test.XXXXXX")
trap 'rm -rf "$REPORTS"' EXIT

# A linter counts as one check.
lint() {
  doing "lint: $1"
  if npm run --silent "$2"; then PASSED=$((PASSED + 1)); else FAILED=$((FAILED + 1)); fi
}

# A project's tests are counted from vitest's report; a run without a report is a failure.
project() {
  local report=$REPORTS/$1.json status=0 counts
  doing "tests: $1"
  npx vitest run --project "$1" --reporter=default --reporter=json \
    --outputFile.json="$report" || status=$?
  counts=$(count "$report" "$status")
  PASSED=$((PASSED + ${counts% *}))
  FAILED=$((FAILED + ${counts#* }))
}

# Failures outside of a test (an import that throws, a process that dies) count as one.
count() {
  node -e '
    const { readFileSync } = require("node:fs");
    let report = {};
    try { report = JSON.parse(readFileSync(process.argv[1], "utf8")); } catch {}
    const passed = report.numPassedTests ?? 0;
    const broken = Number(process.argv[2]) !== 0 || passed === 0 ? 1 : 0;
    console.log(passed, Math.max(report.numFailedTests ?? 0, broken));
  ' "$1" "$2"
}

[ "$(id -u)" = 0 ] || die "the system tests make network namespaces: run this as root" \
  "sudo ./scripts/test.sh    (without root: npm run test:unit)"
[ "$SETUP" = no ] || "$ROOT/scripts/setup.sh" test
lint "TypeScript, scripts" lint
for name in "${PROJECTS[@]}"; do project "$name"; done

printf '\n%d passed, %d failed\n' "$PASSED" "$FAILED"
[ "$FAILED" -eq 0 ]
