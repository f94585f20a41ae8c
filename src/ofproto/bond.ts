/**
 * A bond: several links that act as one port. Which members may be used, which one is active, and
 * which member a packet leaves by.
 *
 *     carrier and may_enable --> link state --updelay/downdelay--> enabled --> active member
 *                                                                         \--> buckets (balance-*)
 *
 *     buckets[0..255]   hash of (MAC, VLAN) or of the 5-tuple -> { member, bytes sent lately }
 *
 * `run` polls the carrier, lets delays expire and chooses the active member. Whoever owns the bond
 * asks `takeRevalidate` and `takeLearning` afterwards and acts on them.
 *
 * Not for: moving load between members (bond-rebalance.ts), text (bond-show.ts), or VLANs and
 * members as configuration (bundle.ts). Behaviour: ovs-vswitchd.conf.db(5), 'Bonding'.
 */
import { NEVER } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import { BOND_BUCKETS } from '../datapath/shared-stats.js';
import type { FlowWords } from '../packet/flow-layout.js';
import {
  dlSrc,
  type MacNumber,
  macFromBytes,
  macIsMulticast,
  macText,
  macToBytes,
  unwildcardDlSrc,
} from './flow-access.js';
import { hash5Tuple, hashMac } from './hash.js';
import { type BondMode, type BondSettings, defaultBondSettings } from './settings.js';
import { unwildcard5TupleSymmetric } from './unwildcard.js';

const log = getLogger('bond');

export type LacpStatus = 'negotiated' | 'configured' | 'off';

/** What a bond needs of the port behind a member. */
export interface BondLink {
  readonly name: string;
  etherAddr(): Uint8Array;
  carrier(): boolean;
  /** How often the carrier changed. */
  carrierResets(): number;
  /** The link bit of the device's MII registers; null (or no function): they cannot be read. */
  miiLink?(): boolean | null;
}

export interface BondMember {
  readonly link: BondLink;
  /** May be chosen for packets. */
  enabled: boolean;
  /** Other protocols (LACP) allow it. */
  mayEnable: boolean;
  isPrimary: boolean;
  /** Clock milliseconds at which `enabled` changes; Infinity when no change is under way. */
  delayExpiresMs: number;
  /** Load at the last rebalance, bytes. */
  txBytes: number;
  /** The link as bond-detect-mode=miimon saw it last, and when it looks again (clock ms). */
  miiUp: boolean;
  miiDueMs: number;
}

export interface BondBucket {
  member: BondMember | null;
  /** Bytes sent, halved at each rebalance. */
  txBytes: number;
}

/** What to do with a packet that arrives on a member. */
export type BondVerdict = 'accept' | 'drop' | 'drop-if-moved';

export class Bond {
  settings: BondSettings = defaultBondSettings();
  lacpStatus: LacpStatus = 'off';
  readonly members = new Map<BondLink, BondMember>();
  /** Enabled members in the order in which they take new buckets. */
  private enabledRing: BondMember[] = [];
  active: BondMember | null = null;
  /** MAC of the last active member: names it across restarts. 0: none. */
  activeMac: MacNumber = 0;
  /** Present in the balancing modes, while they balance. */
  buckets: BondBucket[] | null = null;
  nextRebalanceMs = 0;
  /** The recirculation that spreads packets over buckets (bond-recirc.ts); 0: none. */
  recircId = 0;
  /** The datapath chooses the member by itself, by lb_output with that number. */
  lbOutput = false;
  private revalidate = false;
  private learning = false;

  constructor(
    public name: string,
    private readonly now: () => number,
  ) {}

  get mode(): BondMode {
    return this.settings.mode;
  }

  /** Takes new settings over. Members are registered separately. */
  configure(settings: BondSettings): void {
    const old = this.settings;
    this.settings = { ...settings };
    if (settings.activeMemberMac !== null && this.activeMac === 0) {
      this.activeMac = macFromBytes(settings.activeMemberMac);
    }
    const respread =
      old.mode !== settings.mode ||
      old.basis !== settings.basis ||
      old.lacpFallbackAb !== settings.lacpFallbackAb;
    const newInterval = old.rebalanceIntervalMs !== settings.rebalanceIntervalMs;
    const changed =
      respread ||
      newInterval ||
      old.primary !== settings.primary ||
      old.allMembersActive !== settings.allMembersActive ||
      old.useLbOutput !== settings.useLbOutput;
    if (changed) this.revalidate = true;
    for (const m of this.members.values()) m.isPrimary = m.link.name === settings.primary;
    // What does not change where flows belong leaves each where it is.
    if (respread || this.buckets === null) this.resetBuckets();
    else if (newInterval) this.nextRebalanceMs = this.now() + settings.rebalanceIntervalMs;
  }

