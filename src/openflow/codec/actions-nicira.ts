/**
 * Nicira's extension actions, except those that set fields (actions-set.ts), learn
 * (actions-learn.ts) and the ones that nest others (actions-nested.ts): rows for reading and
 * encoders. Source: nicira-ext numbers as ovs-actions(7) documents the actions.
 */
import { fieldHeader, mustField, portFrom16, portTo16 } from '../../packet/fields.js';
import { bigintToBytes } from '../../packet/fields-subfield.js';
import type { BundleSpec, MultipathSpec, OfAction, SampleSpec, SubField } from '../actions.js';
import { OFPP } from '../actions.js';
import { fail, ONF_VENDOR_ID } from '../errors.js';
import {
  type ActionRow,
  checkSource,
  checkTarget,
  close,
  decodeOfsNbits,
  type Encoder,
  encodeOfsNbits,
  openNx,
} from './action-context.js';
import { encodeSetField, setWhole } from './actions-set.js';
import type { Reader, Writer } from './buffer.js';
import { getFieldHeader, putFieldHeader } from './oxm.js';
import { getProperty, putProperty, putProperty16 } from './props.js';

export const HASH_FIELDS = [
  'eth_src',
  'symmetric_l4',
  'symmetric_l3l4',
  'symmetric_l3l4+udp',
  'nw_src',
  'nw_dst',
  'symmetric_l3',
] as const;
export const MULTIPATH_ALGORITHMS = ['modulo_n', 'hash_threshold', 'hrw', 'iter_hash'] as const;
export const BUNDLE_ALGORITHMS = ['active_backup', 'hrw'] as const;
const SAMPLE_DIRECTIONS = ['default', 'ingress', 'egress'] as const;
const BUNDLE_MAX_MEMBERS = 2048;
const MEMBER_TYPE_IN_PORT = 0x00000002;

type Row = Omit<ActionRow, 'kind' | 'min' | 'max'>;
const rows = (list: Row[]): ActionRow[] =>
  list.map((row) => ({ kind: 'nx', min: 1, max: 6, ...row }));

function controller2(r: Reader): OfAction {
  r.zeros(6, 'NXBRC_MUST_BE_ZERO');
  const action: Extract<OfAction, { type: 'controller' }> = {
    type: 'controller',
    maxLen: 0xffff,
    controllerId: 0,
    reason: 1,
  };
  while (r.left > 0) {
    const { type, payload } = getProperty(r);
    switch (type) {
      case 0:
        action.maxLen = payload.u16();
        break;
      case 1:
        action.controllerId = payload.u16();
        break;
      case 2:
        action.reason = payload.u8();
        break;
      case 3:
        action.userdata = payload.rest();
        break;
      case 4:
        action.pause = true;
        break;
      case 5:
        action.meterId = payload.u32();
        break;
      default:
        fail('OFPBPC_BAD_TYPE');
    }
  }
  return action;
}

function bundle(r: Reader, load: boolean): OfAction {
  const algorithm = BUNDLE_ALGORITHMS[r.u16()];
  const fields = HASH_FIELDS[r.u16()];
  const basis = r.u16();
  const memberType = r.u32();
  const nMembers = r.u16();
  const ofsNbits = r.u16();
  let dst: SubField | undefined;
  if (load) {
    const field = getFieldHeader(r);
    dst = checkTarget({ field: field.name, ...decodeOfsNbits(ofsNbits) });
    if (dst.nBits < 16) fail('OFPBAC_BAD_ARGUMENT');
  } else if (ofsNbits !== 0 || r.u32() !== 0) fail('OFPBAC_BAD_ARGUMENT');
  r.zeros(4, 'OFPBAC_BAD_ARGUMENT');
  if (algorithm === undefined || fields === undefined) fail('OFPBAC_BAD_ARGUMENT');
  if (memberType !== MEMBER_TYPE_IN_PORT || nMembers > BUNDLE_MAX_MEMBERS) {
    fail('OFPBAC_BAD_ARGUMENT');
  }
  const members: number[] = [];
  for (let i = 0; i < nMembers; i++) members.push(portFrom16(r.u16()));
  const spec: BundleSpec = { fields, basis, algorithm, members, ...(dst && { dst }) };
  return { type: 'bundle', load, bundle: spec };
}

