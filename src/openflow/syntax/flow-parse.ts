/**
 * Flows as ovs-ofctl(8) writes them: match, cookie, timeouts, flags and `actions=`.
 *
 * Errors are FlowSyntaxError in the words that ovs-ofctl uses. The reverse is flow-format.ts.
 */
import { fieldByName } from '../../packet/fields.js';
import * as L from '../../packet/flow-layout.js';
import type { OfAction } from '../actions.js';
import { OFPP } from '../actions.js';
import { checkActions } from '../check.js';
import { matchAny } from '../match.js';
import type { FlowMod, FlowStatsRequest } from '../messages.js';
import {
  P_ANY,
  P_NXM_OF11_UP,
  P_NXM_OXM_ANY,
  P_OF11_UP,
  P_OF12_UP,
  P_OF13_UP,
  P_TID,
} from '../protocols.js';
import { parseInstructions } from './action-parse.js';
import { DEFAULT_PRIORITY } from './match-format.js';
import { matchFieldText, matchProtocol, matchSubfieldText } from './match-parse.js';
import { type Names, parsePort, parseTable } from './names.js';
import { eachPair, FlowSyntaxError, parseU16, parseU32, parseU64, syntaxError } from './scan.js';

/**
 * Command of a flow mod; 'file' lets the text begin with one; 'request' is a statistics request.
 */
export type ParseCommand = FlowMod['command'] | 'file' | 'request';

export interface ParsedFlow {
  flow: FlowMod;
  /** Flow formats that can express it. */
  usable: number;
}

interface Keys {
  outPort: boolean;
  actions: boolean;
  importance: boolean;
  timeout: boolean;
  priority: boolean;
  flags: boolean;
}

function keysOf(command: FlowMod['command'] | 'request'): Keys {
  const add = command === 'add';
  const modify = command === 'modify' || command === 'modify_strict';
  return {
    outPort: !add && !modify,
    actions: add || modify,
    importance: add,
    timeout: add || modify,
    priority: add || modify || command === 'delete_strict',
    flags: add || modify,
  };
}

const COMMANDS: FlowMod['command'][] = [
  'add',
  'delete',
  'delete_strict',
  'modify',
  'modify_strict',
];

/** Takes a leading command off a line of a file; any prefix of its name will do. */
function leadingCommand(text: string): [command: FlowMod['command'], rest: string] {
  const trimmed = text.replace(/^[ \t\r\n]+/, '');
  const word = (/^[^, \t\r\n]*/.exec(trimmed) as RegExpExecArray)[0];
  const found = COMMANDS.find((c) => c.startsWith(word));
  return found === undefined ? ['add', trimmed] : [found, trimmed.slice(word.length)];
}

/** Cuts `actions=...` off; null when there is none. */
function splitActions(text: string): [rest: string, actions: string] | null {
  const at = text.indexOf('action');
  if (at < 0) return null;
  const equals = text.indexOf('=', at);
  return equals < 0 ? null : [text.slice(0, at), text.slice(equals + 1)];
}

/** Written by dump-flows, of no meaning for a flow mod. */
const IGNORED = new Set(['duration', 'n_packets', 'n_bytes', 'idle_age', 'hard_age']);

/** What a part of `text` from `offset` on is made of; what is wrong with it gets its column. */
function placed(text: string, offset: number, parse: () => void): void {
  try {
    parse();
  } catch (e) {
    if (e instanceof FlowSyntaxError) e.within(text, offset);
    throw e;
  }
}

const SETTINGS: Readonly<Record<string, string>> = {
  table: 'a number from 0 to 254 or the name of a table',
  priority: 'a number from 0 to 65535',
  idle_timeout: 'seconds, from 0 to 65535',
  hard_timeout: 'seconds, from 0 to 65535',
  importance: 'a number from 0 to 65535',
  cookie: 'a number of 64 bits, or COOKIE/MASK',
  out_port: 'a number or name of a port',
  out_group: 'a number of a group, or any',
};

