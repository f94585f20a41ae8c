/**
 * Executing actions on a copy of the packet. Where the copy's changes can be told from what was
 * there before, translation undoes them itself; where they cannot (a meter may drop the packet, a
 * cut cannot be mended) the datapath is asked to work on a copy:
 *
 *     clone(set_field:A->dl_dst,2),3     set(eth(dst=A)),2,set(eth(dst=old)),3
 *     clone(meter:1,2),3                 clone(meter(0),2),3
 *
 * The last thing that happens to a packet needs no copy.
 */
import type { OdpAction } from '../../datapath/odp-actions.js';
import type { OfAction } from '../../openflow/actions.js';
import { giveFlow, takeFlowCopy } from '../flow-pool.js';
import { executeActions, runActionSet } from './actions.js';
import { commitActions } from './commit.js';
import type { XlateContext } from './context.js';
import { finishFreezing } from './freeze.js';

/** Actions whose effects on the packet cannot be undone by setting headers. */
const IRREVERSIBLE: ReadonlySet<OfAction['type']> = new Set(['ct', 'nat', 'meter', 'output_trunc']);

/** Of 2^32: always. */
const ALWAYS = 0xffffffff;

function runList(ctx: XlateContext, actions: readonly OfAction[]): void {
  executeActions(ctx, actions);
  if (!ctx.freezing) runActionSet(ctx);
  if (!ctx.freezing) return;
  finishFreezing(ctx);
  // It is the copy that waits for its recirculation. (An exit ends both, as in Open vSwitch.)
  ctx.exit = false;
}

/** Executes `actions`; what they change ends with them. */
export function executeClone(ctx: XlateContext, actions: readonly OfAction[]): void {
  const { flow, stack, actionSet, wasMpls, last } = ctx;
  ctx.flow = takeFlowCopy(flow);
  ctx.stack = [...stack];
  ctx.actionSet = [...actionSet];
  if (last || actions.every((action) => !IRREVERSIBLE.has(action.type))) runList(ctx, actions);
  else inDatapath(ctx, actions);
  giveFlow(ctx.flow);
  ctx.flow = flow;
  ctx.stack = stack;
  ctx.actionSet = actionSet;
  ctx.wasMpls = wasMpls;
  ctx.last = last;
}

/** Has the datapath do it on a copy; what is pending is done before, so that it is done once. */
function inDatapath(ctx: XlateContext, actions: readonly OfAction[]): void {
  const { support } = ctx.ofproto.backer;
  commitActions(ctx);
  if (!support.has('clone') && !support.sampleAsClone) {
    ctx.reportError('Failed to compose clone action');
    return;
  }
  const base = takeFlowCopy(ctx.base);
  const list: OdpAction[] = [];
  const outer = ctx.redirect(list);
  ctx.last = true;
  runList(ctx, actions);
  ctx.redirect(outer);
  ctx.base.set(base);
  giveFlow(base);
  if (list.length === 0) return;
  if (support.has('clone')) ctx.emit({ type: 'clone', actions: list });
  else ctx.emit({ type: 'sample', probability: ALWAYS, actions: list });
}

/** A copy that nothing follows needs to be none. */
export function unwrapLastClone(actions: OdpAction[]): void {
  const last = actions.at(-1);
  if (last?.type === 'clone') actions.splice(-1, 1, ...last.actions);
}
