/**
 * Flow-mods: adding, changing and deleting entries of a bridge's tables.
 *
 * Statistics are brought up to date before an entry goes, so that its flow-removed message is
 * right to the packet. Semantics: OpenFlow 1.5 sections 6.4 and 7.3.4.2; ovs-actions(7) where 1.0
 * differs.
 */
import { isDeepStrictEqual } from 'node:util';
import { OFPP } from '../openflow/actions.js';
import { fail } from '../openflow/errors.js';
import type { Match } from '../openflow/match.js';
import type { FlowMod } from '../openflow/messages.js';
import { checkActions } from './action-check.js';
import { type FlowTable, N_TABLES, TBL_ALL, TBL_INTERNAL } from './flow-table.js';
import { mayLearn } from './learned-cookies.js';
import type { Ofproto } from './ofproto.js';
import { type RemovedReason, Rule } from './rule.js';

const SECOND_MS = 1000;
/** Entries that a draft deletes or changes in one step. */
const RULES_PER_STEP = 16;
/** Entries that it looks at meanwhile. */
const LOOKS_PER_STEP = 256;
/** To look at more entries than these is more than one turn's work. */
const RULES_PER_TURN = 10_000;
/** Group number that means any. */
export const OFPG_ANY = 0xffffffff;

/** Which entries a request or a loose flow-mod is about. */
export interface RuleFilter {
  table: number;
  match: Match;
  cookie: bigint;
  cookieMask: bigint;
  outPort: number;
  outGroup: number;
}

/** In a message: no packet. */
export const NO_BUFFER = 0xffffffff;

/**
 * Executes a flow-mod.
 * @throws OfpError; the tables are unchanged then
 */
export function executeFlowMod(ofproto: Ofproto, mod: FlowMod): void {
  checkFlowModTable(mod);
  checkBuffer(mod);
  ofproto.finishDraft();
  ofproto.connmgr.notices.during(null, () => changeTables(ofproto, mod));
}

/** Packets are never kept for a flow-mod to send: what names one names nothing. */
function checkBuffer({ bufferId, command }: FlowMod): void {
  if (bufferId === NO_BUFFER || command === 'delete' || command === 'delete_strict') return;
  fail('OFPBRC_BUFFER_UNKNOWN');
}

/**
 * The same in a draft of the tables (table-draft.ts), a few entries at each step. What was done
 * when an error is thrown is the draft's to undo.
 * @throws OfpError
 */
export function* draftFlowMod(ofproto: Ofproto, mod: FlowMod): Generator<void> {
  checkFlowModTable(mod);
  checkBuffer(mod);
  if (mod.command === 'delete') yield* draftDelete(ofproto, mod);
  else if (mod.command === 'modify') yield* draftModify(ofproto, mod);
  else changeTables(ofproto, mod);
}

/**
 * A flow-mod that may have more entries to delete than one turn should. To change as many in their
 * place is a hundredth of the work: that is one turn.
 */
export function concernsMany(ofproto: Ofproto, mod: FlowMod): boolean {
  if (mod.command !== 'delete') return false;
  if (mod.table !== TBL_ALL && mod.table >= TBL_INTERNAL) return false;
  let size = 0;
  for (const table of tablesOf(ofproto, mod.table)) size += table.cls.size;
  return size > RULES_PER_TURN;
}

/** What deletes everything is done at once, when that is all that has to be done. */
export function clearsAll(ofproto: Ofproto, mod: FlowMod): boolean {
  return mod.command === 'delete' && clearTables(ofproto, mod);
}

function* draftDelete(ofproto: Ofproto, mod: FlowMod): Generator<void> {
  for (const some of inSteps(ofproto, mod)) {
    deleteRules(ofproto, some);
    yield;
  }
}

function* draftModify(ofproto: Ofproto, mod: FlowMod): Generator<void> {
  // First all that are meant: a changed entry would be found again.
  const steps: Rule[][] = [];
  for (const some of inSteps(ofproto, anyOutput(mod))) {
    if (some.length > 0) steps.push(some);
    yield;
  }
  if (steps.length === 0) modifyFlows(ofproto, mod, []);
  for (const some of steps) {
    modifyFlows(ofproto, mod, some);
    yield;
  }
}

/** The entries that a loose flow-mod is about, some at a time; none where looking took its time. */
function* inSteps(ofproto: Ofproto, filter: RuleFilter): Generator<Rule[]> {
  let some: Rule[] = [];
  let looks = 0;
  for (const table of tablesOf(ofproto, filter.table)) {
    for (const rule of table.cls.covered(filter.match)) {
      if (chosen(rule, filter)) some.push(rule);
      looks += 1;
      if (some.length < RULES_PER_STEP && looks < LOOKS_PER_STEP) continue;
      yield some;
      some = [];
      looks = 0;
    }
  }
  if (some.length > 0) yield some;
}

