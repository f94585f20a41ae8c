/**
 * Actions and instructions as ovs-actions(7) writes them. Errors are FlowSyntaxError in the words
 * that ovs-ofctl uses. The reverse is action-format.ts.
 */

import { fieldByName, fieldValueValid } from '../../packet/fields.js';
import { bigintToBytes } from '../../packet/fields-subfield.js';
import { formatFieldText, parseFieldText, parseIntBytes } from '../../packet/fields-text.js';
import * as L from '../../packet/flow-layout.js';
import { parseEth, parseIpv4 } from '../../packet/ip-text.js';
import type { OfAction } from '../actions.js';
import { OFPP } from '../actions.js';
import { loadBits, setWhole } from '../codec/actions-set.js';
import { P_ANY, P_NXM_OF11_UP, P_OF11_UP, P_OF13_UP, P_OF15_UP } from '../protocols.js';
import { type ActionOwner, verifyActions } from '../verify.js';
import {
  parseBundle,
  parseController,
  parseCt,
  parseHexBytes,
  parseMultipath,
  parseNat,
  parseSample,
} from './action-parse-args.js';
import { parseDecap, parseEncap } from './encap.js';
import { parseLearn, parseMoveArgs } from './learn-parse.js';
import { exactProtocols } from './match-parse.js';
import { type Names, parsePort, parseTable, portNames } from './names.js';
import {
  atoi,
  eachPair,
  type FlowSyntaxError,
  KeyValueScanner,
  parseSubfield,
  parseU8,
  parseU16,
  parseU32,
  parseU64,
  scanSubfield,
  syntaxError,
  withFieldErrors,
} from './scan.js';

const MAX_DEPTH = 100;

/** State of parsing one list of actions. */
interface Context {
  names: Names;
  /** Formats that can express what was read so far. */
  usable: number;
  depth: number;
}

type Parser = (arg: string, ctx: Context) => OfAction;

function parseOutput(arg: string, { names }: Context): OfAction {
  if (arg.includes('port') && arg.includes('max_len')) return parseOutputTrunc(arg, names);
  const port = parsePort(arg, names.ports);
  if (port !== null) {
    return { type: 'output', port, maxLen: port === OFPP.CONTROLLER ? 0xffff : 0 };
  }
  try {
    return { type: 'output_reg', src: parseSubfield(arg).sub, maxLen: 0xffff };
  } catch {
    return syntaxError(`${arg}: output to unknown port`);
  }
}

function parseOutputTrunc(arg: string, names: Names): OfAction {
  let [port, maxLen] = [0, 0];
  const scanner = new KeyValueScanner(arg);
  for (let kv = scanner.next(); kv !== null; kv = scanner.next()) {
    if (kv.key === 'port') {
      const parsed = parsePort(kv.value, names.ports);
      if (parsed === null) syntaxError(`output to unknown truncate port: ${kv.value}`);
      if (parsed > OFPP.MAX && parsed !== OFPP.LOCAL && parsed !== OFPP.IN_PORT) {
        syntaxError(`output to unsupported truncate port: ${kv.value}`);
      }
      port = parsed;
    } else if (kv.key === 'max_len') {
      maxLen = parseU32(kv.value);
      if (maxLen < 14) syntaxError(`max_len ${maxLen} is less than the minimum value 14`);
    } else syntaxError(`invalid key '${kv.key}' in output_trunc argument`);
  }
  return { type: 'output_trunc', port, maxLen };
}

function parseEnqueue(arg: string, { names }: Context): OfAction {
  const m = /^[:q,]*([^:q,]+)[:q,](.+)$/.exec(arg);
  if (m === null) {
    syntaxError('"enqueue" syntax is "enqueue:PORT:QUEUE" or "enqueue(PORT,QUEUE)"');
  }
  const port = parsePort(m[1], names.ports);
  if (port === null) syntaxError(`${m[1]}: enqueue to unknown port`);
  return { type: 'enqueue', port, queue: parseU32(m[2]) };
}

