/**
 * The native addon: system calls that Node.js does not offer, and nothing else.
 *
 * Names are those of the system calls or kernel objects behind them, and are the same on both
 * sides (native-bindings/src/*.cc). No decision about a packet is taken in native code.
 *
 *     loadNative()  ->  NativeBinding      process-wide: sockets, TAP, ring memory, netlink, locks
 *     new native.PacketIo(...)             one per worker thread: the calls of the packet path
 *
 * Errors: system calls that fail throw an Error with `code` ('EPERM'), `errno` and `syscall`, as
 * Node's own do. Calls of `PacketIo` never throw: they return a count, or -errno.
 *
 * Frame memory. Every worker has one arena: an ArrayBuffer over reserved address space, in which
 * receive rings are mapped at page-aligned offsets. A frame is therefore one number, the offset of
 * its first byte (destination MAC) in the arena; its virtio_net_hdr (10 bytes) always stands right
 * before it:
 *
 *      offset - headroom        offset - 10        offset                offset + length
 *      | free (push VLAN...)    | virtio_net_hdr   | Ethernet frame ...  |
 */
import { createRequire } from 'node:module';
import { TapswitchError } from '../common/errors.js';
import type { QueueBinding } from './queue-binding.js';
import type { XdpBinding, XskIo } from './xdp-binding.js';

/** Bytes of struct virtio_net_hdr, before each frame (linux/virtio_net.h). */
export const VNET_HDR_LEN = 10;

export interface PacketOpenOptions {
  ifname: string;
  /** Receive ring slots; slots * slotBytes must be a multiple of the page size. */
  slots: number;
  /** Bytes of a slot, header included: a multiple of 16 (TPACKET_ALIGNMENT). */
  slotBytes: number;
  /** PACKET_RESERVE: bytes of headroom before the virtio header of each frame in the ring. */
  reserve: number;
  /** Bound of the socket's queue, for frames larger than a slot (SO_RCVBUFFORCE). */
  rcvBufBytes: number;
  /** Bound of what is queued for sending (SO_SNDBUFFORCE). */
  sndBufBytes: number;
  /** Join PACKET_FANOUT group `id` (hash mode, with defrag off): several queues of one port. The
   * socket stays deaf until socketFilter(fd, -1): begin when all of the group are there. */
  fanoutId?: number;
  /** PACKET_QDISC_BYPASS (default true). Without it the kernel segments what the device cannot. */
  qdiscBypass?: boolean;
}

/** A bound, promiscuous AF_PACKET socket with TPACKET_V2 ring, PACKET_VNET_HDR and auxdata. */
export interface PacketSocket {
  fd: number;
  ifindex: number;
  ringBytes: number;
}

export interface TapOpenOptions {
  name: string;
  /** How many queue descriptors (IFF_MULTI_QUEUE), >= 1. */
  queues: number;
}

export interface TapDevice {
  fds: number[];
  name: string;
  ifindex: number;
}

/**
 * The packet path's system calls for one worker. All arguments are numbers: the memory was handed
 * over once, in the constructor, so a call costs no look-up of typed arrays.
 */
export interface PacketIo extends XskIo {
  /** Sends frames i in [start, start + count) of the vectors on a packet socket (sendmmsg).
   * Returns how many were taken, or -errno when the first was refused. */
  send(fd: number, start: number, count: number): number;
  /** The same for a TAP descriptor (write, a frame each). */
  tapWrite(fd: number, start: number, count: number): number;
  /**
   * Reads up to `maxFrames` frames from a TAP descriptor into the arena from `offset` on, each
   * with `headroom` bytes before its virtio header and aligned to 64 bytes, until the descriptor
   * is empty or less than 66,000 bytes are left before `limit`. Offsets and lengths go to the
   * vectors from index `start`. Returns the count, or -errno when the first read failed.
   */
  tapRead(
    fd: number,
    offset: number,
    limit: number,
    headroom: number,
    maxFrames: number,
    start: number,
  ): number;
  /** Receives one queued frame (virtio header first) to arena [offset - 10, ...): the frame's
   * length, or -errno. For ring slots marked TP_STATUS_COPY. */
  recvCopy(fd: number, offset: number, capacity: number): number;
  /** epoll_pwait2 on this worker's descriptors: tags of the ready ones go to `ready`.
   * timeoutUs < 0 waits for ever. Returns the count, 0 on timeout or a signal. */
  wait(timeoutUs: number): number;
  /** Adds a descriptor (EPOLLIN, level-triggered) under a tag that `wait` will report. */
  watch(fd: number, tag: number): void;
  unwatch(fd: number): void;
  /** Fence: ring slots read before, released after (TPACKET status words, weakly ordered CPUs). */
  fence(): void;
  /** CLOCK_MONOTONIC (the clock of process.hrtime) in milliseconds, modulo 2^31. */
  clockMs(): number;
  close(): void;
}

