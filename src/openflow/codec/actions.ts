/**
 * Lists of actions and of instructions, in every protocol version: dispatch over the rows of
 * actions-*.ts.
 *
 * Reading is total: an unknown or ill-formed action throws an OfpError with the right OpenFlow
 * error. Source: OpenFlow 1.0 section 5.2.4; OpenFlow 1.1 to 1.5 sections 'Action Structures' and
 * 'Instructions'.
 */
import { VLAN_CFI, W_VLAN0 } from '../../packet/flow-layout.js';
import type { OfAction } from '../actions.js';
import { fail, NX_VENDOR_ID, type OfErrorName, OfpError, ONF_VENDOR_ID } from '../errors.js';
import type { Match } from '../match.js';
import { hexDump } from '../syntax/packet-format.js';
import { verifyActions } from '../verify.js';
import {
  type ActionContext,
  type ActionRow,
  close,
  type Encoder,
  openNx,
} from './action-context.js';
import type { ActionMemo } from './action-memo.js';
import { lengthProblem } from './action-names.js';
import { ENCAP_ENCODERS, ENCAP_ROWS } from './actions-encap.js';
import { encodeLearn, LEARN_ROWS } from './actions-learn.js';
import { NESTED_ENCODERS, NESTED_ROWS } from './actions-nested.js';
import { NICIRA_ENCODERS, NICIRA_ROWS } from './actions-nicira.js';
import { encodeSetField, SET_ROWS } from './actions-set.js';
import { STANDARD_ENCODERS, STANDARD_ROWS } from './actions-standard.js';
import type { Reader, Writer } from './buffer.js';
import { codecComplaint, codecWarning } from './warnings.js';

/** How deep clone and ct may nest; deeper lists are refused. */
const MAX_DEPTH = 64;

const ROWS: readonly ActionRow[] = [
  ...STANDARD_ROWS,
  ...SET_ROWS,
  ...NICIRA_ROWS,
  ...LEARN_ROWS,
  ...NESTED_ROWS,
  ...ENCAP_ROWS,
];

const rowByKey = new Map<string, ActionRow>();
for (const row of ROWS) {
  for (let v = row.min; v <= row.max; v++) rowByKey.set(`${v}:${row.kind}:${row.number}`, row);
}

/** Reads the action that a list goes on with. */
function getAction(list: Reader, ctx: ActionContext): OfAction {
  const start = list.pos;
  const left = list.left;
  const type = list.u16();
  const length = list.u16();
  let row: ActionRow | undefined;
  let headerLength = 4;
  if (type === 0xffff) {
    const vendor = list.u32();
    if (vendor !== NX_VENDOR_ID && vendor !== ONF_VENDOR_ID) {
      const number = `0x${vendor.toString(16)}`;
      codecWarning('ofp_actions', () => `OpenFlow action has unknown vendor ${number}`);
      fail('OFPBAC_BAD_VENDOR');
    }
    const kind = vendor === NX_VENDOR_ID ? 'nx' : 'onf';
    row = rowByKey.get(`${ctx.version}:${kind}:${list.u16()}`);
    if (row === undefined) unknownAction(ctx, vendor, list.bytes, start + 8);
    headerLength = 10;
  } else {
    row = rowByKey.get(`${ctx.version}:of:${type}`);
    if (row === undefined) unknownAction(ctx, 0, list.bytes, start);
  }
  const problem = lengthProblem(row, ctx.version, length, left);
  if (problem !== null) {
    codecWarning('ofp_actions', () => problem);
    fail('OFPBAC_BAD_LEN');
  }
  return row.decode(list.sub(length - headerLength, 'OFPBAC_BAD_LEN'), ctx);
}

/** @param at where its number is */
function unknownAction(ctx: ActionContext, vendor: number, bytes: Uint8Array, at: number): never {
  codecWarning('ofp_actions', () => {
    const number = (bytes[at] << 8) | bytes[at + 1];
    const from = vendor === 0 ? '0' : `0x${vendor.toString(16)}`;
    return `unknown OpenFlow1${ctx.version - 1} action for vendor ${from} and type ${number}`;
  });
  return fail(vendor === 0 ? 'OFPBAC_BAD_TYPE' : 'OFPBAC_BAD_VENDOR_TYPE');
}

