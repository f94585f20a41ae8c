/**
 * What the statistics of an installed megaflow must be credited to.
 *
 * Translation leaves one entry for each thing that it met: rules, tables, learned MACs, bonds,
 * patch ports. When the datapath has counted further packets, `pushStats` repeats the side
 * effects that those packets would have had, without translating again.
 */

import type { BondBucket } from '../bond.js';
import type { Bundle } from '../bundle.js';
import type { FlowTable } from '../flow-table.js';
import type { Group, GroupBucket } from '../group-table.js';
import type { MacSighting } from '../mac-learning.js';
import type { Mirror } from '../mirror.js';
import type { Ofproto } from '../ofproto.js';
import type { OfPort } from '../port.js';
import type { Rule } from '../rule.js';
import type { FlowAccounting, NetflowKey } from '../sampling.js';
import type { StatsDelta } from '../stats-delta.js';
import { type Learning, learnAgain } from './learn.js';

/** A source that NORMAL learned from. */
type Sighting = Omit<MacSighting<Bundle>, 'isBond' | 'seenMs'>;

export type XlateCacheEntry =
  | { type: 'rule'; rule: Rule }
  | { type: 'table'; table: FlowTable; matched: boolean }
  | { type: 'normal'; ofproto: Ofproto; sighting: Sighting }
  /** Nothing is counted: an address (macKey) that was looked up. */
  | { type: 'mac'; ofproto: Ofproto; key: number }
  | { type: 'bond'; bucket: BondBucket }
  | { type: 'netflow'; netflow: FlowAccounting; key: NetflowKey; output: number }
  | { type: 'mirror'; mirrors: readonly Mirror[] }
  | { type: 'group'; group: Group; bucket: GroupBucket | null }
  | { type: 'learn'; learning: Learning }
  | { type: 'fin_timeout'; rule: Rule; idle: number; hard: number }
  | { type: 'patch'; out: OfPort; in: OfPort };

/**
 * Credits `delta` to everything in the cache.
 * @param learned what there is to learn of these packets was learned already
 */
export function pushStats(
  cache: readonly XlateCacheEntry[],
  delta: StatsDelta,
  learned = false,
): void {
  if (delta.packets === 0) return;
  for (const entry of cache) {
    switch (entry.type) {
      case 'rule':
        entry.rule.credit(delta);
        break;
      case 'table':
        if (entry.matched) entry.table.nMatched += delta.packets;
        else entry.table.nMissed += delta.packets;
        break;
      case 'normal':
        if (!learned) entry.ofproto.learn({ ...entry.sighting, seenMs: delta.usedMs });
        break;
      case 'group':
        entry.group.credit(entry.bucket, delta);
        break;
      case 'learn':
        learnAgain(entry.learning);
        break;
      case 'fin_timeout':
        entry.rule.reduceTimeouts(entry.idle, entry.hard);
        break;
      case 'bond':
        entry.bucket.txBytes += delta.bytes;
        break;
      case 'netflow':
        entry.netflow.update(entry.key, entry.output, delta);
        break;
      case 'mirror':
        for (const mirror of entry.mirrors) mirror.credit(delta.packets, delta.bytes);
        break;
      case 'patch':
        entry.out.device.countTx?.(delta.packets, delta.bytes);
        entry.in.device.countRx?.(delta.packets, delta.bytes);
        break;
    }
  }
}
