/**
 * The actions of the OpenFlow specification, 1.0 to 1.5: rows for reading them and their encoders.
 * Set-field is in actions-set.ts, extensions in actions-nicira.ts.
 */

import { mustField, portFrom16, portTo16 } from '../../packet/fields.js';
import * as L from '../../packet/flow-layout.js';
import { OFPP, type OfAction } from '../actions.js';
import { fail } from '../errors.js';
import {
  type ActionContext,
  type ActionRow,
  close,
  type Encoder,
  openNx,
  putHeader,
} from './action-context.js';
import { setWhole } from './actions-set.js';
import type { Writer } from './buffer.js';

const ALL = { min: 1, max: 6 };
const V10 = { min: 1, max: 1 };
const V11 = { min: 2, max: 6 };

/** Refuses output ports that name nothing a packet can be sent to. */
function checkOutput(port: number): number {
  switch (port) {
    case OFPP.IN_PORT:
    case OFPP.TABLE:
    case OFPP.NORMAL:
    case OFPP.FLOOD:
    case OFPP.ALL:
    case OFPP.CONTROLLER:
    case OFPP.LOCAL:
      return port;
    default:
      if (port >= 0xff00) fail('OFPBAC_BAD_OUT_PORT');
      return port;
  }
}

/** Port numbers of 1.1 and later: 32 bits, but ours end where 1.0's do. */
export function portFrom32(port: number): number {
  if (port >= 0xff00 && port < OFPP.MAX) fail('OFPBAC_BAD_OUT_PORT');
  return port;
}

const u16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff);
const u32 = (value: number): Uint8Array =>
  Uint8Array.of(value >>> 24, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff);

/** Row of an old action that sets a whole field. */
function mod(
  number: number,
  versions: { min: number; max: number },
  length: number,
  field: string,
  read: 'u8' | 'u16' | 'u32' | 'mac',
): ActionRow {
  return {
    kind: 'of',
    ...versions,
    number,
    length,
    decode(r): OfAction {
      const f = mustField(field);
      const value = legacyValue(r, read, f.nBytes);
      if (field === 'dl_vlan' && (value[0] & 0xf0) !== 0) fail('OFPBAC_BAD_ARGUMENT');
      if (field === 'dl_vlan_pcp' && value[0] > 7) fail('OFPBAC_BAD_ARGUMENT');
      if (field === 'nw_tos' && (value[0] & 3) !== 0) fail('OFPBAC_BAD_ARGUMENT');
      const form = versions.min > 1 && field.startsWith('dl_vlan') ? 'set' : 'mod';
      return setWhole(field, value, form);
    },
  };
}

type Cursor = Parameters<ActionRow['decode']>[0];

function legacyValue(r: Cursor, read: 'u8' | 'u16' | 'u32' | 'mac', nBytes: number): Uint8Array {
  if (read === 'mac') return r.take8(6);
  if (read === 'u8') return Uint8Array.of(r.u8());
  if (read === 'u16') return u16(r.u16());
  const bytes = u32(r.u32());
  return bytes.subarray(4 - nBytes);
}

