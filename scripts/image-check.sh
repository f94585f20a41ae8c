#!/usr/bin/env bash
# Builds the image that the Dockerfile describes and shows that it holds what it needs: it starts
# the switch as its entry point, the health check succeeds, a bridge forwards a ping, and SIGTERM
# ends it.
#
# With a Docker engine it does so with docker. Without one, with buildah on a base image made by
# debootstrap and this machine's Node.js; there the entry point runs in the image's file system by
# chroot. It says which.
#
# usage: scripts/image-check.sh [docker|buildah]
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$ROOT/scripts/lib/say.sh"
. "$ROOT/scripts/lib/switch.sh"
IMAGE=localhost/tapswitch-image-check
BASE_IMAGE=localhost/tapswitch-base
MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
SUFFIX=$$
NETNS=tsimg$SUFFIX

choose_engine() {
  if [ -n "${1:-}" ]; then
    echo "$1"
  elif docker info >/dev/null 2>&1; then
    echo docker
  elif command -v buildah >/dev/null && command -v debootstrap >/dev/null; then
    echo buildah
  else
    die "neither a Docker engine nor buildah with debootstrap is here" \
      "apt-get install --no-install-recommends buildah debootstrap crun"
  fi
}

clean_up() {
  local status=$?
  trap - EXIT
  [ -z "${ENTRY_PID:-}" ] || kill -KILL "$ENTRY_PID" 2>/dev/null || true
  [ -z "${CONTAINER_ID:-}" ] || docker rm -f "$CONTAINER_ID" >/dev/null 2>&1 || true
  ip netns del "$NETNS" 2>/dev/null || true
  ip netns del "$NETNS-host" 2>/dev/null || true
  [ -z "${STORE:-}" ] || remove_store
  exit "$status"
}

# Removes the store; never anything that is mounted inside it.
remove_store() {
  store umount --all >/dev/null 2>&1 || true
  if grep -q " $STORE" /proc/self/mounts; then
    say "left in place, because something is mounted there: $STORE" >&2
  else
    rm -rf --one-file-system "$STORE"
  fi
}

# buildah with a store of this run alone.
store() {
  buildah --storage-driver vfs --root "$STORE/root" --runroot "$STORE/run" "$@"
}

# A base like node:20-bookworm-slim: Debian 12 and, in /usr/local, this machine's Node.js and npm.
make_base() {
  local prefix rootfs container
  prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  rootfs=$STORE/base
  doing "base image: debootstrap of Debian 12, Node.js $(node --version) from $prefix"
  debootstrap --variant=minbase bookworm "$rootfs" "$MIRROR" >"$STORE/debootstrap.log" ||
    die "debootstrap failed: $(tail -n 1 "$STORE/debootstrap.log")"
  mkdir -p "$rootfs/usr/local/lib/node_modules" "$rootfs/usr/local/include"
  cp "$(readlink -f "$(command -v node)")" "$rootfs/usr/local/bin/node"
  cp -r "$(npm root -g)/npm" "$rootfs/usr/local/lib/node_modules/"
  [ ! -d "$prefix/include/node" ] || cp -r "$prefix/include/node" "$rootfs/usr/local/include/"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$rootfs/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$rootfs/usr/local/bin/npx"
  # The certificates that this machine trusts, so that npm works behind a company's proxy, too.
  mkdir -p "$rootfs/etc/ssl/certs"
  cp /etc/ssl/certs/ca-certificates.crt "$rootfs/etc/ssl/certs/"
  container=$(store from scratch)
  store copy -q "$container" "$rootfs" / >/dev/null
  store config --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt "$container"
  store commit -q --rm "$container" "$BASE_IMAGE" >/dev/null
  rm -rf "$rootfs"
}

build_with_buildah() {
  STORE=$(mktemp -d "${TMPDIR:-/tmp}/tapswitch-image.XXXXXX")
  make_base
  doing "building the image (buildah, chroot isolation)"
  store bud --isolation chroot --network host --format docker --build-arg "BASE=$BASE_IMAGE" \
    -t "$IMAGE" "$ROOT" >"$STORE/build.log" 2>&1 || {
    tail -n 30 "$STORE/build.log" >&2
    die "the image was not built"
  }
  ROOTFS=$(store mount "$(store from --pull-never "$IMAGE")")
  prepare_enter
}

