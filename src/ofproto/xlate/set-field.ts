/**
 * Actions that change fields by name: set_field, load, the old mod_* actions, move, the stack.
 *
 * A field that the packet does not have is left alone. What was read or written counts as
 * consulted.
 */
import type { OfAction, SubField } from '../../openflow/actions.js';
import {
  type Field,
  fieldGet,
  fieldMaskBits,
  fieldMaskExact,
  fieldPrereqsOk,
  fieldWrite,
  getRun,
  mustField,
  setRun,
} from '../../packet/fields.js';
import { bitwiseCopy, subfieldGet, subfieldStart } from '../../packet/fields-subfield.js';
import {
  type FlowWords,
  NW_FRAG_LATER,
  VLAN_CFI,
  W_NW,
  W_TP,
  W_VLAN0,
} from '../../packet/flow-layout.js';
import { isIp, nwFrag, nwProto } from '../flow-access.js';
import { formatSubfieldNow } from '../text.js';
import { MAX_STACK, type XlateContext } from './context.js';

type SetField = Extract<OfAction, { type: 'set_field' }>;
type Move = Extract<OfAction, { type: 'move' }>;

const IPPROTO_UDP = 17;
const IPPROTO_SCTP = 132;
const ICMP_PROTOCOLS: readonly number[] = [1, 58];
/** Types and codes of ICMP are one byte each of what is a port elsewhere. */
const ICMP_BITS = 0x00ff00ff;
const NW_PROTO_BITS = 0xff000000 | 0;

/**
 * Whether the packet has the field; marks what that depends on (dl_type and nw_frag always are).
 */
export function prereqsOk(field: Field, flow: FlowWords, wc: FlowWords): boolean {
  switch (field.prereq) {
    case 'vlan_vid':
      wc[W_VLAN0] |= VLAN_CFI;
      break;
    case 'tcp':
    case 'udp':
    case 'sctp':
    case 'icmpv4':
    case 'icmpv6':
      if (isIp(flow)) wc[W_NW] |= NW_PROTO_BITS;
      break;
    case 'nd':
    case 'nd_solicit':
    case 'nd_advert':
      if (isIp(flow)) {
        wc[W_NW] |= NW_PROTO_BITS;
        wc[W_TP] = -1;
      }
      break;
    default:
  }
  return fieldPrereqsOk(field, flow);
}

/** A header with a protocol number is written whole on some datapaths: know which it is. */
function maskL3Prereqs(field: Field, flow: FlowWords, wc: FlowWords): void {
  const { prereq } = field;
  if (prereq === 'ipv4' || prereq === 'ipv6' || prereq === 'ip_any' || prereq === 'arp') {
    if (isIp(flow) || prereq === 'arp') wc[W_NW] |= NW_PROTO_BITS;
  }
}

export function unwildcardField(wc: FlowWords, field: Field, bits: Uint8Array | null): void {
  if (bits === null || bits.every((b) => b === 0xff) || field.special !== undefined) {
    fieldMaskExact(wc, field);
    return;
  }
  fieldMaskBits(wc, field, bits);
}

/** Bits of a field count as consulted. */
function unwildcardSubfield(wc: FlowWords, field: Field, sub: SubField): void {
  const start = subfieldStart(field, sub.ofs, sub.nBits);
  if (start >= 0) setRun(wc, start, sub.nBits, -1);
  else unwildcardField(wc, field, subfieldBits(field, sub));
}

/** Bits `ofs..ofs+nBits-1` set, as wide as the field. */
function subfieldBits(field: Field, sub: SubField): Uint8Array {
  const bits = new Uint8Array(field.nBytes);
  bitwiseCopy(new Uint8Array(16).fill(0xff), 0, bits, sub.ofs, sub.nBits);
  return bits;
}

function writesTag(field: Field): boolean {
  return field.startBit >> 5 === W_VLAN0;
}

/** OpenFlow 1.0's mod_vlan_* add a tag where there is none; set_vlan_* leave the packet alone. */
function tagNeeded(ctx: XlateContext, action: SetField): boolean {
  const untagged = (ctx.flow[W_VLAN0] & VLAN_CFI) === 0;
  return action.form === 'set' && /vlan/.test(action.field) && untagged;
}

/** OpenFlow 1.0's mod_tp_src and mod_tp_dst mean the ports of any protocol that has them. */
function anyTransport(ctx: XlateContext, action: SetField): boolean {
  if (action.form !== 'mod' || !/^tcp_(src|dst)$/.test(action.field)) return false;
  const { flow } = ctx;
  const later = (nwFrag(flow) & NW_FRAG_LATER) !== 0;
  const protocols = [IPPROTO_UDP, IPPROTO_SCTP, ...ICMP_PROTOCOLS];
  return isIp(flow) && !later && protocols.includes(nwProto(flow));
}

