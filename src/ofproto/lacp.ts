/**
 * The Link Aggregation Control Protocol on the links of one port (IEEE 802.1AX, chapter 6).
 *
 *     receive machine    current --no PDU for 3 periods--> expired --3 s more--> defaulted
 *                           ^------------------- PDU --------'---------------------'
 *     selection          a link is attached when its partner is the same system, with the same key,
 *                        as that of the best link; the best one is that of the highest priority
 *     transmission       once a period, and at once when the partner has not heard our state
 *
 * A member may carry traffic when it is attached and its partner says that it is in sync. Which
 * machine does what, and when, follows Open vSwitch: both ends of an aggregate agree then however
 * they are mixed. Collecting and distributing go together (the standard's coupled control).
 *
 * `run` and `receive` do not send or forward by themselves: `run` gives each PDU that is due to its
 * caller.
 *
 * Not for: bytes (lacp-pdu.ts), text (lacp-show.ts), or which member a packet takes (bond.ts).
 */
import { type Clock, NEVER } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import { rateLimited } from '../common/log-rate-limit.js';
import type { BondLink, LacpStatus } from './bond.js';
import {
  compareSysIds,
  composePdu,
  identityEqual,
  infoEqual,
  LACP_STATE,
  type LacpInfo,
  markerResponse,
  noInfo,
  parsePdu,
} from './lacp-pdu.js';
import type { LacpMemberSettings, LacpSettings } from './settings.js';

const log = getLogger('lacp');

const FAST_PERIOD_MS = 1000;
const SLOW_PERIOD_MS = 30_000;
/** Periods without a PDU after which a partner's word is too old. */
const RX_PERIODS = 3;
/** Markers that wait for their response; further ones are not answered. */
const MARKERS_MAX = 16;
/** State bits that the partner must have heard; the others follow from these. */
const TOLD_STATE =
  LACP_STATE.ACTIVITY | LACP_STATE.TIMEOUT | LACP_STATE.SYNCHRONIZED | LACP_STATE.AGGREGATION;

export type LacpMemberStatus = 'current' | 'expired' | 'defaulted';

export interface LacpCounters {
  txPdus: number;
  rxPdus: number;
  /** Malformed, or not sent to the slow protocols' address. */
  rxBadPdus: number;
  rxMarkerPdus: number;
  linkExpired: number;
  linkDefaulted: number;
  carrierChanged: number;
}

export interface LacpMember {
  readonly link: BondLink;
  settings: LacpMemberSettings;
  status: LacpMemberStatus;
  /** Belongs to the aggregate: traffic may flow once the partner agrees. */
  attached: boolean;
  carrierUp: boolean;
  /** The device's carrierResets() as last seen. */
  carrierSeq: number;
  partner: LacpInfo;
  /** Our own state as the partner knows it. */
  told: LacpInfo;
  /** Clock milliseconds of the next PDU to send, and of the end of patience with the partner. */
  txDueMs: number;
  rxDueMs: number;
  readonly counters: LacpCounters;
}

const zeroCounters = (): LacpCounters => ({
  txPdus: 0,
  rxPdus: 0,
  rxBadPdus: 0,
  rxMarkerPdus: 0,
  linkExpired: 0,
  linkDefaulted: 0,
  carrierChanged: 0,
});

export class Lacp {
  readonly members = new Map<BondLink, LacpMember>();
  negotiated = false;
  /** Whose number is the aggregation key: the first member. */
  private keyMember: LacpMember | null = null;
  /** The key of a first member that left: with another one the others had to negotiate anew. */
  private keptKey: number | null = null;
  private selectionDue = false;
  /** Responses to markers, to be sent at the next turn. */
  private responses: { link: BondLink; pdu: Uint8Array }[] = [];
  private readonly limited;

  constructor(
    public name: string,
    public settings: LacpSettings,
    private readonly clock: Clock,
  ) {
    this.limited = rateLimited(log, clock);
  }

  configure(name: string, settings: LacpSettings): void {
    const old = this.settings;
    this.name = name;
    this.settings = { ...settings };
    if (
      compareSysIds(old.systemId, settings.systemId) !== 0 ||
      old.systemPriority !== settings.systemPriority ||
      old.fallbackAb !== settings.fallbackAb
    ) {
      this.selectionDue = true;
    }
  }

  /** Puts a link under the protocol's control, or gives it other settings. */
  register(link: BondLink, settings: LacpMemberSettings): void {
    let member = this.members.get(link);
    const old = member?.settings;
    if (member === undefined) {
      member = this.newMember(link, settings);
      this.members.set(link, member);
      this.selectionDue = true;
      if (this.members.size === 1) this.keyMember = member;
    }
    member.settings = { ...settings };
    const same =
      old?.portId === settings.portId &&
      old.portPriority === settings.portPriority &&
      old.key === settings.key;
    if (same) return;
    this.selectionDue = true;
    if (this.settings.active || this.negotiated) this.expire(member);
  }