export interface PacketIoOptions {
  arena: ArrayBuffer;
  /** Arena offsets of the first byte of each frame (not of its virtio header). */
  offsets: Int32Array;
  /** Lengths in bytes, without the virtio header. */
  lengths: Int32Array;
  /** Where wait() writes tags. */
  ready: Int32Array;
}

/** What ethtool knows of an interface; what its driver does not tell is missing. */
export interface EthtoolInfo {
  driver?: string;
  version?: string;
  firmware?: string;
  /** Mbit/s, 0 when unknown. */
  speedMbps?: number;
  fullDuplex?: boolean;
  /** PORT_TP 0, PORT_FIBRE 3... (linux/ethtool.h). */
  port?: number;
  autoneg?: boolean;
  /** SUPPORTED_* and ADVERTISED_* bits. */
  supported?: number;
  advertising?: number;
  /** Whether the device segments TCP itself. */
  tso?: boolean;
}

/** Watches a descriptor from the main thread's event loop (uv_poll). */
export interface FdWatcher {
  close(): void;
}

export interface NativeBinding extends QueueBinding, XdpBinding {
  readonly PacketIo: new (options: PacketIoOptions) => PacketIo;

  /** Reserves `bytes` of address space (MAP_NORESERVE, readable zeros); costs memory only where
   * touched or mapped. At most 2 GiB - 4 KiB, so that offsets stay small integers. */
  arenaCreate(bytes: number): ArrayBuffer;
  /** Maps a packet socket's ring, or an AF_XDP socket's memory, over [offset, offset + bytes) of
   * the arena (MAP_FIXED). */
  ringMap(fd: number, arena: ArrayBuffer, offset: number, bytes: number): void;
  /** Puts plain reserved memory back in place of a ring. */
  ringUnmap(arena: ArrayBuffer, offset: number, bytes: number): void;

  packetOpen(options: PacketOpenOptions): PacketSocket;
  /**
   * Packet sockets with rings like this will be opened soon: threads make `count` of them ahead,
   * some at a time, since the kernel takes 10 ms and more for each, most of it waiting. Those that
   * were expected and not opened are closed at the next call; count 0 expects none.
   */
  packetExpect(
    options: Pick<PacketOpenOptions, 'slots' | 'slotBytes' | 'reserve'>,
    count: number,
  ): void;
  /** How many bytes may wait on a socket (SO_RCVBUFFORCE), the kernel's structures included. */
  setReceiveBuffer(fd: number, bytes: number): void;
  /** PACKET_STATISTICS since the last call. */
  packetStatistics(fd: number): { packets: number; drops: number };
  /** TAP with IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE (always), offloads set; not persistent. */
  tapOpen(options: TapOpenOptions): TapDevice;
  close(fd: number): void;

  /** Attaches a BPF program that drops everything at the interface's ingress, behind the packet
   * sockets' tap, so that the host's stack sees nothing. Returns the descriptor of a tcx link, or,
   * where kernel or capabilities do not allow that, -1: a clsact filter then, which stays until it
   * is detached or replaced by the next attach.
   * @param clsactOnly do not try tcx (tests of the other way) */
  ingressDropAttach(ifindex: number, clsactOnly?: boolean): number;
  /** @param fd what ingressDropAttach returned; closes it */
  ingressDropDetach(fd: number, ifindex: number): void;

