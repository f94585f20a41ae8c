/**
 * What a packet does in a group: every bucket, one that is alive, or one chosen by a hash.
 *
 * Buckets work on copies: what they change ends with them. Not for: changing groups
 * (../group-table.ts).
 */
import { OFPP } from '../../openflow/actions.js';
import { OFPG } from '../../openflow/messages-groups.js';
import { fieldGet, mustField } from '../../packet/fields.js';
import { bytesToBigint } from '../../packet/fields-subfield.js';
import { W_DP_HASH } from '../../packet/flow-layout.js';
import { giveFlow, takeFlowCopy } from '../flow-pool.js';
import type { Group, GroupBucket, Selection } from '../group-table.js';
import { hashAdd, hashFinish } from '../hash.js';
import { OFPPS } from '../port.js';
import { orderActionSet } from './action-set.js';
import { executeActions } from './actions.js';
import type { XlateContext } from './context.js';
import { finishFreezing, triggerFreeze } from './freeze.js';
import { hashFields, unwildcardFields } from './hash-fields.js';
import { withinLimits } from './output.js';
import { prereqsOk, unwildcardField } from './set-field.js';

/** Groups that watch groups: the chain may be this long. */
const LIVENESS_DEPTH_MAX = 128;

/** The group action. */
export function executeGroup(ctx: XlateContext, id: number): void {
  if (!withinLimits(ctx)) return;
  const group = ctx.ofproto.groups.get(id);
  if (group === null) {
    ctx.report('warn', `output to nonexistent group ${id}`);
    return;
  }
  if (group.type === 'all' || group.type === 'indirect') {
    const { last } = ctx;
    for (const [i, bucket] of group.buckets.entries()) {
      ctx.last = last && i === group.buckets.length - 1;
      executeBucket(ctx, bucket);
    }
    ctx.last = last;
    ctx.cache.push({ type: 'group', group, bucket: null });
    return;
  }
  const bucket = group.type === 'ff' ? firstLive(ctx, group, 0) : selectBucket(ctx, group);
  if (bucket === null) {
    ctx.report('detail', 'no live bucket');
    return;
  }
  ctx.report('detail', `using bucket ${bucket.id}`);
  executeBucket(ctx, bucket);
  ctx.cache.push({ type: 'group', group, bucket });
}

function executeBucket(ctx: XlateContext, bucket: GroupBucket): void {
  const trace = ctx.enter('bucket', `bucket ${bucket.id}`);
  const { flow, wasMpls } = ctx;
  const old = takeFlowCopy(flow);
  ctx.depth += 1;
  const inBucket = ctx.inBucket;
  ctx.inBucket = true;
  executeActions(ctx, orderActionSet(bucket.actions));
  ctx.inBucket = inBucket;
  ctx.depth -= 1;
  if (ctx.freezing) freezeBucket(ctx);
  flow.set(old);
  giveFlow(old);
  ctx.wasMpls = wasMpls;
  ctx.exit = false;
  // A limit ends the whole translation; anything else only this bucket.
  if (ctx.error === 'too-many-mpls-labels') ctx.error = 'ok';
  ctx.leave(trace);
}

/** What goes on later is the bucket alone: the packet's own action set is not executed with it. */
function freezeBucket(ctx: XlateContext): void {
  const { actionSet } = ctx;
  ctx.actionSet = [];
  finishFreezing(ctx);
  ctx.actionSet = actionSet;
}

function selectBucket(ctx: XlateContext, group: Group): GroupBucket | null {
  // What hashes read may lie behind the labels that were popped.
  if (ctx.wasMpls) {
    triggerFreeze(ctx);
    return null;
  }
  const { selection } = group;
  switch (selection.method) {
    case 'dp_hash':
      return selectByDpHash(ctx, group, selection);
    case 'hash':
      return bestLive(ctx, group, hashOfFields(ctx, group));
    default:
      unwildcardFields(ctx.flow, ctx.wc, 'symmetric_l4');
      return bestLive(ctx, group, hashFields(ctx.flow, 'symmetric_l4', 0));
  }
}

