# The interfaces and namespaces of the bond experiment, made and removed.
#
#   netns test1                                                       netns test2
#   vethm 10.10.10.1/24 -- vethn [br1] bond1 vetha == vethb bond2 [br2] vethz -- vethw 10.10.10.2/24
#                                            vethx == vethy
#
# What stands in STATE belongs to the demo: a run that was killed leaves it, the next one clears it
# away. Anything else with these names is somebody's, and the demo refuses to touch it.
# Not for: the switch itself (switch.sh).

STATE=/run/tapswitch-demo
NAMESPACES=(test1 test2)
PAIRS=(vetha:vethb vethx:vethy vethm:vethn vethw:vethz)
BRIDGES=(br1 br2)

in_test1() { ip netns exec test1 "$@"; }
in_test2() { ip netns exec test2 "$@"; }

link_exists() { [ -e "/sys/class/net/$1" ]; }
netns_exists() { [ -e "/run/netns/$1" ]; }

# One demo at a time; what a killed one left is cleared away.
claim_state() {
  local other
  if [ -d "$STATE" ]; then
    other=$(cat "$STATE/pid" 2>/dev/null || true)
    if [ -n "$other" ] && grep -qs demo.sh "/proc/$other/cmdline"; then
      die "another demo is running (process $other)" "Wait for it, or end it: kill $other"
    fi
    doing "clearing away what an interrupted demo left"
    clear_leftovers
  fi
  refuse_strangers
  mkdir -p "$STATE"
  echo $$ >"$STATE/pid"
  echo "$RUN" >"$STATE/run"
}

refuse_strangers() {
  local pair name found=()
  for pair in "${PAIRS[@]}"; do
    for name in "${pair%:*}" "${pair#*:}"; do
      link_exists "$name" && found+=("interface $name")
    done
  done
  for name in "${BRIDGES[@]}"; do link_exists "$name" && found+=("interface $name"); done
  for name in "${NAMESPACES[@]}"; do netns_exists "$name" && found+=("namespace $name"); done
  [ "${#found[@]}" -eq 0 ] || die "these names are taken here: $(join "${found[@]}")" \
    "They were not made by a demo, so it leaves them alone. Remove or rename them first:" \
    "ip link del NAME, ip netns del NAME."
}

join() {
  local text=$1
  shift
  for name in "$@"; do text+=", $name"; done
  printf '%s' "$text"
}

# Ends the processes of a killed run (found by their open run directory), then removes the rest.
clear_leftovers() {
  local run pid
  run=$(cat "$STATE/run" 2>/dev/null || true)
  if [[ $run == */tapswitch-demo.?????? && -d $run ]]; then
    for pid in $(grep -lsz "^OVS_RUNDIR=$run\$" /proc/[0-9]*/environ | grep -oE '[0-9]+'); do
      [ "$pid" = $$ ] || kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf --one-file-system "$run"
  fi
  remove_topology
}

make_topology() {
  local pair name
  for pair in "${PAIRS[@]}"; do
    show ip link add "${pair%:*}" type veth peer name "${pair#*:}"
  done
  for name in "${NAMESPACES[@]}"; do show ip netns add "$name"; done
  show ip link set vethm netns test1
  show ip link set vethw netns test2
  show in_test1 ip addr add 10.10.10.1/24 dev vethm
  show in_test2 ip addr add 10.10.10.2/24 dev vethw
  in_test1 ip link set lo up
  in_test2 ip link set lo up
  show in_test1 ip link set vethm up
  show in_test2 ip link set vethw up
  for name in vetha vethb vethx vethy vethn vethz; do ip link set "$name" up; done
  explain "The other ends stay here, all up; offloads are as the kernel sets them."
}

# Removes all of it; says nothing, misses nothing, and may be called twice.
remove_topology() {
  local pair name
  [ -d "$STATE" ] || return 0
  for name in "${NAMESPACES[@]}"; do ip netns del "$name" 2>/dev/null || true; done
  for pair in "${PAIRS[@]}"; do
    # Deleting a namespace takes its veths with it a moment later; deleting twice does no harm.
    ip link del "${pair%:*}" 2>/dev/null || ip link del "${pair#*:}" 2>/dev/null || true
  done
  for name in "${BRIDGES[@]}"; do ip link del "$name" 2>/dev/null || true; done
  for pair in "${PAIRS[@]}"; do
    wait_until 5 test ! -e "/sys/class/net/${pair#*:}" || true
  done
  rm -rf "$STATE"
}
