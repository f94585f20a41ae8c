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

# By netlink: /sys may be that of another network namespace.
link_exists() { ip link show dev "$1" >/dev/null 2>&1; }
link_gone() { ! link_exists "$1"; }
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
  mkdir -p "$STATE" || exit
  : >"$STATE/made"
  readlink /proc/self/ns/net >"$STATE/netns"
  echo "$DEMO_PID" >"$STATE/pid"
  echo "$RUN" >"$STATE/run"
}

# remember KIND NAME: written down before it is made, so that an interrupt finds it.
remember() { echo "$1 $2" >>"$STATE/made"; }

# make KIND NAME COMMAND...: shows the command that makes it. What could not be made is somebody
# else's, or nobody's: it is forgotten, and the demo ends.
make() {
  local kind=$1 name=$2
  shift 2
  remember "$kind" "$name"
  show "$@"
  [ "$STATUS" = 0 ] && return
  sed -i "/^$kind $name\$/d" "$STATE/made"
  exit 1
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
    make link "${pair%:*}" ip link add "${pair%:*}" type veth peer name "${pair#*:}"
  done
  for name in "${NAMESPACES[@]}"; do make netns "$name" ip netns add "$name"; done
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

# Removes what STATE says was made, and nothing else; says nothing, and may be called twice.
remove_topology() {
  local kind name pair
  [ -d "$STATE" ] || return 0
  # The names mean something only where they were made.
  if [ "$(cat "$STATE/netns" 2>/dev/null)" = "$(readlink /proc/self/ns/net)" ]; then
    while read -r kind name; do
      [ "$kind" != netns ] || ip netns del "$name" 2>/dev/null || true
    done <"$STATE/made"
    while read -r kind name; do
      [ "$kind" = link ] || continue
      remove_link "$name"
    done <"$STATE/made"
  fi
  rm -rf "$STATE"
}

# A veth goes with its peer; the peer may have been in a namespace that takes a moment to go.
remove_link() {
  local pair peer=''
  for pair in "${PAIRS[@]}"; do
    [ "${pair%:*}" != "$1" ] || peer=${pair#*:}
  done
  ip link del "$1" 2>/dev/null || [ -z "$peer" ] || ip link del "$peer" 2>/dev/null || true
  [ -z "$peer" ] || wait_until 5 link_gone "$peer" || true
}
