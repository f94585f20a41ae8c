/**
 * Forwarding in the kernel: megaflows that TypeScript decided, carried out by eBPF programs.
 *
 *     megaflow ── can the kernel match and do it? ── yes: entry in shared memory ─> programs.ts
 *                                                └── no: workers only
 *
 * The kernel's table is a cache of a part of the megaflows: whatever it lacks goes to a worker,
 * with the same result. Entries are written and removed here, by the main thread alone; a removal
 * is in force at once. Counters are the kernel's; whoever adds statistics up adds these.
 *
 * Source: bpf(2), Documentation/networking/filter.rst.
 */
import { endianness } from 'node:os';
import { TapswitchError } from '../../common/errors.js';
import type { NativeBinding } from '../../native/binding.js';
import type { KernelPrograms } from '../../netdev/netdev.js';
import type { MaskedKey } from '../megaflow-table.js';
import type { OdpAction } from '../odp-actions.js';
import { type KernelKey, kernelKey } from './kernel-key.js';
import * as at from './layout.js';
import { OrderTable } from './order-table.js';
import { filterProgram, ingressProgram, tapProgram } from './programs.js';
import { type KernelPort, kernelSteps } from './steps.js';

/** What a megaflow's packets in the kernel amount to. */
export interface KernelFlowStats {
  packets: number;
  bytes: number;
  /** CLOCK_MONOTONIC of the last packet, ns; 0: none. */
  usedNs: number;
  /** Of all its TCP packets, where it looks at ports. */
  tcpFlags: number;
}

export interface KernelPortStats {
  rxPackets: number;
  rxBytes: number;
  txPackets: number;
  txBytes: number;
  /** Of these, what no interface saw: passed to the host behind it. */
  passedPackets: number;
  passedBytes: number;
}

/** Those that workers count, too. */
const COMMON_COUNTERS = ['rxPackets', 'rxBytes', 'txPackets', 'txBytes'] as const;

/** A flow as the table sees it. */
export interface KernelFlow {
  slot: number;
  masked: MaskedKey;
  actions: readonly OdpAction[];
}

/** A program that looked at an entry or mask before it was removed is done with it by then. */
const QUARANTINE_MS = 20;

/** A mask in use: its place in the class, and how many entries refer to it. */
interface MaskUse {
  tag: number;
  place: number;
  entries: number;
}

interface Entry {
  position: number;
  cls: number;
  mask: MaskUse;
  /** Input port and output ports. */
  ports: number[];
}

export class KernelCache {
  /** Flows with an entry, by slot. */
  private readonly entryOf = new Map<number, Entry>();
  private readonly masks: MaskUse[][] = [[], [], []];
  /** When a place became free (ms of `now`), by position; 0: long ago. */
  private readonly freedAt = new Float64Array(at.ENTRIES);
  private readonly maskFreedAt = new Float64Array(3 * at.MASKS_MAX);
  private readonly ports = new Map<number, KernelPort>();
  private readonly orderTable: OrderTable;
  private nextTag = 1;
  private tapEgress = -1;

  private constructor(
    private readonly native: NativeBinding,
    /** The table: workers map it, too. */
    readonly mapFd: number,
    memory: ArrayBuffer,
    private readonly ingress: number,
    /** By receive queue; each takes the verifier its time, and is loaded when it is needed. */
    private readonly filters: number[],
    private readonly words = new Int32Array(memory),
    private readonly bytes = new Uint8Array(memory),
  ) {
    this.orderTable = new OrderTable(this.words);
  }

  /**
   * Loads the programs.
   * @throws TapswitchError E_KERNEL_CACHE when kernel or capabilities do not allow it
   */
  static open(native: NativeBinding): KernelCache {
    if (endianness() !== 'LE') throw unavailable('this is a big-endian machine');
    const fds: number[] = [];
    const opened = (fd: number) => {
      fds.push(fd);
      return fd;
    };
    try {
      const map = opened(native.bpfMapCreate(at.TABLE_BYTES));
      const memory = native.bpfMapMemory(map, at.TABLE_BYTES);
      const filter = opened(native.bpfProgLoad('socket_filter', filterProgram(map, 0)));
      const ingress = opened(native.bpfProgLoad('sched_cls', ingressProgram(map)));
      return new KernelCache(native, map, memory, ingress, [filter]);
    } catch (cause) {
      for (const fd of fds) native.close(fd);
      throw unavailable(cause instanceof Error ? cause.message : String(cause), cause);
    }
  }

