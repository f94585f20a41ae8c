/**
 * A naive interpreter of OpenFlow: what a switch must do with one packet, written from the
 * specification (OpenFlow 1.5, sections 5 and 7; ovs-actions(7) for the extensions) and from
 * nothing else. Tests hold the switch to it, frame by frame.
 *
 *     outcomes(packet) --> every result that is allowed: one, or one for each bucket that a select
 *                          group may choose
 *
 * Not here: NORMAL, meters, queues, learning, tunnels. What the specification leaves open throws
 * Unspecified (frame.ts).
 */
import type { OfAction, SubField } from '../../../src/openflow/actions.js';
import { copyPacket, fieldBits, type Packet, readField, writeField } from './fields.js';
import { insertBytes, isMpls, parse, put16, removeBytes, Unspecified, u16 } from './frame.js';
import { type ModelEntry, ModelTables } from './tables.js';

const PORT = {
  IN_PORT: 0xfffffff8,
  FLOOD: 0xfffffffb,
  ALL: 0xfffffffc,
  CONTROLLER: 0xfffffffd,
} as const;
const REASON = { NO_MATCH: 0, ACTION: 1, INVALID_TTL: 2, ACTION_SET: 3, GROUP: 4 } as const;

export interface ModelPort {
  up: boolean;
  noReceive: boolean;
  noForward: boolean;
  noFlood: boolean;
}

export interface ModelBucket {
  weight: number;
  /** Fast failover: alive while this port is up. */
  watchPort: number | null;
  actions: readonly OfAction[];
}

export interface ModelGroup {
  type: 'all' | 'select' | 'indirect' | 'ff';
  buckets: readonly ModelBucket[];
}

export interface SentFrame {
  /** OpenFlow port, or 'controller'. */
  to: number | 'controller';
  /** Of a packet-in: 'table/reason'. */
  note: string;
  bytes: Uint8Array;
}

export interface Outcome {
  sent: SentFrame[];
  /** Entries that the packet met, once for each time. */
  hits: ModelEntry[];
  /** False: the switch credits more entries, since only its datapath knows a packet's length. */
  countable: boolean;
}

/** Thrown through all lists: the pipeline ends here. */
class Exit extends Error {}

/** More of them than this are not enumerated. */
const OUTCOMES_MAX = 256;

export class ModelSwitch {
  readonly tables = new ModelTables();
  readonly groups = new Map<number, ModelGroup>();
  readonly ports = new Map<number, ModelPort>();

  /** All that the switch may do with a frame. @throws Unspecified */
  outcomes(bytes: Uint8Array, inPort: number): Outcome[] {
    const found: Outcome[] = [];
    const open: number[][] = [[]];
    for (let path = open.pop(); path !== undefined; path = open.pop()) {
      const run = new Run(this, path);
      found.push(run.start(bytes, inPort));
      open.push(...run.alternatives);
      if (found.length > OUTCOMES_MAX) throw new Unspecified('too many outcomes');
    }
    return found;
  }
}

/** One way of one packet. */
class Run {
  /** Choices that were not made here. */
  readonly alternatives: number[][] = [];
  private readonly made: number[] = [];
  private readonly sent: SentFrame[] = [];
  private readonly hits: ModelEntry[] = [];
  private packet: Packet = { bytes: new Uint8Array(0), inPort: 0, metadata: 0n, registers: [] };
  private actionSet: OfAction[] = [];
  private stack: bigint[] = [];
  private entry: ModelEntry | null = null;
  private table = 0;
  private inSet = false;
  private inBucket = false;
  private steps = 0;
  private depth = 0;
  private countable = true;

  constructor(
    private readonly model: ModelSwitch,
    private readonly choices: readonly number[],
  ) {}