function multipath(r: Reader): OfAction {
  const fields = HASH_FIELDS[r.u16()];
  const basis = r.u16();
  r.skip(2);
  const algorithm = MULTIPATH_ALGORITHMS[r.u16()];
  const maxLink = r.u16();
  const arg = r.u32();
  r.skip(2);
  const run = decodeOfsNbits(r.u16());
  const dst = checkTarget({ field: getFieldHeader(r).name, ...run });
  if (fields === undefined || algorithm === undefined) fail('OFPBAC_BAD_ARGUMENT');
  if (2 ** dst.nBits < maxLink + 1) fail('OFPBAC_BAD_ARGUMENT');
  const spec: MultipathSpec = { fields, basis, algorithm, maxLink, arg, dst };
  return { type: 'multipath', multipath: spec };
}

function sample(r: Reader, extended: boolean): OfAction {
  const spec: SampleSpec = {
    probability: r.u16(),
    collectorSetId: r.u32(),
    obsDomainId: r.u32(),
    obsPointId: r.u32(),
    samplingPort: OFPP.NONE,
    direction: 'default',
  };
  if (extended) {
    spec.samplingPort = portFrom16(r.u16());
    const direction = SAMPLE_DIRECTIONS[r.u8()];
    if (direction === undefined) fail('OFPBAC_BAD_ARGUMENT');
    spec.direction = direction;
  }
  if (spec.probability === 0) fail('OFPBAC_BAD_ARGUMENT');
  return { type: 'sample', sample: spec };
}

function stack(type: 'stack_push' | 'stack_pop') {
  return (r: Reader): OfAction => {
    const ofs = r.u16();
    const field = getFieldHeader(r);
    const sub = { field: field.name, ofs, nBits: r.u16() };
    r.zeros(r.left, 'NXBRC_MUST_BE_ZERO');
    return { type, sub: type === 'stack_push' ? checkSource(sub) : checkTarget(sub) };
  };
}

function regMove(r: Reader): OfAction {
  const nBits = r.u16();
  const srcOfs = r.u16();
  const dstOfs = r.u16();
  const src = checkSource({ field: getFieldHeader(r).name, ofs: srcOfs, nBits });
  const dst = checkTarget({ field: getFieldHeader(r).name, ofs: dstOfs, nBits });
  r.zeros(r.left, 'NXBRC_MUST_BE_ZERO');
  return { type: 'move', src, dst };
}

function copyField(r: Reader): Extract<OfAction, { type: 'move' }> {
  const nBits = r.u16();
  const srcOfs = r.u16();
  const dstOfs = r.u16();
  r.skip(2);
  const src = checkSource({ field: getFieldHeader(r).name, ofs: srcOfs, nBits });
  const dst = checkTarget({ field: getFieldHeader(r).name, ofs: dstOfs, nBits });
  return { type: 'move', src, dst };
}

function resubmitTable(r: Reader, ct: boolean): OfAction {
  const inPort = portFrom16(r.u16());
  const table = r.u8();
  r.zeros(3, 'OFPBAC_BAD_ARGUMENT');
  const action: Extract<OfAction, { type: 'resubmit' }> = { type: 'resubmit', table };
  if (inPort !== OFPP.IN_PORT) action.inPort = inPort;
  if (ct) action.ct = true;
  return action;
}

function decTtlIds(r: Reader): OfAction {
  const n = r.u16();
  r.zeros(4, 'NXBRC_MUST_BE_ZERO');
  const controllerIds: number[] = [];
  for (let i = 0; i < n; i++) controllerIds.push(r.u16());
  return { type: 'dec_ttl', controllerIds };
}

