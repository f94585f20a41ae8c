/**
 * Translation: from a packet's flow and the state of a bridge to datapath actions and the mask of
 * every bit that the result depends on.
 *
 *     translate(in)  in_port's bridge -> table 0 -> rule -> actions -> ... -> action set
 *                    -> actions, wc, cache (what statistics belong to), trace
 *
 * The mask is sound: any packet that agrees with this one under it translates to the same
 * actions, as long as the bridge's state is the same.
 */
import { DropReason } from '../../datapath/drop-reasons.js';
import { OFPP } from '../../openflow/actions.js';
import { OFPM } from '../../openflow/messages-groups.js';
import {
  DP_FLOW_WORDS,
  ETH_TYPE_IP,
  ETH_TYPE_IPV6,
  ETH_TYPE_MPLS,
  ETH_TYPE_MPLS_MCAST,
  type FlowWords,
  NW_FRAG_LATER,
  VLAN_CFI,
  W_DL_TYPE,
  W_IN_PORT,
  W_MPLS,
  W_PACKET_TYPE,
  W_RECIRC_ID,
  W_TCP_FLAGS,
  W_TP,
  W_TUN_DST,
  W_TUN_ID,
  W_TUN_IPV6_DST,
  W_VLAN0,
  W_VLAN1,
} from '../../packet/flow-layout.js';
import { dlType, isIp, nwFrag, nwProto } from '../flow-access.js';
import { giveFlow } from '../flow-pool.js';
import { enterRule, executeActions, lookup, runActionSet } from './actions.js';
import { unwrapLastClone } from './clone.js';
import { XlateContext, type XlateError, type XlateIn, type XlateOut } from './context.js';
import { finishFreezing, thaw } from './freeze.js';
import { outputDhcpReply } from './in-band.js';
import { mirrorIngress, reportReserved } from './mirror.js';
import { mayReceive } from './output.js';
import { beginSampling, endSampling, netflowMask } from './sampling.js';
import { processSpecial } from './special.js';

const DL_TYPE_BITS = 0xffff0000 | 0;
const NW_FRAG_BITS = 0x00000300;

const FAILURES: Readonly<Record<Exclude<XlateError, 'ok'>, number>> = {
  'recursion-too-deep': DropReason.pipelineTooDeep,
  'too-many-resubmits': DropReason.tooManyResubmits,
  'stack-too-deep': DropReason.stackTooDeep,
  'no-recirculation-context': DropReason.noRecirculationContext,
  'too-many-mpls-labels': DropReason.tooManyMplsLabels,
};

/** Translates a flow. Never throws for what a packet or a table may contain. */
export function translate(xin: XlateIn): XlateOut {
  const ctx = new XlateContext(xin);
  initMask(ctx);
  const top = ctx.enter('bridge', `bridge("${ctx.ofproto.name}")`);
  runPipeline(ctx);
  if (!ctx.freezing && ctx.error === 'ok') outputDhcpReply(ctx);
  if (ctx.freezing && ctx.error === 'ok') finishFreezing(ctx);
  ctx.leave(top);
  if (ctx.actions.length > ctx.limits.actions) ctx.slow ??= 'action';
  if (ctx.error !== 'ok') dropFor(ctx, ctx.error);
  else unwrapLastClone(ctx.actions);
  finishMask(ctx.wc, xin.flow);
  giveFlow(ctx.base);
  if (xin.trace === undefined) giveFlow(ctx.flow);
  return {
    actions: ctx.actions,
    wc: ctx.wc,
    slow: ctx.error === 'ok' ? ctx.slow : null,
    slowMeter: xin.ofproto.meters.get(OFPM.SLOWPATH)?.dpId ?? null,
    cache: ctx.cache,
    controllerIds: ctx.controllerIds,
    recircIds: ctx.recircIds,
    error: ctx.error,
    avoidCaching: ctx.avoidCaching,
    finalFlow: xin.trace === undefined ? null : ctx.flow,
  };
}

/** A failed translation drops its packets, and has them counted by why it failed. */
function dropFor(ctx: XlateContext, error: Exclude<XlateError, 'ok'>): void {
  ctx.actions.length = 0;
  ctx.actions.push({ type: 'drop', reason: FAILURES[error] });
}

function runPipeline(ctx: XlateContext): void {
  const { xin } = ctx;
  if (xin.resume !== undefined) {
    thaw(ctx, xin.resume);
    return;
  }
  if (xin.actions === undefined && xin.flow[W_RECIRC_ID] !== 0) {
    resume(ctx, xin.flow[W_RECIRC_ID]);
    return;
  }
  firstPass(ctx);
  endSampling(ctx);
}

