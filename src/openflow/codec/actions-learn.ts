/**
 * The learn action (NXAST_LEARN and NXAST_LEARN2) on the wire: a header and a list of specs.
 *
 *     spec:  0(2) src(1) dst... as 16 bits: n_bits(11) | destination type(2) << 11 | source type(1)
 *     << 13
 *            then source (field header, offset | immediate), then destination (field header,
 *            offset)
 */
import { mustField } from '../../packet/fields.js';
import type { LearnFlowSpec, LearnSpec, SubField } from '../actions.js';
import { fail } from '../errors.js';
import {
  type ActionRow,
  checkSource,
  checkTarget,
  close,
  type Encoder,
  openNx,
} from './action-context.js';
import type { Reader, Writer } from './buffer.js';
import { getFieldHeader, putFieldHeader } from './oxm.js';

const F_SEND_FLOW_REM = 1;
const F_DELETE_LEARNED = 2;
const F_WRITE_RESULT = 4;

function getSubfield(r: Reader, nBits: number): SubField {
  const field = getFieldHeader(r);
  return checkSource({ field: field.name, ofs: r.u16(), nBits });
}

function getSpec(r: Reader, head: number): LearnFlowSpec {
  const nBits = head & 0x7ff;
  const dstType = (head >> 11) & 3;
  const immediate = (head & 0x2000) !== 0;
  if ((head & 0xc000) !== 0 || dstType === 3) fail('OFPBAC_BAD_ARGUMENT');
  if (dstType === 2 && immediate) fail('OFPBAC_BAD_ARGUMENT');
  let src: LearnFlowSpec['src'];
  if (immediate) {
    const padded = r.take8(2 * Math.ceil(nBits / 16));
    src = { immediate: padded.slice(padded.length - Math.ceil(nBits / 8)) };
  } else src = getSubfield(r, nBits);
  if (dstType === 2) return { nBits, src, dst: { type: 'output' } };
  const sub = getSubfield(r, nBits);
  if (dstType === 1) checkTarget(sub);
  return { nBits, src, dst: { type: dstType === 0 ? 'match' : 'load', sub } };
}

function getLearn(r: Reader, second: boolean): LearnSpec {
  const learn: LearnSpec = {
    idleTimeout: r.u16(),
    hardTimeout: r.u16(),
    priority: r.u16(),
    cookie: r.u64(),
    sendFlowRem: false,
    deleteLearned: false,
    writeResult: false,
    table: 0,
    finIdle: 0,
    finHard: 0,
    limit: 0,
    specs: [],
  };
  const flags = r.u16();
  learn.table = r.u8();
  r.zeros(1, 'OFPBAC_BAD_ARGUMENT');
  learn.finIdle = r.u16();
  learn.finHard = r.u16();
  if ((flags & ~(second ? 7 : 3)) !== 0 || learn.table === 255) fail('OFPBAC_BAD_ARGUMENT');
  learn.sendFlowRem = (flags & F_SEND_FLOW_REM) !== 0;
  learn.deleteLearned = (flags & F_DELETE_LEARNED) !== 0;
  learn.writeResult = (flags & F_WRITE_RESULT) !== 0;
  if (second) {
    learn.limit = r.u32();
    if (learn.limit === 0) learn.second = true;
    const ofs = r.u16();
    r.zeros(2, 'NXBAC_MUST_BE_ZERO');
    if (learn.writeResult) {
      learn.resultDst = checkTarget({ field: getFieldHeader(r).name, ofs, nBits: 1 });
    } else if (ofs !== 0) fail('OFPBAC_BAD_ARGUMENT');
  }
  while (r.left > 0) {
    if (r.left < 2) fail('OFPBAC_BAD_LEN');
    const head = r.u16();
    if (head === 0) break;
    learn.specs.push(getSpec(r, head));
  }
  r.zeros(r.left, 'OFPBAC_BAD_ARGUMENT');
  return learn;
}

export const LEARN_ROWS: readonly ActionRow[] = [
  {
    kind: 'nx',
    min: 1,
    max: 6,
    number: 16,
    length: 32,
    open: true,
    decode: (r) => ({ type: 'learn', learn: getLearn(r, false) }),
  },
  {
    kind: 'nx',
    min: 1,
    max: 6,
    number: 45,
    length: 40,
    open: true,
    decode: (r) => ({ type: 'learn', learn: getLearn(r, true) }),
  },
];

function putSubfield(w: Writer, sub: SubField): void {
  putFieldHeader(w, mustField(sub.field), 1);
  w.u16(sub.ofs);
}

function putSpec(w: Writer, spec: LearnFlowSpec): void {
  const immediate = 'immediate' in spec.src;
  const dstType = spec.dst.type === 'match' ? 0 : spec.dst.type === 'load' ? 1 : 2;
  w.u16(spec.nBits | (dstType << 11) | (immediate ? 0x2000 : 0));
  if ('immediate' in spec.src) {
    const length = 2 * Math.ceil(spec.nBits / 16);
    w.zeros(length - spec.src.immediate.length).put(spec.src.immediate);
  } else putSubfield(w, spec.src);
  if (spec.dst.type !== 'output') putSubfield(w, spec.dst.sub);
}

export const encodeLearn: Encoder<'learn'> = (w, { learn }) => {
  const second = learn.second === true || learn.limit !== 0 || learn.writeResult;
  const start = openNx(w, second ? 45 : 16);
  w.u16(learn.idleTimeout).u16(learn.hardTimeout).u16(learn.priority).u64(learn.cookie);
  w.u16(
    (learn.sendFlowRem ? F_SEND_FLOW_REM : 0) |
      (learn.deleteLearned ? F_DELETE_LEARNED : 0) |
      (learn.writeResult ? F_WRITE_RESULT : 0),
  );
  w.u8(learn.table).zeros(1).u16(learn.finIdle).u16(learn.finHard);
  if (second) {
    w.u32(learn.limit)
      .u16(learn.resultDst?.ofs ?? 0)
      .zeros(2);
    if (learn.resultDst !== undefined) putFieldHeader(w, mustField(learn.resultDst.field), 1);
  }
  for (const spec of learn.specs) putSpec(w, spec);
  close(w, start);
};