  /** A BPF array map of one element of `bytes`; @returns its descriptor. */
  bpfMapCreate(bytes: number): number;
  /** Maps that element into memory. */
  bpfMapMemory(fd: number, bytes: number): ArrayBuffer;
  /** Loads a program: `code` is its instructions. A rejected one throws with `log`, the end of
   * the verifier's report. @returns its descriptor */
  bpfProgLoad(type: 'socket_filter' | 'sched_cls', code: Uint8Array): number;
  /** Attaches a sched_cls program (tcx, Linux 6.6). @returns the descriptor of the link, which
   * lives as long as that */
  bpfTcxAttach(program: number, ifindex: number, egress: boolean): number;
  /** Replaces the program of a link. */
  bpfLinkUpdate(link: number, program: number): void;
  /** Runs a program on a frame once (BPF_PROG_TEST_RUN); @returns what it returned. */
  bpfTestRun(program: number, frame: Uint8Array): number;
  /** Sets a socket's filter program (SO_ATTACH_BPF); -1 takes it away. */
  socketFilter(fd: number, program: number): void;

  ethtoolInfo(ifname: string): EthtoolInfo;
  /** The link as the PHY's status register has it (SIOCGMIIREG), or, where there is none, the
   * driver (ETHTOOL_GLINK); null when neither tells. */
  miiLink(ifname: string): boolean | null;

  eventfd(): number;
  eventfdWrite(fd: number): void;
  /** Empties an eventfd; returns whether it was set. */
  eventfdDrain(fd: number): boolean;

  /** A NETLINK_ROUTE socket subscribed to `groups` (bit mask as in nl_groups), non-blocking. */
  netlinkOpen(groups: number): number;
  netlinkSend(fd: number, message: Uint8Array): void;
  /** Reads one datagram into `buffer`: its length, or 0 when there is none. Throws ENOBUFS on
   * overrun (the caller dumps again). */
  netlinkRecv(fd: number, buffer: Uint8Array): number;
  watchFd(fd: number, onReadable: () => void): FdWatcher;

  /** Reads a connected stream socket (MSG_DONTWAIT) into `buffer` from `offset` on: bytes read, 0
   * at its end, or -errno. While there is nothing it asks again for `waitUs` microseconds, without
   * sleeping. Does not throw for what the system says. */
  streamRecv(fd: number, buffer: Uint8Array, offset: number, waitUs: number): number;
  /** Writes to one (MSG_DONTWAIT, MSG_NOSIGNAL): bytes taken, or -errno. */
  streamSend(fd: number, bytes: Uint8Array): number;

  /** sched_setaffinity of the calling thread. */
  setAffinity(cpus: number[]): void;
  /** CPUs that the calling thread may use (cgroup cpusets respected). */
  getAffinity(): number[];
  /** Kernel thread id of the caller. */
  gettid(): number;
  setThreadName(name: string): void;
  /** CLOCK_REALTIME, microseconds: the clock of a ring's receive time stamps. */
  realtimeUs(): number;
  /** CPU time of the calling thread, microseconds. */
  threadCpuTimeUs(): number;

  /** fcntl F_SETLK write lock on the whole file: 0 when taken, else the pid of the holder. */
  fcntlLock(fd: number): number;
  /** Enters the network namespace behind a path such as /run/netns/x, for the calling thread
   * alone (tests and the traffic generator). */
  setns(path: string): void;
}

let loaded: NativeBinding | undefined;

/** Whether the addon has been built. Never throws. */
export function nativeAvailable(): boolean {
  try {
    loadNative();
    return true;
  } catch {
    return false;
  }
}

/**
 * Loads the addon (once per thread).
 * @throws TapswitchError E_ADDON_MISSING when it has not been built for this Node.js
 */
export function loadNative(): NativeBinding {
  if (loaded) return loaded;
  const require = createRequire(import.meta.url);
  try {
    loaded = require('../../native-bindings/build/Release/tapswitch.node') as NativeBinding;
  } catch (cause) {
    throw new TapswitchError(
      'E_ADDON_MISSING',
      'the native addon is not built for this version of Node.js',
      "run 'tapswitch build-addon' (in a checkout: npm run build:native)",
      { cause },
    );
  }
  return loaded;
}
