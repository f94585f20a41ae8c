#!/usr/bin/env bash
# The steps of the bond experiment, from making things ready to the summary. Whatever is made is
# written down in the state directory; removing it is the business of the script that runs this one.
# Not for: a person to start (demo.sh is), options, interrupts, cleaning up.
#
# Set by the caller: ROOT, RUN, SWITCH, TOOLS, SECONDS_OF_TCP, SETUP, DEMO_PID.
# Exit status: 0 every step showed what it must, 3 one did not, 4 refused before anything was made,
# anything else: a command failed.
set -euo pipefail

. "$ROOT/scripts/lib/say.sh"
. "$ROOT/scripts/lib/switch.sh"
. "$ROOT/scripts/lib/topology.sh"
. "$ROOT/scripts/lib/traffic.sh"

# What --no-setup finds must be what the sources say: a build that failed or is old shows nothing.
refuse_unfit_build() {
  local tsc=$ROOT/node_modules/typescript/bin/tsc log=$RUN/tsc.out
  [ "$SWITCH" != ovs ] || return 0
  [ -e "$ROOT/dist/cli/main.js" ] ||
    die "not built yet" "Run without --no-setup, or: npm ci && npm run build"
  [ -e "$tsc" ] || return 0
  if ! node "$tsc" -p "$ROOT/tsconfig.json" --incremental false --tsBuildInfoFile null \
    --declaration false --sourceMap true --outDir "$RUN/dist" >"$log" 2>&1; then
    head -n 20 "$log" >&2
    die "the sources do not compile (the compiler's messages stand above)"
  fi
  local stale
  stale=$(cd "$RUN/dist" && find . -name '*.js' ! -exec cmp -s {} "$ROOT/dist/{}" \; -print)
  rm -rf "$RUN/dist"
  [ -z "$stale" ] || die "the build is older than the sources (${stale%%$'\n'*} and perhaps more)" \
    "Run without --no-setup, or: npm run build:ts"
}

step_ping() {
  step "Ping through the default flow"
  explain "Each bridge has one flow, NORMAL: it learns addresses and forwards, like any switch."
  show ofctl dump-flows br1
  check "the default flow is there" has 'priority=0 actions=NORMAL'
  agree_on_a_link
  show in_test1 ping -c 5 -i 0.2 -W 1 10.10.10.2
  check "all five answers came back" has '5 received'
}

# In active-backup each end chooses its own active member. When the two choices are not the two
# ends of one wire, taking one link down for a moment brings them together.
agree_on_a_link() {
  wait_until 5 eval 'active_is bond1 vetha || active_is bond1 vethx' || true
  case $(active_member bond1)-$(active_member bond2) in
    vetha-vethb | vethx-vethy) return ;;
  esac
  explain "The two ends chose different links; a moment without vetha makes them agree."
  show ip link set dev vetha down
  wait_until 5 active_is bond1 vethx && wait_until 5 active_is bond2 vethy || true
  show ip link set dev vetha up
  wait_until 5 carrier_seen || true
}

carrier_seen() { [ "$(appctl bond/show bond1 | grep -c 'may_enable: true')" = 2 ]; }

step_layers() {
  step "Three layers, three views"
  explain "Configuration: a bond is one Port with two Interfaces."
  show vsctl show
  check "bond1 is a Port" has '^ +Port "?bond1"?$'
  check "its two Interfaces stand below it" bond_holds_members
  explain "OpenFlow: only interfaces have a port number; there is no port bond1."
  show ofctl show br1
  check "vetha, vethx and vethn have numbers" has '\((vetha|vethx|vethn)\): addr:'
  check "bond1 has none" lacks 'bond1'
  explain "Datapath: the same again, for both bridges at once."
  show appctl dpctl/show
  check "the members are ports of the datapath" has 'port [0-9]+: vetha'
  check "no bond among them" lacks 'bond[12]'
}

bond_holds_members() {
  sed -n '/Port "\{0,1\}bond1/,/Port/p' <<<"$OUT" | grep -Ec 'Interface "?veth[ax]"?$' | grep -qx 2
}