/** What may stand where a key or its value is wrong. */
function expectedValue(key: string): string {
  const field = fieldByName(key);
  if (field !== undefined) {
    const mask = field.maskable ? ', with or without /MASK' : '';
    return `${key}= and a value of ${field.nBits} bits${mask}`;
  }
  if (Object.hasOwn(SETTINGS, key)) return SETTINGS[key];
  return 'a field, a protocol such as tcp, a setting such as priority=N, or actions=';
}

class FlowParser {
  usable = P_ANY;
  private readonly keys: Keys;

  constructor(
    readonly flow: FlowMod,
    private readonly command: FlowMod['command'] | 'request',
    private readonly names: Names,
  ) {
    this.keys = keysOf(command);
  }

  private get isModify(): boolean {
    return this.command === 'modify' || this.command === 'modify_strict';
  }

  parse(text: string): void {
    let rest = text;
    let actions: string | null = null;
    if (this.keys.actions) {
      const split = splitActions(text);
      if (split === null) syntaxError('must specify an action');
      [rest, actions] = split;
    }
    const offset = text.length - (actions ?? '').length;
    placed(text, 0, () => eachPair(rest, (key, value) => this.key(key, value), expectedValue));
    placed(text, offset, () => this.finish(actions));
  }

  private key(key: string, value: string): void {
    const { flow } = this;
    if (matchProtocol(flow.match, key) || key === 'eth') return;
    if (this.keys.flags && this.flag(key)) return;
    if (key === 'no_readonly_table' || key === 'allow_hidden_fields') return;
    const usable = matchFieldText(flow.match, key, value, this.names.ports);
    if (usable !== undefined) {
      this.usable &= usable;
      return;
    }
    if (key.includes('[')) {
      this.usable &= matchSubfieldText(flow.match, key, value);
      return;
    }
    if (value === '') syntaxError(`field ${key} missing value`);
    this.setting(key, value);
  }

  /** Names of flags. */
  private flag(key: string): boolean {
    const { flags } = this.flow;
    switch (key) {
      case 'send_flow_rem':
        flags.sendFlowRem = true;
        return true;
      case 'check_overlap':
        flags.checkOverlap = true;
        return true;
      case 'reset_counts':
        flags.resetCounts = true;
        this.usable &= P_OF12_UP;
        return true;
      case 'no_packet_counts':
        flags.noPktCounts = true;
        this.usable &= P_OF13_UP;
        return true;
      case 'no_byte_counts':
        flags.noByteCounts = true;
        this.usable &= P_OF13_UP;
        return true;
      default:
        return false;
    }
  }

  private setting(key: string, value: string): void {
    const { flow, keys, names } = this;
    if (key === 'table') {
      const table = parseTable(value, names.tables);
      if (table === null) syntaxError(`unknown table "${value}"`);
      flow.table = table;
      if (table !== 255) this.usable &= P_TID;
    } else if (keys.outPort && key === 'out_port') {
      const port = parsePort(value, names.ports);
      flow.outPort = port ?? syntaxError(`${value} is not a valid OpenFlow port`);
    } else if (keys.outPort && key === 'out_group') {
      this.usable &= P_OF11_UP;
      flow.outGroup = this.group(value);
    } else if (keys.priority && key === 'priority') flow.priority = parseU16(value, key);
    else if (keys.timeout && key === 'idle_timeout') flow.idleTimeout = parseU16(value, key);
    else if (keys.timeout && key === 'hard_timeout') flow.hardTimeout = parseU16(value, key);
    else if (keys.importance && key === 'importance') flow.importance = parseU16(value, key);
    else if (key === 'cookie') this.cookie(value);
    else if (!IGNORED.has(key)) syntaxError(`unknown keyword ${key}`);
  }

  private group(value: string): number {
    const lower = value.toLowerCase();
    if (lower === 'any') return 0xffffffff;
    if (lower === 'all') return 0xfffffffc;
    try {
      return parseU32(value);
    } catch (e) {
      if (!(e instanceof FlowSyntaxError)) throw e;
      return syntaxError(`${value} is not a valid OpenFlow group`);
    }
  }

