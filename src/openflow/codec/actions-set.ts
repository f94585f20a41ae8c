/**
 * Actions that write a field: set_field, Nicira's reg_load and reg_load2, and the old set_* actions
 * of OpenFlow 1.0 and 1.1, which this version-independent form keeps as `form: 'mod'`.
 *
 * Which of them goes on the wire depends on the version: 1.0 has only the old ones and reg_load,
 * 1.2 to 1.4 set_field for whole fields and reg_load for parts, 1.5 set_field alone.
 */

import { type Field, fieldHeader, fieldValueValid, mustField } from '../../packet/fields.js';
import {
  bigintToBytes,
  bitwiseCopy,
  bytesToBigint,
  subfieldOfValue,
} from '../../packet/fields-subfield.js';
import * as L from '../../packet/flow-layout.js';
import type { OfAction, SubField } from '../actions.js';
import { fail } from '../errors.js';
import {
  type ActionContext,
  type ActionRow,
  allBits,
  checkTarget,
  close,
  decodeOfsNbits,
  encodeOfsNbits,
  openNx,
  putHeader,
} from './action-context.js';
import type { Writer } from './buffer.js';
import { getEntry, getFieldHeader, putEntry, putFieldHeader } from './oxm.js';

export type SetField = Extract<OfAction, { type: 'set_field' }>;

/** An action that sets a whole field. */
export function setWhole(name: string, value: Uint8Array, form: SetField['form']): SetField {
  const field = mustField(name);
  const action: SetField = { type: 'set_field', field: name, value, mask: allBits(field), form };
  if (form === 'load') action.sub = { field: name, ofs: 0, nBits: field.nBits };
  return action;
}

/** A load of `bits` (in their low end) into a run of bits of a field. */
export function loadBits(sub: SubField, bits: Uint8Array): SetField {
  const field = mustField(sub.field);
  const value = new Uint8Array(field.nBytes);
  const mask = new Uint8Array(field.nBytes);
  bitwiseCopy(bits, 0, value, sub.ofs, sub.nBits);
  bitwiseCopy(new Uint8Array(field.nBytes).fill(0xff), 0, mask, sub.ofs, sub.nBits);
  return { type: 'set_field', field: sub.field, value, mask, form: 'load', sub };
}

/** Runs of set bits in a mask, lowest first, each at most 64 bits: what reg_load can carry. */
export function maskRuns(field: Field, mask: Uint8Array): SubField[] {
  const bit = (i: number): boolean => (mask[mask.length - 1 - (i >> 3)] & (1 << (i & 7))) !== 0;
  const runs: SubField[] = [];
  for (let i = 0; i < field.nBits; ) {
    if (!bit(i)) {
      i++;
      continue;
    }
    let n = 1;
    while (n < 64 && i + n < field.nBits && bit(i + n)) n++;
    runs.push({ field: field.name, ofs: i, nBits: n });
    i += n;
  }
  return runs;
}

export const SET_ROWS: readonly ActionRow[] = [
  {
    kind: 'nx',
    min: 1,
    max: 5,
    number: 7,
    length: 24,
    decode(r) {
      const run = decodeOfsNbits(r.u16());
      const field = getFieldHeader(r, true);
      const sub = checkTarget({ field: field.name, ...run });
      const value = r.u64();
      if (sub.nBits < 64 && value >> BigInt(sub.nBits) !== 0n) fail('OFPBAC_BAD_ARGUMENT');
      return loadBits(sub, bigintToBytes(value, 8));
    },
  },
  {
    kind: 'nx',
    min: 1,
    max: 5,
    number: 33,
    length: 16,
    open: true,
    decode(r) {
      const { field, value, mask } = getEntry(r);
      r.zeros(r.left, 'OFPBAC_BAD_SET_ARGUMENT');
      if (!field.writable) fail('OFPBAC_BAD_SET_ARGUMENT');
      return { type: 'set_field', field: field.name, value, mask, form: 'set_field' };
    },
  },
  {
    kind: 'of',
    min: 3,
    max: 6,
    number: 25,
    length: 8,
    open: true,
    decode(r, ctx) {
      const { field, value, mask } = getEntry(r);
      if (ctx.version < 6 && mask.some((b) => b !== 0xff)) fail('OFPBAC_BAD_SET_MASK');
      r.zeros(r.left, 'OFPBAC_BAD_SET_ARGUMENT');
      if (field.name === 'in_port_oxm' || !field.writable || !fieldValueValid(field, value)) {
        fail('OFPBAC_BAD_SET_ARGUMENT');
      }
      if (field.name === 'vlan_vid' && ((mask[0] & 0x10) === 0 || (value[0] & 0x10) === 0)) {
        fail('OFPBAC_BAD_SET_ARGUMENT');
      }
      return { type: 'set_field', field: field.name, value, mask, form: 'set_field' };
    },
  },
];

/** Writes reg_load for each run of the mask, or reg_load2 where a header cannot say the field. */
function putLoad(w: Writer, action: SetField): void {
  const field = mustField(action.field);
  const header = fieldHeader(field, 1);
  if (header === undefined || header.class === 0xffff || field.option !== undefined) {
    const start = openNx(w, 33);
    putEntry(w, field, 1, action.value, action.mask);
    close(w, start);
    return;
  }
  const runs = action.sub === undefined ? maskRuns(field, action.mask) : splitRun(action.sub);
  for (const run of runs) {
    const start = openNx(w, 7);
    w.u16(encodeOfsNbits(run));
    putFieldHeader(w, field, 1);
    w.u64(bytesToBigint(subfieldOfValue(action.value, run.ofs, run.nBits)));
    close(w, start);
  }
}