/** Says which of the actions is wrong, and how. */
function warnOfAction(list: Reader, start: number, at: number, error: unknown): void {
  if (!(error instanceof OfpError)) return;
  codecWarning('ofp_actions', () => {
    const dump = hexDump(list.bytes.subarray(start, list.end), false);
    // Half a line ends with the mark of its middle here.
    const all = dump.replace(/^(\S+ {2}(?:\w\w ){7}\w\w)$/gm, '$1-');
    return `bad action at offset ${at - start} (${error.error}):\n${all}`;
  });
}

function checkLength(r: Reader, length: number, what: string, error: OfErrorName): void {
  if (length % 8 === 0 && length <= r.left) return;
  codecWarning('ofp_actions', () => {
    const text = `OpenFlow message ${what} length ${length}`;
    if (length % 8 !== 0) return `${text} is not a multiple of 8`;
    return `${text} exceeds remaining message length (${r.left})`;
  });
  fail(error);
}

function readActions(r: Reader, length: number, ctx: ActionContext): OfAction[] {
  if (ctx.depth > MAX_DEPTH) fail('OFPBAC_TOO_MANY');
  checkLength(r, length, 'actions', 'OFPBRC_BAD_LEN');
  const list = r.sub(length, 'OFPBAC_BAD_LEN');
  const actions: OfAction[] = [];
  const start = list.pos;
  let at = start;
  try {
    while (list.left > 0) {
      at = list.pos;
      if (list.left < 8) fail('OFPBAC_BAD_LEN');
      actions.push(getAction(list, ctx));
    }
  } catch (error) {
    warnOfAction(list, start, at, error);
    throw error;
  }
  return actions;
}

const ENCODERS: { [T in OfAction['type']]?: Encoder<T> } = {
  ...STANDARD_ENCODERS,
  ...NICIRA_ENCODERS,
  ...NESTED_ENCODERS,
  ...ENCAP_ENCODERS,
  set_field: encodeSetField,
  learn: encodeLearn,
  // OpenFlow 1.0 has no instructions; these two are said as actions there.
  goto_table(w, a) {
    const start = openNx(w, 14);
    w.u16(0xfff8).u8(a.table);
    close(w, start);
  },
  write_metadata(w, a) {
    const start = openNx(w, 22);
    w.zeros(6).u64(a.metadata).u64(a.mask);
    close(w, start);
  },
};

function writeActions(w: Writer, actions: readonly OfAction[], ctx: ActionContext): void {
  for (const action of actions) {
    const encode = ENCODERS[action.type] as Encoder<typeof action.type> | undefined;
    encode?.(w, action as never, ctx);
  }
}

function context(version: number, match?: Match): ActionContext {
  const hasVlan = match !== undefined && (match.flow[W_VLAN0] & VLAN_CFI) !== 0;
  const lists = { getActions: readActions, putActions: writeActions };
  return { version, match, hasVlan, depth: 0, ...lists };
}

function verify(actions: OfAction[], instructions: boolean): OfAction[] {
  const wrong = verifyActions(actions, instructions, null);
  if (wrong !== undefined) {
    codecComplaint('ofp_actions', () => wrong.message);
    fail(wrong.error, wrong.message);
  }
  return actions;
}

/**
 * Reads `length` bytes of actions. Throws OfpError.
 * @param instructions whether what OpenFlow 1.0 says as actions for want of instructions may be
 *   among them.
 */
export function getActions(
  r: Reader,
  length: number,
  version: number,
  instructions = false,
): OfAction[] {
  return verify(readActions(r, length, context(version)), instructions);
}

/** Writes actions. `match` tells which transport protocol set_tp_src and _dst mean. */
export function putActions(
  w: Writer,
  actions: readonly OfAction[],
  version: number,
  match?: Match,
): void {
  writeActions(w, actions, context(version, match));
}

/** Instruction numbers, in the order in which OpenFlow executes them. */
const INST = { GOTO: 1, WRITE_METADATA: 2, WRITE: 3, APPLY: 4, CLEAR: 5, METER: 6 } as const;
const EXEC_ORDER: OfAction['type'][] = [
  'meter',
  'clear_actions',
  'write_actions',
  'write_metadata',
  'goto_table',
];

const INSTRUCTION_ORDER: readonly number[] = [
  ...[INST.METER, INST.APPLY, INST.CLEAR, INST.WRITE, INST.WRITE_METADATA, INST.GOTO],
];

/**
 * The parts of a flow's actions that are instructions, sorted, with the others before
 * write_actions.
 */
function sortInstructions(parts: Map<number, OfAction[]>): OfAction[] {
  if (parts.size === 1) for (const only of parts.values()) return only;
  return INSTRUCTION_ORDER.flatMap((type) => parts.get(type) ?? []);
}

