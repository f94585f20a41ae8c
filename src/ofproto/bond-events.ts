/**
 * What happened to a bond lately, in words: for `tapswitch bond watch` and for programs.
 *
 *     look()   compares the bond with what it was at the last look; each difference is an event
 *     note()   what comparing does not show: buckets moved, learning packets sent
 *
 * Not for: the log, which has Open vSwitch's own lines (bond.ts).
 */
import type { Clock } from '../common/clock.js';
import type { Bond, BondMember, LacpStatus } from './bond.js';

/** Older ones are forgotten. */
const EVENTS_MAX = 32;

export interface BondEvent {
  /** Counts the bond's events from 1. */
  seq: number;
  /** Milliseconds since 1970. */
  atMs: number;
  /** The member that it happened to, null for the whole bond. */
  member: string | null;
  text: string;
}

const LACP_TEXT: Readonly<Record<LacpStatus, string>> = {
  negotiated: 'LACP is negotiated',
  configured: 'LACP has no partner',
  off: 'LACP is off',
};

export class BondEvents {
  private events: BondEvent[] = [];
  private seq = 0;
  private enabled = new Map<BondMember, boolean>();
  private active: BondMember | null = null;
  private lacp: LacpStatus = 'off';

  constructor(private readonly clock: Clock) {}

  recent(): readonly BondEvent[] {
    return this.events;
  }

  note(text: string, member: string | null = null): void {
    this.seq += 1;
    this.events.push({ seq: this.seq, atMs: this.clock.wallNow(), member, text });
    if (this.events.length > EVENTS_MAX) this.events.shift();
  }

  /**
   * @param why says why a member is used or not; asked only when it changed
   * @param heardPartner some member's LACP partner has spoken lately
   */
  look(bond: Bond, why: (member: BondMember) => string, heardPartner: boolean): void {
    this.lookAtLacp(bond.lacpStatus, heardPartner);
    for (const member of this.enabled.keys()) {
      if (bond.members.get(member.link) === member) continue;
      this.note('taken out of the bond', member.link.name);
      this.enabled.delete(member);
    }
    for (const member of bond.members.values()) this.lookAt(member, why);
    if (bond.active === this.active) return;
    const name = bond.active?.link.name;
    const was = this.active === null ? '' : ` (was ${this.active.link.name})`;
    this.note(name === undefined ? `no member is active${was}` : `active member is ${name}${was}`);
    this.active = bond.active;
  }

  /** 'Negotiated' is also said of a partner who may yet speak: that is no news. */
  private lookAtLacp(status: LacpStatus, heardPartner: boolean): void {
    if (status === this.lacp || (status === 'negotiated' && !heardPartner)) return;
    this.lacp = status;
    this.note(LACP_TEXT[status]);
  }

  private lookAt(member: BondMember, why: (member: BondMember) => string): void {
    const was = this.enabled.get(member);
    if (was === member.enabled) return;
    this.enabled.set(member, member.enabled);
    const { name } = member.link;
    if (was === undefined && member.enabled) this.note('joined the bond, enabled', name);
    else if (was === undefined) this.note(`joined the bond, not used yet: ${why(member)}`, name);
    else if (member.enabled) this.note('enabled', name);
    else this.note(`disabled: ${why(member)}`, name);
  }

  /** @param before the members of the buckets before a rebalance */
  moved(before: readonly (BondMember | null)[], bond: Bond): void {
    const counts = new Map<string, number>();
    bond.buckets?.forEach(({ member }, i) => {
      const from = before[i];
      if (member === from || member === null || !from) return;
      const way = `from ${from.link.name} to ${member.link.name}`;
      counts.set(way, (counts.get(way) ?? 0) + 1);
    });
    for (const [way, n] of counts) this.note(`moved ${n} bucket${n === 1 ? '' : 's'} ${way}`);
  }
}