step_bond_show() {
  step "bond/show: what the bond thinks"
  show appctl bond/show bond1
  check "active-backup is the default" has_line 'bond_mode: active-backup'
  local field
  for field in 'bond-hash-basis: 0' 'updelay: 0 ms' 'downdelay: 0 ms' 'lacp_status: off' \
    'lacp_fallback_ab: false'; do
    check "$field" has_line "$field"
  done
  check "one member is active, with its address" has 'active member mac: [0-9a-f:]{17}\(veth[ax]\)'
  check "both members are enabled" has_members 'enabled' 2
}

has_members() { [ "$(grep -Ec "^member .*: $1\$" <<<"$OUT")" = "$2" ]; }

step_failover() {
  local active other peer_of_other worst=0 links
  step "Failover under a running ping"
  explain "A hundred pings a second; meanwhile the active link goes down, comes back, and the" \
    "other one goes down. A veth loses its carrier with its peer, so br2 sees it too."
  for links in 1 2; do
    active=$(active_member bond1)
    [ "$active" = vetha ] && other=vethx peer_of_other=vethy || other=vetha peer_of_other=vethb
    start_ping 200
    sleep 0.7
    show ip link set dev "$active" down
    wait_until 5 active_is bond1 "$other" || true
    wait_until 5 active_is bond2 "$peer_of_other" || true
    finish_ping
    check "$other took over on br1" active_is bond1 "$other"
    check "$peer_of_other took over on br2" active_is bond2 "$peer_of_other"
    check "pings lost: $PING_LOST of $PING_SENT (at most 5)" test "$PING_LOST" -le 5
    [ "$PING_LOST" -le "$worst" ] || worst=$PING_LOST
    if [ "$links" = 1 ]; then
      show ip link set dev "$active" up
      wait_until 5 carrier_seen || true
    fi
  done
  show appctl bond/show bond1
  check "the bond says so: one member disabled" has_members disabled 1
  note "$worst of $PING_SENT pings lost at the worst"
}

step_both_down() {
  local remaining
  remaining=$(active_member bond1)
  step "Both members down"
  show ip link set dev "$remaining" down
  wait_until 5 active_is bond1 none || true
  show appctl bond/show bond1
  check "no member is active" has_line 'active member mac: 00:00:00:00:00:00\(none\)'
  check "every member is disabled" has_members disabled 2
  show in_test1 ping -c 3 -i 0.2 -W 1 10.10.10.2
  check "no ping gets through" has ' 0 received'
}

step_recovery() {
  step "Recovery"
  show ip link set dev vetha up
  wait_until 5 active_is bond1 vetha || true
  wait_until 5 active_is bond2 vethb || true
  show in_test1 ping -c 5 -i 0.2 -W 1 10.10.10.2
  check "one link is enough" has '5 received'
  show ip link set dev vethx up
  wait_until 5 carrier_seen || true
  show appctl bond/show bond1
  check "both members are enabled again" has_members enabled 2
  check "vetha stays the active one" has 'active member mac: .*\(vetha\)'
}

step_inadmissible() {
  local host
  step "A broadcast that arrives on the wrong member"
  explain "Two flows on br1 send host test1 out through vethx, which is not the active member." \
    "br2 receives its ARP on vethy, its own inactive member. Flooding it could make loops and" \
    "duplicates, so NORMAL drops it."
  show ofctl add-flow br1 "in_port=$(ofport vethx),actions=output:$(ofport vethn)"
  show ofctl add-flow br1 "in_port=$(ofport vethn),actions=output:$(ofport vethx)"
  in_test1 ip neigh flush all
  host=$(in_test1 cat /sys/class/net/vethm/address)
  show in_test1 ping -c 2 -W 1 10.10.10.2
  check "the ping fails: its ARP is not answered" has ' 0 received'
  show_only "in_port\(vethy\).*$host" appctl dpctl/dump-flows --names
  check "the datapath drops the ARP that comes in on vethy" \
    has "in_port\(vethy\).*src=$host,dst=ff:ff:ff:ff:ff:ff.*actions:drop"
  show appctl ofproto/trace br2 \
    "in_port=$(ofport vethy),arp,dl_src=$host,dl_dst=ff:ff:ff:ff:ff:ff"
  check "ofproto/trace says why" has 'bonding refused admissibility, dropping'
  check "and what becomes of it" has 'Datapath actions: drop'
}