function parseResubmit(arg: string, { names }: Context): OfAction {
  const [portText = '', tableText = '', ct = ''] = arg.split(',');
  const action: Extract<OfAction, { type: 'resubmit' }> = { type: 'resubmit' };
  if (portText !== '') {
    const port = parsePort(portText, names.ports);
    if (port === null) syntaxError(`${portText}: resubmit to unknown port`);
    if (port !== OFPP.IN_PORT) action.inPort = port;
  }
  let table = 255;
  if (tableText !== '') {
    const parsed = parseTable(tableText, names.tables);
    table = parsed ?? syntaxError(`${tableText}: resubmit to unknown table`);
  }
  // resubmit:PORT and resubmit(PORT,) are one action; resubmit(PORT,255) is it as well.
  if (table !== 255) action.table = table;
  if (ct !== '' && ct !== 'ct') syntaxError(`${ct}: unknown parameter`);
  if (ct === 'ct') action.ct = true;
  if (action.inPort === undefined && table === 255) {
    syntaxError('at least one "in_port" or "table" must be specified on resubmit');
  }
  return action;
}

function splitArrow(arg: string): { value: string; target: string } {
  const arrow = arg.indexOf('->');
  if (arrow < 0) syntaxError(`${arg}: missing \`->'`);
  if (arg.length <= arrow + 2) syntaxError(`${arg}: missing field name following \`->'`);
  return { value: arg.slice(0, arrow), target: arg.slice(arrow + 2) };
}

function parseSetField(arg: string, ctx: Context): OfAction {
  const { value: text, target } = splitArrow(arg);
  const field = fieldByName(target);
  if (field === undefined || field.headers.some((h) => h.name === target)) {
    syntaxError(`${target} is not a valid OXM field name`);
  }
  if (!field.writable) syntaxError(`${target} is read-only`);
  const names = portNames(ctx.names.ports);
  const { value, mask } = withFieldErrors(() => parseFieldText(field, text, names));
  if (!fieldValueValid(field, value)) {
    syntaxError(`${text} is not a valid value for field ${target}`);
  }
  ctx.usable &= exactProtocols(field);
  const masked = value.map((b, i) => b & mask[i]);
  return { type: 'set_field', field: field.name, value: masked, mask, form: 'set_field' };
}

function parseLoad(arg: string): OfAction {
  const { value: text, target } = splitArrow(arg);
  const { field, sub } = parseSubfield(target);
  const parsed = parseIntBytes(text, field.nBytes);
  if (parsed === null || parsed.tooLarge) syntaxError(`${arg}: cannot parse integer value`);
  for (let bit = sub.nBits; bit < field.nBytes * 8; bit++) {
    if ((parsed.bytes[field.nBytes - 1 - (bit >> 3)] & (1 << (bit & 7))) === 0) continue;
    const shown = formatFieldText(field, parsed.bytes, undefined, portNames(null));
    syntaxError(`${arg}: value ${shown} does not fit into ${sub.nBits} bits`);
  }
  return loadBits(sub, parsed.bytes);
}

function parseStack(type: 'stack_push' | 'stack_pop'): Parser {
  return (arg) => {
    const { sub, rest } = scanSubfield(arg);
    if (rest !== '') syntaxError(`${rest}: trailing garbage following push or pop`);
    return { type, sub };
  };
}

function parseDecTtl(arg: string): OfAction {
  if (arg === '') return { type: 'dec_ttl', controllerIds: [0] };
  const ids = arg.split(/[, ]+/).filter((t) => t !== '');
  if (ids.length === 0) {
    syntaxError('dec_ttl_cnt_ids: expected at least one controller id.');
  }
  return { type: 'dec_ttl', controllerIds: ids.map((t) => atoi(t) & 0xffff) };
}

function parseFinTimeout(arg: string): OfAction {
  let [idle, hard] = [0, 0];
  const scanner = new KeyValueScanner(arg);
  for (let kv = scanner.next(); kv !== null; kv = scanner.next()) {
    if (kv.key === 'idle_timeout') idle = parseU16(kv.value, kv.key);
    else if (kv.key === 'hard_timeout') hard = parseU16(kv.value, kv.key);
    else syntaxError(`invalid key '${kv.key}' in 'fin_timeout' argument`);
  }
  return { type: 'fin_timeout', idle, hard };
}