function isIcmp(flow: FlowWords): boolean {
  return isIp(flow) && ICMP_PROTOCOLS.includes(nwProto(flow));
}

export function executeSetField(ctx: XlateContext, action: SetField): void {
  const field = mustField(action.field);
  const { flow, wc } = ctx;
  if (tagNeeded(ctx, action)) {
    wc[W_VLAN0] |= VLAN_CFI;
    return;
  }
  const pushes = action.form === 'mod' && field.prereq === 'vlan_vid';
  if (!prereqsOk(field, flow, wc) && !pushes && !anyTransport(ctx, action)) {
    ctx.report('warn', `unmet prerequisites for ${field.name}, set_field ignored`);
    return;
  }
  maskL3Prereqs(field, flow, wc);
  if (writesTag(field)) ctx.touchTags();
  const exact = action.mask.every((b) => b === 0xff);
  unwildcardField(wc, field, exact ? null : action.mask);
  if (exact) {
    fieldWrite(flow, field, action.value);
    if (action.form === 'mod' && isIcmp(flow)) flow[W_TP] &= ICMP_BITS;
    return;
  }
  const value = fieldGet(flow, field);
  for (let i = 0; i < value.length; i++) {
    value[i] = (value[i] & ~action.mask[i]) | (action.value[i] & action.mask[i]);
  }
  fieldWrite(flow, field, value);
}

export function executeMove(ctx: XlateContext, action: Move): void {
  const src = mustField(action.src.field);
  const dst = mustField(action.dst.field);
  const { flow, wc } = ctx;
  if (prereqsOk(dst, flow, wc) && prereqsOk(src, flow, wc)) {
    unwildcardSubfield(wc, src, action.src);
    unwildcardSubfield(wc, dst, action.dst);
    if (writesTag(dst)) ctx.touchTags();
    moveBits(flow, src, dst, action);
  }
  reportSubfield(ctx, action.dst);
}

function moveBits(flow: FlowWords, src: Field, dst: Field, action: Move): void {
  const { nBits } = action.src;
  const from = subfieldStart(src, action.src.ofs, nBits);
  const to = subfieldStart(dst, action.dst.ofs, nBits);
  if (from >= 0 && to >= 0) {
    setRun(flow, to, nBits, getRun(flow, from, nBits));
    return;
  }
  const value = fieldGet(flow, dst);
  bitwiseCopy(fieldGet(flow, src), action.src.ofs, value, action.dst.ofs, nBits);
  fieldWrite(flow, dst, value);
}

/** Adds 'NXM_NX_REG0[] is now 0x5' to the trace. */
export function reportSubfield(ctx: XlateContext, sub: SubField): void {
  if (ctx.trace !== null) ctx.report('detail', formatSubfieldNow(sub, ctx.flow));
}

/** Reads bits for an action that needs their value: they count as consulted. */
export function readSubfield(ctx: XlateContext, sub: SubField): Uint8Array {
  const field = mustField(sub.field);
  unwildcardSubfield(ctx.wc, field, sub);
  return subfieldGet(ctx.flow, field, sub.ofs, sub.nBits);
}

/** Writes a number into bits of a field; they count as consulted. */
export function loadSubfield(ctx: XlateContext, sub: SubField, value: Uint8Array): void {
  const field = mustField(sub.field);
  const padded = new Uint8Array(16);
  padded.set(value, 16 - value.length);
  unwildcardSubfield(ctx.wc, field, sub);
  if (writesTag(field)) ctx.touchTags();
  const whole = fieldGet(ctx.flow, field);
  bitwiseCopy(padded, 0, whole, sub.ofs, sub.nBits);
  fieldWrite(ctx.flow, field, whole);
}

export function executeStackPush(ctx: XlateContext, sub: SubField): void {
  if (ctx.stack.length >= MAX_STACK) {
    ctx.reportError('resubmits yielded over 64 kB of stack');
    ctx.error = 'stack-too-deep';
    return;
  }
  ctx.stack.push(readSubfield(ctx, sub));
}

export function executeStackPop(ctx: XlateContext, sub: SubField): void {
  const bits = ctx.stack.pop();
  if (bits === undefined) {
    ctx.reportError('stack underflow');
    return;
  }
  const field = mustField(sub.field);
  unwildcardSubfield(ctx.wc, field, sub);
  if (writesTag(field)) ctx.touchTags();
  const value = fieldGet(ctx.flow, field);
  bitwiseCopy(bits, 0, value, sub.ofs, sub.nBits);
  fieldWrite(ctx.flow, field, value);
  reportSubfield(ctx, sub);
}
