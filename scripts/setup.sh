#!/usr/bin/env bash
# Makes a fresh Debian 12 or Ubuntu with Node.js ready: packages, npm modules, the build. What is
# there already is left alone, so a second run takes a second or two.
#
# usage: scripts/setup.sh [demo|demo-ovs|test]
#   demo       what the demo needs (the default)
#   demo-ovs   and Debian's Open vSwitch, for comparison
#   test       and what the tests, the linters and the interop tests need
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$ROOT/scripts/lib/say.sh"
PROFILE=${1:-demo}

# command:package pairs; a package is installed when its command is missing.
NEEDED=(ip:iproute2 ping:iputils-ping iperf3:iperf3 g++:build-essential make:build-essential
  python3:python3 ss:iproute2)
case $PROFILE in
  demo) ;;
  demo-ovs) NEEDED+=(ovs-vswitchd:openvswitch-switch) ;;
  test)
    NEEDED+=(ovs-vswitchd:openvswitch-switch tcpdump:tcpdump ethtool:ethtool
      clang-format:clang-format setpriv:util-linux nfcapd:nfdump sfcapd:nfdump-sflow tshark:tshark
      openssl:openssl chromium:chromium)
    ;;
  *) die "unknown profile '$PROFILE'" "usage: scripts/setup.sh [demo|demo-ovs|test]" ;;
esac

check_node() {
  command -v node >/dev/null && command -v npm >/dev/null ||
    die "Node.js and npm are not installed" \
      "Install Node.js 20.19 or newer, for example from https://deb.nodesource.com"
  node -e 'const [a, b] = process.versions.node.split(".").map(Number);
    process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    die "Node.js $(node --version) is too old" \
      "Install 20.19 or newer, for example from https://deb.nodesource.com"
}

missing_packages() {
  local pair
  for pair in "${NEEDED[@]}"; do
    command -v "${pair%%:*}" >/dev/null || printf '%s\n' "${pair#*:}"
  done | sort -u
}

install_packages() {
  local packages=("$@") policy=/usr/sbin/policy-rc.d made_policy=no
  command -v apt-get >/dev/null ||
    die "these are missing, and this is no Debian or Ubuntu: ${packages[*]}" \
      "Install them with your package manager and start again."
  [ "$(id -u)" = 0 ] || die "these packages are missing: ${packages[*]}" \
    "Run this once as root, or: apt-get install ${packages[*]}"
  doing "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  quietly apt-get update
  # Packages bring services along (openvswitch-switch does): here they must not start.
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made_policy=yes
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  quietly apt-get install -y --no-install-recommends "${packages[@]}"
  [ "$made_policy" = no ] || { rm -f "$policy"; trap - EXIT; }
  for package in openvswitch-switch openvswitch-testcontroller; do
    case " ${packages[*]} " in *" $package "*) keep_off "$package" ;; esac
  done
}

# Runs a command whose output matters only when it fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || status=$?
  [ "$status" -eq 0 ] || tail -n 20 "$log" >&2
  rm -f "$log"
  [ "$status" -eq 0 ] || die "'$*' failed (its last lines stand above)"
}

# Only called when this script has just installed it: its daemon stays off after a reboot, too.
keep_off() {
  command -v systemctl >/dev/null || return 0
  systemctl mask "$1.service" >/dev/null 2>&1 || true
}

install_modules() {
  # npm writes this file last, so its age tells whether the modules are those of the lock file.
  [ node_modules/.package-lock.json -nt package-lock.json ] && return
  doing "installing npm modules"
  npm ci --no-audit --no-fund --no-update-notifier --loglevel=error
}

build() {
  node scripts/build-native.mjs --if-stale
  doing "compiling TypeScript"
  npm run --silent build:ts
  node scripts/build-bundle.mjs --if-stale
  node scripts/build-web.mjs --if-stale
}

cd "$ROOT"
check_node
mapfile -t missing < <(missing_packages)
[ "${#missing[@]}" -eq 0 ] || install_packages "${missing[@]}"
install_modules
build
