/**
 * Rows for flow mods, flow removed, packet-in and packet-out, in the specification's and Nicira's
 * forms. Source: OpenFlow 1.0 sections 5.3.3 and 5.4; OpenFlow 1.3 section 7.3.4 and 7.4; Nicira
 * extensions.
 */

import { portFrom16, portTo16 } from '../../packet/fields.js';
import type { OfAction } from '../actions.js';
import { checkActions, ctAddressesMismatch } from '../check.js';
import { fail } from '../errors.js';
import type { Match } from '../match.js';
import type { FlowMod, FlowRemoved } from '../messages.js';
import { protocolsOfVersion } from '../protocols.js';
import { getInstructions, putActions, putInstructions } from './actions.js';
import type { Reader } from './buffer.js';
import { getMatch10, matchFits10, putMatch10 } from './match10.js';
import { getAnyMatch, putAnyMatch } from './match11.js';
import { type MessageContext, type MessageRow, row } from './message-row.js';
import { normalizeAndTell } from './normalize-note.js';
import { getNxMatch, getOxmMatch, putNxMatch, putOxmMatch } from './oxm.js';
import { getOxs, putOxs } from './oxs.js';
import { getPort32 } from './port-number.js';

const COMMANDS = ['add', 'modify', 'modify_strict', 'delete', 'delete_strict'] as const;
const NO_COOKIE = 0xffffffffffffffffn;
const TABLE_ALL = 255;
const OF11 = 2;

const FLAG = {
  SEND_FLOW_REM: 1,
  CHECK_OVERLAP: 2,
  EMERG10: 4,
  RESET12: 4,
  NO_PKT13: 8,
  NO_BYT13: 16,
};

/** Reads flow mod flags; those a version does not know are an error. */
export function getFlowFlags(raw: number, version: number): FlowMod['flags'] {
  let known = FLAG.SEND_FLOW_REM | FLAG.CHECK_OVERLAP;
  if (version === 1) known |= FLAG.EMERG10;
  if (version >= 3) known |= FLAG.RESET12;
  if (version >= 4) known |= FLAG.NO_PKT13 | FLAG.NO_BYT13;
  if ((raw & ~known) !== 0) fail('OFPFMFC_BAD_FLAGS');
  return {
    sendFlowRem: (raw & FLAG.SEND_FLOW_REM) !== 0,
    checkOverlap: (raw & FLAG.CHECK_OVERLAP) !== 0,
    resetCounts: version >= 3 && (raw & FLAG.RESET12) !== 0,
    noPktCounts: (raw & FLAG.NO_PKT13) !== 0,
    noByteCounts: (raw & FLAG.NO_BYT13) !== 0,
  };
}

/** Flags as bits; those a version does not know are left out. */
export function flowFlagBits(flags: FlowMod['flags'], version: number): number {
  let raw = 0;
  if (flags.sendFlowRem) raw |= FLAG.SEND_FLOW_REM;
  if (flags.checkOverlap) raw |= FLAG.CHECK_OVERLAP;
  if (flags.resetCounts && version >= 3) raw |= FLAG.RESET12;
  if (flags.noPktCounts && version >= 4) raw |= FLAG.NO_PKT13;
  if (flags.noByteCounts && version >= 4) raw |= FLAG.NO_BYT13;
  return raw;
}

/** The fields of 1.0's flow mods, both forms, between the match and the actions. */
interface RawFlowMod10 {
  match: Match;
  cookie: bigint;
  /** From an nx_match. */
  matchCookie: bigint;
  matchCookieMask: bigint;
  command: number;
  idleTimeout: number;
  hardTimeout: number;
  priority: number;
  bufferId: number;
  outPort: number;
  rawFlags: number;
}

/** Refuses actions that make no sense for the packets that match. */
function checkFlow(actions: OfAction[], match: Match, table: number, version: number): void {
  const { usable, error } = checkActions(actions, match, table);
  if (error !== undefined) fail(error);
  if ((protocolsOfVersion(version) & ~usable) !== 0) fail('OFPBAC_MATCH_INCONSISTENT');
}