function parseNote(arg: string): OfAction {
  const { bytes, rest } = parseHexBytes(arg);
  if (rest !== '') syntaxError("bad hex digit in `note' argument");
  return { type: 'note', data: bytes };
}

function parseConjunction(arg: string): OfAction {
  const m = /^\s*(-?(?:0x[0-9a-f]+|\d+))\s*,\s*(\d+)\s*\/\s*(\d+)\s*$/i.exec(arg);
  if (m === null) syntaxError('"conjunction" syntax is "conjunction(id,i/n)"');
  const [id, clause, nClauses] = [Number(m[1]) >>> 0, Number(m[2]), Number(m[3])];
  if (nClauses < 2) syntaxError('conjunction must have at least 2 clauses');
  if (nClauses > 64) syntaxError('conjunction must have at most 64 clauses');
  if (clause < 1) syntaxError('clause index must be positive');
  if (clause > nClauses) {
    syntaxError('clause index must be less than or equal to number of clauses');
  }
  return { type: 'conjunction', id, clause: clause - 1, nClauses };
}

function parseWriteMetadata(arg: string, ctx: Context): OfAction {
  ctx.usable &= P_NXM_OF11_UP;
  const slash = arg.indexOf('/');
  const mask = slash < 0 ? 0xffffffffffffffffn : parseU64(arg.slice(slash + 1));
  const metadata = parseU64(slash < 0 ? arg : arg.slice(0, slash));
  return { type: 'write_metadata', metadata, mask };
}

function parseCheckPktLarger(arg: string): OfAction {
  const { value, target } = splitArrow(arg);
  const { sub } = parseSubfield(target);
  if (sub.nBits !== 1) syntaxError('Only 1-bit destination field is allowed');
  return { type: 'check_pkt_larger', size: parseU16(value.replace(/\)$/, ''), null), dst: sub };
}

function parsePushVlan(arg: string, ctx: Context): OfAction {
  ctx.usable &= P_OF11_UP;
  const ethType = parseU16(arg, 'ethertype');
  if (ethType !== L.ETH_TYPE_VLAN_8021Q && ethType !== L.ETH_TYPE_VLAN_8021AD) {
    syntaxError(`${arg}: not a valid VLAN ethertype`);
  }
  return { type: 'push_vlan', ethType };
}

const bytesOf = (value: number, n: number): Uint8Array => bigintToBytes(BigInt(value), n);

function vlanVid(form: 'mod' | 'set'): Parser {
  return (arg) => {
    const vid = parseU16(arg, 'VLAN VID');
    if (vid > 0xfff) syntaxError(`${arg}: not a valid VLAN VID`);
    return setWhole('dl_vlan', bytesOf(vid, 2), form);
  };
}

function vlanPcp(form: 'mod' | 'set'): Parser {
  return (arg) => {
    const pcp = parseU8(arg, 'VLAN PCP');
    if (pcp > 7) syntaxError(`${arg}: not a valid VLAN PCP`);
    return setWhole('dl_vlan_pcp', bytesOf(pcp, 1), form);
  };
}

function macField(field: string): Parser {
  return (arg) => {
    const m = /^([0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5})/.exec(arg);
    const mac = m === null ? null : parseEth(m[1]);
    return setWhole(field, mac ?? syntaxError(`invalid mac address ${arg}`), 'mod');
  };
}

function ipField(field: string): Parser {
  return (arg) => {
    const ip = parseIpv4(arg);
    return setWhole(field, ip ?? syntaxError(`${arg}: could not convert to IP address`), 'mod');
  };
}

function byteField(field: string, title: string, allowed: number, name: string): Parser {
  return (arg) => {
    const value = parseU8(arg, title);
    if ((value & ~allowed) !== 0) syntaxError(`${arg}: not a valid ${name}`);
    return setWhole(field, bytesOf(value, 1), 'mod');
  };
}

function parseMplsLabel(arg: string): OfAction {
  if (arg === '') syntaxError('set_mpls_label: expected label.');
  const label = parseU32(arg);
  if (label > 0xfffff) syntaxError(`${arg}: not a valid MPLS label`);
  return setWhole('mpls_label', bytesOf(label, 4), 'mod');
}

