#!/usr/bin/env bash
# Everything that is checked: the linters, then all tests (unit, property and simulation; system;
# interop; browser). Installs what it needs and builds first. The last line is 'N passed, N failed';
# the exit status is 0 only if nothing failed. Run it as root: system tests make network namespaces.
#
# System and interop tests mostly wait, each in namespaces of their own: they run side by side. Named
# projects run one after the other, in the order given.
#
# usage: scripts/test.sh [--no-setup] [PROJECT...]      projects: unit system interop browser
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$ROOT/scripts/lib/say.sh"
cd "$ROOT"

SETUP=yes
if [ "${1:-}" = --no-setup ]; then SETUP=no; shift; fi
PROJECTS=("$@")

PASSED=0
FAILED=0
REPORTS=$(mktemp -d "${TMPDIR:-/tmp}/tapswitch-test.XXXXXX")
trap 'rm -rf "$REPORTS"' EXIT

# A linter counts as one check.
lint() {
  doing "lint: $1"
  if npm run --silent "$2"; then PASSED=$((PASSED + 1)); else FAILED=$((FAILED + 1)); fi
}

# Runs a project's tests; what becomes of them is in its report.
run() {
  local status=0
  npx vitest run --project "$1" --reporter=default --reporter=json \
    --outputFile.json="$REPORTS/$1.json" || status=$?
  echo "$status" >"$REPORTS/$1.status"
}

# A project's tests are counted from vitest's report; a run without a report is a failure.
tally() {
  local counts
  counts=$(count "$REPORTS/$1.json" "$(cat "$REPORTS/$1.status")")
  PASSED=$((PASSED + ${counts% *}))
  FAILED=$((FAILED + ${counts#* }))
}

project() {
  doing "tests: $1"
  run "$1"
  tally "$1"
}

# Two projects at once: the first is seen as it goes, the second when both are over.
together() {
  doing "tests: $1, and beside them $2"
  run "$2" >"$REPORTS/$2.log" 2>&1 &
  run "$1"
  wait $!
  doing "tests: $2"
  cat "$REPORTS/$2.log"
  tally "$1"
  tally "$2"
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
if [ ${#PROJECTS[@]} -gt 0 ]; then
  for name in "${PROJECTS[@]}"; do project "$name"; done
else
  project unit
  together interop system
  project browser
fi

printf '\n%d passed, %d failed\n' "$PASSED" "$FAILED"
[ "$FAILED" -eq 0 ]
