/**
 * Sampling in translation: which actions give a bridge's exporters their packets, and what NetFlow
 * is told of a flow.
 *
 *     beginSampling   sFlow, and IPFIX of what comes in: before the packet's own actions
 *     sampleOutput    IPFIX of what goes out: before an output
 *     executeSample   OpenFlow's sample action
 *     endSampling     fills in what is known only at the end: outputs, tags and labels
 *
 * A template of a cookie stands in the actions from the start and gets its values at the end.
 */
import type { OdpAction, SampleCookie } from '../../datapath/odp-actions.js';
import { ODPP_NONE } from '../../datapath/odp-actions.js';
import { OFPP, type SampleSpec } from '../../openflow/actions.js';
import {
  ETH_TYPE_IP,
  ETH_TYPE_MPLS,
  ETH_TYPE_MPLS_MCAST,
  type FlowWords,
  NW_FRAG_LATER,
  VLAN_CFI,
  W_IN_PORT,
  W_MPLS,
  W_NW,
  W_NW_DST,
  W_NW_SRC,
  W_TP,
  W_VLAN0,
} from '../../packet/flow-layout.js';
import { dlType, nwFrag, vlanTci } from '../flow-access.js';
import { countLabels } from '../mpls-labels.js';
import type { OfPort } from '../port.js';
import { NF_OUT, netflowKey } from '../sampling.js';
import { commitActions } from './commit.js';
import type { XlateContext } from './context.js';

/** sFlow's output of a packet that goes nowhere: dropped, for a reason that is not told. */
const SFLOW_DROPPED = 0x40000000 | 256;
/** sFlow's output of a packet that goes to several ports, or one without interface index. */
const SFLOW_MANY = 0x80000000;
const PROTO_AND_DSCP = 0xfffc0000 | 0;

/** Marks what NetFlow tells flows apart by as consulted. */
export function netflowMask(ctx: XlateContext): void {
  const { flow } = ctx.xin;
  const { wc } = ctx;
  if (ctx.ofproto.exporters.netflow === null || dlType(flow) !== ETH_TYPE_IP) return;
  wc[W_NW] |= PROTO_AND_DSCP;
  wc[W_NW_SRC] = -1;
  wc[W_NW_DST] = -1;
  if ((nwFrag(flow) & NW_FRAG_LATER) === 0) wc[W_TP] = -1;
}

/** Actions for what comes in, in front of all others. */
export function beginSampling(ctx: XlateContext): void {
  const { sflow, ipfix } = ctx.ofproto.exporters;
  if (ctx.inPort === OFPP.NONE) return;
  if (sflow !== null) {
    unwildcardForSflow(ctx.wc, ctx.xin.flow);
    const bridge = ctx.ofproto.sampleId;
    emitSample(ctx, sflow.probability, {
      type: 'sflow',
      bridge,
      vlanTci: 0,
      output: 0,
      labels: [],
    });
  }
  if (ipfix?.bridge?.input) emitIpfix(ctx, ipfix.bridge.probability, ODPP_NONE);
}

/** The cookie tells tags and labels: packets that differ in them need cookies of their own. */
function unwildcardForSflow(wc: FlowWords, flow: FlowWords): void {
  if ((flow[W_VLAN0] & VLAN_CFI) !== 0) wc[W_VLAN0] = -1;
  if (isMpls(flow)) wc.fill(-1, W_MPLS, W_MPLS + countLabels(flow, null));
}

function isMpls(flow: FlowWords): boolean {
  const type = dlType(flow);
  return type === ETH_TYPE_MPLS || type === ETH_TYPE_MPLS_MCAST;
}

function emitIpfix(ctx: XlateContext, probability: number, outputPort: number): void {
  const bridge = ctx.ofproto.sampleId;
  emitSample(ctx, probability, { type: 'ipfix', bridge, outputPort, dropped: false });
}

/** @param probability times 2^32 - 1 */
function emitSample(ctx: XlateContext, probability: number, cookie: SampleCookie): void {
  if (probability === 0) return;
  ctx.sampling.cookies.push(cookie);
  const action: OdpAction = { type: 'userspace', cookie };
  const meter = ctx.ofproto.meters.slowpath;
  if (probability === 0xffffffff && meter === null) ctx.emit(action);
  else {
    const actions: OdpAction[] = meter === null ? [] : [{ type: 'meter', id: meter.dpId }];
    ctx.emit({ type: 'sample', probability, actions: [...actions, action] });
  }
}

