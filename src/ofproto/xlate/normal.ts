/**
 * NORMAL: what a switch does without OpenFlow. Learn the source, look the destination up, forward
 * to its port or flood, within the packet's VLAN.
 *
 * Consulted: both MAC addresses, the outer VID, and for ARP what tells a gratuitous one.
 */

import { OFPP } from '../../openflow/actions.js';
import {
  ETH_TYPE_ARP,
  type FlowWords,
  VLAN_CFI,
  VLAN_PCP_MASK,
  VLAN_VID_MASK,
  W_NW,
  W_NW_DST,
  W_NW_SRC,
  W_VLAN0,
  W_VLAN1,
} from '../../packet/flow-layout.js';
import { bondChoice } from '../bond-choice.js';
import type { Bundle } from '../bundle.js';
import {
  dlDst,
  dlSrc,
  dlType,
  MAC_BROADCAST,
  type MacNumber,
  macText,
  nwProto,
  unwildcardDlDst,
  unwildcardDlSrc,
  vlanTci,
} from '../flow-access.js';
import { type MacEntry, macKey } from '../mac-learning.js';
import type { OfPort } from '../port.js';
import { isReservedMac } from '../reserved-mac.js';
import { NF_OUT } from '../sampling.js';
import type { XlateContext } from './context.js';
import { reportReserved } from './mirror.js';
import { composeOutput } from './output.js';
import {
  extractTags,
  includesVlan,
  inputTranslate,
  inputVidProblem,
  outputTranslate,
  putTags,
  type Tags,
  tagsAsReceived,
  unwildcardInnerTag,
} from './vlan.js';

const ARP_OP_REQUEST = 1;
const ARP_OP_REPLY = 2;

export function executeNormal(ctx: XlateContext): void {
  const { flow, wc, inPort } = ctx;
  unwildcardDlSrc(wc);
  unwildcardDlDst(wc);
  wc[W_VLAN0] |= VLAN_VID_MASK | VLAN_CFI;

  const port = ctx.port(inPort);
  const bundle = port?.bundle ?? null;
  // Packets that a controller makes up may come from no port at all.
  const fromNowhere = bundle === null && (inPort === OFPP.CONTROLLER || inPort === OFPP.NONE);
  if (bundle === null && !fromNowhere) {
    ctx.reportError(`received packet on unknown port ${inPort}`);
    ctx.report('warn', 'no input bundle, dropping');
    return;
  }
  if (bundle !== null && bundle.mirrorOut !== 0) {
    reportReserved(ctx, bundle);
    ctx.report('warn', 'input port is mirror output port, dropping');
    return;
  }
  const tags = receivedTags(ctx, bundle);
  if (tags === null) return;
  const vlan = tags[0].vid;
  if (port !== null && bundle !== null) {
    if (!isAdmissible(ctx, port, bundle, vlan)) return;
    learnSource(ctx, bundle, vlan);
  }
  forward(ctx, bundle, tags, vlan, dlDst(flow));
}

/** The packet's tags inside the bridge, or null when it may not come in with those it has. */
function receivedTags(ctx: XlateContext, bundle: Bundle | null): Tags | null {
  const received = extractTags(ctx.flow);
  if (bundle === null) return received;
  const problem = inputVidProblem(bundle, received[0].vid);
  if (problem !== null) {
    ctx.reportError(problem);
    ctx.report('warn', 'disallowed VLAN VID for this input port, dropping');
    return null;
  }
  if (bundle.vlanMode === 'dot1q-tunnel') unwildcardInnerTag(ctx.flow, ctx.wc);
  return inputTranslate(bundle, received);
}

/** Whether NORMAL takes the packet at all; says why not. */
function isAdmissible(ctx: XlateContext, port: OfPort, bundle: Bundle, vlan: number): boolean {
  const { flow, ofproto } = ctx;
  if (!ofproto.forwardBpdu && isReservedMac(dlDst(flow))) {
    ctx.report('detail', 'packet has reserved destination MAC, dropping');
    return false;
  }
  if (bundle.bond === null) return true;
  switch (bundle.bond.checkAdmissibility(port.device, dlDst(flow))) {
    case 'accept':
      return true;
    case 'drop':
      ctx.report('detail', 'bonding refused admissibility, dropping');
      return false;
    case 'drop-if-moved': {
      const entry = lookupMac(ctx, dlSrc(flow), vlan);
      if (entry === null || entry.bundle === bundle) return true;
      if (isGratuitousArp(flow, ctx.wc) && !ofproto.macs.isGratArpLocked(entry)) return true;
      ctx.report('detail', 'SLB bond thinks this packet looped back, dropping');
      return false;
    }
  }
}

function learnSource(ctx: XlateContext, bundle: Bundle, vlan: number): void {
  const { flow, ofproto } = ctx;
  const mac = dlSrc(flow);
  const sighting = { bundle, mac, vlan, isGratuitousArp: isGratuitousArp(flow, ctx.wc) };
  const { sideEffects } = ctx.xin;
  const news = sideEffects && ofproto.learn({ ...sighting, seenMs: ofproto.clock.now() });
  if (news && ctx.wantsDebug) {
    ctx.reportDebug(`learned that ${macText(mac)} is on port ${bundle.name} in VLAN ${vlan}`);
  }
  ctx.cache.push({ type: 'normal', ofproto, sighting });
}

