/**
 * The MAC learning table of one bridge: which bundle a MAC address in a VLAN was last seen on.
 *
 *     entries (least recently used first)        perBundle
 *     "mac vlan" -> { mac, vlan, bundle, expires }    bundle -> number of its entries
 *
 * A JavaScript Map keeps insertion order: touching an entry means to delete and set it again, so
 * the first entry is always the one to expire or evict next. Times are monotonic seconds, as ages
 * are printed in seconds.
 *
 * Not for: deciding whether a packet may be learned from at all (xlate/normal.ts).
 */

import { type MacNumber, macIsMulticast } from './flow-access.js';
import { type HeapItem, MaxHeap } from './max-heap.js';

/** Entries that fdb/add made never expire and never move by learning. */
const STATIC = Number.POSITIVE_INFINITY;

/** How long gratuitous ARP on a non-bond port keeps bond ports from learning, seconds. */
const GRAT_ARP_LOCK_SEC = 5;

export const MAC_IDLE_SEC_DEFAULT = 300;
export const MAC_ENTRIES_DEFAULT = 8192;

export interface MacEntry<B> {
  readonly mac: MacNumber;
  readonly vlan: number;
  bundle: B;
  /** Monotonic seconds; Infinity for a static entry. */
  expires: number;
  gratArpLockUntil: number;
  /** Clock time of the last packet from it, in the caller's milliseconds. */
  seenMs: number;
}

/** What one packet tells the table. */
export interface MacSighting<B> {
  mac: MacNumber;
  vlan: number;
  bundle: B;
  isGratuitousArp: boolean;
  /** The bundle has a bond: its gratuitous ARPs may be reflections of our own. */
  isBond: boolean;
  /** When the packet came. Statistics tell of packets later: they must not undo a move since. */
  seenMs: number;
}

/** What one bundle's entries are. */
interface BundleMacs<B> extends HeapItem {
  /** Least recently used first. */
  readonly entries: Set<MacEntry<B>>;
}

export interface MacStatistics {
  learned: number;
  expired: number;
  evicted: number;
  moved: number;
}

/** Of all tables since the program began: also packets of static addresses from elsewhere. */
const totals = { learned: 0, expired: 0, evicted: 0, moved: 0, staticNoneMove: 0 };

/** Events of all MAC tables, under the names of coverage/show. */
export function macLearningTotals(): [name: string, total: number][] {
  return [
    ['mac_learning_learned', totals.learned],
    ['mac_learning_expired', totals.expired],
    ['mac_learning_evicted', totals.evicted],
    ['mac_learning_moved', totals.moved],
    ['mac_learning_static_none_move', totals.staticNoneMove],
  ];
}

/** A number for an address in a VLAN; 1 in 256 VLANs share it. */
export function macKey(mac: MacNumber, vlan: number): number {
  // 48 bits of MAC do not leave 12 more below 2^53: the VLAN's entries are in maps of their own.
  return mac * 16 + (vlan & 15);
}

export class MacLearning<B extends object> {
  private idleSec = MAC_IDLE_SEC_DEFAULT;
  private maxEntries = MAC_ENTRIES_DEFAULT;
  private floodVlans: ReadonlySet<number> | null = null;
  /** All entries, least recently used first. */
  private readonly lru = new Set<MacEntry<B>>();
  /** By VLAN's high 8 bits, then by MAC and its low 4 bits. */
  private readonly byVlan = new Map<number, Map<number, MacEntry<B>>>();
  private readonly perBundle = new Map<B, BundleMacs<B>>();
  /** By number of entries. */
  private readonly byUsage = new MaxHeap<BundleMacs<B>>();
  /** The last of all, and of its bundle; null when that one is gone. */
  private newest: MacEntry<B> | null = null;
  private nStatic = 0;
  /** Monotonic seconds when the next gratuitous ARP lock ends. */
  private lockEnds = Number.POSITIVE_INFINITY;
  readonly statistics: MacStatistics = { learned: 0, expired: 0, evicted: 0, moved: 0 };

  /** Told of entries that make room for others, that aged, and whose lock has ended. */
  onChange: ((entry: MacEntry<B>) => void) | null = null;

  /** @param nowSec monotonic seconds, whole */
  constructor(private readonly nowSec: () => number) {}

  get size(): number {
    return this.lru.size;
  }

  get staticEntries(): number {
    return this.nStatic;
  }

  get maximum(): number {
    return this.maxEntries;
  }

  /** Entries, least recently used first (the order in which fdb/show prints them). */
  entries(): Iterable<MacEntry<B>> {
    return this.lru;
  }

  clearStatistics(): void {
    Object.assign(this.statistics, { learned: 0, expired: 0, evicted: 0, moved: 0 });
  }