  private cookie(value: string): void {
    const { flow } = this;
    const slash = value.indexOf('/');
    if (slash >= 0) {
      if (this.command === 'add') syntaxError('flow additions cannot use a cookie mask');
      flow.cookie = parseU64(value.slice(0, slash));
      flow.cookieMask = parseU64(value.slice(slash + 1));
      flow.cookie &= flow.cookieMask;
      if (flow.cookieMask !== 0n) this.usable &= P_NXM_OF11_UP;
    } else if (this.command === 'add' || this.isModify) flow.newCookie = parseU64(value);
    else {
      const hint = `to match on a cookie, specify a mask, e.g. cookie=${value}/-1`;
      syntaxError(`cannot set cookie (${hint})`);
    }
  }

  private finish(actions: string | null): void {
    const { flow } = this;
    const { mask } = flow.match;
    const isIpv6 = flow.match.flow[L.W_DL_TYPE] >>> 16 === L.ETH_TYPE_IPV6;
    // 1.0 knows no IPv6, nor what is inside it.
    if (isIpv6 && ((mask[L.W_NW] & 0xffff0000) !== 0 || mask[L.W_TP] !== 0)) {
      this.usable &= P_NXM_OXM_ANY;
    }
    if (this.isModify && flow.cookieMask === 0n && flow.newCookie === null) flow.newCookie = 0n;
    if (this.command === 'add') {
      flow.newCookie ??= 0n;
      flow.cookie = flow.newCookie;
    }
    if (actions !== null) flow.actions = this.actions(actions);
  }

  private actions(text: string): OfAction[] {
    const parsed = parseInstructions(text, this.names);
    this.usable &= parsed.usable;
    const check = checkActions(parsed.actions, this.flow.match, this.flow.table);
    this.usable &= check.usable;
    const error = check.error ?? (this.usable === 0 ? 'OFPBAC_MATCH_INCONSISTENT' : undefined);
    if (error !== undefined) {
      syntaxError(`actions are invalid with specified match (${error})`);
    }
    return parsed.actions;
  }
}

function emptyFlow(command: FlowMod['command']): FlowMod {
  // One literal: files have many of them.
  return {
    type: 'flow_mod',
    command,
    table: 255,
    match: matchAny(),
    priority: DEFAULT_PRIORITY,
    cookie: 0n,
    cookieMask: 0n,
    newCookie: null,
    idleTimeout: 0,
    hardTimeout: 0,
    importance: 0,
    bufferId: 0xffffffff,
    outPort: OFPP.NONE,
    outGroup: 0xffffffff,
    flags: {
      sendFlowRem: false,
      checkOverlap: false,
      resetCounts: false,
      noPktCounts: false,
      noByteCounts: false,
    },
    actions: [],
  };
}

/**
 * Parses a flow.
 * @param command what the flow is for; it decides which keys are allowed.
 * @throws FlowSyntaxError
 */
export function parseFlow(text: string, command: ParseCommand, names: Names): ParsedFlow {
  let [actual, rest]: [FlowMod['command'] | 'request', string] = ['add', text];
  if (command === 'file') [actual, rest] = leadingCommand(text);
  else actual = command;
  const flow = emptyFlow(actual === 'request' ? 'add' : actual);
  const parser = new FlowParser(flow, actual, names);
  try {
    parser.parse(rest);
  } catch (e) {
    const before = text.length - rest.length;
    if (e instanceof FlowSyntaxError) e.column = before + (e.column ?? rest.length + 1);
    throw e;
  }
  return { flow, usable: parser.usable };
}

/** Parses the flow of a statistics request (match, table, out_port, cookie with mask). */
export function parseFlowStatsRequest(
  text: string,
  aggregate: boolean,
  names: Names,
): { request: FlowStatsRequest; usable: number } {
  const { flow, usable } = parseFlow(text, 'request', names);
  if (flow.outGroup !== 0xffffffff && (usable & P_OF11_UP) === 0) {
    syntaxError('out_group requires OpenFlow 1.1 or later');
  }
  const { table, match, outPort, outGroup, cookie, cookieMask } = flow;
  const fields = { table, match, outPort, outGroup, cookie, cookieMask };
  return { request: { type: 'flow_stats_request', aggregate, ...fields }, usable };
}
