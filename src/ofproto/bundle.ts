/**
 * A bundle: a port as configured, with one member, or several that make a bond; and its VLANs.
 *
 *     configuration's port 'bond1' {tag, trunks...} --- Bundle --- OfPort vetha
 *                                                       |    `---- OfPort vethx
 *                                                       `- Bond
 *
 * Not for: how a packet's tags change on the way through (xlate/vlan.ts).
 */
import type { Clock } from '../common/clock.js';
import { Bond, type LacpStatus } from './bond.js';
import { BondEvents } from './bond-events.js';
import type { BondRecirc } from './bond-recirc.js';
import { Lacp } from './lacp.js';
import type { OfPort } from './port.js';
import { OFPPC } from './port.js';
import type { BundleSettings, LacpMemberSettings, VlanMode } from './settings.js';

export class Bundle {
  /** Members in the order of the configuration. */
  ports: OfPort[] = [];
  vlanMode: VlanMode = 'trunk';
  /** Access or native VLAN; -1 for a plain trunk. */
  vlan = -1;
  /** VLANs carried; null: all. */
  trunks: ReadonlySet<number> | null = null;
  /** Customer VLANs of a dot1q-tunnel; null: all. */
  cvlans: ReadonlySet<number> | null = null;
  qinqEthType = 0x88a8;
  priorityTags: BundleSettings['priorityTags'] = 'never';
  isProtected = false;
  /** Mirrors (bits, mirror.ts) that copy what comes in, what goes out, and that put copies here. */
  mirrorSrc = 0;
  mirrorDst = 0;
  mirrorOut = 0;
  bond: Bond | null = null;
  /** What happened to the bond lately; null without one. */
  bondEvents: BondEvents | null = null;
  /** How the datapath spreads packets over the bond's buckets. */
  bondRecirc: BondRecirc | null = null;
  lacp: Lacp | null = null;

  /** @param key the configuration layer's name for it, unique in the bridge */
  constructor(
    readonly key: string,
    public name: string,
    private readonly clock: Clock,
  ) {}

  get lacpStatus(): LacpStatus {
    return this.lacp?.status ?? 'off';
  }

  /**
   * Takes settings over.
   * @param ports the members, as found by the bridge
   * @returns true when MACs learned on it may be wrong now
   */
  configure(settings: BundleSettings, ports: OfPort[]): boolean {
    const before = this.learningKey();
    this.name = settings.name;
    this.vlanMode = settings.vlanMode;
    this.vlan = vlanOf(settings);
    this.trunks = trunksOf(settings, this.vlan);
    this.cvlans = settings.cvlans;
    this.qinqEthType = settings.qinqEthType;
    this.priorityTags = settings.priorityTags;
    this.isProtected = settings.protected;
    for (const port of this.ports) if (!ports.includes(port)) this.removePort(port);
    for (const port of ports) port.bundle = this;
    this.ports = ports;
    this.configureLacp(settings);
    this.configureBond(settings);
    return before !== this.learningKey();
  }

  private configureLacp(settings: BundleSettings): void {
    if (settings.lacp === null || this.ports.length === 0) {
      this.lacp = null;
      return;
    }
    this.lacp ??= new Lacp(settings.name, settings.lacp, this.clock);
    this.lacp.configure(settings.name, settings.lacp);
    for (const port of this.ports) {
      const member = settings.lacpMembers?.get(port.ofPort);
      this.lacp.register(port.device, member ?? lacpMemberDefaults(port.ofPort));
    }
  }

  private configureBond(settings: BundleSettings): void {
    if (settings.bond === null || this.ports.length === 0) {
      this.dropBond();
      return;
    }
    this.bond ??= new Bond(settings.name, () => this.clock.now());
    this.bondEvents ??= new BondEvents(this.clock);
    this.bond.name = settings.name;
    this.bond.configure(settings.bond);
    for (const port of this.ports) this.bond.register(port.device);
  }

  private dropBond(): void {
    this.bondRecirc?.close();
    this.bondRecirc = null;
    this.bond = null;
    this.bondEvents = null;
  }

  private removePort(port: OfPort): void {
    if (port.bundle === this) port.bundle = null;
    this.lacp?.unregister(port.device);
    this.bond?.unregister(port.device);
  }

  /** Takes one member out (its device is going away). */
  dropPort(port: OfPort): void {
    this.removePort(port);
    this.ports = this.ports.filter((p) => p !== port);
  }

  /** Lets every member go. */
  clear(): void {
    for (const port of this.ports) this.removePort(port);
    this.ports = [];
    this.lacp = null;
    this.dropBond();
  }

  /** What learned MACs depend on: when it changes they are forgotten. */
  private learningKey(): string {
    const set = (s: ReadonlySet<number> | null): string => (s === null ? '*' : [...s].join());
    return [this.vlanMode, this.vlan, set(this.trunks), set(this.cvlans)].join('|');
  }

  /** NORMAL's floods reach it: no member forbids them. */
  get floodable(): boolean {
    return this.ports.every((port) => (port.config & OFPPC.NO_FLOOD) === 0);
  }

  trunksVlan(vid: number): boolean {
    // Untagged frames of a port with a native VLAN belong to that: VLAN 0 would mix the two.
    if (vid === 0 && this.vlan > 0) return false;
    return this.trunks === null || this.trunks.has(vid);
  }

  allowsCvlan(vid: number): boolean {
    return this.cvlans === null || this.cvlans.has(vid);
  }

  /** The lowest-numbered member: fdb/show names bundles by it. */
  aPort(): OfPort | null {
    return this.ports[0] ?? null;
  }

  portOf(device: object): OfPort | null {
    return this.ports.find((port) => port.device === device) ?? null;
  }
}

/** What Open vSwitch takes for a member without LACP settings. */
export function lacpMemberDefaults(ofPort: number): LacpMemberSettings {
  return { portId: ofPort & 0xffff, portPriority: 0xffff, key: 0 };
}

function vlanOf(settings: BundleSettings): number {
  if (settings.vlanMode === 'trunk') return -1;
  return settings.tag >= 0 && settings.tag <= 4095 ? settings.tag : 0;
}

/** The VLANs that a trunk carries: a native VLAN always belongs to them. */
function trunksOf(settings: BundleSettings, vlan: number): ReadonlySet<number> | null {
  const { vlanMode, trunks } = settings;
  if (vlanMode === 'access' || vlanMode === 'dot1q-tunnel' || trunks === null) return null;
  if (vlanMode === 'trunk' || trunks.has(vlan)) return trunks;
  return new Set([...trunks, vlan]);
}