function parseMplsTc(arg: string, ctx: Context): OfAction {
  if (arg === '') syntaxError('set_mpls_tc: expected tc.');
  return byteField('mpls_tc', 'MPLS TC', 7, 'MPLS TC')(arg, ctx);
}

function parseMplsTtl(arg: string): OfAction {
  if (arg === '') syntaxError('set_mpls_ttl: expected ttl.');
  return { type: 'set_mpls_ttl', ttl: parseU8(arg, 'MPLS TTL') };
}

function parseGoto(arg: string, { names }: Context): OfAction {
  const table = parseTable(arg, names.tables);
  return { type: 'goto_table', table: table ?? syntaxError(`unknown table "${arg}"`) };
}

function parseMeter(arg: string, ctx: Context): OfAction {
  ctx.usable &= P_OF13_UP;
  return { type: 'meter', meter: parseU32(arg) };
}

const nested = (owner: ActionOwner, ctx: Context) => (text: string) =>
  parseList(text, ctx, false, owner);

const transportPort =
  (field: string, title: string): Parser =>
  (arg) =>
    setWhole(field, bytesOf(parseU16(arg, title), 2), 'mod');

const ttl = byteField('nw_ttl', 'TTL', 0xff, 'TTL');

function parseDeleteField(arg: string): OfAction {
  const field = fieldByName(arg);
  if (field === undefined) syntaxError(`unknown field \`${arg}'`);
  return { type: 'delete_field', field: field.name };
}

const PARSERS: Record<string, Parser> = {
  output: parseOutput,
  group: (arg) => ({ type: 'group', group: parseU32(arg) }),
  controller: (arg) => parseController(arg),
  enqueue: parseEnqueue,
  output_reg: parseOutput,
  bundle: (arg, ctx) => parseBundle(arg, false, ctx.names),
  bundle_load: (arg, ctx) => parseBundle(arg, true, ctx.names),
  set_field: parseSetField,
  load: parseLoad,
  set_vlan_vid: vlanVid('set'),
  set_vlan_pcp: vlanPcp('set'),
  mod_vlan_vid: vlanVid('mod'),
  mod_vlan_pcp: vlanPcp('mod'),
  strip_vlan: () => ({ type: 'strip_vlan', form: 'strip' }),
  pop_vlan: () => ({ type: 'strip_vlan', form: 'pop' }),
  push_vlan: parsePushVlan,
  mod_dl_src: macField('eth_src'),
  mod_dl_dst: macField('eth_dst'),
  mod_nw_src: ipField('ip_src'),
  mod_nw_dst: ipField('ip_dst'),
  mod_nw_tos: byteField('nw_tos', 'TOS', 0xfc, 'TOS'),
  mod_nw_ecn: byteField('nw_ecn', 'ECN', 0x03, 'ECN'),
  mod_nw_ttl: ttl,
  set_nw_ttl: ttl,
  mod_tp_src: transportPort('tcp_src', 'source port'),
  mod_tp_dst: transportPort('tcp_dst', 'destination port'),
  move: (arg) => ({ type: 'move', ...parseMoveArgs(arg) }),
  push: parseStack('stack_push'),
  pop: parseStack('stack_pop'),
  dec_ttl: parseDecTtl,
  set_mpls_label: parseMplsLabel,
  set_mpls_tc: parseMplsTc,
  set_mpls_ttl: parseMplsTtl,
  dec_mpls_ttl: () => ({ type: 'dec_mpls_ttl' }),
  push_mpls: (arg) => ({ type: 'push_mpls', ethType: parseU16(arg, 'push_mpls') }),
  pop_mpls: (arg) => ({ type: 'pop_mpls', ethType: parseU16(arg, 'pop_mpls') }),
  set_tunnel: (arg) => ({ type: 'set_tunnel', id: parseU64(arg), form: 'set_tunnel' }),
  set_tunnel64: (arg) => ({ type: 'set_tunnel', id: parseU64(arg), form: 'set_tunnel64' }),
  set_queue: (arg) => ({ type: 'set_queue', queue: parseU32(arg) }),
  pop_queue: () => ({ type: 'pop_queue' }),
  fin_timeout: parseFinTimeout,
  resubmit: parseResubmit,
  learn: (arg, ctx) => parseLearn(arg, ctx.names),
  conjunction: parseConjunction,
  multipath: (arg) => parseMultipath(arg),
  note: parseNote,
  exit: () => ({ type: 'exit' }),
  debug_slow: () => ({ type: 'debug_slow' }),
  debug_recirc: () => ({ type: 'debug_recirc' }),
  sample: (arg, ctx) => parseSample(arg, ctx.names),
  ct: (arg, ctx) => parseCt(arg, ctx.names, nested('ct', ctx)),
  ct_clear: () => ({ type: 'ct_clear' }),
  nat: (arg) => parseNat(arg),
  clone: (arg, ctx) => ({ type: 'clone', actions: nested('clone', ctx)(arg) }),
  check_pkt_larger: parseCheckPktLarger,
  encap(arg, ctx) {
    ctx.usable &= P_OF13_UP;
    return parseEncap(arg);
  },
  decap: parseDecap,
  dec_nsh_ttl: () => ({ type: 'dec_nsh_ttl' }),
  delete_field: parseDeleteField,
  meter: parseMeter,
  clear_actions: () => ({ type: 'clear_actions' }),
  write_actions: (arg, ctx) => ({
    type: 'write_actions',
    actions: nested('write_actions', ctx)(arg),
  }),
  write_metadata: parseWriteMetadata,
  goto_table: parseGoto,
  output_trunc: (arg) => syntaxError(`unknown action ${arg}`),
  unroll_xlate: () =>
    syntaxError("UNROLL is an internal action that shouldn't be used via OpenFlow"),
};