/** IPFIX of a packet that is about to go out. */
export function sampleOutput(ctx: XlateContext, odpPort: number): void {
  const bridge = ctx.ofproto.exporters.ipfix?.bridge ?? null;
  if (bridge?.output) emitIpfix(ctx, bridge.probability, odpPort);
}

/** Notes an output to a datapath port. */
export function noteOutput(ctx: XlateContext, port: OfPort): void {
  const { sampling } = ctx;
  sampling.nOutputs += 1;
  sampling.lastPort = port;
  sampling.netflowOut = port.ofPort & 0xffff;
}

/** An output action begins. @returns what `endOutputs` is to be given */
export function beginOutputs({ sampling }: XlateContext): number {
  const before = sampling.netflowOut;
  sampling.netflowOut = NF_OUT.DROP;
  return before;
}

/** It is over: NetFlow's output interface becomes that of all outputs so far. */
export function endOutputs({ sampling }: XlateContext, before: number): void {
  if (before === NF_OUT.FLOOD) sampling.netflowOut = NF_OUT.FLOOD;
  else if (sampling.netflowOut === NF_OUT.DROP) sampling.netflowOut = before;
  else if (before !== NF_OUT.DROP && sampling.netflowOut !== NF_OUT.FLOOD) {
    sampling.netflowOut = NF_OUT.MULTI;
  }
}

/** OpenFlow's sample action. */
export function executeSample(ctx: XlateContext, spec: SampleSpec): void {
  if (ctx.ofproto.exporters.ipfix === null) return;
  let outputPort = ODPP_NONE;
  if (spec.samplingPort !== OFPP.NONE && spec.samplingPort !== ctx.inPort) {
    const odpPort = ctx.port(spec.samplingPort)?.odpPort ?? null;
    if (odpPort === null) {
      ctx.reportError(`can't use unknown port ${spec.samplingPort} in flow sample action`);
      return;
    }
    outputPort = odpPort;
  }
  commitActions(ctx);
  const { probability, collectorSetId, obsDomainId, obsPointId, direction } = spec;
  const bridge = ctx.ofproto.sampleId;
  const what = { probability, collectorSetId, obsDomainId, obsPointId, direction };
  // Of 16 bits to 32: the same fraction.
  const wide = ((probability << 16) | probability) >>> 0;
  const cookie = { type: 'flow_sample', bridge, ...what, outputPort, dropped: false } as const;
  emitSample(ctx, wide, { ...cookie });
}

/** The translation of a packet's first pass is at its end. */
export function endSampling(ctx: XlateContext): void {
  const { sampling } = ctx;
  for (const cookie of sampling.cookies) {
    if (cookie.type === 'sflow') fillSflow(ctx, cookie);
    else cookie.dropped = sampling.nOutputs === 0 && ctx.recircIds.length === 0;
  }
  const { netflow } = ctx.xin.ofproto.exporters;
  const key = netflow === null ? null : netflowKey(ctx.xin.flow, ctx.xin.flow[W_IN_PORT]);
  if (netflow === null || key === null) return;
  ctx.cache.push({ type: 'netflow', netflow, key, output: sampling.netflowOut });
}

function fillSflow(ctx: XlateContext, cookie: Extract<SampleCookie, { type: 'sflow' }>): void {
  const { sampling, base } = ctx;
  cookie.vlanTci = vlanTci(base);
  const ifindex = sampling.lastPort?.device.ifindex?.() ?? 0;
  if (sampling.nOutputs === 0) cookie.output = SFLOW_DROPPED;
  else if (sampling.nOutputs === 1 && ifindex > 0) cookie.output = ifindex;
  else cookie.output = (SFLOW_MANY | sampling.nOutputs) >>> 0;
  if (sampling.nOutputs !== 1 || !isMpls(base)) return;
  cookie.labels = [...base.subarray(W_MPLS, W_MPLS + countLabels(base, null))];
}