function firstPass(ctx: XlateContext): void {
  const { xin } = ctx;
  const port = ctx.port(ctx.inPort);
  if (xin.actions === undefined && processSpecial(ctx, port)) {
    mirrorIngress(ctx, port?.bundle ?? null);
    return;
  }
  let actions = xin.actions;
  if (actions === undefined) {
    const rule = lookup(ctx, ctx.inPort, { mayPacketIn: true, honorMiss: true });
    ctx.rule = rule;
    enterRule(ctx, rule, ctx.tableId);
    actions = rule.actions;
  }
  const reserved = port?.bundle != null && port.bundle.mirrorOut !== 0;
  if (!reserved) beginSampling(ctx);
  if (port !== null && !mayReceive(port, ctx)) {
    ctx.report('warn', `port ${port.name} does not take packets in, dropping`);
    return;
  }
  if (reserved && port?.bundle) {
    reportReserved(ctx, port.bundle);
    return;
  }
  mirrorIngress(ctx, port?.bundle ?? null);
  executeActions(ctx, actions);
  if (!ctx.freezing) runActionSet(ctx);
}

/** Goes on with a packet that the datapath gave back after a recirculation. */
function resume(ctx: XlateContext, recircId: number): void {
  const state = ctx.ofproto.backer.recircIds.get(recircId);
  if (state === null) {
    ctx.reportError(`no recirculation data for recirc_id 0x${recircId.toString(16)}`);
    ctx.error = 'no-recirculation-context';
    return;
  }
  if (state.frozen !== undefined) {
    thaw(ctx, state.frozen);
    return;
  }
  ctx.flow[W_IN_PORT] = OFPP.NONE | 0;
  ctx.tableId = state.tableId;
  // Mirrors got the packet when it was given to the bond.
  ctx.mirrors = -1;
  const rule = lookup(ctx, OFPP.NONE, { mayPacketIn: false, honorMiss: false });
  ctx.rule = rule;
  enterRule(ctx, rule, ctx.tableId);
  executeActions(ctx, rule.actions);
  runActionSet(ctx);
}

/** What always counts as consulted. */
function initMask(ctx: XlateContext): void {
  const { wc } = ctx;
  wc[W_PACKET_TYPE] = -1;
  wc[W_IN_PORT] = -1;
  wc[W_RECIRC_ID] = -1;
  wc[W_DL_TYPE] |= DL_TYPE_BITS;
  if (isIp(ctx.xin.flow)) wc[W_DL_TYPE] |= NW_FRAG_BITS;
  netflowMask(ctx);
}

function isZero(flow: FlowWords, word: number): boolean {
  return (flow[word] | flow[word + 1] | flow[word + 2] | flow[word + 3]) === 0;
}

/** Takes out what the datapath cannot or need not compare. */
function finishMask(wc: FlowWords, flow: FlowWords): void {
  wc.fill(0, DP_FLOW_WORDS);
  // A packet that came by no tunnel has nothing of one.
  if (flow[W_TUN_DST] === 0 && isZero(flow, W_TUN_IPV6_DST)) wc.fill(0, W_TUN_ID, DP_FLOW_WORDS);
  const type = dlType(flow);
  const icmp =
    (type === ETH_TYPE_IP && nwProto(flow) === 1) ||
    (type === ETH_TYPE_IPV6 && nwProto(flow) === 58);
  if (icmp) wc[W_TP] &= 0x00ff00ff;
  if ((nwFrag(flow) & NW_FRAG_LATER) !== 0) {
    wc[W_TP] = 0;
    wc[W_TCP_FLAGS] = 0;
  }
  // Header changes may have marked headers that this kind of packet does not have at all.
  if (type !== ETH_TYPE_MPLS && type !== ETH_TYPE_MPLS_MCAST) wc.fill(0, W_MPLS, W_MPLS + 3);
  for (const word of [W_VLAN0, W_VLAN1]) {
    if ((flow[word] & VLAN_CFI) === 0) wc[word] = 0;
    else if (wc[word] !== 0) wc[word] |= VLAN_CFI;
  }
}

/**
 * Makes of the mask that translation gave the one to install, in place: adds the presence of each
 * tag, on which the meaning of everything behind the tags depends.
 */
export function megaflowMask(mask: FlowWords, flow: FlowWords): FlowWords {
  const tagged = (word: number): boolean => (flow[word] & VLAN_CFI) !== 0;
  mask[W_VLAN0] |= VLAN_CFI;
  if (tagged(W_VLAN0)) {
    mask[W_VLAN0] |= 0xffff0000;
    mask[W_VLAN1] |= VLAN_CFI;
    if (tagged(W_VLAN1)) mask[W_VLAN1] |= 0xffff0000;
  }
  return mask;
}
