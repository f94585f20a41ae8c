/**
 * Two switches with a bond between them (or a bond at one end and plain ports at the other), over
 * wires that lose, delay and duplicate what they carry, under a stopped clock and a seeded
 * generator: the same seed gives the same run.
 *
 *     h1 -- [switch 0] bond { wire 0, wire 1, wire 2 } bond [switch 1] -- h2
 *
 * Data frames carry a number, so that the world can say how often each was sent and delivered.
 */
import { stoppedClock } from '../../src/common/clock.js';
import { DpifDummy } from '../../src/datapath/dpif-dummy.js';
import type { DummyNetdev } from '../../src/netdev/dummy-netdev.js';
import type { Bond } from '../../src/ofproto/bond.js';
import type { Bundle } from '../../src/ofproto/bundle.js';
import { Ofproto } from '../../src/ofproto/ofproto.js';
import { OfprotoRegistry } from '../../src/ofproto/registry.js';
import {
  type BondSettings,
  type BundleSettings,
  defaultBondSettings,
  defaultBundleSettings,
  type LacpSettings,
} from '../../src/ofproto/settings.js';
import { dummyNetdevs } from '../support/dummy-netdevs.js';
import { macBytes } from '../unit/ofproto/support/bridge.js';

const ETH_TYPE_LACP = 0x8809;
const ETH_TYPE_IP = 0x0800;
const STEP_MS = 50;
export const N_WIRES = 3;

/** Mulberry32: small, and good enough to choose events by. */
export function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface WorldOptions {
  seed: number;
  bond: Partial<BondSettings>;
  lacp: [Partial<LacpSettings>, Partial<LacpSettings>] | null;
  /** Switch 1 has no bond: each wire leads to a port of its own. */
  plainPeer?: boolean;
}

interface Wire {
  up: boolean;
  /** Towards switch 0 and towards switch 1. */
  lossTo: [number, number];
  delayMs: number;
  duplicates: number;
}

interface Flight {
  atMs: number;
  order: number;
  to: End;
  wire: number;
  frame: Uint8Array;
}

/** One switch. */
class End {
  readonly devices: DummyNetdev[] = [];
  readonly host: DummyNetdev;
  /** Null at the end without a bond. */
  readonly bundle: Bundle | null;
  readonly registry: OfprotoRegistry;
  private readonly dpif: DpifDummy;

  constructor(
    readonly index: 0 | 1,
    world: World,
    options: WorldOptions,
  ) {
    const { clock } = world;
    this.dpif = new DpifDummy({ clock });
    this.registry = new OfprotoRegistry({ clock });
    const backer = this.registry.openBacker('dummy', this.dpif);
    const hwAddr = Uint8Array.of(2, 0, 0, 0, 0, index + 1);
    const br = new Ofproto(backer, { name: `br${index}`, datapathId: 1n, clock, hwAddr });
    const netdevs = dummyNetdevs(clock);
    const members: number[] = [];
    for (let i = 0; i < N_WIRES; i++) {
      const device = netdevs.open(`s${index}m${i}`, 'dummy', {}) as DummyNetdev;
      device.onTransmit((frame) => world.transmitted(this, i, frame));
      this.devices.push(device);
      members.push(br.portAdd(device));
    }
    if (index === 1 && options.plainPeer) {
      for (const no of members) br.bundleSet(`m${no}`, defaultBundleSettings(`m${no}`, [no]));
    } else br.bundleSet('bond', bondBundle(options, index, members, hwAddr));
    this.host = netdevs.open(`s${index}h`, 'dummy', {}) as DummyNetdev;
    this.host.onTransmit((frame) => world.delivered(this, frame));
    br.bundleSet('host', defaultBundleSettings('host', [br.portAdd(this.host)]));
    this.bundle = br.bundleByKey('bond');
  }

  get bond(): Bond | null {
    return this.bundle?.bond ?? null;
  }

  settle(now: number): void {
    for (let i = 0; i < 4; i++) this.registry.run(now);
  }

  /** Indices of the wires whose member is enabled. */
  enabled(): number[] {
    return this.devices.flatMap((d, i) => (this.bond?.members.get(d)?.enabled ? [i] : []));
  }