function splitRun(sub: SubField): SubField[] {
  const runs: SubField[] = [];
  for (let done = 0; done < sub.nBits; done += 64) {
    runs.push({ field: sub.field, ofs: sub.ofs + done, nBits: Math.min(64, sub.nBits - done) });
  }
  return runs;
}

function putSetField(w: Writer, name: string, action: SetField, ctx: ActionContext): void {
  const start = w.length;
  putHeader(w, 25, 0);
  putEntry(w, mustField(name), ctx.version, action.value, action.mask);
  close(w, start);
}

/** Numbers of the old actions: [in 1.0, in 1.1]. */
const LEGACY: Record<string, [number, number]> = {
  dl_vlan: [1, 1],
  vlan_vid: [1, 1],
  dl_vlan_pcp: [2, 2],
  vlan_pcp: [2, 2],
  eth_src: [4, 3],
  eth_dst: [5, 4],
  ip_src: [6, 5],
  ip_dst: [7, 6],
  nw_tos: [8, 7],
  ip_dscp: [8, 7],
  tcp_src: [9, 9],
  udp_src: [9, 9],
  tcp_dst: [10, 10],
  udp_dst: [10, 10],
  nw_ecn: [-1, 8],
  nw_ttl: [-1, 23],
};

/** Writes the old form of a whole-field set for 1.0 and 1.1; false when there is none. */
function putLegacy(w: Writer, action: SetField, ctx: ActionContext): boolean {
  const numbers = LEGACY[action.field];
  const number = numbers?.[ctx.version === 1 ? 0 : 1] ?? -1;
  const { value } = action;
  if (action.field === 'vlan_tci') return putLegacyTci(w, value);
  if (number < 0) return false;
  if (value.length === 6) putHeader(w, number, 16).put(value).zeros(6);
  else if (value.length === 4) putHeader(w, number, 8).put(value);
  else if (value.length === 2) {
    // The VLAN id of OpenFlow 1.2 has a bit for 'there is a tag'.
    const high = action.field === 'vlan_vid' ? value[0] & 0x0f : value[0];
    putHeader(w, number, 8).u8(high).u8(value[1]).zeros(2);
  } else {
    const byte = action.field === 'ip_dscp' ? value[0] << 2 : value[0];
    putHeader(w, number, 8).u8(byte).zeros(3);
  }
  return true;
}

function putLegacyTci(w: Writer, tci: Uint8Array): boolean {
  if ((tci[0] & 0x10) === 0) putHeader(w, 3, 8).zeros(4);
  else {
    putHeader(w, 1, 8)
      .u8(tci[0] & 0x0f)
      .u8(tci[1])
      .zeros(2);
    putHeader(w, 2, 8)
      .u8(tci[0] >> 5)
      .zeros(3);
  }
  return true;
}

/** Before a VLAN field is set: adds a tag where `mod` asks for one and there is none. */
function pushMissingVlan(w: Writer, action: SetField, ctx: ActionContext): void {
  if (action.form === 'mod' && !ctx.hasVlan) {
    putHeader(w, 17, 8).u16(L.ETH_TYPE_VLAN_8021Q).zeros(2);
  }
  ctx.hasVlan = true;
}

/** Writes an old set action (`mod`, `set`) in versions that have set_field. */
function putModern(w: Writer, action: SetField, ctx: ActionContext): void {
  const proto = ctx.match === undefined ? 0 : ctx.match.flow[L.W_NW] >>> 24;
  const transport = proto === 17 ? 'udp' : proto === 132 ? 'sctp' : 'tcp';
  switch (action.field) {
    case 'dl_vlan': {
      pushMissingVlan(w, action, ctx);
      const value = Uint8Array.of((action.value[0] & 0x0f) | 0x10, action.value[1]);
      putSetField(w, 'vlan_vid', { ...action, value }, ctx);
      return;
    }
    case 'dl_vlan_pcp':
      pushMissingVlan(w, action, ctx);
      putSetField(w, 'vlan_pcp', action, ctx);
      return;
    case 'nw_tos':
      putSetField(w, 'ip_dscp', { ...action, value: Uint8Array.of(action.value[0] >> 2) }, ctx);
      return;
    case 'nw_ttl':
      putHeader(w, 23, 8).u8(action.value[0]).zeros(3);
      return;
    case 'tcp_src':
      putSetField(w, `${transport}_src`, action, ctx);
      return;
    case 'tcp_dst':
      putSetField(w, `${transport}_dst`, action, ctx);
      return;
    default:
      putSetField(w, action.field, action, ctx);
  }
}

const MPLS_NX: Record<string, number> = { mpls_label: 30, mpls_tc: 31 };

/** Writes any action that sets a field. */
export function encodeSetField(w: Writer, action: SetField, ctx: ActionContext): void {
  if (action.field === 'vlan_tci') ctx.hasVlan = (action.value[0] & 0x10) !== 0;
  const old = action.form === 'mod' || action.form === 'set';
  if (ctx.version >= 6 && !old) putSetField(w, action.field, action, ctx);
  else if (action.form === 'load') putLoad(w, action);
  else if (old && ctx.version >= 3) putModern(w, action, ctx);
  else if (old && ctx.version === 1 && MPLS_NX[action.field] !== undefined) {
    const start = openNx(w, MPLS_NX[action.field]);
    if (action.value.length === 4) w.zeros(2);
    w.put(action.value);
    close(w, start);
  } else if (old && ctx.version === 2 && action.field === 'nw_ttl') {
    putHeader(w, 23, 8).u8(action.value[0]).zeros(3);
  } else if (ctx.version < 3) {
    if (!putLegacy(w, action, ctx)) putLoad(w, action);
  } else if (action.mask.every((b) => b === 0xff)) putSetField(w, action.field, action, ctx);
  else putLoad(w, action);
}