function getInstruction(r: Reader, type: number, version: number): OfAction[] {
  switch (type) {
    case INST.GOTO:
      return [{ type: 'goto_table', table: r.u8() }];
    case INST.WRITE_METADATA:
      r.skip(4);
      return [{ type: 'write_metadata', metadata: r.u64(), mask: r.u64() }];
    case INST.WRITE:
      r.skip(4);
      return [{ type: 'write_actions', actions: readActions(r, r.left, context(version)) }];
    case INST.APPLY:
      r.skip(4);
      return readActions(r, r.left, context(version));
    case INST.CLEAR:
      r.skip(4);
      return [{ type: 'clear_actions' }];
    default:
      return [{ type: 'meter', meter: r.u32() }];
  }
}

const INST_LENGTH: Record<number, number> = { 1: 8, 2: 24, 5: 8, 6: 8 };

/**
 * Reads `length` bytes of instructions (1.1 and later) or, in 1.0, actions.
 * @param memo takes the list from there, frozen, where it is known
 */
export function getInstructions(
  r: Reader,
  length: number,
  version: number,
  memo: ActionMemo | null = null,
): OfAction[] {
  if (memo === null || length > r.left) return readInstructions(r, length, version);
  const at = r.pos;
  const known = memo.find(r.bytes, at, length, version);
  if (known !== null) {
    r.skip(length);
    return known;
  }
  const actions = readInstructions(r, length, version);
  memo.keep(r.bytes, at, length, version, actions);
  return actions;
}

function readInstructions(r: Reader, length: number, version: number): OfAction[] {
  if (version === 1) return getActions(r, length, version, true);
  checkLength(r, length, 'instructions', 'OFPBIC_BAD_LEN');
  const list = r.sub(length, 'OFPBIC_BAD_LEN');
  const parts = new Map<number, OfAction[]>();
  while (list.left > 0) {
    const size = list.peek16(2);
    if (size < 8 || size % 8 !== 0 || size > list.left) fail('OFPBIC_BAD_LEN');
    const inst = list.sub(size, 'OFPBIC_BAD_LEN');
    const type = inst.u16();
    inst.skip(2);
    if (type === 0xffff) fail('OFPBIC_BAD_EXPERIMENTER');
    if (type < 1 || type > 6 || (type === 6 && version < 4)) fail('OFPBIC_UNKNOWN_INST');
    if (INST_LENGTH[type] !== undefined && INST_LENGTH[type] !== size) fail('OFPBIC_BAD_LEN');
    if (parts.has(type)) fail('OFPBIC_DUP_INST');
    parts.set(type, getInstruction(inst, type, version));
  }
  return verify(sortInstructions(parts), true);
}

/** Writes a flow's actions: as actions in 1.0, as instructions from 1.1 on. */
export function putInstructions(
  w: Writer,
  actions: readonly OfAction[],
  version: number,
  match?: Match,
): void {
  if (version === 1) {
    putActions(w, actions, version, match);
    return;
  }
  // meter is an instruction in 1.3 and 1.4 and an action in 1.5.
  const isInstruction = (a: OfAction): boolean =>
    EXEC_ORDER.includes(a.type) && !(a.type === 'meter' && version >= 6);
  for (const a of actions) {
    if (a.type === 'meter' && version >= 4 && version < 6) w.u16(INST.METER).u16(8).u32(a.meter);
  }
  const apply = actions.filter((a) => !isInstruction(a));
  if (apply.length > 0) {
    const start = w.length;
    w.u16(INST.APPLY).u16(0).zeros(4);
    putActions(w, apply, version, match);
    w.setU16(start + 2, w.length - start);
  }
  for (const a of actions) putInstruction(w, a, version, match);
}

function putInstruction(w: Writer, a: OfAction, version: number, match?: Match): void {
  const start = w.length;
  switch (a.type) {
    case 'clear_actions':
      w.u16(INST.CLEAR).u16(8).zeros(4);
      return;
    case 'write_actions':
      // An empty one adds nothing to a packet's action set.
      if (a.actions.length === 0) return;
      w.u16(INST.WRITE).u16(0).zeros(4);
      putActions(w, a.actions, version, match);
      w.setU16(start + 2, w.length - start);
      return;
    case 'write_metadata':
      w.u16(INST.WRITE_METADATA).u16(24).zeros(4).u64(a.metadata).u64(a.mask);
      return;
    case 'goto_table':
      w.u16(INST.GOTO).u16(8).u8(a.table).zeros(3);
      return;
    default:
  }
}