  async close(): Promise<void> {
    for (const backer of [...this.registry.backers()]) backer.close();
    await this.dpif.close();
  }
}

function bondBundle(
  { bond, lacp: bothLacp }: WorldOptions,
  index: 0 | 1,
  members: number[],
  systemId: Uint8Array,
): BundleSettings {
  const lacpDefaults = { active: true, fast: true, systemPriority: 65534, fallbackAb: false };
  const lacp = bothLacp && { ...lacpDefaults, systemId, ...bothLacp[index] };
  const primary = bond.primary === undefined ? null : `s${index}${bond.primary}`;
  return {
    ...defaultBundleSettings('bond', members),
    bond: { ...defaultBondSettings(), ...bond, primary },
    lacp,
  };
}

/** What became of one data frame. */
export interface Fate {
  from: 0 | 1;
  broadcast: boolean;
  /** How often each switch sent it by its bond. */
  sentBy: [number, number];
  /** How often each switch gave it to its host. */
  deliveredBy: [number, number];
  /** Copies that reached each switch, by wire. */
  arrivals: [number[], number[]];
}

export class World {
  readonly clock = stoppedClock(10_000);
  readonly ends: End[] = [];
  readonly wires: Wire[];
  readonly random: () => number;
  readonly fates = new Map<number, Fate>();
  /** Broken invariants, as text. */
  readonly broken: string[] = [];
  private flights: Flight[] = [];
  private nextOrder = 0;
  private nextFrame = 1;

  constructor(readonly options: WorldOptions) {
    this.random = generator(options.seed);
    this.wires = Array.from({ length: N_WIRES }, () => ({
      up: true,
      lossTo: [0, 0],
      delayMs: 0,
      duplicates: 0,
    }));
    for (const index of [0, 1] as const) this.ends.push(new End(index, this, options));
    this.advance(1000);
  }

  int(max: number): number {
    return Math.floor(this.random() * max);
  }

  setWire(index: number, up: boolean): void {
    this.wires[index].up = up;
    for (const end of this.ends) end.devices[index].setCarrier(up);
    this.settle();
  }

  /** All wires up and clean again. */
  calm(): void {
    this.wires.forEach((wire, i) => {
      Object.assign(wire, { lossTo: [0, 0], delayMs: 0, duplicates: 0 });
      if (!wire.up) this.setWire(i, true);
    });
  }

  /** A host sends a frame. @returns its number */
  send(from: 0 | 1, flow: number, broadcast: boolean): number {
    const id = this.nextFrame++;
    this.fates.set(id, {
      from,
      broadcast,
      sentBy: [0, 0],
      deliveredBy: [0, 0],
      arrivals: [[], []],
    });
    this.ends[from].host.receive(dataFrame(from, flow, broadcast, id));
    this.settle();
    return id;
  }

  transmitted(end: End, wireIndex: number, frame: Uint8Array): void {
    const data = frameId(frame);
    const isLacp = etherType(frame) === ETH_TYPE_LACP;
    const fate = data === null ? undefined : this.fates.get(data);
    if (fate !== undefined) fate.sentBy[end.index] += 1;
    if (!isLacp) this.checkSender(end, wireIndex);
    const wire = this.wires[wireIndex];
    const to: End | undefined = this.ends[1 - end.index];
    // While the world is made the first switch talks to nobody.
    if (to === undefined || !wire.up || this.random() < wire.lossTo[to.index]) return;
    const copies = 1 + (this.random() < wire.duplicates ? 1 : 0);
    for (let i = 0; i < copies; i++) {
      const atMs = this.clock.now() + (wire.delayMs === 0 ? 0 : this.int(wire.delayMs));
      this.flights.push({
        atMs,
        order: this.nextOrder++,
        to,
        wire: wireIndex,
        frame: frame.slice(),
      });
    }
  }

