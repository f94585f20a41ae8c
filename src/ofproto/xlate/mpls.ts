/**
 * MPLS actions: push, pop, TTL. What lies behind the last of the labels that are seen is known only
 * after a recirculation (freeze.ts).
 */
import type { OfAction } from '../../openflow/actions.js';
import { mustField } from '../../packet/fields.js';
import { W_DP_HASH, W_MPLS, W_NW } from '../../packet/flow-layout.js';
import { dlType } from '../flow-access.js';
import {
  countLabels,
  flowPopMpls,
  flowPushMpls,
  isMplsType,
  MPLS_LABELS_MAX,
} from '../mpls-labels.js';
import { commitActions } from './commit.js';
import type { XlateContext } from './context.js';
import { CONTROLLER_LEN_ALL, controllerAction, OFPR } from './output.js';

const TTL_BITS = 0xff;

export function executePushMpls(ctx: XlateContext, ethType: number): void {
  const count = countLabels(ctx.flow, ctx.wc);
  if (count === 0) commitActions(ctx);
  else if (count >= MPLS_LABELS_MAX) {
    ctx.reportError(
      "dropping packet on which an MPLS push action can't be performed as it would have more " +
        `MPLS LSEs than the ${MPLS_LABELS_MAX} supported.`,
    );
    ctx.error = 'too-many-mpls-labels';
    return;
  }
  flowPushMpls(ctx.flow, count, ethType, ctx.wc, true);
}

export function executePopMpls(ctx: XlateContext, ethType: number): void {
  const count = countLabels(ctx.flow, ctx.wc);
  if (flowPopMpls(ctx.flow, count, ethType, ctx.wc)) {
    if (!isMplsType(ethType)) ctx.wasMpls = true;
    return;
  }
  if (count < MPLS_LABELS_MAX) return;
  ctx.reportError(
    "dropping packet on which an MPLS pop action can't be performed as it has more MPLS LSEs " +
      `than the ${MPLS_LABELS_MAX} supported.`,
  );
  ctx.error = 'too-many-mpls-labels';
  ctx.actions.length = 0;
}

export function executeSetMplsTtl(ctx: XlateContext, ttl: number): void {
  if (!isMplsType(dlType(ctx.flow))) return;
  ctx.wc[W_MPLS] |= TTL_BITS;
  ctx.flow[W_MPLS] = (ctx.flow[W_MPLS] & ~TTL_BITS) | ttl;
}

/** @returns false when the TTL is used up */
export function executeDecMplsTtl(ctx: XlateContext): boolean {
  const { flow } = ctx;
  if (!isMplsType(dlType(flow))) return true;
  ctx.wc[W_MPLS] |= TTL_BITS;
  const ttl = flow[W_MPLS] & TTL_BITS;
  if (ttl > 1) {
    flow[W_MPLS] = (flow[W_MPLS] & ~TTL_BITS) | (ttl - 1);
    return true;
  }
  controllerAction(ctx, CONTROLLER_LEN_ALL, OFPR.INVALID_TTL, 0);
  ctx.report('warn', 'MPLS decrement TTL exception');
  return false;
}

/** Actions that need nothing of what was behind the labels. */
const NEED_NO_L3: ReadonlySet<OfAction['type']> = new Set([
  'output',
  'output_trunc',
  'enqueue',
  'output_reg',
  'set_tunnel',
  'set_queue',
  'group',
]);

/** Whether an action after a pop needs the packet to be looked at again. */
export function needsRecirculation(action: OfAction): boolean {
  if (NEED_NO_L3.has(action.type)) return false;
  if (action.type !== 'set_field') return true;
  const word = mustField(action.field).startBit >> 5;
  return word >= W_NW && word < W_DP_HASH && (word < W_MPLS || word >= W_MPLS + MPLS_LABELS_MAX);
}
