/**
 * Why a packet leaves by one member of a bond and not by another: a line of a trace as data.
 *
 *     bond1: balance-slb, source 02:00:00:00:00:01 in VLAN 0 is bucket 18, which leads to m2
 *
 * Not for: choosing (bond.ts, and the datapath after a recirculation).
 */
import { hashL4 } from '../datapath/flow-hash.js';
import { BOND_BUCKETS } from '../datapath/shared-stats.js';
import type { FlowWords } from '../packet/flow-layout.js';
import type { Bond, BondMember } from './bond.js';
import { dlSrc, macText } from './flow-access.js';

/**
 * @param chosen by the bond itself; where the datapath chooses, its hash is computed here
 * @param vlan that the packet leaves with
 */
export function bondChoice(
  bond: Bond,
  flow: FlowWords,
  vlan: number,
  chosen: BondMember,
  byDatapath: boolean,
): string {
  const { name, mode, buckets } = bond;
  if (mode === 'active-backup' || bond.fallsBackToActiveBackup || buckets === null) {
    return `${name}: ${mode} uses its active member, ${chosen.link.name}`;
  }
  if (mode === 'balance-slb') {
    const from = `source ${macText(dlSrc(flow))} in VLAN ${vlan}`;
    const bucket = bucketNumber(bond, flow, vlan);
    return `${name}: ${mode}, ${from} is bucket ${bucket}, ${leadsTo(chosen)}`;
  }
  const bucket = byDatapath
    ? hashL4(flow, bond.settings.basis) & (BOND_BUCKETS - 1)
    : bucketNumber(bond, flow, vlan);
  const member = byDatapath ? buckets[bucket].member : chosen;
  return `${name}: ${mode}, addresses and ports are bucket ${bucket}, ${leadsTo(member)}`;
}

function bucketNumber(bond: Bond, flow: FlowWords, vlan: number): number {
  const bucket = bond.bucketOf(flow, vlan);
  return bucket === null ? -1 : (bond.buckets?.indexOf(bucket) ?? -1);
}

const leadsTo = (member: BondMember | null): string =>
  member === null ? 'which leads to no member yet' : `which leads to ${member.link.name}`;