  /** Sets the ageing time, forced into 15..3600 s; entries keep the age that they have. */
  setIdleTime(idleSec: number): void {
    const idle = Math.min(3600, Math.max(15, Math.trunc(idleSec)));
    for (const entry of this.lru) entry.expires += idle - this.idleSec;
    this.idleSec = idle;
  }

  /** Sets the limit, forced into 10..1,000,000; `run` evicts what is above it. */
  setMaxEntries(max: number): void {
    this.maxEntries = Math.min(1_000_000, Math.max(10, Math.trunc(max)));
  }

  /** VLANs in which nothing is learned. @returns true when that changed */
  setFloodVlans(vlans: ReadonlySet<number> | null): boolean {
    const before = [...(this.floodVlans ?? [])].sort().join();
    const after = [...(vlans ?? [])].sort().join();
    this.floodVlans = vlans !== null && vlans.size > 0 ? vlans : null;
    return before !== after;
  }

  mayLearn(mac: MacNumber, vlan: number): boolean {
    return !macIsMulticast(mac) && !(this.floodVlans?.has(vlan) ?? false);
  }

  /** The entry for a destination, or null: also for multicast and in VLANs that do not learn. */
  lookup(mac: MacNumber, vlan: number): MacEntry<B> | null {
    if (!this.mayLearn(mac, vlan)) return null;
    return this.find(mac, vlan) ?? null;
  }

  private find(mac: MacNumber, vlan: number): MacEntry<B> | undefined {
    return this.byVlan.get(vlan >> 4)?.get(macKey(mac, vlan));
  }

  isGratArpLocked(entry: MacEntry<B>): boolean {
    return this.nowSec() < entry.gratArpLockUntil;
  }

  /**
   * Learns from one packet, or refreshes what is known.
   * @returns true when a MAC is new or has moved, so that installed flows may be wrong now
   */
  update(sighting: MacSighting<B>): boolean {
    const { mac, vlan, bundle } = sighting;
    if (!this.mayLearn(mac, vlan)) return false;
    const known = this.find(mac, vlan);
    if (known !== undefined && known.expires === STATIC) {
      if (known.bundle !== bundle) totals.staticNoneMove += 1;
      return false;
    }
    if (known !== undefined && known.bundle !== bundle && sighting.seenMs < known.seenMs) {
      return false;
    }
    const entry = known ?? this.insert(mac, vlan, bundle);
    const wasLocked = this.isGratArpLocked(entry);
    this.touch(entry);
    entry.expires = this.nowSec() + this.idleSec;
    entry.seenMs = Math.max(entry.seenMs, sighting.seenMs);
    if (sighting.isGratuitousArp) {
      // What arrives by a bond within the lock may be our own broadcast coming back.
      if (!sighting.isBond) {
        entry.gratArpLockUntil = this.nowSec() + GRAT_ARP_LOCK_SEC;
        this.lockEnds = Math.min(this.lockEnds, entry.gratArpLockUntil);
      } else if (this.isGratArpLocked(entry)) return known === undefined;
    }
    if (known === undefined) return true;
    // A lock that begins keeps out what was let in before.
    if (entry.bundle === bundle) return this.isGratArpLocked(entry) && !wasLocked;
    this.count('moved');
    this.setBundle(entry, bundle);
    return true;
  }

  /** Adds an entry that neither ages nor moves, or makes a learned one so. */
  addStatic(mac: MacNumber, vlan: number, bundle: B): void {
    const known = this.find(mac, vlan);
    const entry = known ?? this.insert(mac, vlan, bundle, false);
    this.touch(entry);
    if (entry.bundle !== bundle) this.setBundle(entry, bundle);
    if (entry.expires !== STATIC) this.nStatic += 1;
    entry.expires = STATIC;
  }

  /** @returns false when there is no static entry for it */
  delStatic(mac: MacNumber, vlan: number): boolean {
    const entry = this.find(mac, vlan);
    if (entry === undefined || entry.expires !== STATIC) return false;
    this.remove(entry);
    return true;
  }

  /** Seconds since the entry was last seen; null for a static one. */
  age(entry: MacEntry<B>): number | null {
    if (entry.expires === STATIC) return null;
    return this.idleSec - (entry.expires - this.nowSec());
  }

  private insert(mac: MacNumber, vlan: number, bundle: B, learned = true): MacEntry<B> {
    if (this.lru.size >= this.maxEntries) this.evictFairly();
    const entry: MacEntry<B> = { mac, vlan, bundle, expires: 0, gratArpLockUntil: 0, seenMs: 0 };
    let table = this.byVlan.get(vlan >> 4);
    if (table === undefined) {
      table = new Map();
      this.byVlan.set(vlan >> 4, table);
    }
    table.set(macKey(mac, vlan), entry);
    this.lru.add(entry);
    this.addToBundle(entry, bundle);
    this.newest = entry;
    if (learned) this.count('learned');
    return entry;
  }