  private newMember(link: BondLink, settings: LacpMemberSettings): LacpMember {
    return {
      link,
      settings,
      status: 'defaulted',
      attached: false,
      carrierUp: false,
      carrierSeq: link.carrierResets(),
      partner: noInfo(),
      told: noInfo(),
      txDueMs: 0,
      rxDueMs: 0,
      counters: zeroCounters(),
    };
  }

  unregister(link: BondLink): void {
    const member = this.members.get(link);
    if (member === undefined) return;
    if (this.keyMember === member) {
      this.keptKey = this.aggregationKey;
      this.keyMember = null;
    }
    this.members.delete(link);
    this.selectionDue = true;
    if (this.members.size === 0) this.keptKey = null;
  }

  get status(): LacpStatus {
    return this.negotiated ? 'negotiated' : 'configured';
  }

  /** Looks at the links' carriers: a change makes the partner's word doubtful. */
  private watchCarriers(): void {
    for (const member of this.members.values()) {
      const up = member.link.carrier();
      const seq = member.link.carrierResets();
      if (seq !== member.carrierSeq) {
        member.carrierSeq = seq;
        if (member.status === 'current' || this.settings.active) this.expire(member);
        if (member.carrierUp !== up) member.counters.carrierChanged += 1;
        member.carrierUp = up;
        member.txDueMs = 0;
      } else if (up) member.carrierUp = true;
    }
  }

  /** Lets timers expire, selects, and sends what is due by `send`. */
  run(send: (link: BondLink, pdu: Uint8Array) => void): void {
    const now = this.clock.now();
    this.watchCarriers();
    for (const { link, pdu } of this.responses.splice(0)) send(link, pdu);
    for (const member of this.members.values()) {
      if (now < member.rxDueMs) continue;
      if (member.status === 'current') {
        this.expire(member);
        member.counters.linkExpired += 1;
      } else if (member.status === 'expired') {
        this.default(member);
        member.counters.linkDefaulted += 1;
      }
    }
    if (this.selectionDue) this.select();
    for (const member of this.members.values()) this.transmit(member, now, send);
  }

  private transmit(
    member: LacpMember,
    now: number,
    send: (link: BondLink, pdu: Uint8Array) => void,
  ): void {
    if (!this.mayTransmit(member)) return;
    const actor = this.actorOf(member);
    const { told } = member;
    const known = identityEqual(actor, told) && ((actor.state ^ told.state) & TOLD_STATE) === 0;
    if (now < member.txDueMs && known) return;
    member.told = actor;
    send(member.link, composePdu({ actor, partner: member.partner }));
    member.counters.txPdus += 1;
    const fast = (member.partner.state & LACP_STATE.TIMEOUT) !== 0;
    member.txDueMs = now + (fast ? FAST_PERIOD_MS : SLOW_PERIOD_MS);
  }

  private mayTransmit(member: LacpMember): boolean {
    return member.carrierUp && (this.settings.active || member.status !== 'defaulted');
  }

  /** Clock milliseconds at which `run` has something to do. */
  nextWake(): number {
    if (this.selectionDue || this.responses.length > 0) return this.clock.now();
    let next = NEVER;
    for (const member of this.members.values()) {
      if (this.mayTransmit(member)) next = Math.min(next, member.txDueMs);
      if (member.status !== 'defaulted') next = Math.min(next, member.rxDueMs);
    }
    return next;
  }

  /**
   * Takes a frame of the slow protocols' type that arrived on `link`.
   * @param payload what follows the Ethernet header
   * @param addressed it was sent to the slow protocols' multicast address
   * @returns true when the member may carry traffic from now on
   */
  receive(link: BondLink, payload: Uint8Array, addressed: boolean): boolean {
    const member = this.members.get(link);
    if (member === undefined) return false;
    member.counters.rxPdus += 1;
    const parsed = addressed ? parsePdu(payload) : ({ type: 'bad' } as const);
    if (parsed.type === 'marker') {
      member.counters.rxMarkerPdus += 1;
      log.dbg(`${this.name}: received a LACP marker PDU.`);
      if (parsed.wantsResponse && this.responses.length < MARKERS_MAX) {
        this.responses.push({ link, pdu: markerResponse(payload) });
      }
      return false;
    }
    if (parsed.type === 'bad') {
      member.counters.rxBadPdus += 1;
      this.limited.warn(`${this.name}: received an unparsable LACP PDU.`);
      return false;
    }
    if (!member.carrierUp) {
      this.limited.info(`${link.name}: carrier state is DOWN, dropping received LACP PDU.`);
      return false;
    }
    member.status = 'current';
    const period = this.settings.fast ? FAST_PERIOD_MS : SLOW_PERIOD_MS;
    member.rxDueMs = this.clock.now() + RX_PERIODS * period;
    member.told = parsed.pdu.partner;
    if (!infoEqual(member.partner, parsed.pdu.actor)) {
      this.selectionDue = true;
      member.partner = parsed.pdu.actor;
    }
    return this.mayEnable(link);
  }