  close(): void {
    for (const fd of [...this.filters, this.ingress, this.tapEgress, this.mapFd])
      if (fd >= 0) this.native.close(fd);
  }

  /** The verifier takes its time for each: that of TAPs is loaded when there is one. */
  get programs(): KernelPrograms {
    const { native, mapFd, filters, ingress } = this;
    const tapEgress = () => {
      if (this.tapEgress < 0) {
        this.tapEgress = native.bpfProgLoad('sched_cls', tapProgram(mapFd));
      }
      return this.tapEgress;
    };
    return {
      filter(queue: number) {
        filters[queue] ??= native.bpfProgLoad('socket_filter', filterProgram(mapFd, queue));
        return filters[queue];
      },
      ingress,
      get tapEgress() {
        return tapEgress();
      },
    };
  }

  /** What is on its way between the programs and workers (way-over.ts). */
  get order(): OrderTable {
    return this.orderTable;
  }

  get size(): number {
    return this.entryOf.size;
  }

  has(slot: number): boolean {
    return this.entryOf.has(slot);
  }

  /** The kernel forwards the flow. */
  active(slot: number): boolean {
    return (this.state(slot) & at.ENTRY_STATES) === at.ENTRY_ACTIVE && this.has(slot);
  }

  /** Of a flow that has an entry; else 0. */
  inPort(slot: number): number {
    return this.entryOf.get(slot)?.ports[0] ?? 0;
  }

  /** E_STATE of a flow's entry; ENTRY_ACTIVE when it has none. */
  state(slot: number): number {
    const word = this.stateWord(slot);
    return word < 0 ? at.ENTRY_ACTIVE : Atomics.load(this.words, word);
  }

  /** Moves a flow's entry on to another state, unless it is active. */
  setState(slot: number, state: number): void {
    const word = this.stateWord(slot);
    if (word < 0) return;
    for (;;) {
      const before = Atomics.load(this.words, word);
      if ((before & at.ENTRY_STATES) === at.ENTRY_ACTIVE) return;
      const after = (before & ~at.ENTRY_STATES) | state;
      if (Atomics.compareExchange(this.words, word, before, after) === before) return;
    }
  }

  /** Makes an entry active if nothing that passed its port waits: what the programs do, too. */
  activate(slot: number): boolean {
    const word = this.stateWord(slot);
    const entry = this.entryOf.get(slot);
    const input = entry && this.ports.get(entry.ports[0]);
    if (!input) return false;
    const before = Atomics.load(this.words, word);
    if (!this.orderTable.settled(input.ifindex, input.tap)) return false;
    return Atomics.compareExchange(this.words, word, before, at.ENTRY_ACTIVE) === before;
  }

  private stateWord(slot: number): number {
    const entry = this.entryOf.get(slot);
    if (!entry) return -1;
    return (at.OFF_ENTRIES + (entry.position << at.ENTRY_SHIFT) + at.E_STATE) >> 2;
  }

  /** Frames of this port come by the programs, and flows may send to it. */
  portAdd(portNo: number, port: KernelPort): void {
    if (portNo < at.PORTS_MAX) this.ports.set(portNo, port);
  }

  /** Flows from and to the port go with it. */
  portDel(portNo: number, now: number): void {
    this.ports.delete(portNo);
    for (const [slot, { ports }] of this.entryOf) {
      if (ports.includes(portNo)) this.remove(slot, now);
    }
  }

  /** Zeroes the counters of a slot that a new flow takes. */
  clearFlow(slot: number): void {
    const word = (at.OFF_FLOWS >> 2) + (slot << (at.FLOW_SHIFT - 2));
    if (slot < at.FLOWS_MAX) this.words.fill(0, word, word + 8);
  }

