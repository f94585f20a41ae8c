/**
 * A network namespace for the test process's main thread, and a worker's view of packet sockets.
 *
 * Everything made inside goes away with the namespace.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { loadNative, type PacketSocket, VNET_HDR_LEN } from '../../src/native/binding.js';

const native = loadNative();

/** Runs a command line, split at spaces; returns its output. Throws with its standard error. */
export function sh(line: string): string {
  const [command, ...args] = line.split(' ');
  return execFileSync(command, args, { encoding: 'utf8', timeout: 20_000, stdio: 'pipe' });
}

/** A namespace that this thread and its children live in until leave(). */
export class TestNamespace {
  private readonly homeFd = openSync('/proc/self/ns/net', 'r');

  constructor(readonly name: string) {
    sh(`ip netns add ${name}`);
    native.setns(`/run/netns/${name}`);
    sh('ip link set lo up');
    // Nothing but the tests' own frames.
    sh('sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1');
  }

  leave(): void {
    native.setns(`/proc/self/fd/${this.homeFd}`);
    closeSync(this.homeFd);
    sh(`ip netns del ${this.name}`);
  }
}

export const SLOTS = 256;
export const SLOT_BYTES = 2048;

/** struct tpacket2_hdr, in 32-bit and 16-bit words. */
const TP_STATUS_USER = 1;
export const TP_STATUS_COPY = 1 << 1;
export const TP_STATUS_VLAN_VALID = 1 << 4;

export interface Received {
  status: number;
  length: number;
  vlanTci: number;
  vlanTpid: number;
  vnetHdr: Buffer;
  frame: Buffer;
}

/** One arena with its PacketIo, as a forwarding worker has. */
export class TestWorker {
  readonly arena = native.arenaCreate(64 << 20);
  readonly bytes = new Uint8Array(this.arena);
  readonly words = new Uint32Array(this.arena);
  readonly halves = new Uint16Array(this.arena);
  readonly offsets = new Int32Array(256);
  readonly lengths = new Int32Array(256);
  readonly ready = new Int32Array(256);
  readonly io = new native.PacketIo({
    arena: this.arena,
    offsets: this.offsets,
    lengths: this.lengths,
    ready: this.ready,
  });
  /** Slab for outgoing and copied frames, before the rings. */
  static readonly RINGS_FROM = 16 << 20;
  private ringsTo = TestWorker.RINGS_FROM;

  addRing(socket: { fd: number; ringBytes: number }): TestRing {
    const offset = this.ringsTo;
    this.ringsTo += socket.ringBytes;
    native.ringMap(socket.fd, this.arena, offset, socket.ringBytes);
    return new TestRing(this, socket.fd, offset, socket.ringBytes);
  }

  /** Sends one frame; the virtio header is zero unless given. Returns what send() returned. */
  send(fd: number, frame: Uint8Array, vnetHdr: Uint8Array = new Uint8Array(VNET_HDR_LEN)): number {
    this.stage(frame, vnetHdr);
    return this.io.send(fd, 0, 1);
  }

  stage(
    frame: Uint8Array,
    vnetHdr: Uint8Array = new Uint8Array(VNET_HDR_LEN),
    offset = 4096,
  ): void {
    this.bytes.set(vnetHdr, offset - VNET_HDR_LEN);
    this.bytes.set(frame, offset);
    this.offsets[0] = offset;
    this.lengths[0] = frame.length;
  }
}

/** Reads a TPACKET_V2 ring in order. */
export class TestRing {
  private slot = 0;

  constructor(
    private readonly worker: TestWorker,
    private readonly fd: number,
    readonly offset: number,
    readonly bytes: number,
  ) {}

  /** The next frame, or null when none came within `waitMs`. */
  next(waitMs = 1000): Received | null {
    const { words, halves, bytes, io } = this.worker;
    const base = this.offset + this.slot * SLOT_BYTES;
    const deadline = performance.now() + waitMs;
    while (!(words[base / 4] & TP_STATUS_USER)) {
      if (performance.now() >= deadline) return null;
      io.wait(1000);
    }
    io.fence();
    const status = words[base / 4];
    let length = words[base / 4 + 1];
    let frameAt = base + halves[base / 2 + 6];
    if (status & TP_STATUS_COPY) {
      frameAt = 1 << 20;
      length = io.recvCopy(this.fd, frameAt, 70_000);
    }
    const received = {
      status,
      length,
      vlanTci: halves[base / 2 + 12],
      vlanTpid: halves[base / 2 + 13],
      vnetHdr: Buffer.from(bytes.slice(frameAt - VNET_HDR_LEN, frameAt)),
      frame: Buffer.from(bytes.slice(frameAt, frameAt + Math.max(length, 0))),
    };
    io.fence();
    words[base / 4] = 0;
    this.slot = (this.slot + 1) % (this.bytes / SLOT_BYTES);
    return received;
  }

  /** Frames until none comes for `quietMs`. */
  drain(quietMs = 60): Received[] {
    const all: Received[] = [];
    for (let frame = this.next(quietMs); frame; frame = this.next(quietMs)) all.push(frame);
    return all;
  }

  unmap(): void {
    native.ringUnmap(this.worker.arena, this.offset, this.bytes);
  }

  mapAgain(): void {
    native.ringMap(this.fd, this.worker.arena, this.offset, this.bytes);
  }
}

export function openPacket(ifname: string, options: { fanoutId?: number } = {}): PacketSocket {
  return native.packetOpen({
    ifname,
    slots: SLOTS,
    slotBytes: SLOT_BYTES,
    reserve: 64,
    rcvBufBytes: 1 << 20,
    sndBufBytes: 1 << 20,
    ...options,
  });
}

/** An Ethernet frame of `length` bytes in all, with a recognisable payload. */
export function ethernet(
  length: number,
  {
    type = 0x88b5,
    tags = [] as number[],
    src = '02:00:00:00:00:01',
    dst = '02:00:00:00:00:02',
  } = {},
): Buffer {
  const frame = Buffer.alloc(length);
  for (let i = 0; i < length; i++) frame[i] = (i * 7) & 0xff;
  const address = (text: string) => Buffer.from(text.replaceAll(':', ''), 'hex');
  address(dst).copy(frame, 0);
  address(src).copy(frame, 6);
  let at = 12;
  for (const [i, vid] of tags.entries()) {
    frame.writeUInt16BE(i === 0 && tags.length > 1 ? 0x88a8 : 0x8100, at);
    frame.writeUInt16BE(vid, at + 2);
    at += 4;
  }
  frame.writeUInt16BE(type, at);
  return frame;
}

/** A condition that comes true through events of the loop. */
export async function until(condition: () => boolean, what: string, ms = 5000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
