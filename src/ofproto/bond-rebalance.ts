/**
 * Moving buckets of a balancing bond from loaded members to less loaded ones.
 *
 * Every `rebalanceIntervalMs`: sum each member's load over its buckets; while the most loaded
 * member carries clearly more than the least loaded, move buckets whose sum comes close to half
 * of the difference; then halve every bucket's count, so that old load fades.
 *
 * Thresholds: nothing moves for a difference below 100 kB or a 32nd of the smaller load, nor when
 * it would not bring the two at least a tenth of the way together.
 */
import { getLogger } from '../common/log.js';
import type { Bond, BondBucket, BondMember } from './bond.js';

const log = getLogger('bond');

const OVERLOAD_BYTES_MIN = 100_000;

/** A member under consideration, with its buckets by falling load. */
interface Load {
  member: BondMember;
  buckets: BondBucket[];
}

/**
 * Rebalances when the interval has passed. Account all traffic before. @returns true if it moved
 */
export function bondRebalance(bond: Bond, now: number): boolean {
  if (!bond.isBalanced || bond.buckets === null || now < bond.nextRebalanceMs) return false;
  bond.nextRebalanceMs = now + bond.settings.rebalanceIntervalMs;
  const loads = measure(bond, bond.buckets);
  let moved = false;
  while (loads.length > 1) {
    loads.sort((a, b) => b.member.txBytes - a.member.txBytes);
    const from = loads[0];
    const to = loads[loads.length - 1];
    const overload = from.member.txBytes - to.member.txBytes;
    if (overload < to.member.txBytes / 32 || overload < OVERLOAD_BYTES_MIN) break;
    const chosen = chooseBuckets(from, to.member.txBytes);
    if (chosen.length === 0) {
      loads.shift();
      continue;
    }
    for (const bucket of chosen) shift(bond, bucket, from, to);
    moved = true;
  }
  for (const bucket of bond.buckets) bucket.txBytes = Math.floor(bucket.txBytes / 2);
  if (moved) bond.markRevalidate();
  return moved;
}

function measure(bond: Bond, buckets: readonly BondBucket[]): Load[] {
  const byMember = new Map<BondMember, Load>();
  for (const member of bond.members.values()) {
    member.txBytes = 0;
    byMember.set(member, { member, buckets: [] });
  }
  for (const bucket of [...buckets].sort((a, b) => b.txBytes - a.txBytes)) {
    const load = bucket.member === null ? undefined : byMember.get(bucket.member);
    if (load === undefined || bucket.txBytes === 0) continue;
    load.member.txBytes += bucket.txBytes;
    load.buckets.push(bucket);
  }
  return [...byMember.values()].filter((load) => load.member.enabled);
}

/** Buckets whose load together comes near to half the difference, or none if that gains little. */
function chooseBuckets(from: Load, toBytes: number): BondBucket[] {
  if (from.buckets.length < 2) return [];
  const ideal = Math.floor((from.member.txBytes + toBytes) / 2) - toBytes;
  const threshold = Math.floor(ideal / 10);
  const chosen: BondBucket[] = [];
  let delta = 0;
  for (const bucket of from.buckets) {
    if (delta + bucket.txBytes <= ideal) {
      chosen.push(bucket);
      delta += bucket.txBytes;
    }
    if (ideal - delta < threshold) break;
  }
  if (chosen.length === 0) {
    const lightest = from.buckets[from.buckets.length - 1];
    chosen.push(lightest);
    delta = lightest.txBytes;
  }
  const newLow = Math.min(from.member.txBytes - delta, toBytes + delta);
  return newLow > toBytes && newLow - toBytes >= threshold ? chosen : [];
}

function shift(bond: Bond, bucket: BondBucket, from: Load, to: Load): void {
  const bytes = bucket.txBytes;
  from.member.txBytes -= bytes;
  to.member.txBytes += bytes;
  from.buckets = from.buckets.filter((b) => b !== bucket);
  bucket.member = to.member;
  const kb = (n: number): number => Math.floor(n / 1024);
  const hash = bond.buckets?.indexOf(bucket) ?? -1;
  log.info(
    `bond ${bond.name}: shift ${kb(bytes)}kB of load (with hash ${hash}) from ` +
      `${from.member.link.name} to ${to.member.link.name} (now carrying ` +
      `${kb(from.member.txBytes)}kB and ${kb(to.member.txBytes)}kB load, respectively)`,
  );
}