  start(bytes: Uint8Array, inPort: number): Outcome {
    const registers = Array.from({ length: 16 }, () => 0n);
    this.packet = { bytes: bytes.slice(), inPort, metadata: 0n, registers };
    const entry = this.model.tables.lookup(0, this.packet);
    // A port that does not receive drops what came, but only after the table has seen it.
    if (entry !== null) this.hits.push(entry);
    if (entry === null || this.model.ports.get(inPort)?.noReceive) return this.outcome();
    this.entry = entry;
    this.untilExit(() => this.list(entry.actions));
    this.runActionSet();
    return this.outcome();
  }

  private outcome(): Outcome {
    return { sent: this.sent, hits: this.hits, countable: this.countable };
  }

  private untilExit(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Exit)) throw error;
    }
  }

  /** One of n: as told, or the first while the others are noted. */
  private choose(n: number): number {
    const depth = this.made.length;
    if (depth >= this.choices.length) {
      for (let i = 1; i < n; i++) this.alternatives.push([...this.made, i]);
      this.made.push(0);
      return 0;
    }
    this.made.push(this.choices[depth]);
    return this.choices[depth];
  }

  private list(actions: readonly OfAction[]): void {
    this.depth += 1;
    try {
      for (const action of actions) {
        this.steps += 1;
        if (this.steps > 3000) throw new Unspecified('too many actions');
        if (!this.action(action)) return;
      }
    } finally {
      this.depth -= 1;
    }
  }

  /** @returns false when the list ends here */
  private action(action: OfAction): boolean {
    const { packet } = this;
    switch (action.type) {
      case 'output':
        this.output(action.port);
        return true;
      case 'output_reg':
        this.output(Number(this.read(action.src)));
        return true;
      case 'controller':
        this.toController(action.reason === REASON.ACTION ? this.reason() : action.reason);
        return true;
      case 'set_field':
        this.setField(action.field, toBigint(action.value), toBigint(action.mask));
        return true;
      case 'move':
        this.move(action.src, action.dst);
        return true;
      case 'stack_push':
        this.stack.push(this.read(action.sub));
        return true;
      case 'stack_pop': {
        const value = this.stack.pop();
        if (value !== undefined) this.write(action.sub, value);
        return true;
      }
      case 'push_vlan':
        this.pushVlan(action.ethType);
        return true;
      case 'strip_vlan':
        if (parse(packet.bytes).tags > 0) packet.bytes = removeBytes(packet.bytes, 12, 4);
        return true;
      case 'push_mpls':
        this.pushMpls(action.ethType);
        return true;
      case 'pop_mpls':
        this.popMpls(action.ethType);
        return true;
      case 'set_mpls_ttl':
        if (readField(packet, 'mpls_ttl') !== null)
          writeField(packet, 'mpls_ttl', BigInt(action.ttl));
        return true;
      case 'dec_mpls_ttl':
        return this.decrement('mpls_ttl');
      case 'dec_ttl':
        return this.decrement('nw_ttl');
      case 'resubmit':
        this.resubmit(action.inPort ?? packet.inPort, action.table ?? this.table);
        return true;
      case 'goto_table':
        this.resubmit(packet.inPort, action.table);
        return true;
      case 'group':
        this.group(action.group);
        return true;
      case 'clone':
        this.clone(action.actions);
        return true;
      case 'check_pkt_larger':
        // What the switch knows of the length does not get out of the list that asked.
        if (this.depth > 1) throw new Unspecified('length asked for in a list within another');
        this.countable = false;
        this.write(action.dst, packet.bytes.length > action.size ? 1n : 0n);
        return true;
      case 'write_metadata':
        packet.metadata =
          (packet.metadata & ~action.mask & ((1n << 64n) - 1n)) | (action.metadata & action.mask);
        return true;
      case 'clear_actions':
        this.actionSet = [];
        return true;
      case 'write_actions':
        for (const each of action.actions) this.writeAction(each);
        return true;
      case 'note':
        return true;
      case 'exit':
        throw new Exit();
      default:
        throw new RangeError(`the model has no action ${action.type}`);
    }
  }

  private output(port: number): void {
    const { inPort } = this.packet;
    if (port === PORT.CONTROLLER) this.toController(this.reason());
    else if (port === PORT.IN_PORT) this.sendTo(inPort);
    else if (port === PORT.ALL || port === PORT.FLOOD) {
      for (const [no, { noFlood }] of this.model.ports) {
        if (no !== inPort && !(port === PORT.FLOOD && noFlood)) this.sendTo(no);
      }
    } else if (port !== inPort) this.sendTo(port);
  }

  private sendTo(port: number): void {
    const known = this.model.ports.get(port);
    if (known === undefined || known.noForward) return;
    this.sent.push({ to: port, note: '', bytes: this.packet.bytes.slice() });
  }

  private reason(): number {
    if (this.inBucket) return REASON.GROUP;
    if (this.inSet) return REASON.ACTION_SET;
    return REASON.ACTION;
  }

  private toController(reason: number): void {
    const miss = this.entry?.priority === 0 && this.entry.match.length === 0;
    const told = reason === REASON.ACTION && miss ? REASON.NO_MATCH : reason;
    const note = `table ${this.table} reason ${told} metadata ${this.packet.metadata}`;
    this.sent.push({ to: 'controller', note, bytes: this.packet.bytes.slice() });
  }

  private read(sub: SubField): bigint {
    const value = readField(this.packet, sub.field);
    if (value === null) throw new Unspecified('reading what is not there');
    return (value >> BigInt(sub.ofs)) & ones(sub.nBits);
  }

  private write(sub: SubField, value: bigint): void {
    const mask = ones(sub.nBits) << BigInt(sub.ofs);
    this.setField(sub.field, value << BigInt(sub.ofs), mask);
  }

  private setField(field: string, value: bigint, mask: bigint): void {
    const old = readField(this.packet, field);
    if (old === null) return;
    const bits = mask & ones(fieldBits(field));
    writeField(this.packet, field, (old & ~bits) | (value & bits));
  }

  /** Both fields must be there. */
  private move(src: SubField, dst: SubField): void {
    if (readField(this.packet, src.field) === null) return;
    if (readField(this.packet, dst.field) === null) return;
    this.write(dst, this.read(src));
  }

  /** VID and priority of the new tag are 0 (ovs-actions(7)). */
  private pushVlan(ethType: number): void {
    const { packet } = this;
    if (parse(packet.bytes).tags >= 2) throw new Unspecified('a third tag');
    packet.bytes = insertBytes(packet.bytes, 12, 4);
    put16(packet.bytes, 12, ethType);
    put16(packet.bytes, 14, 0);
  }

  /** Behind the tags; the new label is a copy of the one below it, or made from the IP header. */
  private pushMpls(ethType: number): void {
    const { packet } = this;
    const h = parse(packet.bytes);
    if (h.labels >= 3) throw new Unspecified('a fourth label');
    let lse: number[];
    if (h.labels > 0) {
      lse = [...packet.bytes.subarray(h.netAt, h.netAt + 4)];
      lse[2] &= 0xfe;
    } else {
      const isIp = h.network === 'ip4' || h.network === 'ip6';
      const ttl = isIp ? Number(readField(packet, 'nw_ttl')) || 64 : 64;
      const tc = isIp ? Number(readField(packet, 'ip_dscp')) & 7 : 0;
      lse = [0, 0, (h.network === 'ip6' ? 2 << 4 : 0) | (tc << 1) | 1, ttl];
    }
    packet.bytes = insertBytes(packet.bytes, h.netAt, 4);
    packet.bytes.set(lse, h.netAt);
    put16(packet.bytes, h.typeAt, ethType);
  }

  private popMpls(ethType: number): void {
    const { packet } = this;
    const h = parse(packet.bytes);
    if (h.labels === 0) return;
    if (isMpls(ethType) !== h.labels > 1) throw new Unspecified('a type that does not fit');
    packet.bytes = removeBytes(packet.bytes, h.netAt, 4);
    put16(packet.bytes, h.typeAt, ethType);
    parse(packet.bytes);
    if (u16(packet.bytes, h.typeAt) !== ethType) throw new Unspecified('no room');
  }

  private decrement(field: 'nw_ttl' | 'mpls_ttl'): boolean {
    const ttl = readField(this.packet, field);
    if (ttl === null) return true;
    if (ttl > 1n) {
      writeField(this.packet, field, ttl - 1n);
      return true;
    }
    this.toController(REASON.INVALID_TTL);
    return false;
  }

  /** Looks up with `inPort` in place of the packet's own, and does what is found. */
  private resubmit(inPort: number, table: number): void {
    const own = this.packet.inPort;
    this.packet.inPort = inPort === PORT.IN_PORT ? own : inPort;
    const entry = this.model.tables.lookup(table, this.packet);
    this.packet.inPort = own;
    if (entry === null) return;
    this.hits.push(entry);
    const saved = { entry: this.entry, table: this.table };
    this.entry = entry;
    this.table = table;
    try {
      this.list(entry.actions);
    } finally {
      this.entry = saved.entry;
      this.table = saved.table;
    }
  }

  private group(id: number): void {
    const group = this.model.groups.get(id);
    if (group === undefined) return;
    if (group.type === 'all' || group.type === 'indirect') {
      for (const bucket of group.buckets) this.bucket(bucket);
      return;
    }
    const alive = group.buckets.filter((bucket) => this.isAlive(group, bucket));
    if (alive.length === 0) return;
    this.bucket(alive[group.type === 'ff' ? 0 : this.choose(alive.length)]);
  }

  private isAlive(group: ModelGroup, bucket: ModelBucket): boolean {
    if (group.type === 'select' && bucket.weight === 0) return false;
    if (bucket.watchPort === null) return true;
    return this.model.ports.get(bucket.watchPort)?.up === true;
  }

  /** A bucket is an action set of its own, on a copy of the packet. */
  private bucket(bucket: ModelBucket): void {
    const saved = { packet: copyPacket(this.packet), inBucket: this.inBucket };
    this.inBucket = true;
    this.untilExit(() => this.list(inSetOrder(bucket.actions)));
    this.packet = saved.packet;
    this.inBucket = saved.inBucket;
  }

  private clone(actions: readonly OfAction[]): void {
    const saved = { packet: copyPacket(this.packet), set: this.actionSet, stack: [...this.stack] };
    this.untilExit(() => this.list(actions));
    // As in Open vSwitch, the copy ends with what its action set holds then.
    this.runActionSet();
    this.packet = saved.packet;
    this.actionSet = saved.set;
    this.stack = saved.stack;
  }

  /** One action of each kind; set_field counts by its field. */
  private writeAction(action: OfAction): void {
    const kind = kindOf(action);
    this.actionSet = [...this.actionSet.filter((other) => kindOf(other) !== kind), action];
  }

  private runActionSet(): void {
    const actions = inSetOrder(this.actionSet);
    const outer = this.inSet;
    this.actionSet = [];
    this.inSet = true;
    this.untilExit(() => this.list(actions));
    this.inSet = outer;
  }
}

function kindOf(action: OfAction): string {
  return action.type === 'set_field' ? `set_field ${action.field}` : action.type;
}

/** OpenFlow 1.5, section 5.6: the order of an action set, whatever order it was written in. */
const ORDER: readonly OfAction['type'][] = [
  'strip_vlan',
  'pop_mpls',
  'push_mpls',
  'push_vlan',
  'dec_ttl',
  'dec_mpls_ttl',
  'set_field',
];

/** Without a group or an output, a set does nothing; a group makes the output be left out. */
function inSetOrder(set: readonly OfAction[]): OfAction[] {
  const last = set.findLast((a) => a.type === 'group') ?? set.findLast((a) => a.type === 'output');
  if (last === undefined) return [];
  const rest = ORDER.flatMap((type) => {
    const all = set.filter((a) => a.type === type);
    return type === 'set_field' ? all : all.slice(-1);
  });
  return [...rest, last];
}

function ones(n: number): bigint {
  return (1n << BigInt(n)) - 1n;
}

function toBigint(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = value * 256n + BigInt(byte);
  return value;
}