function finishFlowMod10(raw: RawFlowMod10, r: Reader, ctx: MessageContext): FlowMod {
  const useTable = ctx.options.tableId === true;
  const command = COMMANDS[useTable ? raw.command & 0xff : raw.command];
  if (command === undefined) fail('OFPFMFC_BAD_COMMAND');
  if (command === 'add' && raw.matchCookieMask !== 0n) fail('NXBRC_NXM_INVALID');
  if (ctAddressesMismatch(raw.match)) fail('OFPBAC_MATCH_INCONSISTENT');
  const actions = getInstructions(r, r.left, 1, ctx.options.memo);
  const flags = getFlowFlags(raw.rawFlags, 1);
  if ((raw.rawFlags & FLAG.EMERG10) !== 0) {
    fail(
      raw.idleTimeout !== 0 || raw.hardTimeout !== 0
        ? 'OFPFMFC_BAD_EMERG_TIMEOUT'
        : 'OFPFMFC_TABLE_FULL',
    );
  }
  flags.resetCounts = command === 'add';
  const table = useTable ? raw.command >> 8 : TABLE_ALL;
  checkFlow(actions, raw.match, table, 1);
  return {
    type: 'flow_mod',
    command,
    table,
    match: raw.match,
    priority: raw.priority,
    cookie: command === 'add' ? raw.cookie : raw.matchCookie,
    cookieMask: raw.matchCookieMask,
    newCookie: raw.cookie === NO_COOKIE ? null : raw.cookie,
    idleTimeout: raw.idleTimeout,
    hardTimeout: raw.hardTimeout,
    importance: 0,
    bufferId: raw.bufferId,
    outPort: raw.outPort,
    outGroup: 0xffffffff,
    flags,
    actions,
  };
}

function command10(msg: FlowMod, ctx: MessageContext): number {
  const command = COMMANDS.indexOf(msg.command);
  return ctx.options.tableId === true ? (msg.table << 8) | command : command;
}

/** Cookie field of 1.0's flow mods: the one to set, or all ones for none. */
function cookie10(msg: FlowMod): bigint {
  if (msg.command === 'add') return msg.newCookie ?? msg.cookie;
  return msg.newCookie ?? NO_COOKIE;
}

/** Whether a message goes in Nicira's form over OpenFlow 1.0. */
function wantsNxm(match: Match, cookieMask: bigint, ctx: MessageContext): boolean {
  const format = ctx.options.flowFormat;
  if (format !== undefined) return format === 'nxm';
  return cookieMask !== 0n || !matchFits10(match);
}

const FLOW_MOD_10 = row({
  type: 'flow_mod',
  cls: 'msg',
  number: 14,
  min: 1,
  max: 1,
  body: 64,
  unit: 8,
  decode(r, ctx) {
    const { match, exact } = getMatch10(r);
    normalizeAndTell(match);
    const raw: RawFlowMod10 = {
      match,
      cookie: r.u64(),
      matchCookie: 0n,
      matchCookieMask: 0n,
      command: r.u16(),
      idleTimeout: r.u16(),
      hardTimeout: r.u16(),
      priority: r.u16(),
      bufferId: r.u32(),
      outPort: portFrom16(r.u16()),
      rawFlags: r.u16(),
    };
    // OpenFlow 1.0: a flow that matches exactly has the highest priority of all.
    if (exact) raw.priority = 0xffff;
    return finishFlowMod10(raw, r, ctx);
  },
  encode(w, msg, ctx) {
    putMatch10(w, msg.match);
    w.u64(cookie10(msg)).u16(command10(msg, ctx)).u16(msg.idleTimeout).u16(msg.hardTimeout);
    w.u16(msg.priority).u32(msg.bufferId).u16(portTo16(msg.outPort));
    w.u16(flowFlagBits(msg.flags, 1));
    putActions(w, msg.actions, 1, msg.match);
  },
  serves: (msg, ctx) => !wantsNxm(msg.match, msg.cookieMask, ctx),
});

const NX_FLOW_MOD = row({
  type: 'flow_mod',
  cls: 'nx',
  number: 13,
  min: 1,
  max: 1,
  body: 32,
  unit: 8,
  decode(r, ctx) {
    const cookie = r.u64();
    const command = r.u16();
    const [idleTimeout, hardTimeout, priority] = [r.u16(), r.u16(), r.u16()];
    const bufferId = r.u32();
    const outPort = portFrom16(r.u16());
    const rawFlags = r.u16();
    const matchLength = r.u16();
    const m = getNxMatch(r.skip(6), matchLength, true);
    const numbers = { command, idleTimeout, hardTimeout, priority, bufferId, outPort, rawFlags };
    return finishFlowMod10(
      { match: m.match, cookie, matchCookie: m.cookie, matchCookieMask: m.cookieMask, ...numbers },
      r,
      ctx,
    );
  },
  encode(w, msg, ctx) {
    w.u64(cookie10(msg)).u16(command10(msg, ctx)).u16(msg.idleTimeout).u16(msg.hardTimeout);
    w.u16(msg.priority).u32(msg.bufferId).u16(portTo16(msg.outPort));
    w.u16(flowFlagBits(msg.flags, 1));
    const lengthAt = w.length;
    w.u16(0).zeros(6);
    const mask = msg.command === 'add' ? 0n : msg.cookieMask;
    w.setU16(lengthAt, putNxMatch(w, msg.match, msg.cookie, mask));
    putActions(w, msg.actions, 1, msg.match);
  },
});

