/**
 * check_pkt_larger: the rest of the list is translated twice, for packets longer than the size and
 * for the others, since only the datapath sees each packet's length.
 */
import type { OdpAction } from '../../datapath/odp-actions.js';
import type { OfAction } from '../../openflow/actions.js';
import { takeFlowCopy } from '../flow-pool.js';
import { executeActions, runActionSet } from './actions.js';
import { commitActions } from './commit.js';
import type { XlateContext } from './context.js';
import { finishFreezing } from './freeze.js';
import { loadSubfield } from './set-field.js';

type CheckLarger = Extract<OfAction, { type: 'check_pkt_larger' }>;

/** @returns true when it has executed the rest of the list too */
export function executeCheckLarger(
  ctx: XlateContext,
  { size, dst }: CheckLarger,
  rest: readonly OfAction[],
): boolean {
  if (!ctx.ofproto.backer.support.has('check_pkt_len')) {
    const larger = (ctx.xin.packet?.length ?? 0) > size;
    loadSubfield(ctx, dst, Uint8Array.of(larger ? 1 : 0));
    ctx.slow ??= 'action';
    return false;
  }
  commitActions(ctx);
  const { flow, stack, actionSet, wasMpls, exit } = ctx;
  const base = takeFlowCopy(ctx.base);
  const branch = (larger: number): OdpAction[] => {
    const actions: OdpAction[] = [];
    const outer = ctx.redirect(actions);
    ctx.flow = takeFlowCopy(flow);
    ctx.stack = [...stack];
    ctx.actionSet = [...actionSet];
    ctx.last = true;
    loadSubfield(ctx, dst, Uint8Array.of(larger));
    if (rest.length > 0) executeActions(ctx, rest);
    if (!ctx.freezing) runActionSet(ctx);
    // The action set, too, may have to wait for a recirculation: of this branch alone.
    if (ctx.freezing) finishFreezing(ctx);
    ctx.redirect(outer);
    ctx.base.set(base);
    ctx.flow = flow;
    ctx.wasMpls = wasMpls;
    ctx.exit = exit;
    return actions;
  };
  const greater = branch(1);
  const lessEqual = branch(0);
  ctx.stack = stack;
  // The action set ran in both branches.
  ctx.actionSet = [];
  ctx.emit({ type: 'check_pkt_len', size, greater, lessEqual });
  return true;
}