  /** Nothing is sent on a member that is not enabled; in active-backup on no other but one. */
  private checkSender(end: End, wireIndex: number): void {
    if (end.bond === null) return;
    const member = end.bond.members.get(end.devices[wireIndex]);
    const name = `switch ${end.index} member ${wireIndex}`;
    if (!member?.enabled) this.broken.push(`${name}: sent while it is not enabled`);
    const single = end.bond.mode === 'active-backup' || end.bond.fallsBackToActiveBackup;
    if (single && end.bond.active !== member) this.broken.push(`${name}: sent, but not active`);
  }

  delivered(end: End, frame: Uint8Array): void {
    const id = frameId(frame);
    const fate = id === null ? undefined : this.fates.get(id);
    if (fate !== undefined) fate.deliveredBy[end.index] += 1;
  }

  settle(): void {
    const now = this.clock.now();
    for (let round = 0; round < 16; round++) {
      for (const end of this.ends) end.settle(now);
      const due = this.flights.filter((f) => f.atMs <= now);
      if (due.length === 0) return;
      this.flights = this.flights.filter((f) => f.atMs > now);
      due.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      for (const { to, wire, frame } of due) this.arrive(to, wire, frame);
    }
  }

  private arrive(to: End, wire: number, frame: Uint8Array): void {
    if (!this.wires[wire].up) return;
    const id = frameId(frame);
    const fate = id === null ? undefined : this.fates.get(id);
    if (fate !== undefined) {
      const counts = fate.arrivals[to.index];
      counts[wire] = (counts[wire] ?? 0) + 1;
    }
    to.devices[wire].receive(frame);
    to.settle(this.clock.now());
  }

  /** Time passes; what is due in it happens at its time, to 50 ms. */
  advance(ms: number): void {
    this.settle();
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.clock.advance(Math.min(STEP_MS, left));
      this.settle();
    }
  }

  /** No frame was sent twice by one bond, or back to where it came from, or given out twice. */
  checkFates(): void {
    for (const [id, fate] of this.fates) {
      const { from, sentBy, deliveredBy, arrivals } = fate;
      const to = from === 0 ? 1 : 0;
      const bonded = (end: 0 | 1) => this.ends[end].bond !== null;
      // Plain ports flood what goes to a MAC that they do not know; balance-slb cannot tell such
      // copies apart, as ovs-vswitchd's documentation of bonding says.
      const flooded = !fate.broadcast && sentBy[from] > 1;
      // What a wire doubled may be delivered doubled; what came by several wires may not.
      const deliveredMax = Math.max(0, ...Object.values(arrivals[to]));
      const problem =
        (bonded(from) && sentBy[from] > 1 && 'was sent twice') ||
        (bonded(to) && sentBy[to] > 0 && 'was sent back') ||
        (deliveredBy[from] > 0 && 'came back to its sender') ||
        (!flooded && deliveredBy[to] > deliveredMax && 'was multiplied');
      if (problem) this.broken.push(`frame ${id}: ${problem} ${JSON.stringify(fate)}`);
    }
    this.fates.clear();
  }

  async close(): Promise<void> {
    for (const end of this.ends) await end.close();
  }
}

function etherType(frame: Uint8Array): number {
  return (frame[12] << 8) | frame[13];
}

/** The number of a data frame, or null for what the switches sent by themselves. */
function frameId(frame: Uint8Array): number | null {
  if (etherType(frame) !== ETH_TYPE_IP) return null;
  return new DataView(frame.buffer, frame.byteOffset).getUint32(42);
}

/** An IPv4/UDP frame; `flow` chooses source MAC and port. */
function dataFrame(from: number, flow: number, broadcast: boolean, id: number): Uint8Array {
  const frame = new Uint8Array(60);
  const view = new DataView(frame.buffer);
  const host = (side: number, n: number): number[] =>
    macBytes(`50:54:00:00:0${side}:${n.toString(16).padStart(2, '0')}`);
  frame.set(broadcast ? macBytes('ff:ff:ff:ff:ff:ff') : host(1 - from, flow % 8));
  frame.set(host(from, flow % 8), 6);
  view.setUint16(12, ETH_TYPE_IP);
  frame.set([0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, from, 10, 0, 0, 1 - from], 14);
  view.setUint16(34, 1024 + flow);
  view.setUint16(36, 7);
  view.setUint16(38, 26);
  view.setUint32(42, id);
  return frame;
}