  /** The member is attached, and its partner in sync (or both do without LACP). */
  mayEnable(link: BondLink): boolean {
    const member = this.members.get(link);
    if (!member?.attached) return false;
    const fallback = this.settings.fallbackAb && member.status === 'defaulted';
    return (member.partner.state & LACP_STATE.SYNCHRONIZED) !== 0 || fallback;
  }

  /** Information of the partner is at hand, if perhaps old: Interface.lacp_current. */
  isCurrent(link: BondLink): boolean {
    const member = this.members.get(link);
    return member !== undefined && member.status !== 'defaulted';
  }

  private expire(member: LacpMember): void {
    member.status = 'expired';
    member.partner = {
      ...member.partner,
      state: (member.partner.state | LACP_STATE.TIMEOUT) & ~LACP_STATE.SYNCHRONIZED,
    };
    const now = this.clock.now();
    member.rxDueMs = now + RX_PERIODS * FAST_PERIOD_MS;
    // The partner is taken for a fast one now, so that both ends find each other again soon.
    member.txDueMs = Math.min(member.txDueMs, now + FAST_PERIOD_MS);
  }

  private default(member: LacpMember): void {
    member.partner = noInfo();
    member.status = 'defaulted';
    this.selectionDue = true;
  }

  /**
   * Selection: which members are attached, and whether the protocol has come to a result. A link
   * that works leads before one of higher priority that only promises to.
   */
  private select(): void {
    this.selectionDue = false;
    const working = this.workingLead();
    let lead = working;
    for (const member of this.members.values()) {
      member.attached = this.selectable(member);
      if (!member.attached || member.status === 'defaulted') continue;
      if (working !== null) member.attached = sameSystem(member, working);
      else if (lead === null || this.comparePriority(member, lead) < 0) lead = member;
    }
    this.negotiated = lead !== null;
    if (lead !== null) this.detachOthers(lead);
  }

  private isOwn(member: LacpMember): boolean {
    return compareSysIds(member.partner.sysId, this.settings.systemId) === 0;
  }

  private selectable(member: LacpMember): boolean {
    if (this.isOwn(member)) {
      const { name } = member.link;
      this.limited.warn(
        `member ${name}: Loopback detected. Interface is connected to its own bond`,
      );
      return false;
    }
    return member.status !== 'defaulted' || this.settings.fallbackAb;
  }

  /** The best of the members that carry traffic now. */
  private workingLead(): LacpMember | null {
    let lead: LacpMember | null = null;
    for (const member of this.members.values()) {
      if (member.status !== 'current' || !member.attached || this.isOwn(member)) continue;
      if (lead === null || this.comparePriority(member, lead) < 0) lead = member;
    }
    return lead;
  }

  private detachOthers(lead: LacpMember): void {
    for (const member of this.members.values()) {
      const alone = this.settings.fallbackAb && member.status === 'defaulted';
      const sameKey = member.partner.key === lead.partner.key;
      if (alone || !sameKey || !sameSystem(member, lead)) member.attached = false;
    }
  }

  /** Negative when `a` has the higher priority: by the numbers of the more important system. */
  private comparePriority(a: LacpMember, b: LacpMember): number {
    const x = this.priorityOf(a);
    const y = this.priorityOf(b);
    return (
      x.sysPriority - y.sysPriority ||
      compareSysIds(x.sysId, y.sysId) ||
      x.portPriority - y.portPriority ||
      x.portId - y.portId
    );
  }

  private priorityOf(member: LacpMember): LacpInfo {
    const { systemPriority, systemId } = this.settings;
    const { partner } = member;
    const order = systemPriority - partner.sysPriority || compareSysIds(systemId, partner.sysId);
    return order < 0 ? this.actorOf(member) : partner;
  }

  /** What we tell a member's partner about this end. */
  actorOf(member: LacpMember): LacpInfo {
    const { settings } = this;
    let state = 0;
    if (settings.active) state |= LACP_STATE.ACTIVITY;
    if (settings.fast) state |= LACP_STATE.TIMEOUT;
    if (member.attached) state |= LACP_STATE.SYNCHRONIZED;
    if (member.status === 'defaulted') state |= LACP_STATE.DEFAULTED;
    if (member.status === 'expired') state |= LACP_STATE.EXPIRED;
    if (this.members.size > 1) state |= LACP_STATE.AGGREGATION;
    if (member.attached || !this.negotiated) {
      state |= LACP_STATE.COLLECTING | LACP_STATE.DISTRIBUTING;
    }
    return {
      sysPriority: settings.systemPriority,
      sysId: settings.systemId,
      key: this.aggregationKey ?? 0,
      portPriority: member.settings.portPriority,
      portId: member.settings.portId,
      state,
    };
  }

  /** Null while there is no member. */
  get aggregationKey(): number | null {
    const settings = this.keyMember?.settings;
    return settings === undefined ? this.keptKey : settings.key || settings.portId;
  }
}

function sameSystem(a: LacpMember, b: LacpMember): boolean {
  return compareSysIds(a.partner.sysId, b.partner.sysId) === 0;
}
