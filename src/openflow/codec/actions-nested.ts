/**
 * Actions that hold other actions, and what belongs to them: ct, nat and clone.
 */
import { mustField } from '../../packet/fields.js';
import type { NatSpec, OfAction } from '../actions.js';
import { fail } from '../errors.js';
import { type ActionOwner, verifyActions } from '../verify.js';
import {
  type ActionContext,
  type ActionRow,
  checkSource,
  close,
  decodeOfsNbits,
  type Encoder,
  encodeOfsNbits,
  openNx,
} from './action-context.js';
import type { Reader } from './buffer.js';
import { getFieldHeader, putFieldHeader } from './oxm.js';
import { codecComplaint } from './warnings.js';

const CT_COMMIT = 1;
const CT_FORCE = 2;
const CT_NO_TABLE = 0xff;

const NAT_SRC = 1;
const NAT_DST = 2;
const NAT_FLAGS = 0x1f;
const NAT_HASH = 8;
const NAT_RANDOM = 16;
/** Which parts of a range follow the action. */
const RANGE = {
  IP4_MIN: 1,
  IP4_MAX: 2,
  IP6_MIN: 4,
  IP6_MAX: 8,
  PORT_MIN: 16,
  PORT_MAX: 32,
} as const;

/** The actions that fill the rest of this one. */
function getNested(r: Reader, ctx: ActionContext, owner: ActionOwner | null): OfAction[] {
  const actions = ctx.getActions(r, r.left, { ...ctx, depth: ctx.depth + 1 });
  const wrong = verifyActions(actions, false, owner);
  if (wrong !== undefined) {
    codecComplaint('ofp_actions', () => wrong.message);
    fail(wrong.error, wrong.message);
  }
  return actions;
}

function getCt(r: Reader, ctx: ActionContext): OfAction {
  const flags = r.u16();
  if ((flags & CT_FORCE) !== 0 && (flags & CT_COMMIT) === 0) fail('OFPBAC_BAD_ARGUMENT');
  const zoneIsField = r.peek16(0) !== 0 || r.peek16(2) !== 0;
  let zone: Extract<OfAction, { type: 'ct' }>['zone'];
  if (zoneIsField) {
    const field = getFieldHeader(r);
    zone = checkSource({ field: field.name, ...decodeOfsNbits(r.u16()) });
    if (zone.nBits !== 16) fail('OFPBAC_BAD_SET_LEN');
  } else {
    r.skip(4);
    zone = r.u16();
  }
  const table = r.u8();
  r.skip(3);
  const alg = r.u16();
  const actions = getNested(r, ctx, 'ct');
  if ((flags & CT_COMMIT) === 0) {
    for (const a of actions) {
      if (a.type !== 'nat' || a.nat.flags !== 0 || a.nat.addrMin !== undefined) {
        fail('OFPBAC_BAD_ARGUMENT');
      }
    }
  }
  const ct: OfAction = { type: 'ct', flags, zone, actions };
  if (table !== CT_NO_TABLE) ct.table = table;
  if (alg !== 0) ct.alg = alg;
  return ct;
}

/** The lower bound and, if present, the upper bound of an address range. */
function getAddresses(r: Reader, present: number, width: 4 | 16, nat: NatSpec): void {
  const maxBit = width === 4 ? RANGE.IP4_MAX : RANGE.IP6_MAX;
  nat.addrMin = r.take8(width);
  if (nat.addrMin.every((b) => b === 0)) fail('OFPBAC_BAD_ARGUMENT');
  if ((present & maxBit) === 0) return;
  nat.addrMax = r.take8(width);
  if (Buffer.compare(nat.addrMax, nat.addrMin) < 0) fail('OFPBAC_BAD_ARGUMENT');
}