function conjunction(r: Reader): OfAction {
  const clause = r.u8();
  const nClauses = r.u8();
  const id = r.u32();
  if (nClauses < 2 || nClauses > 64 || clause >= nClauses) fail('NXBAC_BAD_CONJUNCTION');
  return { type: 'conjunction', id, clause, nClauses };
}

function outputReg(r: Reader, second: boolean): OfAction {
  const run = decodeOfsNbits(r.u16());
  const early = second ? r.u16() : 0;
  const field = getFieldHeader(r);
  const maxLen = second ? early : r.u16();
  r.zeros(r.left, 'OFPBAC_BAD_ARGUMENT');
  return { type: 'output_reg', src: checkSource({ field: field.name, ...run }), maxLen };
}

export const NICIRA_ROWS: readonly ActionRow[] = [
  ...rows([
    {
      number: 1,
      length: 16,
      decode: (r) => ({ type: 'resubmit', inPort: portFrom16(r.u16()) }),
    },
    { number: 2, length: 16, decode: (r) => tunnel(BigInt(r.skip(2).u32()), 'set_tunnel') },
    { number: 6, length: 24, open: true, decode: regMove },
    { number: 8, length: 16, open: true, decode: (r) => ({ type: 'note', data: r.rest() }) },
    { number: 9, length: 24, decode: (r) => tunnel(r.skip(6).u64(), 'set_tunnel64') },
    { number: 10, length: 32, decode: multipath },
    { number: 12, length: 32, open: true, decode: (r) => bundle(r, false) },
    { number: 13, length: 32, open: true, decode: (r) => bundle(r, true) },
    { number: 14, length: 16, decode: (r) => resubmitTable(r, false) },
    { number: 15, length: 24, decode: (r) => outputReg(r, false) },
    { number: 17, length: 16, decode: () => ({ type: 'exit' }) },
    { number: 254, length: 16, decode: () => ({ type: 'debug_slow' }) },
    { number: 255, length: 16, decode: () => ({ type: 'debug_recirc' }) },
    {
      number: 19,
      length: 16,
      decode: (r) => ({ type: 'fin_timeout', idle: r.u16(), hard: r.u16() }),
    },
    {
      number: 20,
      length: 16,
      decode(r) {
        const [maxLen, controllerId, reason] = [r.u16(), r.u16(), r.u8()];
        return { type: 'controller', maxLen, controllerId, reason };
      },
    },
    { number: 21, length: 16, open: true, decode: decTtlIds },
    {
      number: 22,
      length: 32,
      decode(r) {
        r.zeros(6, 'NXBRC_MUST_BE_ZERO');
        return { type: 'write_metadata', metadata: r.u64(), mask: r.u64() };
      },
    },
    { number: 27, length: 24, decode: stack('stack_push') },
    { number: 28, length: 24, decode: stack('stack_pop') },
    { number: 29, length: 24, decode: (r) => sample(r, false) },
    { number: 32, length: 24, decode: (r) => outputReg(r, true) },
    { number: 34, length: 16, decode: conjunction },
    { number: 37, length: 16, open: true, decode: controller2 },
    { number: 38, length: 32, decode: (r) => sample(r, true) },
    {
      number: 39,
      length: 16,
      decode: (r) => ({ type: 'output_trunc', port: portFrom16(r.u16()), maxLen: r.u32() }),
    },
    { number: 41, length: 32, decode: (r) => sample(r, true) },
    { number: 43, length: 16, decode: () => ({ type: 'ct_clear' }) },
    { number: 44, length: 16, decode: (r) => resubmitTable(r, true) },
    {
      number: 49,
      length: 24,
      decode(r) {
        const [size, ofs] = [r.u16(), r.u16()];
        const dst = checkTarget({ field: getFieldHeader(r).name, ofs, nBits: 1 });
        return { type: 'check_pkt_larger', size, dst };
      },
    },
  ]),
  { kind: 'of', min: 6, max: 6, number: 28, length: 16, open: true, decode: copyField },
  {
    ...{ kind: 'onf', min: 4, max: 5, number: 3200, length: 24, open: true },
    decode: (r) => ({ ...copyField(r.skip(2)), onf: true }),
  },
];

