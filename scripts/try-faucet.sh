#!/usr/bin/env bash
# Lets the controller Faucet drive a bridge, and prints what two hosts see: pings in one VLAN, and
# UDP datagrams that an access list forbids and allows. All of it happens in network and mount
# namespaces of its own.
#
# Faucet is installed by pip into a virtual environment that goes afterwards. Where pip has no
# Faucet: FAUCET_PATH names what PYTHONPATH is to have (checkouts of faucet, beka and chewie, and
# what they import), and osken-manager comes from the package python3-os-ken.
#
# usage: scripts/try-faucet.sh            after npm run build, as root; about a minute
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$ROOT/scripts/lib/say.sh"
TAPSWITCH=${TAPSWITCH_BIN:-$ROOT/bin/tapswitch}
PINGS=5
DATAGRAMS=20

if [ -z "${TRY_FAUCET_INSIDE:-}" ]; then
  [ "$(id -u)" = 0 ] || die "network namespaces want root"
  WORK=$(mktemp -d)
  trap 'rm -rf "$WORK"' EXIT
  PYTHON=/usr/bin/python3
  if [ -z "${FAUCET_PATH:-}" ]; then
    doing "installing Faucet into a virtual environment"
    "$PYTHON" -m venv "$WORK/venv"
    "$WORK/venv/bin/pip" install --quiet --no-cache-dir --retries 0 faucet >"$WORK/pip.log" 2>&1 ||
      die "pip cannot install Faucet here: $(grep -m 1 ERROR "$WORK/pip.log" || true)" \
        "Give its sources in FAUCET_PATH (see the head of this script)."
    PYTHON=$WORK/venv/bin/python3
  fi
  export TRY_FAUCET_INSIDE=$WORK FAUCET_PYTHON=$PYTHON
  unshare --net --mount bash -c 'mount --make-rprivate /; mkdir -p /run/netns
    mount -t tmpfs none /run/netns; ip link set lo up; exec bash "$0"' "$ROOT/scripts/try-faucet.sh"
  exit
fi

WORK=$TRY_FAUCET_INSIDE
export OVS_RUNDIR=$WORK OVS_DBDIR=$WORK OVS_LOGDIR=$WORK
PIDS=()
trap 'for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done; wait' EXIT
vsctl() { "$TAPSWITCH" vsctl --timeout=20 "$@"; }
in_host() { ip netns exec "$@"; }

cat >"$WORK/faucet.yaml" <<'YAML'
vlans:
  office: {vid: 100}
acls:
  guard:
    - rule: {dl_type: 0x800, ip_proto: 17, udp_dst: 9001, actions: {allow: 0}}
    - rule: {actions: {allow: 1}}
dps:
  sw1:
    dp_id: 0x1
    hardware: "Open vSwitch"
    interfaces:
      1: {native_vlan: office, acl_in: guard}
      2: {native_vlan: office}
YAML

for i in 1 2; do
  ip netns add "h$i"
  ip link add "p$i" type veth peer name eth0 netns "h$i"
  ip link set "p$i" up
  ip -n "h$i" addr add "10.1.1.$i/24" dev eth0
  ip -n "h$i" link set eth0 up
done

export FAUCET_CONFIG=$WORK/faucet.yaml FAUCET_LOG=$WORK/faucet.log
export FAUCET_EXCEPTION_LOG=$WORK/exceptions.log FAUCET_PROMETHEUS_ADDR=127.0.0.1
export PBR_VERSION=${PBR_VERSION:-1.10.0} PYTHONPATH=${FAUCET_PATH:-}
MANAGER=$(dirname "$FAUCET_PYTHON")/osken-manager
[ -e "$MANAGER" ] || MANAGER=$(command -v osken-manager) || die "there is no osken-manager"
"$FAUCET_PYTHON" "$MANAGER" --ofp-listen-host 127.0.0.1 faucet.faucet >"$WORK/manager.log" 2>&1 &
PIDS+=($!)
"$TAPSWITCH" start >"$WORK/switch.log" 2>&1 &
PIDS+=($!)
for _ in $(seq 60); do vsctl show >/dev/null 2>&1 && break || sleep 0.5; done
vsctl add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure protocols=OpenFlow13 \
  other_config:datapath-id=0000000000000001 \
  -- add-port br0 p1 -- set interface p1 ofport_request=1 \
  -- add-port br0 p2 -- set interface p2 ofport_request=2
vsctl set-controller br0 tcp:127.0.0.1:6653
doing "waiting until Faucet has set the switch up"
for _ in $(seq 60); do
  in_host h1 ping -c 1 -W 1 10.1.1.2 >/dev/null 2>&1 && break || sleep 0.5
done

step "Two hosts in one VLAN"
show_only 'packets|rtt' in_host h1 ping -c $PINGS -i 0.2 -W 2 10.1.1.2
PINGED=$(grep -oE '[0-9]+ received' <<<"$OUT" | cut -d' ' -f1)

# What arrives on a port of h2 of so many datagrams.
datagrams() {
  in_host h2 timeout 4 python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('', $1))
s.settimeout(3)
n = 0
try:
    while n < $DATAGRAMS:
        s.recv(100)
        n += 1
except TimeoutError:
    pass
print(n)" >"$WORK/got" &
  local receiver=$!
  sleep 1
  in_host h1 python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range($DATAGRAMS):
    s.sendto(b'x' * 50, ('10.1.1.2', $1))"
  wait "$receiver" || true
  cat "$WORK/got"
}

step "An access list that forbids UDP to port 9001"
FORBIDDEN=$(datagrams 9001)
ALLOWED=$(datagrams 9002)
say "   of $DATAGRAMS datagrams to port 9001 arrived: $FORBIDDEN; to port 9002: $ALLOWED"

step "What Faucet put into the switch"
show "$TAPSWITCH" ofctl -O OpenFlow13 --no-stats dump-flows br0
say "   its log ends: $(tail -n 1 "$WORK/faucet.log" 2>/dev/null || true)"

[ "$PINGED" = $PINGS ] && [ "$FORBIDDEN" = 0 ] && [ "$ALLOWED" = $DATAGRAMS ] ||
  die "not as expected: $PINGED of $PINGS pings, $FORBIDDEN and $ALLOWED datagrams" \
    "$(tail -n 5 "$WORK/manager.log" "$WORK/switch.log" 2>/dev/null || true)"
say
say "Faucet drives the switch: $PINGED of $PINGS pings, the list holds."