function getNat(r: Reader): OfAction {
  r.skip(2);
  const nat: NatSpec = { flags: r.u16(), portMin: 0, portMax: 0 };
  const present = r.u16();
  const { flags } = nat;
  if ((flags & ~NAT_FLAGS) !== 0) fail('OFPBAC_BAD_ARGUMENT');
  if ((flags & NAT_SRC) !== 0 && (flags & NAT_DST) !== 0) fail('OFPBAC_BAD_ARGUMENT');
  if ((flags & NAT_HASH) !== 0 && (flags & NAT_RANDOM) !== 0) fail('OFPBAC_BAD_ARGUMENT');
  if ((present & RANGE.IP4_MIN) !== 0) {
    if ((present & (RANGE.IP6_MIN | RANGE.IP6_MAX)) !== 0) fail('OFPBAC_BAD_ARGUMENT');
    getAddresses(r, present, 4, nat);
  } else if ((present & RANGE.IP4_MAX) !== 0) fail('OFPBAC_BAD_ARGUMENT');
  else if ((present & RANGE.IP6_MIN) !== 0) getAddresses(r, present, 16, nat);
  else if ((present & RANGE.IP6_MAX) !== 0) fail('OFPBAC_BAD_ARGUMENT');
  if ((present & RANGE.PORT_MIN) !== 0) {
    if (nat.addrMin === undefined) fail('OFPBAC_BAD_ARGUMENT');
    nat.portMin = r.u16();
    if (nat.portMin === 0) fail('OFPBAC_BAD_ARGUMENT');
    if ((present & RANGE.PORT_MAX) !== 0) {
      nat.portMax = r.u16();
      if (nat.portMax < nat.portMin) fail('OFPBAC_BAD_ARGUMENT');
    }
  } else if ((present & RANGE.PORT_MAX) !== 0) fail('OFPBAC_BAD_ARGUMENT');
  return { type: 'nat', nat };
}

const NX = { kind: 'nx', min: 1, max: 6, open: true } as const;

export const NESTED_ROWS: readonly ActionRow[] = [
  { ...NX, number: 35, length: 24, decode: getCt },
  { ...NX, number: 36, length: 16, decode: getNat },
  {
    ...NX,
    number: 42,
    length: 16,
    decode(r, ctx) {
      r.skip(6);
      return { type: 'clone', actions: getNested(r, ctx, null) };
    },
  },
];

export const NESTED_ENCODERS: {
  ct: Encoder<'ct'>;
  nat: Encoder<'nat'>;
  clone: Encoder<'clone'>;
} = {
  ct(w, a, ctx) {
    const start = openNx(w, 35);
    w.u16(a.flags);
    if (typeof a.zone === 'number') w.u32(0).u16(a.zone);
    else {
      putFieldHeader(w, mustField(a.zone.field), 1);
      w.u16(encodeOfsNbits(a.zone));
    }
    w.u8(a.table ?? CT_NO_TABLE)
      .zeros(3)
      .u16(a.alg ?? 0);
    ctx.putActions(w, a.actions, { ...ctx });
    close(w, start);
  },
  nat(w, { nat }) {
    const start = openNx(w, 36);
    const wide = nat.addrMin?.length === 16;
    let present = 0;
    if (nat.addrMin !== undefined) present |= wide ? RANGE.IP6_MIN : RANGE.IP4_MIN;
    if (nat.addrMax !== undefined) present |= wide ? RANGE.IP6_MAX : RANGE.IP4_MAX;
    if (nat.addrMin !== undefined && nat.portMin !== 0) present |= RANGE.PORT_MIN;
    if (nat.addrMin !== undefined && nat.portMax !== 0) present |= RANGE.PORT_MAX;
    w.zeros(2).u16(nat.flags).u16(present);
    if (nat.addrMin !== undefined) w.put(nat.addrMin);
    if (nat.addrMax !== undefined) w.put(nat.addrMax);
    if ((present & RANGE.PORT_MIN) !== 0) w.u16(nat.portMin);
    if ((present & RANGE.PORT_MAX) !== 0) w.u16(nat.portMax);
    close(w, start);
  },
  clone(w, a, ctx) {
    const start = openNx(w, 42);
    w.zeros(6);
    ctx.putActions(w, a.actions, { ...ctx });
    close(w, start);
  },
};