/** Whether a flow-mod may be about all tables: deletions may, since OpenFlow 1.2. */
const mayBeAll = (command: FlowMod['command'], version: number): boolean =>
  version !== OF11 && (command === 'delete' || command === 'delete_strict');

const FLOW_MOD_11 = row({
  type: 'flow_mod',
  cls: 'msg',
  number: 14,
  min: 2,
  max: 6,
  body: 40,
  unit: 8,
  decode(r, ctx) {
    const [cookie, cookieMask] = [r.u64(), r.u64()];
    const table = r.u8();
    const command = COMMANDS[r.u8()];
    const [idleTimeout, hardTimeout, priority] = [r.u16(), r.u16(), r.u16()];
    const bufferId = r.u32();
    const outPort = getPort32(r);
    const outGroup = r.u32();
    const rawFlags = r.u16();
    const importance = r.u16();
    const match = getAnyMatch(r, ctx.version);
    if (command === undefined) fail('OFPFMFC_BAD_COMMAND');
    const isAdd = command === 'add';
    // OpenFlow 1.1: what is to be changed and is not there is added, unless chosen by cookie.
    const mayAdd = ctx.version === OF11 && command.startsWith('modify') && cookieMask === 0n;
    const isDelete = command === 'delete' || command === 'delete_strict';
    if (table === TABLE_ALL && !mayBeAll(command, ctx.version)) fail('OFPFMFC_BAD_TABLE_ID');
    if (ctAddressesMismatch(match)) fail('OFPBAC_MATCH_INCONSISTENT');
    const actions = getInstructions(r, r.left, ctx.version, ctx.options.memo);
    const flags = getFlowFlags(rawFlags, ctx.version);
    // Before the flag there was no choice: what is added counts from zero.
    if (ctx.version === 2) flags.resetCounts = command === 'add';
    checkFlow(actions, match, table, ctx.version);
    // One literal: there may be a million of these, and putting objects together costs.
    const msg: FlowMod = {
      type: 'flow_mod',
      command,
      table,
      match,
      priority,
      cookie: mayAdd ? 0n : cookie,
      cookieMask: isAdd ? 0n : cookieMask,
      newCookie: isAdd || mayAdd ? cookie : null,
      idleTimeout,
      hardTimeout,
      importance: ctx.version >= 5 && isAdd ? importance : 0,
      bufferId,
      outPort,
      outGroup: isDelete ? outGroup : 0xffffffff,
      flags,
      actions,
    };
    if (mayAdd) msg.keepCookie = true;
    return msg;
  },
  encode(w, msg, ctx) {
    const isAdd = msg.command === 'add';
    const mayAdd =
      isAdd || (ctx.version === OF11 && msg.command.startsWith('modify') && msg.cookieMask === 0n);
    w.u64(mayAdd ? (msg.newCookie ?? msg.cookie) : msg.cookie & msg.cookieMask);
    w.u64(isAdd ? 0n : msg.cookieMask);
    w.u8(msg.table === TABLE_ALL && !mayBeAll(msg.command, ctx.version) ? 0 : msg.table);
    w.u8(COMMANDS.indexOf(msg.command)).u16(msg.idleTimeout).u16(msg.hardTimeout);
    w.u16(msg.priority).u32(msg.bufferId).u32(msg.outPort).u32(msg.outGroup);
    w.u16(flowFlagBits(msg.flags, ctx.version));
    w.u16(ctx.version >= 5 && isAdd ? msg.importance : 0);
    putAnyMatch(w, msg.match, ctx.version);
    putInstructions(w, msg.actions, ctx.version, msg.match);
  },
});

const FLOW_REMOVED_10 = row({
  type: 'flow_removed',
  cls: 'msg',
  number: 11,
  min: 1,
  max: 1,
  body: 80,
  decode(r) {
    const { match } = getMatch10(r);
    const cookie = r.u64();
    const [priority, reason] = [r.u16(), r.u8()];
    const [durationSec, durationNsec] = [r.skip(1).u32(), r.u32()];
    const idleTimeout = r.u16();
    const [packets, bytes] = [r.skip(2).u64(), r.u64()];
    return {
      ...{ type: 'flow_removed', match, table: TABLE_ALL, priority, cookie, reason },
      ...{ durationSec, durationNsec, idleTimeout, hardTimeout: 0, packets, bytes },
    };
  },
  encode(w, msg) {
    putMatch10(w, msg.match);
    w.u64(msg.cookie).u16(msg.priority).u8(reason10(msg.reason)).zeros(1);
    w.u32(msg.durationSec).u32(msg.durationNsec).u16(msg.idleTimeout).zeros(2);
    w.u64(msg.packets).u64(msg.bytes);
  },
  serves: (msg, ctx) => !wantsNxm(msg.match, 0n, ctx),
});

