/**
 * The learn action: packets make entries.
 *
 *     learn spec + packet's flow --> FlowMod (modify_strict) --> refreshed, changed or added
 *
 * An entry that is there already with the same content only grows younger. Packets that the
 * datapath forwards alone do the same through the cache (cache.ts). ovs-actions(7), "learn".
 */
import { OFPP, type OfAction } from '../../openflow/actions.js';
import { OfpError } from '../../openflow/errors.js';
import { type Match, matchAny } from '../../openflow/match.js';
import type { FlowMod } from '../../openflow/messages.js';
import { formatMatch } from '../../openflow/syntax/match-format.js';
import { mustField } from '../../packet/fields.js';
import {
  bitwiseCopy,
  bytesToBigint,
  subfieldGet,
  subfieldMatch,
} from '../../packet/fields-subfield.js';
import type { FlowWords } from '../../packet/flow-layout.js';
import { W_DL_TYPE } from '../../packet/flow-layout.js';
import type { Ofproto } from '../ofproto.js';
import { NO_FLAGS, type Rule } from '../rule.js';
import { formatActionsText } from '../text.js';
import type { XlateContext } from './context.js';
import { loadSubfield, readSubfield, reportSubfield } from './set-field.js';

type LearnSpec = Extract<OfAction, { type: 'learn' }>['learn'];

const TABLE_ALL = 255;
const OFPG_ANY = 0xffffffff;
/** Highest OpenFlow 1.0 number of an ordinary port, and the reserved ones that may be learned. */
const PORT16_MAX = 0xff00;
const RESERVED16: ReadonlySet<number> = new Set([0xfff8, 0xfffb, 0xfffc, 0xfffe]);

/** What learning wants done, and under which condition. */
export interface Learning {
  ofproto: Ofproto;
  mod: FlowMod;
  /** Entries of the table with the cookie, at most; 0: any number. */
  limit: number;
}

export function executeLearn(ctx: XlateContext, learn: LearnSpec): void {
  for (const { src } of learn.specs) if ('field' in src) readSubfield(ctx, src);
  if (!ctx.xin.sideEffects && ctx.trace !== null) {
    ctx.report('warn', 'suppressing side effects, so learn action ignored');
    return;
  }
  const { ofproto } = ctx;
  const learning: Learning = { ofproto, mod: flowModOf(learn, ctx.flow), limit: learn.limit };
  if (ctx.trace !== null) ctx.report('detail', learningText(learning.mod));
  let learned = true;
  try {
    if (ctx.xin.sideEffects) learned = performLearning(learning);
    else if (learn.limit > 0 && findLearned(learning) === null) {
      learned = !limitReached(learning);
      // Whether the next packet learns is not known before it comes.
      ctx.avoidCaching = true;
    }
  } catch (error) {
    if (!(error instanceof OfpError)) throw error;
    ctx.reportError(`LEARN action execution failed (${error.error}).`);
    return;
  }
  if (learn.writeResult && learn.resultDst !== undefined) {
    loadSubfield(ctx, learn.resultDst, Uint8Array.of(learned ? 1 : 0));
    reportSubfield(ctx, learn.resultDst);
  }
  if (learned) ctx.cache.push({ type: 'learn', learning });
  else if (ctx.trace !== null) ctx.report('detail', 'Limit exceeded, learn failed');
}

/** The flow-mod that a packet with this flow causes. */
function flowModOf(learn: LearnSpec, flow: FlowWords): FlowMod {
  const match = matchAny();
  const actions: OfAction[] = [];
  const { finIdle, finHard } = learn;
  if (finIdle > 0 || finHard > 0)
    actions.push({ type: 'fin_timeout', idle: finIdle, hard: finHard });
  for (const { nBits, src, dst } of learn.specs) {
    const bits =
      'field' in src
        ? subfieldGet(flow, mustField(src.field), src.ofs, nBits)
        : src.immediate.slice(-Math.ceil(nBits / 8));
    if (dst.type === 'match') {
      subfieldMatch(match.flow, match.mask, mustField(dst.sub.field), dst.sub.ofs, nBits, bits);
      requireEthernetType(match, dst.sub.field);
    } else if (dst.type === 'load') actions.push(loadAction(dst.sub, nBits, bits));
    else {
      const port = Number(bytesToBigint(bits));
      if (port < PORT16_MAX) actions.push({ type: 'output', port, maxLen: 0 });
      else if (RESERVED16.has(port)) {
        actions.push({ type: 'output', port: (port | 0xffff0000) >>> 0, maxLen: 0 });
      }
    }
  }
  return {
    type: 'flow_mod',
    command: 'modify_strict',
    table: learn.table,
    match,
    priority: learn.priority,
    cookie: 0n,
    cookieMask: 0n,
    newCookie: learn.cookie,
    idleTimeout: learn.idleTimeout,
    hardTimeout: learn.hardTimeout,
    importance: 0,
    bufferId: 0xffffffff,
    outPort: OFPP.NONE,
    outGroup: OFPG_ANY,
    flags: { ...NO_FLAGS, sendFlowRem: learn.sendFlowRem },
    actions,
  } as FlowMod;
}