/** A host that moved says so by broadcasting its own address. */
function isGratuitousArp(flow: FlowWords, wc: FlowWords): boolean {
  if (dlType(flow) !== ETH_TYPE_ARP) return false;
  unwildcardDlDst(wc);
  if (dlDst(flow) !== MAC_BROADCAST) return false;
  wc[W_NW] |= 0xff000000;
  if (nwProto(flow) === ARP_OP_REPLY) return true;
  if (nwProto(flow) !== ARP_OP_REQUEST) return false;
  wc[W_NW_SRC] = -1;
  wc[W_NW_DST] = -1;
  return flow[W_NW_SRC] === flow[W_NW_DST];
}

/** Looks an address up; the flow is translated again when what is known of it changes. */
function lookupMac(ctx: XlateContext, mac: MacNumber, vlan: number): MacEntry<Bundle> | null {
  const { ofproto } = ctx;
  if (!ofproto.macs.mayLearn(mac, vlan)) return null;
  ctx.cache.push({ type: 'mac', ofproto, key: macKey(mac, vlan) });
  return ofproto.macs.lookup(mac, vlan);
}

function forward(
  ctx: XlateContext,
  inBundle: Bundle | null,
  tags: Tags,
  vlan: number,
  dst: MacNumber,
): void {
  const entry = lookupMac(ctx, dst, vlan);
  if (entry === null) {
    ctx.report('detail', 'no learned MAC for destination, flooding');
    flood(ctx, inBundle, tags);
  } else if (entry.bundle === inBundle) {
    ctx.report('detail', 'learned port is input port, dropping');
  } else if (entry.bundle.mirrorOut !== 0) {
    ctx.report('warn', 'learned port is a mirror port, dropping');
  } else {
    ctx.report('detail', 'forwarding to learned port');
    outputNormal(ctx, entry.bundle, tags);
  }
}

function flood(ctx: XlateContext, inBundle: Bundle | null, tags: Tags): void {
  for (const bundle of ctx.ofproto.bundles()) {
    if (bundle === inBundle || !bundle.floodable || bundle.mirrorOut !== 0) continue;
    if (readsInnerTag(bundle)) unwildcardInnerTag(ctx.flow, ctx.wc);
    if (includesVlan(bundle, tags)) outputNormal(ctx, bundle, tags);
  }
  ctx.sampling.netflowOut = NF_OUT.FLOOD;
}

/** Whether the customer's tag decides if a flood reaches the bundle. */
export function readsInnerTag(bundle: Bundle): boolean {
  return bundle.vlanMode === 'access' || bundle.vlanMode === 'dot1q-tunnel';
}

/** Outputs to a bundle: its VLAN translation, then its port, or the member that its bond picks. */
export function outputNormal(ctx: XlateContext, bundle: Bundle, tags: Tags): void {
  const { flow, wc } = ctx;
  if (bundle.vlanMode === 'dot1q-tunnel' && bundle.cvlans !== null) wc[W_VLAN1] |= 0xffff;
  const out = outputTranslate(bundle, tags);
  const always = bundle.priorityTags === 'always';
  if (bundle.priorityTags !== 'never') out[0].pcp = vlanTci(flow) & VLAN_PCP_MASK;
  // The priority is sent on, or decides whether a tag with VID 0 is sent at all.
  const readsPriority = bundle.priorityTags !== 'never' || (out[0].vid === 0 && !always);
  if (readsPriority && (flow[W_VLAN0] & VLAN_CFI) !== 0) wc[W_VLAN0] |= VLAN_PCP_MASK | VLAN_CFI;
  // The datapath cannot cut a packet that it gives back: such a copy's member is chosen here.
  const recirc = bundle.bond?.mayRecirc === true && ctx.mirrorSnaplen === 0;
  const port = choosePort(ctx, bundle, out[0].vid, recirc);
  if (port === null) return;
  const old0 = flow[W_VLAN0];
  const old1 = flow[W_VLAN1];
  putTags(flow, out, always);
  const unchanged = flow[W_VLAN0] === old0 && flow[W_VLAN0 + 1] === old1;
  if (!unchanged || !tagsAsReceived(out)) ctx.touchTags();
  composeOutput(ctx, port.ofPort, recirc ? bundle.bond : null);
  flow[W_VLAN0] = old0;
  flow[W_VLAN1] = old1;
}

/** @param recirc the datapath spreads packets over the bond's members */
function choosePort(
  ctx: XlateContext,
  bundle: Bundle,
  vid: number,
  recirc: boolean,
): OfPort | null {
  const { bond } = bundle;
  if (bond === null) return bundle.ports[0] ?? null;
  // After a recirculation the datapath's hash decides: nothing of the packet need be consulted.
  const member = bond.chooseOutput(ctx.flow, recirc ? null : ctx.wc, vid);
  if (member === null) {
    ctx.report('detail', `no enabled member in bond ${bundle.name}, dropping`);
    return null;
  }
  if (ctx.traces) ctx.report('bond', bondChoice(bond, ctx.flow, vid, member, recirc));
  const bucket = bond.isBalanced && !recirc ? bond.bucketOf(ctx.flow, vid) : null;
  if (bucket !== null) ctx.cache.push({ type: 'bond', bucket });
  return bundle.portOf(member.link);
}
