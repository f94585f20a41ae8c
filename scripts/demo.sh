#!/usr/bin/env bash
# The bond experiment, step by step, on real interfaces: two bridges, a bond of two links between
# them, a host on either side. Installs what it needs, builds, runs, explains, and removes
# everything again, also when it is interrupted. Exit status 0 only if every step showed what it
# must.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: sudo ./scripts/demo.sh [options]
  --ovs-tools      type the commands with Debian's ovs-vsctl, ovs-ofctl, ovs-appctl
  --switch ovs     run the same against Debian's Open vSwitch, for comparison
  --seconds N      length of each iperf3 run (default 3)
  --no-setup       install and build nothing
  -h, --help       this text
TEXT
}

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SWITCH=tapswitch TOOLS=own SECONDS_OF_TCP=3 SETUP=yes
while [ $# -gt 0 ]; do
  case $1 in
    --ovs-tools) TOOLS=ovs ;;
    --switch) SWITCH=${2:-}; shift ;;
    --seconds) SECONDS_OF_TCP=${2:-}; shift ;;
    --no-setup) SETUP=no ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
case $SWITCH in tapswitch | ovs) ;; *) usage >&2; exit 2 ;; esac
case $SECONDS_OF_TCP in '' | *[!0-9]* | 0) usage >&2; exit 2 ;; esac

. "$ROOT/scripts/lib/say.sh"
. "$ROOT/scripts/lib/switch.sh"
. "$ROOT/scripts/lib/topology.sh"

# The steps run as a process group of their own (the worker), out of the terminal's reach. This
# script waits, and alone answers signals: a trap that strikes in the middle of the steps would be
# read by bash wherever it just is, also within an unfinished $(...).
WORKER='' INTERRUPTED=''

interrupt() {
  INTERRUPTED=$1
  [ -z "$WORKER" ] || end_worker
}

# Until setsid has made the group, the worker is a process only.
end_worker() {
  kill -TERM -- "-$WORKER" 2>/dev/null || kill -TERM "$WORKER" 2>/dev/null || true
}

# Zombies count as gone: their parent may be an init that does not care.
worker_gone() {
  cat /proc/[0-9]*/stat 2>/dev/null |
    awk -v group="$WORKER" '{ sub(/.*\) /, ""); if ($3 == group && $1 != "Z") found = 1 }
      END { exit found }'
}

# Ends what the worker left running (the switch among it), removes what it made.
clean_up() {
  end_worker
  wait_until 7 worker_gone || kill -KILL -- "-$WORKER" 2>/dev/null || true
  wait "$WORKER" 2>/dev/null || true
  [ "$(cat "$STATE/run" 2>/dev/null)" != "$RUN" ] || remove_topology
  rm -rf "$RUN"
}

main() {
  local status=0
  RUN=$(mktemp -d "${TMPDIR:-/tmp}/tapswitch-demo.XXXXXX")
  export ROOT RUN SWITCH TOOLS SECONDS_OF_TCP SETUP DEMO_PID=$$
  trap 'interrupt 130' INT
  trap 'interrupt 143' TERM HUP
  setsid bash "$ROOT/scripts/lib/demo-steps.sh" </dev/null &
  WORKER=$!
  [ -z "$INTERRUPTED" ] || end_worker
  wait "$WORKER" 2>/dev/null || status=$?
  trap '' INT TERM HUP
  clean_up
  if [ -n "$INTERRUPTED" ]; then
    say "interrupted; everything is removed"
    exit "$INTERRUPTED"
  fi
  case $status in
    0) exit 0 ;;
    3 | 4) ;;
    *) say "a command above failed; everything is removed" ;;
  esac
  exit 1
}

main