  /**
   * Gives the kernel a flow, in the state ENTRY_HELD. @returns false when it cannot have it: the
   * flow is of a kind that only workers do, or there is no room for it
   */
  put(flow: KernelFlow, now: number): boolean {
    if (this.entryOf.has(flow.slot)) return true;
    if (flow.slot >= at.FLOWS_MAX) return false;
    const match = kernelKey(flow.masked);
    const input = match && this.ports.get(match.inPort);
    if (!match || !input) return false;
    const dst = input.tap ? null : destinationOf(match);
    const portOf = (port: number) => this.ports.get(port);
    const steps = kernelSteps(flow.actions, portOf, match.untagged, dst);
    const mask = steps && this.mask(match, now);
    if (!steps || !mask) return false;
    match.key[0] = input.ifindex;
    const position = this.position(mask.tag, match, now);
    if (position < 0) {
      this.releaseMask(match.cls, mask, now);
      return false;
    }
    const byte = at.OFF_ENTRIES + (position << at.ENTRY_SHIFT);
    const word = byte >> 2;
    this.words.fill(0, word, word + (1 << (at.ENTRY_SHIFT - 2)));
    this.words[(byte + at.E_SLOT) >> 2] = flow.slot;
    this.words[(byte + at.E_IN_PORT) >> 2] = match.inPort | (match.tcpFlags ? 1 << 31 : 0);
    this.words[(byte + at.E_LENGTH_MAX) >> 2] = steps.lengthMax;
    this.words.set(match.key, (byte + at.E_KEY) >> 2);
    this.bytes.set(steps.macs, byte + at.E_DL_DST);
    this.words.set(steps.words, (byte + at.E_STEPS) >> 2);
    this.words[(byte + at.E_STATE) >> 2] = at.ENTRY_HELD;
    // The tag makes it findable: last, and not before the rest is there.
    Atomics.store(this.words, word, mask.tag);
    mask.entries += 1;
    const outputs = flow.actions.flatMap((each) => (each.type === 'output' ? [each.port] : []));
    const ports = [match.inPort, ...outputs];
    this.entryOf.set(flow.slot, { position, cls: match.cls, mask, ports });
    return true;
  }

  /** Takes a flow away from the kernel; its counters stay until clearFlow. */
  remove(slot: number, now: number): void {
    const entry = this.entryOf.get(slot);
    if (!entry) return;
    this.entryOf.delete(slot);
    const { position, cls, mask } = entry;
    Atomics.store(this.words, (at.OFF_ENTRIES + (position << at.ENTRY_SHIFT)) >> 2, 0);
    this.freedAt[position] = now;
    mask.entries -= 1;
    this.releaseMask(cls, mask, now);
  }

  flowStats(slot: number): KernelFlowStats {
    if (slot >= at.FLOWS_MAX) return { packets: 0, bytes: 0, usedNs: 0, tcpFlags: 0 };
    const byte = at.OFF_FLOWS + (slot << at.FLOW_SHIFT);
    return {
      packets: this.counter(byte),
      bytes: this.counter(byte + 8),
      usedNs: this.counter(byte + 16),
      tcpFlags: this.words[(byte + at.F_TCP_FLAGS) >> 2],
    };
  }

  portStats(portNo: number): KernelPortStats {
    const base = at.OFF_PORTS + (portNo << at.PORT_SHIFT);
    const nth = (i: number) => (portNo < at.PORTS_MAX ? this.counter(base + 8 * i) : 0);
    return {
      ...{ rxPackets: nth(0), rxBytes: nth(1), txPackets: nth(2) + nth(4) },
      ...{ txBytes: nth(3) + nth(5), passedPackets: nth(4), passedBytes: nth(5) },
    };
  }

  /** Adds a port's counters to those of workers. */
  addPortStats(portNo: number, to: Pick<KernelPortStats, (typeof COMMON_COUNTERS)[number]>): void {
    const stats = this.portStats(portNo);
    for (const name of COMMON_COUNTERS) to[name] += stats[name];
  }