function selectByDpHash(
  ctx: XlateContext,
  group: Group,
  { algorithm, basis, map }: Extract<Selection, { method: 'dp_hash' }>,
): GroupBucket | null {
  const hash = ctx.flow[W_DP_HASH];
  if (hash === 0) {
    // The datapath knows the hash only when it gives the packet back.
    triggerFreeze(ctx, { algorithm, basis });
    return null;
  }
  const bits = map.length - 1;
  ctx.wc[W_DP_HASH] |= bits;
  for (let i = 0; i < map.length; i++) {
    const bucket = map[(hash + i) & bits];
    if (isLive(ctx, group, bucket, 0)) return bucket;
  }
  return null;
}

function hashOfFields(ctx: XlateContext, group: Group): number {
  const { flow, wc } = ctx;
  const param = group.props.selectionMethodParam;
  let hash = hashAdd(hashAdd(0, Number(param & 0xffffffffn) | 0), Number(param >> 32n) | 0);
  for (const { field: name, mask } of group.props.fields) {
    const field = mustField(name);
    if (!prereqsOk(field, flow, wc)) continue;
    const value = fieldGet(flow, field).map((byte, i) => byte & mask[i]);
    unwildcardField(wc, field, mask);
    for (let rest = bytesToBigint(value), n = 0; n < value.length; n += 4, rest >>= 32n) {
      hash = hashAdd(hash, Number(rest & 0xffffffffn) | 0);
    }
  }
  return hashFinish(hash, group.props.fields.length);
}

/** The live bucket with the highest score: weight times a hash of the bucket and the packet. */
function bestLive(ctx: XlateContext, group: Group, hash: number): GroupBucket | null {
  let best: GroupBucket | null = null;
  let bestScore = 0;
  for (const bucket of group.buckets) {
    if (!isLive(ctx, group, bucket, 0)) {
      reportNotLive(ctx, bucket);
      continue;
    }
    const score = (hashFinish(hashAdd(hash, bucket.id | 0), 4) & 0xffff) * bucket.weight;
    if (score >= bestScore) {
      best = bucket;
      bestScore = score;
    }
    ctx.report('detail', `bucket ${bucket.id}: score ${score}`);
  }
  return best;
}

function firstLive(ctx: XlateContext, group: Group, depth: number): GroupBucket | null {
  for (const bucket of group.buckets) {
    if (isLive(ctx, group, bucket, depth)) return bucket;
    reportNotLive(ctx, bucket);
  }
  return null;
}

function isLive(ctx: XlateContext, group: Group, bucket: GroupBucket, depth: number): boolean {
  if (depth >= LIVENESS_DEPTH_MAX) {
    ctx.reportError(`bucket chaining exceeded ${LIVENESS_DEPTH_MAX} links`);
    return false;
  }
  if (group.type === 'select' && bucket.weight === 0) return false;
  const { watchPort, watchGroup } = bucket;
  if (watchPort === OFPP.NONE && watchGroup === OFPG.ANY) return true;
  if (watchPort === OFPP.CONTROLLER)
    return ctx.ofproto.controllerStatus().some((status) => status.connected);
  if (watchPort !== OFPP.NONE) {
    const port = ctx.port(watchPort);
    if (port !== null && (port.currentState() & OFPPS.LIVE) !== 0) return true;
  }
  if (watchGroup === OFPG.ANY) return false;
  const watched = ctx.ofproto.groups.get(watchGroup);
  return watched !== null && firstLive(ctx, watched, depth + 1) !== null;
}

function reportNotLive(ctx: XlateContext, bucket: GroupBucket): void {
  if (ctx.trace === null) return;
  const watched: string[] = [];
  if (bucket.watchPort !== OFPP.NONE) watched.push(`port ${bucket.watchPort}`);
  if (bucket.watchGroup !== OFPG.ANY) watched.push(`port ${bucket.watchGroup}`);
  ctx.report('detail', `bucket ${bucket.id}: not live due to ${watched.join(' and ')}`);
}