  /** Makes a link a member, or looks again at one that is. */
  register(link: BondLink): void {
    const isPrimary = link.name === this.settings.primary;
    const known = this.members.get(link);
    if (known !== undefined) {
      known.isPrimary = isPrimary;
      return;
    }
    const member: BondMember = {
      link,
      enabled: false,
      mayEnable: false,
      isPrimary,
      delayExpiresMs: NEVER,
      txBytes: 0,
      miiUp: false,
      miiDueMs: 0,
    };
    this.members.set(link, member);
    this.revalidate = true;
    this.enable(member, this.linkUp(member));
  }

  unregister(link: BondLink): void {
    const member = this.members.get(link);
    if (member === undefined) return;
    this.revalidate = true;
    this.enable(member, false);
    for (const bucket of this.buckets ?? []) if (bucket.member === member) bucket.member = null;
    this.members.delete(link);
    if (this.active === member) {
      this.chooseActive();
      this.learning = true;
    }
  }

  setMayEnable(link: BondLink, mayEnable: boolean): void {
    const member = this.members.get(link);
    if (member !== undefined) member.mayEnable = mayEnable;
  }

  /** LACP was wanted and failed, and the bond works as active-backup in its place. */
  get fallsBackToActiveBackup(): boolean {
    return (
      this.settings.lacpFallbackAb &&
      this.mode !== 'active-backup' &&
      this.lacpStatus === 'configured'
    );
  }

  /** Buckets are moved between members by load. */
  get isBalanced(): boolean {
    return (
      this.settings.rebalanceIntervalMs > 0 &&
      this.mode !== 'active-backup' &&
      !(this.settings.lacpFallbackAb && this.lacpStatus === 'configured')
    );
  }

  /** The datapath chooses the bucket, after recirculation: no megaflow per connection. */
  get mayRecirc(): boolean {
    return this.mode === 'balance-tcp' && this.recircId !== 0 && !this.fallsBackToActiveBackup;
  }

  private resetBuckets(): void {
    if (this.mode === 'active-backup' || this.fallsBackToActiveBackup) {
      this.buckets = null;
      return;
    }
    this.buckets = Array.from({ length: BOND_BUCKETS }, () => ({ member: null, txBytes: 0 }));
    this.nextRebalanceMs = this.now() + this.settings.rebalanceIntervalMs;
  }

  /** Looks at the links, lets delays expire, chooses the active member. */
  run(lacpStatus: LacpStatus): void {
    if (this.lacpStatus !== lacpStatus) {
      this.lacpStatus = lacpStatus;
      this.revalidate = true;
      if (this.fallsBackToActiveBackup || this.buckets === null) this.resetBuckets();
    }
    let primary: BondMember | null = null;
    for (const member of this.members.values()) {
      this.updateLink(member);
      if (this.mode === 'active-backup' && member.isPrimary && member.enabled) primary = member;
    }
    if (
      this.active === null ||
      !this.active.enabled ||
      (primary !== null && this.active !== primary)
    ) {
      this.chooseActive();
    }
  }

  /** Clock milliseconds of the next delay that expires. */
  nextWake(): number {
    if (this.revalidate || this.learning) return this.now();
    let next = NEVER;
    const looks = this.settings.detect === 'miimon';
    for (const member of this.members.values()) {
      next = Math.min(next, member.delayExpiresMs);
      if (looks) next = Math.min(next, member.miiDueMs);
    }
    return next;
  }

  /**
   * Whether a member's link is up, as bond-detect-mode wants it known: by its carrier, or by
   * looking at the device every bond-miimon-interval (what changes between two looks is not seen).
   */
  linkUp(member: BondMember): boolean {
    const { link } = member;
    if (this.settings.detect === 'carrier') return link.carrier();
    const now = this.now();
    if (now >= member.miiDueMs) {
      member.miiUp = link.miiLink?.() ?? link.carrier();
      member.miiDueMs = now + this.settings.miimonIntervalMs;
    }
    return member.miiUp;
  }