  drops(reason: number): number {
    return reason < at.DROP_REASONS_MAX ? this.counter(at.OFF_DROPS + 8 * reason) : 0;
  }

  /** 8 bytes that the kernel adds to meanwhile: the upper half must be the same around it. */
  private counter(byte: number): number {
    const word = byte >> 2;
    for (;;) {
      const high = Atomics.load(this.words, word + 1);
      const low = Atomics.load(this.words, word);
      if (Atomics.load(this.words, word + 1) !== high) continue;
      return (high >>> 0) * 2 ** 32 + (low >>> 0);
    }
  }

  /** The mask's place in its class, which is made when there is none yet. */
  private mask({ cls, mask }: KernelKey, now: number): MaskUse | null {
    const uses = this.masks[cls];
    const wordOf = (place: number) =>
      (at.OFF_CLASSES + cls * at.CLASS_BYTES + at.CLASS_HEAD_BYTES + place * at.MASK_BYTES) >> 2;
    for (const use of uses) {
      const word = wordOf(use.place);
      let i = 1;
      while (i < at.KEY_WORDS && this.words[word + i] === mask[i]) i++;
      if (i === at.KEY_WORDS) return use;
    }
    for (let place = 0; place < at.MASKS_MAX; place++) {
      if (uses.some((use) => use.place === place)) continue;
      const freed = this.maskFreedAt[cls * at.MASKS_MAX + place];
      if (freed !== 0 && now - freed < QUARANTINE_MS) continue;
      const use = { tag: this.nextTag++ & 0x7fffffff || 1, place, entries: 0 };
      const word = wordOf(place);
      this.words.set(mask.subarray(1), word + 1);
      Atomics.store(this.words, word, use.tag);
      uses.push(use);
      this.setMaskCount(cls);
      return use;
    }
    return null;
  }

  private releaseMask(cls: number, mask: MaskUse, now: number): void {
    if (mask.entries > 0) return;
    const { place } = mask;
    const byte =
      at.OFF_CLASSES + cls * at.CLASS_BYTES + at.CLASS_HEAD_BYTES + place * at.MASK_BYTES;
    Atomics.store(this.words, byte >> 2, 0);
    this.maskFreedAt[cls * at.MASKS_MAX + place] = now;
    this.masks[cls].splice(this.masks[cls].indexOf(mask), 1);
    this.setMaskCount(cls);
  }

  private setMaskCount(cls: number): void {
    const count = Math.max(0, ...this.masks[cls].map(({ place }) => place + 1));
    Atomics.store(this.words, (at.OFF_CLASSES + cls * at.CLASS_BYTES) >> 2, count);
  }

  /** A free place for a key, or -1. */
  private position(tag: number, { cls, key }: KernelKey, now: number): number {
    let hash = tag;
    for (let i = 0; i < at.CLASS_KEY_WORDS[cls]; i++) {
      hash = Math.imul(hash ^ key[i], at.HASH_MULTIPLIER);
      hash ^= hash >>> 15;
    }
    for (let way = 0; way < at.WAYS; way++) {
      const position = (hash ^ way) & (at.ENTRIES - 1);
      if (this.words[(at.OFF_ENTRIES + (position << at.ENTRY_SHIFT)) >> 2] !== 0) continue;
      if (this.freedAt[position] === 0 || now - this.freedAt[position] >= QUARANTINE_MS) {
        return position;
      }
    }
    return -1;
  }
}

/** The destination address that all frames of a flow have, or null. */
function destinationOf({ key, mask }: KernelKey): Uint8Array | null {
  if (mask[1] !== -1 || (mask[2] & 0xffff) !== 0xffff) return null;
  return new Uint8Array(key.slice(1, 3).buffer, 0, 6);
}

function unavailable(reason: string, cause?: unknown): TapswitchError {
  return new TapswitchError(
    'E_KERNEL_CACHE',
    `flows cannot be forwarded in the kernel: ${reason}`,
    'it needs Linux 6.6 or later, and CAP_BPF and CAP_NET_ADMIN (a privileged container has them)',
    { cause },
  );
}