/** Reasons that 1.0 does not know are deletions. */
const reason10 = (reason: number): number => Math.min(reason, 2);

const NX_FLOW_REMOVED = row({
  type: 'flow_removed',
  cls: 'nx',
  number: 14,
  min: 1,
  max: 1,
  body: 40,
  unit: 8,
  decode(r) {
    const cookie = r.u64();
    const [priority, reason, table] = [r.u16(), r.u8(), r.u8()];
    const [durationSec, durationNsec] = [r.u32(), r.u32()];
    const idleTimeout = r.u16();
    const matchLength = r.u16();
    const [packets, bytes] = [r.u64(), r.u64()];
    const { match } = getNxMatch(r, matchLength);
    return {
      ...{ type: 'flow_removed', match, priority, cookie, reason, durationSec, durationNsec },
      table: table === 0 ? TABLE_ALL : table - 1,
      ...{ idleTimeout, hardTimeout: 0, packets, bytes },
    };
  },
  encode(w, msg) {
    w.u64(msg.cookie)
      .u16(msg.priority)
      .u8(reason10(msg.reason))
      .u8((msg.table + 1) & 0xff);
    w.u32(msg.durationSec).u32(msg.durationNsec).u16(msg.idleTimeout);
    const lengthAt = w.length;
    w.u16(0).u64(msg.packets).u64(msg.bytes);
    w.setU16(lengthAt, putNxMatch(w, msg.match));
  },
});

const FLOW_REMOVED_11 = row({
  type: 'flow_removed',
  cls: 'msg',
  number: 11,
  min: 2,
  max: 5,
  body: 40,
  unit: 8,
  decode(r, ctx) {
    const cookie = r.u64();
    const [priority, reason, table] = [r.u16(), r.u8(), r.u8()];
    const [durationSec, durationNsec] = [r.u32(), r.u32()];
    const [idleTimeout, hardTimeout] = [r.u16(), r.u16()];
    const [packets, bytes] = [r.u64(), r.u64()];
    const out: FlowRemoved = {
      ...{
        type: 'flow_removed',
        match: getAnyMatch(r, ctx.version),
        table,
        priority,
        cookie,
        reason,
      },
      ...{ durationSec, durationNsec, idleTimeout, hardTimeout, packets, bytes },
    };
    return out;
  },
  encode(w, msg, ctx) {
    w.u64(msg.cookie).u16(msg.priority).u8(msg.reason).u8(msg.table);
    w.u32(msg.durationSec)
      .u32(msg.durationNsec)
      .u16(msg.idleTimeout)
      .u16(ctx.version === OF11 ? 0 : msg.hardTimeout);
    w.u64(msg.packets).u64(msg.bytes);
    putAnyMatch(w, msg.match, ctx.version);
  },
});

const FLOW_REMOVED_15 = row({
  type: 'flow_removed',
  cls: 'msg',
  number: 11,
  min: 6,
  max: 6,
  body: 16,
  unit: 8,
  decode(r) {
    const [table, reason, priority] = [r.u8(), r.u8(), r.u16()];
    const [idleTimeout, hardTimeout, cookie] = [r.u16(), r.u16(), r.u64()];
    const match = getOxmMatch(r);
    const { durationSec, durationNsec, packets, bytes } = getOxs(r);
    const out: FlowRemoved = {
      ...{ type: 'flow_removed', match, table, priority, cookie, reason },
      ...{ durationSec, durationNsec, idleTimeout, hardTimeout, packets, bytes },
    };
    return out;
  },
  encode(w, msg, ctx) {
    w.u8(msg.table).u8(msg.reason).u16(msg.priority);
    w.u16(msg.idleTimeout).u16(msg.hardTimeout).u64(msg.cookie);
    putOxmMatch(w, msg.match, ctx.version);
    const { durationSec, durationNsec, packets, bytes } = msg;
    putOxs(w, { durationSec, durationNsec, packets, bytes });
  },
});

export const FLOW_ROWS: readonly MessageRow[] = [
  FLOW_MOD_10,
  NX_FLOW_MOD,
  FLOW_MOD_11,
  FLOW_REMOVED_10,
  NX_FLOW_REMOVED,
  FLOW_REMOVED_11,
  FLOW_REMOVED_15,
];