# ENTER runs the command that follows in the image's file system, in namespace NETNS. What is
# mounted for it (a /dev of its own with the few devices it needs, /proc, /sys) is seen by it alone
# and goes away with it: the machine's own /dev is nowhere in there.
prepare_enter() {
  ENTER=(ip netns exec "$NETNS" unshare --mount --propagation private sh -c '
    set -e
    root=$1
    shift
    mount -t tmpfs -o mode=755 dev "$root/dev"
    mkdir "$root/dev/net"
    mknod -m 666 "$root/dev/null" c 1 3
    mknod -m 666 "$root/dev/zero" c 1 5
    mknod -m 666 "$root/dev/random" c 1 8
    mknod -m 666 "$root/dev/urandom" c 1 9
    mknod -m 600 "$root/dev/net/tun" c 10 200
    mount -t proc proc "$root/proc"
    mount -t sysfs sys "$root/sys"
    exec chroot "$root" "$@"
  ' enter "$ROOTFS")
}

build_with_docker() {
  doing "building the image (docker)"
  docker build -q -t "$IMAGE" "$ROOT" >/dev/null
}

# setting KEY: what the image's own configuration says (entry point, health check), a word a line.
setting() {
  local json
  if [ "$ENGINE" = docker ]; then
    json=$(docker image inspect "$IMAGE")
  else
    json=$(store inspect --type image "$IMAGE")
  fi
  node -e '
    const read = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
    const config = Array.isArray(read) ? read[0].Config : read.Docker.config;
    const value = process.argv[1].split(".").reduce((at, key) => at?.[key], config) ?? [];
    console.log(value.filter((word) => word !== "CMD").join("\n"));
  ' "$1" <<<"$json"
}

# run_entry_point: starts the image's entry point in namespace NETNS.
run_entry_point() {
  local words
  mapfile -t words < <(setting Entrypoint)
  doing "entry point: ${words[*]}"
  if [ "$ENGINE" = docker ]; then
    CONTAINER_ID=$(docker run -d --privileged --network none --device /dev/net/tun "$IMAGE")
    mkdir -p /run/netns
    ln -sf "/proc/$(docker inspect -f '{{.State.Pid}}' "$CONTAINER_ID")/ns/net" "/run/netns/$NETNS"
  else
    ip netns add "$NETNS"
    "${ENTER[@]}" "${words[@]}" >"$STORE/entry.log" 2>&1 &
    ENTRY_PID=$!
  fi
}

# inside COMMAND...: runs a command beside the entry point.
inside() {
  if [ "$ENGINE" = docker ]; then
    docker exec "$CONTAINER_ID" "$@"
  else
    "${ENTER[@]}" "$@"
  fi
}

stop_entry_point() {
  if [ "$ENGINE" = docker ]; then
    docker stop -t 10 "$CONTAINER_ID" >/dev/null
    [ "$(docker inspect -f '{{.State.ExitCode}}' "$CONTAINER_ID")" = 0 ]
  else
    kill -TERM "$ENTRY_PID"
    wait "$ENTRY_PID"
  fi
}

# A host on a veth pair, and a ping from it to the bridge's own interface.
forwards_a_ping() {
  ip netns add "$NETNS-host"
  ip -n "$NETNS-host" link add eth0 type veth peer name p1 netns "$NETNS"
  ip -n "$NETNS" link set p1 up
  ip -n "$NETNS-host" addr add 10.9.9.1/24 dev eth0
  ip -n "$NETNS-host" link set eth0 up
  inside tapswitch vsctl add-br br0 -- add-port br0 p1
  inside ip addr add 10.9.9.9/24 dev br0
  inside ip link set br0 up
  wait_until 10 ip netns exec "$NETNS-host" ping -c 1 -W 1 10.9.9.9
  ip netns exec "$NETNS-host" ping -c 3 -i 0.2 -W 1 10.9.9.9 | grep -q '3 received'
}

[ "$(id -u)" = 0 ] || die "building and running the image needs root"
ENGINE=$(choose_engine "${1:-}")
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
step "The image (by $ENGINE)"
"build_with_$ENGINE"
run_entry_point
mapfile -t health < <(setting Healthcheck.Test)
check "the health check (${health[*]}) succeeds" wait_until 15 inside "${health[@]}"
check "the image has no compiler" eval '! inside sh -c "command -v g++"'
check "a bridge in it forwards a ping" forwards_a_ping
check "SIGTERM ends it with status 0" stop_entry_point
summary