  private updateLink(member: BondMember): void {
    const up = this.linkUp(member) && member.mayEnable;
    const underWay = member.delayExpiresMs !== NEVER;
    const name = member.link.name;
    if (up === member.enabled && underWay) {
      log.info(`member ${name}: link state ${up ? 'up' : 'down'}`);
      log.info(`member ${name}: will not be ${up ? 'disabled' : 'enabled'}`);
      member.delayExpiresMs = NEVER;
    } else if (up !== member.enabled && !underWay) {
      log.info(`member ${name}: link state ${up ? 'up' : 'down'}`);
      const delayMs = up ? this.settings.updelayMs : this.settings.downdelayMs;
      member.delayExpiresMs = this.now() + delayMs;
      if (delayMs > 0) {
        const [what, how] = up ? ['enabled', 'up'] : ['disabled', 'down'];
        log.info(`member ${name}: will be ${what} if it stays ${how} for ${delayMs} ms`);
      }
    }
    if (this.now() >= member.delayExpiresMs) this.enable(member, up);
  }

  /** Enables or disables a member at once. */
  enable(member: BondMember, enable: boolean): void {
    member.delayExpiresMs = NEVER;
    if (enable === member.enabled) return;
    this.revalidate = true;
    member.enabled = enable;
    if (enable) this.enabledRing.push(member);
    else {
      this.learning = true;
      this.enabledRing = this.enabledRing.filter((m) => m !== member);
    }
    log.info(`member ${member.link.name}: ${enable ? 'enabled' : 'disabled'}`);
  }

  private chooseMember(): BondMember | null {
    const all = [...this.members.values()];
    const enabled = all.filter((m) => m.enabled);
    const primary = enabled.find((m) => m.isPrimary);
    if (primary !== undefined) return primary;
    const last = this.memberByMac(this.activeMac);
    if (last?.enabled) return last;
    if (enabled.length > 0) return enabled[0];
    // None is enabled: one whose updelay runs is better than none.
    let best: BondMember | null = null;
    for (const m of all) {
      if (m.delayExpiresMs === NEVER || !m.mayEnable) continue;
      if (best === null || m.delayExpiresMs < best.delayExpiresMs) best = m;
    }
    return best;
  }

  memberByMac(mac: MacNumber): BondMember | null {
    for (const m of this.members.values()) if (macFromBytes(m.link.etherAddr()) === mac) return m;
    return null;
  }

  memberByName(name: string): BondMember | null {
    for (const m of this.members.values()) if (m.link.name === name) return m;
    return null;
  }

  private chooseActive(): void {
    const old = this.active;
    this.active = this.chooseMember();
    if (this.active === null) {
      if (old !== null) {
        this.activeChanged();
        log.info(`bond ${this.name}: all members disabled`);
      }
      return;
    }
    const name = this.active.link.name;
    if (this.active.enabled) log.info(`bond ${this.name}: active member is now ${name}`);
    else {
      const left = Math.ceil(this.active.delayExpiresMs - this.now());
      log.info(
        `bond ${this.name}: active member is now ${name}, skipping remaining ${left} ms updelay` +
          ' (since no member was enabled)',
      );
      this.enable(this.active, true);
    }
    this.learning = true;
    if (this.active !== old) this.activeChanged();
  }

  private activeChanged(): void {
    this.revalidate = true;
    this.activeMac = this.active === null ? 0 : macFromBytes(this.active.link.etherAddr());
  }

  /** Makes an enabled member the active one (bond/set-active-member). @returns false: it was */
  setActive(member: BondMember): boolean {
    if (this.active === member) return false;
    this.active = member;
    log.info(`bond ${this.name}: active member is now ${member.link.name}`);
    this.learning = true;
    this.activeChanged();
    return true;
  }

  /** True once after something changed that installed flows depend on. */
  takeRevalidate(): boolean {
    const revalidate = this.revalidate;
    this.revalidate = false;
    return revalidate;
  }

  /** Something changed that `takeRevalidate` has not told of yet. */
  get changePending(): boolean {
    return this.revalidate;
  }

  markRevalidate(): void {
    this.revalidate = true;
  }