  private addToBundle(entry: MacEntry<B>, bundle: B): void {
    const known = this.perBundle.get(bundle);
    if (known !== undefined) {
      known.entries.add(entry);
      this.byUsage.change(known, known.entries.size);
      return;
    }
    const macs = { entries: new Set([entry]), priority: 1, heapIndex: 0 };
    this.perBundle.set(bundle, macs);
    this.byUsage.insert(macs);
  }

  private touch(entry: MacEntry<B>): void {
    if (entry === this.newest) return;
    this.newest = entry;
    this.lru.delete(entry);
    this.lru.add(entry);
    const macs = this.perBundle.get(entry.bundle);
    macs?.entries.delete(entry);
    macs?.entries.add(entry);
  }

  private setBundle(entry: MacEntry<B>, bundle: B): void {
    // The last of its new bundle it is in any case; of all, `touch` has made it.
    this.dropFromBundle(entry);
    entry.bundle = bundle;
    this.addToBundle(entry, bundle);
  }

  private dropFromBundle(entry: MacEntry<B>): void {
    const macs = this.perBundle.get(entry.bundle);
    if (!macs?.entries.delete(entry)) return;
    if (macs.entries.size > 0) {
      this.byUsage.change(macs, macs.entries.size);
      return;
    }
    this.perBundle.delete(entry.bundle);
    this.byUsage.remove(macs);
  }

  private remove(entry: MacEntry<B>): void {
    if (entry.expires === STATIC) this.nStatic -= 1;
    if (entry === this.newest) this.newest = null;
    this.lru.delete(entry);
    this.byVlan.get(entry.vlan >> 4)?.delete(macKey(entry.mac, entry.vlan));
    this.dropFromBundle(entry);
  }

  /** Evicts the oldest entry of the bundle that has most, so that no port starves the others. */
  private evictFairly(): void {
    const oldest = this.byUsage.max()?.entries.values().next().value;
    if (oldest === undefined) return;
    this.remove(oldest);
    this.count('evicted');
    this.onChange?.(oldest);
  }

  private count(what: keyof MacStatistics): void {
    this.statistics[what] += 1;
    totals[what] += 1;
  }

  /** A bundle's entries, as they are now. */
  entriesOf(bundle: B): MacEntry<B>[] {
    return [...(this.perBundle.get(bundle)?.entries ?? [])];
  }

  /** Forgets one entry. @returns false when it was not there */
  forget(mac: MacNumber, vlan: number): boolean {
    const entry = this.find(mac, vlan);
    if (entry !== undefined) this.remove(entry);
    return entry !== undefined;
  }

  /** Forgets everything but static entries. */
  flush(): void {
    for (const entry of [...this.lru]) if (entry.expires !== STATIC) this.remove(entry);
  }

  /** Forgets what was learned on a bundle; with `all`, its static entries too. */
  flushBundle(bundle: B, all = false): boolean {
    let any = false;
    for (const entry of this.entriesOf(bundle)) {
      if (entry.expires === STATIC && !all) continue;
      this.remove(entry);
      any = true;
    }
    return any;
  }

  /**
   * Lets old entries go, and what is above the limit.
   * @returns true when installed flows may be wrong now
   */
  run(): boolean {
    const now = this.nowSec();
    let any = now >= this.lockEnds;
    if (any) this.findLockEnd(now);
    for (const entry of this.lru) {
      if (entry.expires === STATIC) continue;
      if (now < entry.expires) break;
      this.remove(entry);
      this.count('expired');
      this.onChange?.(entry);
      any = true;
    }
    while (this.lru.size > this.maxEntries) {
      this.evictFairly();
      any = true;
    }
    return any;
  }

  private findLockEnd(now: number): void {
    this.lockEnds = Number.POSITIVE_INFINITY;
    for (const entry of this.lru) {
      const until = entry.gratArpLockUntil;
      if (until > now) this.lockEnds = Math.min(this.lockEnds, until);
      else if (until > 0) {
        entry.gratArpLockUntil = 0;
        this.onChange?.(entry);
      }
    }
  }

  /** Monotonic seconds when `run` is needed next; Infinity for never. */
  nextExpiry(): number {
    for (const entry of this.lru) {
      if (entry.expires !== STATIC) return Math.min(entry.expires, this.lockEnds);
    }
    return this.lockEnds;
  }
}

interface HasMacs<B extends object> {
  readonly macs: MacLearning<B>;
  readonly backer: { readonly ofprotos: Iterable<HasMacs<B>> };
}

/** A bundle goes: what was learned there is forgotten, on every bridge that knows it. */
export function forgetHosts<B extends object>(bridge: HasMacs<B>, bundle: B): void {
  for (const { mac, vlan } of bridge.macs.entriesOf(bundle)) {
    for (const other of bridge.backer.ofprotos) {
      if (other !== bridge) other.macs.forget(mac, vlan);
    }
  }
  bridge.macs.flushBundle(bundle, true);
}