step_explicit_output() {
  local before_a before_x after_a after_x
  step "Explicit output goes through that member alone"
  explain "The bond decides only where NORMAL chooses the bond. A flow that names a member sends" \
    "through it. So the ARP left by vethx, and vetha stayed silent:"
  before_a=$(tx_packets vetha) before_x=$(tx_packets vethx)
  in_test1 ip neigh flush all
  in_test1 ping -c 3 -i 0.2 -W 1 10.10.10.2 >/dev/null 2>&1 || true
  after_a=$(tx_packets vetha) after_x=$(tx_packets vethx)
  show ofctl dump-ports br1 "$(ofport vethx)"
  explain "three pings later: vetha sent $((after_a - before_a)) more packets," \
    "                   vethx sent $((after_x - before_x)) more."
  check "vethx carried the host's frames" test $((after_x - before_x)) -ge 1
  # The bridge itself may say a word of its own (IPv6 discovery), never the host.
  check "vetha carried none of them" test $((after_a - before_a)) -lt $((after_x - before_x))
  show ofctl del-flows br1 "in_port=$(ofport vethx)"
  show ofctl del-flows br1 "in_port=$(ofport vethn)"
  wait_until 5 in_test1 ping -c 1 -W 1 10.10.10.2 || true
  show in_test1 ping -c 3 -i 0.2 -W 1 10.10.10.2
  check "without the two flows the ping is back" has '3 received'
}

# tx_packets IF: packets that br1 sent to the interface, by its OpenFlow counters.
tx_packets() {
  ofctl dump-ports br1 "$(ofport "$1")" | sed -n 's/.*tx pkts=\([0-9]*\).*/\1/p'
}

step_tcp() {
  local there back
  step "TCP through all of it, with the offloads that veth has by default"
  start_iperf_server || true
  show in_test1 iperf3 -c 10.10.10.2 -t "$SECONDS_OF_TCP" -f g
  there=$(gbits)
  check "test1 to test2: $there Gbit/s" more_than "$there" 0
  show in_test1 iperf3 -c 10.10.10.2 -t "$SECONDS_OF_TCP" -f g -R
  back=$(gbits)
  check "test2 to test1: $back Gbit/s" more_than "$back" 0
  stop_iperf_server
  note "$there and $back Gbit/s"
}

step_stop() {
  step "The end: the switch takes its things along"
  explain "A bond goes like any port: there is no del-bond."
  show vsctl del-port br1 bond1
  show vsctl show
  check "bond1 is gone" lacks 'bond1'
  stop_switch
  show ip -br link show type tun
  check "after SIGTERM no interface of the switch is left" no_bridge_left
}

no_bridge_left() { ! link_exists br1 && ! link_exists br2; }

make_ready() {
  [ "$(id -u)" = 0 ] || die "the demo makes network namespaces: run it as root" \
    "sudo ./scripts/demo.sh"
  if [ "$SETUP" = yes ]; then
    local wanted=demo
    [ "$SWITCH$TOOLS" = tapswitchown ] || wanted=demo-ovs
    "$ROOT/scripts/setup.sh" "$wanted" || exit
  else
    refuse_unfit_build
  fi
  claim_state
}

main() {
  # In a shell of its own: what refuses ends that shell alone. (There set -e has no effect.)
  (make_ready) || exit 4
  switch_environment

  say "${BOLD}The bond experiment${RESET} ($SWITCH; run directory $RUN)"
  say
  say "  netns test1                                                        netns test2"
  say "  vethm ── vethn [br1] bond1 ┬ vetha ═══ vethb ┬ bond2 [br2] vethz ── vethw"
  say "  10.10.10.1                 └ vethx ═══ vethy ┘                 10.10.10.2"

  step "The switch starts, the topology is made"
  doing "starting the switch"
  start_switch
  make_topology
  remember link br1
  add_bridge br1
  show vsctl add-bond br1 bond1 vetha vethx
  show vsctl add-port br1 vethn
  remember link br2
  add_bridge br2
  show vsctl add-bond br2 bond2 vethb vethy
  show vsctl add-port br2 vethz
  check "the switch answers: $(appctl version | head -n 1)" vsctl br-exists br2

  step_ping
  step_layers
  step_bond_show
  step_failover
  step_both_down
  step_recovery
  step_inadmissible
  step_explicit_output
  step_tcp
  step_stop
  summary || exit 3
}

main