/** What can be said of a flow-mod before its turn. @throws OfpError */
export function checkFlowModTable(mod: FlowMod): void {
  if (mod.table !== TBL_ALL && mod.table >= N_TABLES) fail('OFPFMFC_BAD_TABLE_ID');
  if (mod.table === TBL_INTERNAL) fail('OFPBRC_EPERM');
}

function changeTables(ofproto: Ofproto, mod: FlowMod): void {
  switch (mod.command) {
    case 'add':
      addFlow(ofproto, mod);
      break;
    case 'modify':
      modifyFlows(ofproto, mod, [...rulesOf(ofproto, anyOutput(mod))]);
      break;
    case 'modify_strict':
      modifyFlows(ofproto, mod, strictRules(ofproto, anyOutput(mod)));
      break;
    case 'delete':
      if (!clearTables(ofproto, mod)) deleteRules(ofproto, [...rulesOf(ofproto, mod)]);
      break;
    case 'delete_strict':
      deleteRules(ofproto, strictRules(ofproto, mod));
      break;
  }
}

/** A modify looks at neither port nor group. */
function anyOutput(mod: FlowMod): FlowMod {
  return { ...mod, outPort: OFPP.NONE, outGroup: OFPG_ANY };
}

function addFlow(ofproto: Ofproto, mod: FlowMod): void {
  addRule(ofproto, ruleOf(mod, ofproto.clock.now()));
}

/** The entry that a flow-mod adds. */
export function ruleOf(mod: FlowMod, nowMs: number): Rule {
  const { match, priority, idleTimeout, hardTimeout, importance, flags, actions } = mod;
  return new Rule(
    {
      match,
      priority,
      tableId: mod.table === TBL_ALL ? 0 : mod.table,
      cookie: mod.newCookie ?? mod.cookie,
      idleTimeout,
      hardTimeout,
      importance,
      flags,
      actions,
    },
    nowMs,
  );
}

/**
 * Puts an entry that is in no table into its own.
 * @throws OfpError; the tables are unchanged then
 */
export function addRule(ofproto: Ofproto, rule: Rule): void {
  const { match, priority, tableId, flags } = rule;
  checkActions(rule.actions, { table: tableId, ofproto });
  const table = ofproto.tables[tableId];
  const old = table.cls.placeOf(rule);
  // An equal one is replaced, whatever else overlaps: as Open vSwitch does.
  const checks = flags.checkOverlap && old === null;
  if (checks && table.cls.overlapping(match, priority) !== null) fail('OFPFMFC_OVERLAP');
  if (old === null && table.cls.size >= table.maxFlows) makeRoom(ofproto, table);
  if (old !== null) {
    if (ofproto.draft === null) ofproto.backer.pushStats();
    rule.succeed(old);
  }
  ofproto.learnedCookies.add(rule.actions);
  if (old === null) table.insert(rule);
  else table.replace(old, rule);
  table.onTimes ??= (changed) => {
    ofproto.ruleTimes(changed);
    table.timesChanged(changed);
  };
  rule.onTimes = table.onTimes;
  ofproto.ruleTimes(rule);
  ofproto.tablesChanged();
  ofproto.connmgr.notices.flowChanged(rule, 'added', old?.actions ?? null);
  if (old !== null) ofproto.learnedCookies.remove(old.actions);
  else ofproto.connmgr.notices.vacancyChanged(table);
}

/** Gives an entry up for a new one. @throws OfpError when there is none that may go */
function makeRoom(ofproto: Ofproto, table: FlowTable): void {
  const now = ofproto.clock.now();
  // Which entries are idle is known to the second: that is enough to choose by.
  if (table.evicts && now >= table.statsMs + SECOND_MS) {
    ofproto.backer.pushStats();
    table.statsMs = now;
  }
  const victim = table.victim();
  if (victim === null) fail('OFPFMFC_TABLE_FULL');
  deleteRules(ofproto, [victim], 'eviction');
}