function tunnel(id: bigint, form: 'set_tunnel' | 'set_tunnel64'): OfAction {
  return { type: 'set_tunnel', id, form };
}

/** Writes a field header into a slot of fixed width, zero-filled. */
function putHeaderPadded(w: Writer, name: string, width: number): void {
  const start = w.length;
  putFieldHeader(w, mustField(name), 1);
  w.zeros(width - (w.length - start));
}

function putBundle(w: Writer, spec: BundleSpec): void {
  const start = openNx(w, spec.dst === undefined ? 12 : 13);
  w.u16(BUNDLE_ALGORITHMS.indexOf(spec.algorithm));
  w.u16(HASH_FIELDS.indexOf(spec.fields as (typeof HASH_FIELDS)[number]));
  w.u16(spec.basis).u32(MEMBER_TYPE_IN_PORT).u16(spec.members.length);
  if (spec.dst === undefined) w.zeros(6);
  else {
    w.u16(encodeOfsNbits(spec.dst));
    putFieldHeader(w, mustField(spec.dst.field), 1);
  }
  w.zeros(4);
  for (const member of spec.members) w.u16(portTo16(member));
  close(w, start);
}

function putStack(w: Writer, subtype: number, sub: SubField): void {
  const start = openNx(w, subtype);
  w.u16(sub.ofs);
  putFieldHeader(w, mustField(sub.field), 1);
  w.u16(sub.nBits);
  w.zeros(24 - (w.length - start));
  close(w, start);
}

function putController(w: Writer, a: Extract<OfAction, { type: 'controller' }>): void {
  const meterId = a.meterId ?? 0;
  if (a.userdata === undefined && a.pause !== true && meterId === 0) {
    const start = openNx(w, 20);
    w.u16(a.maxLen).u16(a.controllerId).u8(a.reason).zeros(1);
    close(w, start);
    return;
  }
  const start = openNx(w, 37);
  w.zeros(6);
  if (a.maxLen !== 0xffff) putProperty16(w, 0, a.maxLen);
  if (a.controllerId !== 0) putProperty16(w, 1, a.controllerId);
  if (a.reason !== 1) putProperty(w, 2, (p) => p.u8(a.reason));
  const { userdata } = a;
  if (userdata !== undefined) putProperty(w, 3, (p) => p.put(userdata));
  if (a.pause === true) putProperty(w, 4, () => {});
  if (meterId !== 0) putProperty(w, 5, (p) => p.u32(meterId));
  close(w, start);
}

function putSample(w: Writer, s: SampleSpec): void {
  const extended = s.direction !== 'default' || s.samplingPort !== OFPP.NONE;
  const start = openNx(w, s.direction !== 'default' ? 41 : extended ? 38 : 29);
  w.u16(s.probability).u32(s.collectorSetId).u32(s.obsDomainId).u32(s.obsPointId);
  if (extended) {
    w.u16(portTo16(s.samplingPort)).u8(SAMPLE_DIRECTIONS.indexOf(s.direction)).zeros(5);
  }
  close(w, start);
}