export const STANDARD_ROWS: readonly ActionRow[] = [
  {
    kind: 'of',
    ...V10,
    number: 0,
    length: 8,
    decode: (r) => ({ type: 'output', port: checkOutput(portFrom16(r.u16())), maxLen: r.u16() }),
  },
  {
    kind: 'of',
    ...V11,
    number: 0,
    length: 16,
    decode: (r) => ({ type: 'output', port: checkOutput(portFrom32(r.u32())), maxLen: r.u16() }),
  },
  mod(1, V10, 8, 'dl_vlan', 'u16'),
  mod(2, V10, 8, 'dl_vlan_pcp', 'u8'),
  {
    kind: 'of',
    ...V10,
    number: 3,
    length: 8,
    decode: () => ({ type: 'strip_vlan', form: 'strip' }),
  },
  mod(4, V10, 16, 'eth_src', 'mac'),
  mod(5, V10, 16, 'eth_dst', 'mac'),
  mod(6, V10, 8, 'ip_src', 'u32'),
  mod(7, V10, 8, 'ip_dst', 'u32'),
  mod(8, V10, 8, 'nw_tos', 'u8'),
  mod(9, V10, 8, 'tcp_src', 'u16'),
  mod(10, V10, 8, 'tcp_dst', 'u16'),
  mod(1, V11, 8, 'dl_vlan', 'u16'),
  mod(2, V11, 8, 'dl_vlan_pcp', 'u8'),
  mod(3, V11, 16, 'eth_src', 'mac'),
  mod(4, V11, 16, 'eth_dst', 'mac'),
  mod(5, V11, 8, 'ip_src', 'u32'),
  mod(6, V11, 8, 'ip_dst', 'u32'),
  mod(7, V11, 8, 'nw_tos', 'u8'),
  mod(8, V11, 8, 'nw_ecn', 'u8'),
  mod(9, V11, 8, 'tcp_src', 'u16'),
  mod(10, V11, 8, 'tcp_dst', 'u16'),
  mod(13, V11, 8, 'mpls_label', 'u32'),
  mod(14, V11, 8, 'mpls_tc', 'u8'),
  {
    kind: 'of',
    ...V10,
    number: 11,
    length: 16,
    decode(r) {
      const port = portFrom16(r.u16());
      if (port >= 0xff00 && port !== OFPP.IN_PORT && port !== OFPP.LOCAL) {
        fail('OFPBAC_BAD_OUT_PORT');
      }
      r.skip(6);
      return { type: 'enqueue', port, queue: r.u32() };
    },
  },
  {
    kind: 'of',
    ...V11,
    number: 15,
    length: 8,
    decode: (r) => ({ type: 'set_mpls_ttl', ttl: r.u8() }),
  },
  { kind: 'of', ...V11, number: 16, length: 8, decode: () => ({ type: 'dec_mpls_ttl' }) },
  {
    kind: 'of',
    ...V11,
    number: 17,
    length: 8,
    decode(r) {
      const ethType = r.u16();
      if (ethType !== L.ETH_TYPE_VLAN_8021Q && ethType !== L.ETH_TYPE_VLAN_8021AD) {
        fail('OFPBAC_BAD_ARGUMENT');
      }
      return { type: 'push_vlan', ethType };
    },
  },
  {
    kind: 'of',
    ...V11,
    number: 18,
    length: 8,
    decode: () => ({ type: 'strip_vlan', form: 'pop' }),
  },
  { kind: 'of', ...V11, number: 19, length: 8, decode: (r) => pushMpls(r.u16()) },
  {
    kind: 'of',
    ...V11,
    number: 20,
    length: 8,
    decode: (r) => ({ type: 'pop_mpls', ethType: r.u16() }),
  },
  {
    kind: 'of',
    ...V11,
    number: 21,
    length: 8,
    decode: (r) => ({ type: 'set_queue', queue: r.u32() }),
  },
  { kind: 'of', ...V11, number: 22, length: 8, decode: (r) => ({ type: 'group', group: r.u32() }) },
  {
    kind: 'of',
    ...V11,
    number: 23,
    length: 8,
    decode: (r) => setWhole('nw_ttl', Uint8Array.of(r.u8()), 'mod'),
  },
  {
    kind: 'of',
    ...V11,
    number: 24,
    length: 8,
    decode: () => ({ type: 'dec_ttl', controllerIds: [0] }),
  },
  {
    kind: 'of',
    min: 6,
    max: 6,
    number: 29,
    length: 8,
    decode: (r) => ({ type: 'meter', meter: r.u32() }),
  },
  // The same actions as extensions of OpenFlow 1.0.
  {
    kind: 'nx',
    ...V10,
    number: 4,
    length: 16,
    decode: (r) => ({ type: 'set_queue', queue: r.skip(2).u32() }),
  },
  { kind: 'nx', ...ALL, number: 5, length: 16, decode: () => ({ type: 'pop_queue' }) },
  {
    kind: 'nx',
    ...V10,
    number: 18,
    length: 16,
    decode: () => ({ type: 'dec_ttl', controllerIds: [0] }),
  },
  { kind: 'nx', ...V10, number: 23, length: 16, decode: (r) => pushMpls(r.u16()) },
  {
    kind: 'nx',
    ...V10,
    number: 24,
    length: 16,
    decode: (r) => ({ type: 'pop_mpls', ethType: r.u16() }),
  },
  {
    kind: 'nx',
    ...V10,
    number: 25,
    length: 16,
    decode: (r) => ({ type: 'set_mpls_ttl', ttl: r.u8() }),
  },
  { kind: 'nx', ...V10, number: 26, length: 16, decode: () => ({ type: 'dec_mpls_ttl' }) },
  {
    kind: 'nx',
    ...V10,
    number: 30,
    length: 16,
    decode: (r) => setWhole('mpls_label', u32(r.skip(2).u32()), 'mod'),
  },
  {
    kind: 'nx',
    ...V10,
    number: 31,
    length: 16,
    decode: (r) => setWhole('mpls_tc', Uint8Array.of(r.u8()), 'mod'),
  },
  {
    kind: 'nx',
    ...V10,
    number: 40,
    length: 16,
    decode: (r) => ({ type: 'group', group: r.skip(2).u32() }),
  },
];