function loadAction(
  sub: { field: string; ofs: number },
  nBits: number,
  bits: Uint8Array,
): OfAction {
  const field = mustField(sub.field);
  const value = new Uint8Array(field.nBytes);
  const mask = new Uint8Array(field.nBytes);
  bitwiseCopy(bits, 0, value, sub.ofs, nBits);
  bitwiseCopy(new Uint8Array(16).fill(0xff), 0, mask, sub.ofs, nBits);
  const to = { field: sub.field, ofs: sub.ofs, nBits };
  return { type: 'set_field', field: sub.field, value, mask, form: 'load', sub: to };
}

/** A match on an IPv4, IPv6 or ARP field means packets that have it. */
function requireEthernetType(match: Match, name: string): void {
  const types: Readonly<Record<string, number>> = { ipv4: 0x0800, ipv6: 0x86dd, arp: 0x0806 };
  const type = types[mustField(name).prereq ?? ''];
  if (type === undefined || (match.mask[W_DL_TYPE] & 0xffff0000) !== 0) return;
  match.flow[W_DL_TYPE] |= type << 16;
  match.mask[W_DL_TYPE] |= 0xffff0000;
}

function findLearned({ ofproto, mod }: Learning): Rule | null {
  return ofproto.tables[mod.table]?.cls.find(mod.match, mod.priority) ?? null;
}

function limitReached({ ofproto, mod, limit }: Learning): boolean {
  if (limit === 0) return false;
  let count = 0;
  for (const rule of ofproto.tables[mod.table]?.cls.rules() ?? []) {
    if (!rule.hidden && rule.cookie === mod.newCookie) count += 1;
  }
  return count >= limit;
}

function sameContent(rule: Rule, mod: FlowMod): boolean {
  return (
    rule.cookie === mod.newCookie &&
    rule.idleTimeout === mod.idleTimeout &&
    rule.hardTimeout === mod.hardTimeout &&
    rule.flags.sendFlowRem === mod.flags.sendFlowRem &&
    formatActionsText(rule.actions) === formatActionsText(mod.actions)
  );
}

/**
 * Refreshes, changes or adds the entry; while a bundle is being committed, that comes afterwards.
 * @returns false when the limit forbids a new one
 * @throws OfpError
 */
export function performLearning(learning: Learning): boolean {
  const { ofproto, mod } = learning;
  const { draft } = ofproto;
  if (draft !== null && !draft.running) {
    draft.learnLater(learning);
    return true;
  }
  const old = findLearned(learning);
  if (old !== null && sameContent(old, mod)) {
    old.modifiedMs = ofproto.clock.now();
    return true;
  }
  if (old === null && limitReached(learning)) return false;
  if (mod.table !== TABLE_ALL) ofproto.flowMod(mod);
  return true;
}

/** The same for packets that the datapath forwarded; what cannot be done any more is left. */
export function learnAgain(learning: Learning): void {
  try {
    performLearning(learning);
  } catch (error) {
    if (!(error instanceof OfpError)) throw error;
  }
}

function learningText(mod: FlowMod): string {
  const matched = formatMatch(mod.match, null);
  let text = `table=${mod.table} ${matched}`.trimEnd();
  text += ` priority=${mod.priority}`;
  if (mod.newCookie) text += ` cookie=0x${mod.newCookie.toString(16)}`;
  if (mod.idleTimeout > 0) text += ` idle=${mod.idleTimeout}`;
  if (mod.hardTimeout > 0) text += ` hard=${mod.hardTimeout}`;
  if (mod.flags.sendFlowRem) text += ' send_flow_rem';
  return `${text} actions=${formatActionsText(mod.actions)}`;
}