export const NICIRA_ENCODERS: { [T in OfAction['type']]?: Encoder<T> } = {
  output_trunc(w, a) {
    const start = openNx(w, 39);
    w.u16(portTo16(a.port)).u32(a.maxLen);
    close(w, start);
  },
  output_reg(w, a) {
    const field = mustField(a.src.field);
    const second = fieldHeader(field, 1)?.class === 0xffff;
    const start = openNx(w, second ? 32 : 15);
    w.u16(encodeOfsNbits(a.src));
    if (second) w.u16(a.maxLen);
    putFieldHeader(w, field, 1);
    if (!second) w.u16(a.maxLen);
    w.zeros(24 - (w.length - start));
    close(w, start);
  },
  controller: (w, a) => putController(w, a),
  bundle: (w, a) => putBundle(w, a.bundle),
  multipath(w, a) {
    const m = a.multipath;
    const start = openNx(w, 10);
    w.u16(HASH_FIELDS.indexOf(m.fields as (typeof HASH_FIELDS)[number]))
      .u16(m.basis)
      .zeros(2);
    w.u16(MULTIPATH_ALGORITHMS.indexOf(m.algorithm)).u16(m.maxLink).u32(m.arg).zeros(2);
    w.u16(encodeOfsNbits(m.dst));
    putFieldHeader(w, mustField(m.dst.field), 1);
    close(w, start);
  },
  move(w, a, ctx) {
    const start = w.length;
    const onf = a.onf === true && ctx.version === 4;
    if (onf) {
      w.u16(0xffff).u16(0).u32(ONF_VENDOR_ID).u16(3200).zeros(2);
      w.u16(a.src.nBits).u16(a.src.ofs).u16(a.dst.ofs).zeros(2);
    } else if (ctx.version >= 6)
      w.u16(28).u16(0).u16(a.src.nBits).u16(a.src.ofs).u16(a.dst.ofs).zeros(2);
    else {
      openNx(w, 6);
      w.u16(a.src.nBits).u16(a.src.ofs).u16(a.dst.ofs);
    }
    const version = ctx.version >= 6 || onf ? ctx.version : 1;
    putFieldHeader(w, mustField(a.src.field), version);
    putFieldHeader(w, mustField(a.dst.field), version);
    close(w, start);
  },
  stack_push: (w, a) => putStack(w, 27, a.sub),
  stack_pop: (w, a) => putStack(w, 28, a.sub),
  resubmit(w, a) {
    const subtype = a.table === undefined && a.ct !== true ? 1 : a.ct === true ? 44 : 14;
    const start = openNx(w, subtype);
    w.u16(portTo16(a.inPort ?? OFPP.IN_PORT));
    if (subtype !== 1) w.u8(a.table ?? 0xff);
    close(w, start);
  },
  conjunction(w, a) {
    const start = openNx(w, 34);
    w.u8(a.clause).u8(a.nClauses).u32(a.id);
    close(w, start);
  },
  note(w, a) {
    const start = openNx(w, 8);
    w.put(a.data);
    w.zeros(Math.max(0, 6 - a.data.length));
    close(w, start);
  },
  exit: (w) => close(w, openNx(w, 17)),
  debug_slow: (w) => close(w, openNx(w, 254)),
  debug_recirc: (w) => close(w, openNx(w, 255)),
  sample: (w, a) => putSample(w, a.sample),
  fin_timeout(w, a) {
    const start = openNx(w, 19);
    w.u16(a.idle).u16(a.hard);
    close(w, start);
  },
  set_tunnel(w, a, ctx) {
    if (ctx.version >= 3) {
      encodeSetField(w, setWhole('tun_id', bigintToBytes(a.id, 8), 'set_field'), ctx);
      return;
    }
    const wide = a.form === 'set_tunnel64' || a.id > 0xffffffffn;
    const start = openNx(w, wide ? 9 : 2);
    if (wide) w.zeros(6).u64(a.id);
    else w.zeros(2).u32(Number(a.id));
    close(w, start);
  },
  check_pkt_larger(w, a) {
    const start = openNx(w, 49);
    w.u16(a.size).u16(a.dst.ofs);
    putHeaderPadded(w, a.dst.field, 10);
    close(w, start);
  },
  ct_clear: (w) => close(w, openNx(w, 43)),
};
