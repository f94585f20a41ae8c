/**
 * Mirroring: a copy of a packet, as it is when it comes in or when it goes out, for each mirror
 * that selected it.
 *
 *     packet in by a port  --> mirrors that select it as source        copy as received
 *     packet out by a port --> mirrors that select it as destination   copy as sent
 *
 * `ctx.mirrors` has a bit for each mirror that got the packet already, and for those that would put
 * it in the same place: nobody sees a packet twice, and what is copied is never copied in circles.
 *
 * Not for: which port belongs to which mirror (../mirror.ts).
 */
import { VLAN_CFI, VLAN_VID_MASK, W_VLAN0 } from '../../packet/flow-layout.js';
import type { Bundle } from '../bundle.js';
import { dlDst, unwildcardDlDst } from '../flow-access.js';
import type { Mirror } from '../mirror.js';
import { isReservedMac } from '../reserved-mac.js';
import type { XlateContext } from './context.js';
import { outputNormal, readsInnerTag } from './normal.js';
import {
  extractTags,
  includesVlan,
  inputTranslate,
  inputVidProblem,
  type Tags,
  unwildcardInnerTag,
} from './vlan.js';

/** Copies a packet that comes in by `bundle`. */
export function mirrorIngress(ctx: XlateContext, bundle: Bundle | null): void {
  if (bundle !== null) mirrorPacket(ctx, bundle, bundle.mirrorSrc);
}

/** Copies a packet that was just sent by `bundle`. */
export function mirrorEgress(ctx: XlateContext, bundle: Bundle | null): void {
  if (bundle !== null) mirrorPacket(ctx, bundle, bundle.mirrorDst);
}

/** Says in log and trace why a packet that came in by a mirror's output port goes no further. */
export function reportReserved(ctx: XlateContext, bundle: Bundle): void {
  ctx.reportError(
    `dropping packet received on port ${bundle.name}, which is reserved exclusively for mirroring`,
  );
}

function mirrorPacket(ctx: XlateContext, bundle: Bundle, candidates: number): void {
  if ((candidates & ~ctx.mirrors) === 0) return;
  const received = extractTags(ctx.flow);
  // It decides whether the port takes the packet, who selects it, and which tag a copy has.
  ctx.wc[W_VLAN0] |= VLAN_VID_MASK | VLAN_CFI;
  const problem = inputVidProblem(bundle, received[0].vid);
  if (problem !== null) {
    ctx.reportError(problem);
    return;
  }
  if (bundle.vlanMode === 'dot1q-tunnel') unwildcardInnerTag(ctx.flow, ctx.wc);
  const tags = inputTranslate(bundle, received);
  const used: Mirror[] = [];
  for (const mirror of ctx.ofproto.mirrors.all()) {
    if ((candidates & ~ctx.mirrors & mirror.bit) === 0) continue;
    const { vlans, snaplen } = mirror.settings;
    if (vlans !== null && !vlans.has(tags[0].vid)) continue;
    if (!mirror.selects(ctx.flow, ctx.wc)) continue;
    used.push(mirror);
    ctx.mirrors |= mirror.duplicates;
    const outer = ctx.mirrorSnaplen;
    ctx.mirrorSnaplen = snaplen;
    copyTo(ctx, mirror, tags);
    ctx.mirrorSnaplen = outer;
  }
  if (used.length > 0) ctx.cache.push({ type: 'mirror', mirrors: used });
}

function copyTo(ctx: XlateContext, mirror: Mirror, tags: Tags): void {
  const { name, outVlan } = mirror.settings;
  if (mirror.out !== null) {
    ctx.report('detail', `mirror ${name}: copying to port ${mirror.out.name}`);
    outputNormal(ctx, mirror.out, tags);
    return;
  }
  unwildcardDlDst(ctx.wc);
  // What is in the mirrors' VLAN already, or may not leave a link, is not carried away by it.
  if (outVlan === null || tags[0].vid === outVlan || isReservedMac(dlDst(ctx.flow))) return;
  ctx.report('detail', `mirror ${name}: copying to VLAN ${outVlan}`);
  const moved: Tags = [{ ...tags[0], vid: outVlan, from: null }, tags[1]];
  for (const bundle of ctx.ofproto.bundles()) {
    if (bundle.mirrorOut !== 0) continue;
    if (readsInnerTag(bundle)) unwildcardInnerTag(ctx.flow, ctx.wc);
    if (includesVlan(bundle, moved)) outputNormal(ctx, bundle, moved);
  }
}