function modifyFlows(ofproto: Ofproto, mod: FlowMod, rules: readonly Rule[]): void {
  if (rules.length === 0) {
    // OpenFlow 1.0's modify adds what it does not find, unless it chose by cookie.
    if (mod.newCookie !== null && mod.cookieMask === 0n) addFlow(ofproto, mod);
    else checkActions(mod.actions, { table: null, ofproto });
    return;
  }
  for (const rule of rules) checkActions(mod.actions, { table: rule.tableId, ofproto });
  const { draft } = ofproto;
  if (draft === null) ofproto.backer.pushStats();
  const now = ofproto.clock.now();
  const { monitored } = ofproto.connmgr.notices;
  for (const known of rules) {
    // One that learned entries belong to may have taken this with it.
    if (!known.seen) continue;
    ofproto.learnedCookies.add(mod.actions);
    const rule = draft?.changeable(known) ?? known;
    const { actions: before, cookie } = rule;
    rule.setActions(mod.actions);
    rule.modifiedMs = now;
    if (mod.newCookie !== null && mod.keepCookie !== true) rule.cookie = mod.newCookie;
    if (mod.flags.resetCounts) rule.resetCounts();
    if (monitored && (rule.cookie !== cookie || !isDeepStrictEqual(before, mod.actions))) {
      ofproto.connmgr.notices.flowChanged(rule, 'modified', before);
    }
    ofproto.learnedCookies.remove(before);
  }
  ofproto.tablesChanged();
}

/** Takes entries out of their tables and says so to the controllers that want to know. */
export function deleteRules(
  ofproto: Ofproto,
  rules: readonly Rule[],
  reason: RemovedReason = 'delete',
): void {
  if (rules.length === 0) return;
  ofproto.finishDraft();
  ofproto.connmgr.notices.during(null, () => takeOut(ofproto, rules, reason));
}

function takeOut(ofproto: Ofproto, rules: readonly Rule[], reason: RemovedReason): void {
  const { connmgr, draft } = ofproto;
  if (draft === null && rules.some((rule) => rule.flags.sendFlowRem)) ofproto.backer.pushStats();
  const gone: Rule[] = [];
  for (const rule of rules) {
    if (!rule.seen) continue;
    gone.push(rule);
    const table = ofproto.tables[rule.tableId];
    table.remove(rule, reason);
    // A draft tells when it is in force.
    const telling = draft === null && rule.flags.sendFlowRem && !rule.hidden;
    if (telling) connmgr.sendFlowRemoved(rule, reason);
    connmgr.notices.flowChanged(rule, 'removed', null, reason);
    connmgr.notices.vacancyChanged(table);
  }
  ofproto.tablesChanged();
  for (const rule of gone) ofproto.learnedCookies.remove(rule.actions);
}

/**
 * Deletes everything in the tables that are named, when that is all that has to be done.
 * @returns false when something is to be chosen, or somebody to be told: nothing is deleted then
 */
function clearTables(ofproto: Ofproto, mod: FlowMod): boolean {
  const { table, match, cookieMask, outPort, outGroup } = mod;
  if (cookieMask !== 0n || outPort !== OFPP.NONE || outGroup !== OFPG_ANY) return false;
  if (match.mask.some((word) => word !== 0) || ofproto.connmgr.notices.monitored) return false;
  const tables = tablesOf(ofproto, table).filter((each) => each.cls.size > 0);
  for (const { vacancyEvent, cls } of tables) {
    if (vacancyEvent !== 0) return false;
    const plain = (rule: Rule): boolean =>
      !rule.hidden && !rule.flags.sendFlowRem && !mayLearn(rule.actions);
    if (!cls.every(plain)) return false;
  }
  for (const each of tables) each.clear();
  if (tables.length > 0) ofproto.tablesChanged();
  return true;
}

function strictRules(ofproto: Ofproto, mod: FlowMod): Rule[] {
  const found: Rule[] = [];
  for (const table of tablesOf(ofproto, mod.table)) {
    const rule = table.cls.find(mod.match, mod.priority);
    if (rule !== null && chosen(rule, mod)) found.push(rule);
  }
  return found;
}

function tablesOf(ofproto: Ofproto, table: number) {
  if (table !== TBL_ALL) return [ofproto.tables[table]];
  return ofproto.tables.filter((t) => !t.hidden && t.cls.size > 0);
}

/**
 * Entries that a loose request covers; the switch's own are never among them.
 * @throws OfpError at once, not when the first is asked for
 */
export function rulesOf(ofproto: Ofproto, filter: RuleFilter): Generator<Rule> {
  if (filter.table !== TBL_ALL && filter.table >= N_TABLES) fail('OFPBRC_BAD_TABLE_ID');
  return findRules(ofproto, filter);
}

function* findRules(ofproto: Ofproto, filter: RuleFilter): Generator<Rule> {
  for (const table of tablesOf(ofproto, filter.table)) {
    for (const rule of table.cls.covered(filter.match)) if (chosen(rule, filter)) yield rule;
  }
}

function chosen(rule: Rule, filter: RuleFilter): boolean {
  if (rule.hidden) return false;
  const { cookieMask } = filter;
  if (cookieMask !== 0n && ((rule.cookie ^ filter.cookie) & cookieMask) !== 0n) return false;
  if (filter.outPort !== OFPP.NONE && !rule.outputsTo(filter.outPort)) return false;
  return filter.outGroup === OFPG_ANY || rule.usesGroup(filter.outGroup);
}