function pushMpls(ethType: number): OfAction {
  if (ethType !== L.ETH_TYPE_MPLS && ethType !== L.ETH_TYPE_MPLS_MCAST) fail('OFPBAC_BAD_ARGUMENT');
  return { type: 'push_mpls', ethType };
}

/** A standard action with one 32-bit argument, or in 1.0 its Nicira twin. */
function putU32(
  w: Writer,
  ctx: ActionContext,
  type: number,
  nxSubtype: number,
  value: number,
): void {
  if (ctx.version >= 2) putHeader(w, type, 8).u32(value);
  else {
    const start = openNx(w, nxSubtype);
    w.zeros(2).u32(value);
    close(w, start);
  }
}

function putU16(
  w: Writer,
  ctx: ActionContext,
  type: number,
  nxSubtype: number,
  value: number,
): void {
  if (ctx.version >= 2) putHeader(w, type, 8).u16(value).zeros(2);
  else {
    const start = openNx(w, nxSubtype);
    w.u16(value);
    close(w, start);
  }
}

function putVoid(w: Writer, ctx: ActionContext, type: number, nxSubtype: number): void {
  if (ctx.version >= 2) putHeader(w, type, 8).zeros(4);
  else close(w, openNx(w, nxSubtype));
}

export const STANDARD_ENCODERS: { [T in OfAction['type']]?: Encoder<T> } = {
  output(w, a, ctx) {
    if (ctx.version === 1) putHeader(w, 0, 8).u16(portTo16(a.port)).u16(a.maxLen);
    else putHeader(w, 0, 16).u32(a.port).u16(a.maxLen).zeros(6);
  },
  enqueue(w, a, ctx) {
    if (ctx.version === 1) putHeader(w, 11, 16).u16(portTo16(a.port)).zeros(6).u32(a.queue);
    else {
      putHeader(w, 21, 8).u32(a.queue);
      putHeader(w, 0, 16).u32(a.port).u16(0xffff).zeros(6);
      close(w, openNx(w, 5));
    }
  },
  set_queue: (w, a, ctx) => putU32(w, ctx, 21, 4, a.queue),
  pop_queue: (w) => close(w, openNx(w, 5)),
  group: (w, a, ctx) => putU32(w, ctx, 22, 40, a.group),
  meter(w, a, ctx) {
    if (ctx.version >= 6) putHeader(w, 29, 8).u32(a.meter);
  },
  push_vlan(w, a, ctx) {
    // In 1.0 setting a VLAN id adds the tag; there is nothing to say.
    if (ctx.version >= 2) putHeader(w, 17, 8).u16(a.ethType).zeros(2);
    ctx.hasVlan = true;
  },
  strip_vlan: (w, _a, ctx) => {
    putHeader(w, ctx.version === 1 ? 3 : 18, 8).zeros(4);
    ctx.hasVlan = false;
  },
  push_mpls: (w, a, ctx) => putU16(w, ctx, 19, 23, a.ethType),
  pop_mpls: (w, a, ctx) => putU16(w, ctx, 20, 24, a.ethType),
  set_mpls_ttl: (w, a, ctx) => putU16(w, ctx, 15, 25, a.ttl << 8),
  dec_mpls_ttl: (w, _a, ctx) => putVoid(w, ctx, 16, 26),
  dec_ttl(w, a, ctx) {
    if (a.controllerIds.length === 1 && a.controllerIds[0] === 0) {
      putVoid(w, ctx, 24, 18);
      return;
    }
    const start = openNx(w, 21);
    w.u16(a.controllerIds.length).zeros(4);
    for (const id of a.controllerIds) w.u16(id);
    close(w, start);
  },
};
