/**
 * All bridges of a daemon: their datapaths and turns.
 */
import type { Clock } from '../common/clock.js';
import { NEVER } from '../common/clock.js';
import type { Dpif } from '../datapath/dpif.js';
import { OfprotoBacker } from './backer.js';
import { macLearningTotals } from './mac-learning.js';
import type { Ofproto } from './ofproto.js';
import { defaultUdpifSettings, type UdpifSettings } from './settings.js';

export class OfprotoRegistry {
  readonly clock: Clock;
  private readonly wake: () => void;
  private readonly backersByType = new Map<string, OfprotoBacker>();
  private settings = defaultUdpifSettings();
  /** VLAN tags that matches see, 1 or 2. */
  vlanLimit = 2;

  /** @param options.wake asks the main loop for a turn: something is due now */
  constructor(options: { clock: Clock; wake?: () => void }) {
    this.clock = options.clock;
    this.wake = options.wake ?? (() => {});
  }

  /** Makes the backer of a datapath; one for each type. */
  openBacker(type: string, dpif: Dpif): OfprotoBacker {
    const backer = new OfprotoBacker(type, dpif, this.clock, {
      wake: this.wake,
      onClose: () => this.backersByType.delete(type),
    });
    backer.settings = { ...this.settings };
    this.backersByType.set(type, backer);
    return backer;
  }

  backers(): Iterable<OfprotoBacker> {
    return this.backersByType.values();
  }

  /** All bridges, sorted by name. */
  ofprotos(): Ofproto[] {
    return [...this.backersByType.values()]
      .flatMap((backer) => [...backer.ofprotos])
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  byName(name: string): Ofproto | null {
    return this.ofprotos().find((ofproto) => ofproto.name === name) ?? null;
  }

  /** Applies Open_vSwitch other_config settings to every datapath, also to later ones. */
  setUdpifSettings(settings: UdpifSettings): void {
    this.settings = { ...settings };
    for (const backer of this.backersByType.values()) backer.settings = { ...settings };
  }

  /** What memory/show counts of this layer, under Open vSwitch's names. */
  memoryUsage(): [name: string, count: number][] {
    const usage = { ofconns: 0, ports: 0, rules: 0, 'udpif keys': 0 };
    for (const backer of this.backersByType.values())
      usage['udpif keys'] += backer.udpif.ukeys.size;
    for (const ofproto of this.ofprotos()) {
      usage.ofconns += ofproto.connmgr.nConnections;
      usage.ports += ofproto.ports().length;
      for (const table of ofproto.tables) usage.rules += table.cls.size;
    }
    return Object.entries(usage);
  }

  /** Events since the start, under the names of coverage/show. */
  coverage(): [name: string, total: number][] {
    return macLearningTotals();
  }

  run(now: number): void {
    for (const backer of this.backersByType.values()) backer.run(now);
  }

  nextWake(): number {
    let next = NEVER;
    for (const backer of this.backersByType.values()) next = Math.min(next, backer.nextWake());
    return next;
  }
}