/** Names of actions and instructions. */
export const ACTION_NAMES: readonly string[] = Object.keys(PARSERS).filter(
  (name) => name !== 'unroll_xlate',
);

function parseOne(key: string, value: string, ctx: Context): OfAction {
  const name = key.toLowerCase();
  if (Object.hasOwn(PARSERS, name)) return PARSERS[name](value, ctx);
  if (name === 'apply_actions') syntaxError('apply_actions is the default instruction');
  const port = parsePort(key, ctx.names.ports);
  if (port !== null) return { type: 'output', port, maxLen: 0 };
  return syntaxError(`unknown action ${key}`);
}

function expectedAction(key: string, { message }: FlowSyntaxError): string {
  if (!message.startsWith('unknown action')) return `what ${key} takes: see ovs-actions(7)`;
  return 'an action such as output:PORT, drop, set_field:VALUE->FIELD or resubmit(,TABLE)';
}

function parseList(
  text: string,
  ctx: Context,
  instructions: boolean,
  owner: ActionOwner | null,
): OfAction[] {
  if (ctx.depth >= MAX_DEPTH) syntaxError('Action nested too deeply');
  ctx.depth++;
  const actions: OfAction[] = [];
  let drop = false;
  const take = (key: string, value: string): void => {
    if (key.toLowerCase() === 'drop') {
      drop = true;
      return;
    }
    const action = parseOne(key, value, ctx);
    if (action.type === 'meter' && !instructions) ctx.usable &= P_OF15_UP;
    actions.push(action);
  };
  eachPair(text, take, expectedAction);
  if (drop && actions.length > 0) {
    syntaxError('"drop" must not be accompanied by any other action or instruction');
  }
  const wrong = verifyActions(actions, instructions, owner);
  if (wrong !== undefined) syntaxError(wrong.message);
  ctx.depth--;
  return actions;
}

export interface ParsedActions {
  actions: OfAction[];
  /** Flow formats that can express them. */
  usable: number;
}

/**
 * Parses a flow's actions and instructions.
 * @throws FlowSyntaxError
 */
export function parseInstructions(text: string, names: Names): ParsedActions {
  const ctx: Context = { names, usable: P_ANY, depth: 0 };
  return { actions: parseList(text, ctx, true, null), usable: ctx.usable };
}

/** Parses actions alone, as in packet-out and group buckets. Throws FlowSyntaxError. */
export function parseActions(text: string, names: Names): ParsedActions {
  const ctx: Context = { names, usable: P_ANY, depth: 0 };
  return { actions: parseList(text, ctx, false, null), usable: ctx.usable };
}
