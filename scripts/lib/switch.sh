# Starting, asking and stopping the switch that the demo runs: tapswitch, or Debian's Open vSwitch
# for comparison. Everything it writes lies in RUN, a directory of this run alone.
# Not for: interfaces and namespaces (topology.sh).
#
# Set by the caller: ROOT (the checkout), RUN, SWITCH (tapswitch|ovs), TOOLS (own|ovs).

SWITCH_PIDS=() # processes to end, in this order
TOOL_PREFIX='' # what as_typed puts before vsctl, ofctl, appctl

switch_environment() {
  export OVS_RUNDIR=$RUN OVS_DBDIR=$RUN OVS_LOGDIR=$RUN
  [ "$SWITCH" = ovs ] && TOOLS=ovs
  if [ "$TOOLS" = ovs ]; then TOOL_PREFIX='ovs-'; else TOOL_PREFIX='tapswitch '; fi
}

vsctl() { tool vsctl --timeout=20 "$@"; }
ofctl() { tool ofctl "$@"; }
appctl() { tool appctl "$@"; }

tool() {
  local name=$1
  shift
  if [ "$TOOLS" = ovs ]; then
    timeout --foreground 30 "ovs-$name" "$@"
  else
    timeout --foreground 30 "$ROOT/bin/tapswitch" "$name" "$@"
  fi
}

start_switch() {
  if [ "$SWITCH" = ovs ]; then start_ovs; else start_tapswitch; fi
}

start_tapswitch() {
  "$ROOT/bin/tapswitch" start >"$RUN/tapswitch.out" 2>&1 </dev/null &
  SWITCH_PIDS=($!)
  wait_for_switch "$RUN/tapswitch.out"
}

start_ovs() {
  local schema=/usr/share/openvswitch/vswitch.ovsschema
  ovsdb-tool create "$RUN/conf.db" "$schema"
  ovsdb-server --remote="punix:$RUN/db.sock" --log-file="$RUN/ovsdb-server.log" \
    -vconsole:off --pidfile "$RUN/conf.db" >/dev/null 2>&1 </dev/null &
  SWITCH_PIDS=($!)
  wait_until 10 test -S "$RUN/db.sock"
  # Open vSwitch hands on segments and unfinished checksums only with this setting.
  ovs-vsctl --no-wait --timeout=10 init -- \
    set Open_vSwitch . other_config:userspace-tso-enable=true
  ovs-vswitchd --log-file="$RUN/ovs-vswitchd.log" -vconsole:off --pidfile \
    "unix:$RUN/db.sock" >/dev/null 2>&1 </dev/null &
  SWITCH_PIDS=($! "${SWITCH_PIDS[@]}")
  wait_for_switch "$RUN/ovs-vswitchd.log"
}

wait_for_switch() {
  local log=$1 tries=0
  until vsctl --no-wait show >/dev/null 2>&1 && appctl version >/dev/null 2>&1; do
    tries=$((tries + 1))
    if ! kill -0 "${SWITCH_PIDS[0]}" 2>/dev/null || [ "$tries" -gt 100 ]; then
      sed 's/^/       /' "$log" >&2
      die "the switch did not start (its output stands above)"
    fi
    sleep 0.1
  done
}

# add_bridge NAME: a bridge in user space, whichever switch it is.
add_bridge() {
  if [ "$SWITCH" = ovs ]; then
    show vsctl add-br "$1" -- set bridge "$1" datapath_type=netdev
  else
    show vsctl add-br "$1"
  fi
}

stop_switch() {
  local pid
  # Open vSwitch keeps its interfaces on SIGTERM; this is how it takes them along.
  if [ "$SWITCH" = ovs ] && [ "${#SWITCH_PIDS[@]}" -gt 0 ]; then
    appctl exit --cleanup >/dev/null 2>&1 || true
    wait_until 5 process_gone "${SWITCH_PIDS[0]}" || true
  fi
  for pid in "${SWITCH_PIDS[@]}"; do
    kill -TERM "$pid" 2>/dev/null || continue
    wait_until 5 process_gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  SWITCH_PIDS=()
}

# A process that has ended but was not waited for yet counts as gone.
process_gone() { ! grep -qs '^State:[[:space:]]*[^Z]' "/proc/$1/status"; }

# wait_until SECONDS COMMAND...: tries ten times a second; fails when the time is over.
wait_until() {
  local tries=$(($1 * 10))
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 0.1
  done
}

# active_member BOND: the interface name that bond/show calls active, or 'none'.
active_member() {
  appctl bond/show "$1" | sed -n 's/^active member mac: .*(\(.*\))$/\1/p'
}

active_is() { [ "$(active_member "$1")" = "$2" ]; }

# ofport IF: the interface's OpenFlow port number.
ofport() { vsctl get Interface "$1" ofport; }