  /** True once when the peer switch should relearn MACs by gratuitous packets. */
  takeLearning(): boolean {
    const learning = this.learning && this.maySendLearning;
    this.learning = false;
    return learning;
  }

  private get maySendLearning(): boolean {
    const { lacpStatus, settings } = this;
    const quiet = lacpStatus === 'off' && settings.mode !== 'balance-tcp';
    const fallback = settings.lacpFallbackAb && lacpStatus === 'configured';
    return (quiet || fallback) && this.active !== null;
  }

  /** Whether a packet to `dst` that arrived on `link` may come in. */
  checkAdmissibility(link: BondLink, dst: MacNumber): BondVerdict {
    const verdict = this.admissibility(link, dst);
    if (verdict !== 'accept' && log.enabled('dbg')) {
      const active = this.active?.link.name ?? 'none';
      log.dbg(
        `bond ${this.name}: ${verdict} for ${macText(dst)} on ${link.name}, active ${active}`,
      );
    }
    return verdict;
  }

  private admissibility(link: BondLink, dst: MacNumber): BondVerdict {
    const member = this.members.get(link);
    if (member === undefined) return 'drop';
    const { lacpFallbackAb, mode } = this.settings;
    if (this.lacpStatus === 'negotiated') {
      // The peer knows of the bond; only members that it should not use at all are refused.
      return member.enabled || member.mayEnable ? 'accept' : 'drop';
    }
    if (this.lacpStatus === 'configured' && !lacpFallbackAb) return 'drop';
    if (this.lacpStatus === 'off' && mode === 'balance-tcp') return 'drop';
    const isActive = this.active === member;
    const allActive = mode === 'balance-slb' && this.settings.allMembersActive;
    if (macIsMulticast(dst) && !isActive && !allActive) return 'drop';
    if (mode === 'balance-slb') return 'drop-if-moved';
    return isActive ? 'accept' : 'drop';
  }

  bucketOf(flow: FlowWords, vlan: number): BondBucket | null {
    if (this.buckets === null) return null;
    const hash =
      this.mode === 'balance-tcp'
        ? hash5Tuple(flow, this.settings.basis)
        : hashMac(dlSrc(flow), vlan, this.settings.basis);
    return this.buckets[hash & (BOND_BUCKETS - 1)];
  }

  /**
   * The member that a packet leaves by, or null when it must be dropped.
   *
   * @param wc when given, gets the bits that the choice depended on
   * @param vlan the VLAN id that the packet leaves with
   */
  chooseOutput(flow: FlowWords, wc: FlowWords | null, vlan: number): BondMember | null {
    let { mode } = this;
    if (this.lacpStatus === 'configured') {
      if (!this.settings.lacpFallbackAb) return null;
      mode = 'active-backup';
    }
    if (mode === 'active-backup') return this.active;
    if (mode === 'balance-tcp') {
      if (this.lacpStatus !== 'negotiated') return null;
      if (wc !== null) unwildcard5TupleSymmetric(flow, wc);
    } else if (wc !== null) unwildcardDlSrc(wc);
    const bucket = this.bucketOf(flow, vlan);
    if (bucket === null) return this.active;
    if (!bucket.member?.enabled) bucket.member = this.nextEnabled();
    return bucket.member;
  }

  /** Gives every bucket whose member is not enabled another one. @returns true if any changed */
  fillBuckets(): boolean {
    let changed = false;
    for (const bucket of this.buckets ?? []) {
      if (bucket.member?.enabled) continue;
      const old = bucket.member;
      bucket.member = this.nextEnabled();
      changed ||= bucket.member !== old;
    }
    return changed;
  }

  private nextEnabled(): BondMember | null {
    const member = this.enabledRing.shift();
    if (member === undefined) return null;
    this.enabledRing.push(member);
    return member;
  }

  /** Counts bytes sent for the flow's bucket. */
  account(flow: FlowWords, vlan: number, bytes: number): void {
    if (!this.isBalanced) return;
    const bucket = this.bucketOf(flow, vlan);
    if (bucket !== null) bucket.txBytes += bytes;
  }

  /** 6 bytes of the active member's MAC, or null while there is none. */
  activeMemberMac(): Uint8Array | null {
    return this.active === null ? null : macToBytes(this.activeMac);
  }
}
