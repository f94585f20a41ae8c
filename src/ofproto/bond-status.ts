/**
 * All that is known of a bond, as plain data: for programs, for `tapswitch bond watch`, and to say
 * why a member is not used. bond/show (bond-show.ts) has the text that scripts know.
 */
import { NEVER } from '../common/clock.js';
import type { Bond, BondMember, LacpStatus } from './bond.js';
import type { BondEvent } from './bond-events.js';
import type { Bundle } from './bundle.js';
import { macFromBytes, macText } from './flow-access.js';
import type { LacpMember, LacpMemberStatus } from './lacp.js';
import { LACP_STATE } from './lacp-pdu.js';
import { lacpStateText } from './lacp-show.js';
import type { Ofproto } from './ofproto.js';
import type { BondMode } from './settings.js';

export interface BondReport {
  bridge: string;
  name: string;
  mode: BondMode;
  lacp: LacpStatus;
  /** The active member, null while there is none. */
  active: string | null;
  /** Milliseconds until buckets may move; null where they never do. */
  rebalanceMs: number | null;
  members: MemberReport[];
  /** What happened lately, the newest last. */
  events: readonly BondEvent[];
}

export interface MemberReport {
  name: string;
  enabled: boolean;
  active: boolean;
  carrier: boolean;
  /** Why it carries traffic or does not, in words. */
  why: string;
  /** Buckets that lead to it; 0 where the mode has none. */
  buckets: number;
  /** Their load since about the last rebalance, bytes. */
  load: number;
  /** Counters of the datapath, bytes. */
  txBytes: number;
  rxBytes: number;
  lacp: MemberLacpReport | null;
}

export interface MemberLacpReport {
  status: LacpMemberStatus;
  attached: boolean;
  actor: string;
  partner: string;
  partnerSystem: string;
}

/** @param now clock milliseconds; the load must have been brought up to date */
export function bondReport(ofproto: Ofproto, bundle: Bundle, bond: Bond, now: number): BondReport {
  return {
    bridge: ofproto.name,
    name: bond.name,
    mode: bond.mode,
    lacp: bond.lacpStatus,
    active: bond.active?.link.name ?? null,
    rebalanceMs: bond.isBalanced ? Math.max(0, Math.ceil(bond.nextRebalanceMs - now)) : null,
    members: [...bond.members.values()].map((m) => memberReport(ofproto, bundle, bond, m, now)),
    events: bundle.bondEvents?.recent() ?? [],
  };
}

function memberReport(
  ofproto: Ofproto,
  bundle: Bundle,
  bond: Bond,
  member: BondMember,
  now: number,
): MemberReport {
  const odpPort = bundle.portOf(member.link)?.odpPort ?? null;
  const stats = odpPort === null ? null : ofproto.backer.dpif.portStats(odpPort);
  const buckets = (bond.buckets ?? []).filter((bucket) => bucket.member === member);
  const lacp = bundle.lacp?.members.get(member.link) ?? null;
  return {
    name: member.link.name,
    enabled: member.enabled,
    active: member === bond.active,
    carrier: member.link.carrier(),
    why: memberWhy(bundle, bond, member, now),
    buckets: buckets.length,
    load: buckets.reduce((sum, bucket) => sum + bucket.txBytes, 0),
    txBytes: stats?.txBytes ?? 0,
    rxBytes: stats?.rxBytes ?? 0,
    lacp:
      lacp === null || bundle.lacp === null
        ? null
        : lacpReport(bundle.lacp.actorOf(lacp).state, lacp),
  };
}

function lacpReport(actorState: number, member: LacpMember): MemberLacpReport {
  return {
    status: member.status,
    attached: member.attached,
    actor: lacpStateText(actorState),
    partner: lacpStateText(member.partner.state),
    partnerSystem: macText(macFromBytes(member.partner.sysId)),
  };
}

/** Why a member carries traffic, or does not. */
export function memberWhy(bundle: Bundle, bond: Bond, member: BondMember, now: number): string {
  const delay = member.delayExpiresMs - now;
  const waits = member.delayExpiresMs !== NEVER && delay > 0;
  if (member.enabled) {
    if (waits) return `link is down, given up in ${Math.ceil(delay)} ms (bond_downdelay)`;
    return whyEnabled(bond, member);
  }
  if (!bond.linkUp(member)) {
    return bond.settings.detect === 'miimon' ? 'link is down (miimon)' : 'no carrier';
  }
  const lacp = bundle.lacp?.members.get(member.link);
  if (!member.mayEnable && lacp !== undefined) return `LACP: ${whyLacp(lacp)}`;
  if (waits) return `link is up, used in ${Math.ceil(delay)} ms (bond_updelay)`;
  return 'about to be enabled';
}

function whyEnabled(bond: Bond, member: BondMember): string {
  const { lacpStatus, settings } = bond;
  const failed = lacpStatus === 'configured' && !settings.lacpFallbackAb;
  if (failed || (bond.mode === 'balance-tcp' && lacpStatus === 'off')) {
    return 'not used: LACP is not negotiated';
  }
  if (bond.mode !== 'active-backup' && !bond.fallsBackToActiveBackup) {
    const has = bond.buckets?.some((bucket) => bucket.member === member);
    return has ? 'carries its buckets' : 'ready; no bucket leads to it now';
  }
  if (member !== bond.active) return 'in reserve';
  return member.isPrimary ? 'active: the primary' : 'active';
}

function whyLacp(member: LacpMember): string {
  if (member.status === 'defaulted') return 'the partner is silent (defaulted)';
  if (member.status === 'expired') return 'the partner has not been heard lately (expired)';
  if (!member.attached) return 'the partner is another system, or has another key (detached)';
  const inSync = (member.partner.state & LACP_STATE.SYNCHRONIZED) !== 0;
  return inSync ? 'negotiated' : 'the partner is not in sync';
}
