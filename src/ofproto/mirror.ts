/**
 * The mirrors of a bridge: which ports' packets are copied, and where to.
 *
 *     settings (names of ports)  --resolve-->  Bundle.mirrorSrc, mirrorDst, mirrorOut
 *                                              one bit for each mirror: what translation reads
 *
 * A mirror whose output port is not there copies nothing until it comes. Not for: copying
 * (xlate/mirror.ts). Behaviour: ovs-vswitchd.conf.db(5), Mirror.
 */
import { errorMessage } from '../common/errors.js';
import { getLogger } from '../common/log.js';
import type { Match } from '../openflow/match.js';
import { parseExactMatch } from '../openflow/syntax/exact-flow.js';
import { NO_NAMES } from '../openflow/syntax/names.js';
import { type FlowWords, W_IN_PORT } from '../packet/flow-layout.js';
import type { Bundle } from './bundle.js';
import type { MirrorSettings } from './settings.js';

const log = getLogger('ofproto_dpif_mirror');

/** Bits of the masks. */
export const MIRRORS_MAX = 32;

export class Mirror {
  /** Where the copies go; null: into `settings.outVlan`, or nowhere for now. */
  out: Bundle | null = null;
  /** This mirror's bit, and those of the mirrors whose copies would go to the same place. */
  duplicates: number;
  packets = 0;
  bytes = 0;

  /**
   * @param bit its bit in the masks of bundles
   * @param filter of `settings`; null: it has none; undefined: nobody understands it
   */
  constructor(
    readonly bit: number,
    public settings: MirrorSettings,
    public filter: Match | null | undefined,
  ) {
    this.duplicates = bit;
  }

  /** Whether its filter lets a packet through; what was looked at is marked in `wc`. */
  selects(flow: FlowWords, wc: FlowWords): boolean {
    if (!this.filter) return true;
    const { flow: wanted, mask } = this.filter;
    for (let i = 0; i < mask.length; i++) {
      if (mask[i] === 0) continue;
      wc[i] |= mask[i];
      if (((flow[i] ^ wanted[i]) & mask[i]) !== 0) return false;
    }
    return true;
  }

  credit(packets: number, bytes: number): void {
    this.packets += packets;
    this.bytes += bytes;
  }

  /** Has a place to put copies. With a filter that is not understood it copies nothing. */
  get usable(): boolean {
    if (this.filter === undefined) return false;
    return this.out !== null || this.settings.outPort === null;
  }

  sharesOutput(other: Mirror): boolean {
    return this.out === other.out && this.settings.outVlan === other.settings.outVlan;
  }
}

/** What a bridge's mirrors need of it. */
export interface MirrorHost {
  bundles(): Iterable<Bundle>;
  bundleByKey(key: string): Bundle | null;
  markRevalidate(): void;
}

export class Mirrors {
  private readonly byKey = new Map<string, Mirror>();
  /** In the order of their bits. */
  private ordered: readonly Mirror[] = [];

  constructor(private readonly host: MirrorHost) {}

  all(): readonly Mirror[] {
    return this.ordered;
  }

  get(key: string): Mirror | null {
    return this.byKey.get(key) ?? null;
  }

  /** Makes the mirrors those of `wanted`, by key. What stays keeps its counters. */
  configure(wanted: ReadonlyMap<string, MirrorSettings>): void {
    if (wanted.size === 0 && this.byKey.size === 0) return;
    let changed = false;
    for (const key of [...this.byKey.keys()]) {
      if (!wanted.has(key)) changed = this.byKey.delete(key);
    }
    for (const [key, settings] of wanted) if (this.set(key, settings)) changed = true;
    if (!changed) return;
    this.ordered = [...this.byKey.values()].sort((a, b) => (a.bit >>> 0) - (b.bit >>> 0));
    this.resolve();
    this.host.markRevalidate();
  }

  private set(key: string, settings: MirrorSettings): boolean {
    const known = this.byKey.get(key);
    if (known !== undefined && sameSettings(known.settings, settings)) return false;
    const filter = readFilter(settings);
    if (known !== undefined) {
      known.settings = settings;
      known.filter = filter;
      return true;
    }
    const bit = this.freeBit();
    if (bit === 0) {
      const limit = `maximum of ${MIRRORS_MAX} port mirrors reached`;
      log.warn(`${limit}, cannot create ${settings.name}`);
      return false;
    }
    this.byKey.set(key, new Mirror(bit, settings, filter));
    return true;
  }

  private freeBit(): number {
    let taken = 0;
    for (const { bit } of this.byKey.values()) taken |= bit;
    for (let i = 0; i < MIRRORS_MAX; i++) if ((taken & (1 << i)) === 0) return 1 << i;
    return 0;
  }

  /** Finds the ports again: after mirrors or bundles changed. */
  resolve(): void {
    for (const bundle of this.host.bundles()) {
      bundle.mirrorSrc = 0;
      bundle.mirrorDst = 0;
      bundle.mirrorOut = 0;
    }
    for (const mirror of this.ordered) this.resolveOne(mirror);
    for (const mirror of this.ordered) {
      mirror.duplicates = mirror.bit;
      for (const other of this.ordered) {
        if (mirror.sharesOutput(other)) mirror.duplicates |= other.bit;
      }
    }
  }

  private resolveOne(mirror: Mirror): void {
    const { bit, settings } = mirror;
    mirror.out = settings.outPort === null ? null : this.host.bundleByKey(settings.outPort);
    if (!mirror.usable) return;
    if (mirror.out !== null) mirror.out.mirrorOut |= bit;
    if (settings.selectAll) {
      for (const bundle of this.host.bundles()) {
        bundle.mirrorSrc |= bit;
        bundle.mirrorDst |= bit;
      }
      return;
    }
    for (const key of settings.srcPorts) {
      const bundle = this.host.bundleByKey(key);
      if (bundle !== null) bundle.mirrorSrc |= bit;
    }
    for (const key of settings.dstPorts) {
      const bundle = this.host.bundleByKey(key);
      if (bundle !== null) bundle.mirrorDst |= bit;
    }
  }
}

/** @returns null: there is none; undefined: it cannot be understood, and the log says why */
function readFilter(settings: MirrorSettings): Match | null | undefined {
  const { name, filter } = settings;
  if (filter === '') return null;
  try {
    const match = parseExactMatch(filter, NO_NAMES);
    if (match.mask[W_IN_PORT] === 0) return match;
    log.warn(`mirror ${name}: filter is invalid due to in_port field: use select_src_port`);
  } catch (error) {
    log.warn(`mirror ${name}: filter is invalid: ${errorMessage(error)}`);
  }
  return undefined;
}

function sameSettings(a: MirrorSettings, b: MirrorSettings): boolean {
  const set = (s: ReadonlySet<number> | null): string => (s === null ? '*' : [...s].join());
  const key = (s: MirrorSettings): string =>
    JSON.stringify([{ ...s, vlans: set(s.vlans) }, s.srcPorts, s.dstPorts]);
  return key(a) === key(b);
}
