/**
 * Executing a list of OpenFlow actions on a translation's state, and going from table to table.
 *
 * Every action that a flow-mod may bring (action-check.ts) has its case here.
 */

import { hex } from '../../datapath/odp-text.js';
import type { OfAction } from '../../openflow/actions.js';
import { OFPP } from '../../openflow/actions.js';
import type { NameMap } from '../../openflow/syntax/names.js';
import { bytesToBigint } from '../../packet/fields-subfield.js';
import {
  ETH_TYPE_IP,
  ETH_TYPE_VLAN_8021Q,
  NW_FRAG_ANY,
  VLAN_CFI,
  W_ACTSET_OUTPUT,
  W_IN_PORT,
  W_METADATA,
  W_NW,
  W_SKB_PRIORITY,
  W_TCP_FLAGS,
  W_TP,
  W_TUN_ID,
  W_VLAN0,
  W_VLAN1,
} from '../../packet/flow-layout.js';
import { dlType, isIp, nwFrag, nwProto, vlanCount } from '../flow-access.js';
import { type FlowTable, N_TABLES, TBL_INTERNAL } from '../flow-table.js';
import { OFPPC } from '../port.js';
import type { Rule } from '../rule.js';
import { formatActionsText, formatActionText, formatRuleTitle, namesOf } from '../text.js';
import { OFPP_UNSET_WORD, orderActionSet, writeActions } from './action-set.js';
import { executeCheckLarger } from './check-length.js';
import { executeClone } from './clone.js';
import { commitActions } from './commit.js';
import type { XlateContext } from './context.js';
import { freezeRest, triggerFreeze } from './freeze.js';
import { executeGroup } from './groups.js';
import { executeLearn } from './learn.js';
import {
  executeDecMplsTtl,
  executePopMpls,
  executePushMpls,
  executeSetMplsTtl,
  needsRecirculation,
} from './mpls.js';
import { executeBundle, executeMultipath } from './multipath.js';
import {
  CONTROLLER_LEN_ALL,
  composeOutput,
  controllerAction,
  OFPR,
  outputAction,
  withinLimits,
} from './output.js';
import { executeSample } from './sampling.js';
import {
  executeMove,
  executeSetField,
  executeStackPop,
  executeStackPush,
  readSubfield,
} from './set-field.js';

const IPPROTO_TCP = 6;
const TCP_FIN_RST = 0x05;
/** OFPC_FRAG_*. */
const FRAG_NORMAL = 0;
const FRAG_DROP = 1;
const TTL_BITS = 0x0000ff00;
const NW_PROTO_BITS = 0xff000000 | 0;

/** Executes `actions` in order, until one ends the pipeline. */
export function executeActions(ctx: XlateContext, actions: readonly OfAction[]): void {
  if (actions.length === 0) {
    ctx.report('action', 'drop');
    return;
  }
  const listLast = ctx.last;
  for (let i = 0; i < actions.length; i++) {
    const action = actions[i];
    if (ctx.error !== 'ok') break;
    ctx.last = listLast && i === actions.length - 1 && ctx.actionSet.length === 0;
    if (ctx.wasMpls && !ctx.exit && needsRecirculation(action)) triggerFreeze(ctx);
    if (ctx.exit) {
      if (ctx.freezing) freezeRest(ctx, actions.slice(i));
      break;
    }
    if (ctx.trace !== null) ctx.report('action', formatActionText(action, traceNames(ctx)));
    if (action.type === 'check_pkt_larger') {
      if (executeCheckLarger(ctx, action, actions.slice(i + 1))) break;
      continue;
    }
    if (!executeAction(ctx, action)) break;
    // A group that asked for more knowledge about the packet is repeated with it.
    if (ctx.freezing && action.type === 'group') {
      freezeRest(ctx, actions.slice(i));
      break;
    }
  }
  ctx.last = listLast;
}

/** @returns false when the rest of the list must not be executed */
function executeAction(ctx: XlateContext, action: OfAction): boolean {
  switch (action.type) {
    case 'output':
      outputAction(ctx, action.port, action.maxLen, true);
      break;
    case 'output_reg':
      outputReg(ctx, action);
      break;
    case 'output_trunc':
      outputTrunc(ctx, action.port, action.maxLen);
      break;
    case 'controller':
      if (action.pause) {
        ctx.pause = action;
        triggerFreeze(ctx);
        break;
      }
      controllerAction(ctx, action.maxLen, action.reason, action.controllerId, action);
      break;
    case 'enqueue':
      enqueue(ctx, action.port, action.queue);
      break;
    case 'set_queue':
      ctx.wc[W_SKB_PRIORITY] = -1;
      ctx.flow[W_SKB_PRIORITY] = action.queue;
      break;
    case 'pop_queue':
      ctx.wc[W_SKB_PRIORITY] = -1;
      ctx.flow[W_SKB_PRIORITY] = ctx.xin.flow[W_SKB_PRIORITY];
      if (ctx.trace !== null) ctx.report('detail', `queue = ${hex(ctx.flow[W_SKB_PRIORITY])}`);
      break;
    case 'set_field':
      executeSetField(ctx, action);
      break;
    case 'move':
      executeMove(ctx, action);
      break;
    case 'stack_push':
      executeStackPush(ctx, action.sub);
      break;
    case 'stack_pop':
      executeStackPop(ctx, action.sub);
      break;
    case 'push_vlan':
      pushVlan(ctx, action.ethType);
      break;
    case 'strip_vlan':
      popVlan(ctx);
      break;
    case 'dec_ttl':
      return decTtl(ctx, action.controllerIds);
    case 'resubmit':
      resubmit(ctx, action.inPort, action.table);
      break;
    case 'goto_table':
      tableAction(ctx, ctx.inPort, action.table, { mayPacketIn: true, honorMiss: true });
      break;
    case 'clone':
      executeClone(ctx, action.actions);
      break;
    case 'exit':
      ctx.exit = true;
      break;
    case 'set_tunnel':
      setWide(ctx.flow, W_TUN_ID, action.id, 0xffffffffffffffffn);
      break;
    case 'write_metadata':
      setWide(ctx.flow, W_METADATA, action.metadata, action.mask);
      break;
    case 'clear_actions':
      clearActionSet(ctx);
      break;
    case 'write_actions':
      writeActions(ctx, action.actions);
      reportActionSet(ctx, 'is');
      break;
    case 'note':
    case 'conjunction':
      break;
    case 'sample':
      executeSample(ctx, action.sample);
      break;
    case 'meter':
      executeMeter(ctx, action.meter);
      break;
    case 'group':
      executeGroup(ctx, action.group);
      break;
    case 'push_mpls':
      executePushMpls(ctx, action.ethType);
      break;
    case 'pop_mpls':
      executePopMpls(ctx, action.ethType);
      break;
    case 'set_mpls_ttl':
      executeSetMplsTtl(ctx, action.ttl);
      break;
    case 'dec_mpls_ttl':
      return executeDecMplsTtl(ctx);
    case 'debug_slow':
      ctx.slow ??= 'action';
      break;
    case 'debug_recirc':
      triggerFreeze(ctx);
      break;
    case 'multipath':
      executeMultipath(ctx, action.multipath);
      break;
    case 'bundle':
      executeBundle(ctx, action.bundle);
      break;
    case 'learn':
      executeLearn(ctx, action.learn);
      break;
    case 'fin_timeout':
      finTimeout(ctx, action.idle, action.hard);
      break;
    default:
      // Flow-mods with other actions are refused: action-check.ts.
      ctx.reportError(`unsupported action ${action.type}`);
  }
  return true;
}

function setWide(words: Int32Array, at: number, value: bigint, mask: bigint): void {
  const set = (word: number, shift: bigint): void => {
    const bits = Number((mask >> shift) & 0xffffffffn) | 0;
    words[word] = (words[word] & ~bits) | (Number((value >> shift) & 0xffffffffn) & bits);
  };
  set(at, 32n);
  set(at + 1, 0n);
}

function outputReg(ctx: XlateContext, action: Extract<OfAction, { type: 'output_reg' }>): void {
  const value = bytesToBigint(readSubfield(ctx, action.src));
  if (value > 0xffffn) {
    ctx.report('warn', `output port ${value} is out of range`);
    return;
  }
  ctx.report('detail', `output port is ${value}`);
  const port = Number(value);
  outputAction(ctx, port >= 0xff00 ? (port | 0xffff0000) >>> 0 : port, action.maxLen, false);
}

/** Ports that stand for several, or for none: a packet cannot be cut for them. */
const TRUNC_REFUSED: Readonly<Record<number, string>> = {
  [OFPP.TABLE]: 'TABLE',
  [OFPP.NORMAL]: 'NORMAL',
  [OFPP.FLOOD]: 'FLOOD',
  [OFPP.ALL]: 'ALL',
  [OFPP.CONTROLLER]: 'CONTROLLER',
  [OFPP.NONE]: 'NONE',
};

function outputTrunc(ctx: XlateContext, port: number, maxLen: number): void {
  if (port in TRUNC_REFUSED) {
    ctx.report('warn', `output_trunc does not support port: ${TRUNC_REFUSED[port]}`);
    return;
  }
  if (port === ctx.inPort) {
    ctx.reportInfo('skipping output to input port');
    return;
  }
  const outPort = port === OFPP.IN_PORT ? ctx.inPort : port;
  if (ctx.port(outPort)?.odpPort == null) {
    ctx.reportError(`output_trunc does not support patch port ${port}`);
    return;
  }
  ctx.emit({ type: 'trunc', maxLen });
  composeOutput(ctx, outPort);
  if (!ctx.ofproto.backer.support.has('trunc')) ctx.slow ??= 'action';
}

/** Outputs with the queue's number as the packet's priority, for this output alone. */
function enqueue(ctx: XlateContext, wanted: number, queue: number): void {
  const port = wanted === OFPP.IN_PORT ? ctx.inPort : wanted;
  ctx.wc[W_SKB_PRIORITY] = -1;
  if (wanted !== OFPP.IN_PORT && port === ctx.inPort) return;
  const old = ctx.flow[W_SKB_PRIORITY];
  ctx.flow[W_SKB_PRIORITY] = queue;
  composeOutput(ctx, port);
  ctx.flow[W_SKB_PRIORITY] = old;
}

function pushVlan(ctx: XlateContext, ethType: number): void {
  const { flow, wc } = ctx;
  wc[W_VLAN0] |= VLAN_CFI;
  ctx.touchTags();
  flow[W_VLAN1] = flow[W_VLAN0];
  flow[W_VLAN0] = ((ethType || ETH_TYPE_VLAN_8021Q) << 16) | VLAN_CFI;
}

function popVlan(ctx: XlateContext): void {
  const { flow, wc } = ctx;
  wc[W_VLAN0] |= VLAN_CFI;
  if (vlanCount(flow) === 0) return;
  ctx.touchTags();
  flow[W_VLAN0] = flow[W_VLAN1];
  flow[W_VLAN1] = 0;
}

/** @returns false when the TTL is used up */
function decTtl(ctx: XlateContext, controllerIds: readonly number[]): boolean {
  const { flow, wc } = ctx;
  if (!isIp(flow)) return true;
  wc[W_NW] |= TTL_BITS | NW_PROTO_BITS;
  const ttl = (flow[W_NW] >>> 8) & 0xff;
  if (ttl > 1) {
    flow[W_NW] = (flow[W_NW] & ~TTL_BITS) | ((ttl - 1) << 8);
    return true;
  }
  for (const id of controllerIds) controllerAction(ctx, CONTROLLER_LEN_ALL, OFPR.INVALID_TTL, id);
  const version = dlType(flow) === ETH_TYPE_IP ? 4 : 6;
  ctx.report('warn', `IPv${version} decrement TTL exception`);
  return false;
}

/** Headers as they are by now are what a meter may mark. */
function executeMeter(ctx: XlateContext, id: number): void {
  const meter = ctx.ofproto.meters.get(id);
  if (meter === null) return;
  commitActions(ctx);
  ctx.emit({ type: 'meter', id: meter.dpId });
}

/** The end of a TCP connection shortens the life of the entry. */
function finTimeout(ctx: XlateContext, idle: number, hard: number): void {
  const { flow, wc, rule } = ctx;
  if (!isIp(flow)) return;
  wc[W_NW] |= NW_PROTO_BITS;
  if (nwProto(flow) !== IPPROTO_TCP) return;
  wc[W_TCP_FLAGS] |= TCP_FIN_RST << 16;
  if (rule === null || ((flow[W_TCP_FLAGS] >>> 16) & TCP_FIN_RST) === 0) return;
  ctx.cache.push({ type: 'fin_timeout', rule, idle, hard });
}

function resubmit(ctx: XlateContext, inPort: number | undefined, table: number | undefined): void {
  const port = inPort === undefined || inPort === OFPP.IN_PORT ? ctx.inPort : inPort;
  const tableId = table === undefined || table === 255 ? ctx.tableId : table;
  const internal = ctx.rule?.tableId === TBL_INTERNAL;
  tableAction(ctx, port, tableId, { mayPacketIn: internal, honorMiss: internal });
}

export interface LookupOptions {
  /** A miss may send the packet to the controller. */
  mayPacketIn: boolean;
  /** A miss follows the table's configuration. */
  honorMiss: boolean;
  /** What the entry found does to the packet ends with it. */
  asClone?: boolean;
}

/** Looks the packet up in a table, with `inPort` as its port, and executes what it finds. */
export function tableAction(
  ctx: XlateContext,
  inPort: number,
  tableId: number,
  options: LookupOptions,
): void {
  if (!withinLimits(ctx)) return;
  const oldTable = ctx.tableId;
  ctx.tableId = tableId;
  const rule = lookup(ctx, inPort, options);
  const trace = enterRule(ctx, rule, tableId);
  const oldRule = ctx.rule;
  const deeper = tableId <= oldTable ? 1 : 0;
  ctx.resubmits += 1;
  ctx.depth += deeper;
  ctx.rule = rule;
  const { inBucket } = ctx;
  ctx.inBucket = false;
  if (options.asClone) executeClone(ctx, rule.actions);
  else executeActions(ctx, rule.actions);
  ctx.inBucket = inBucket;
  ctx.rule = oldRule;
  ctx.depth -= deeper;
  ctx.leave(trace);
  ctx.tableId = oldTable;
}

function traceNames(ctx: XlateContext): NameMap | null {
  return ctx.xin.names === undefined ? null : namesOf(ctx.ofproto);
}

/** Names the rule in the trace; what follows goes under it. */
export function enterRule(ctx: XlateContext, rule: Rule, tableId: number) {
  if (ctx.trace === null) return null;
  const id = String(tableId).padStart(2);
  return ctx.enter('table', `${id}. ${formatRuleTitle(rule, ctx.ofproto, traceNames(ctx))}`);
}

/** The entry for the packet in `ctx.tableId` (or a later table), or what stands in for none. */
export function lookup(ctx: XlateContext, inPort: number, options: LookupOptions): Rule {
  const { flow } = ctx;
  const oldPorts = flow[W_TP];
  const oldInPort = flow[W_IN_PORT];
  // Of a fragmented packet only the first piece has ports: no piece is matched by them.
  const fragment = (nwFrag(flow) & NW_FRAG_ANY) !== 0;
  if (fragment && ctx.ofproto.fragHandling === FRAG_DROP) {
    return ctx.ofproto.dropFragmentsRule;
  }
  if (fragment && ctx.ofproto.fragHandling === FRAG_NORMAL) flow[W_TP] = 0;
  flow[W_IN_PORT] = inPort;
  const rule = lookupFrom(ctx, options, oldInPort >>> 0);
  flow[W_TP] = oldPorts;
  flow[W_IN_PORT] = oldInPort;
  ctx.cache.push({ type: 'rule', rule });
  return rule;
}

function lookupFrom(ctx: XlateContext, options: LookupOptions, inPort: number): Rule {
  const { ofproto } = ctx;
  let miss: FlowTable['miss'] = 'continue';
  for (let id = ctx.tableId; id < N_TABLES; id++) {
    if (id === TBL_INTERNAL && ctx.tableId !== TBL_INTERNAL) break;
    const table = ofproto.tables[id];
    ctx.tableId = id;
    const rule = table.cls.lookup(ctx.flow, ctx.wc);
    ctx.cache.push({ type: 'table', table, matched: rule !== null });
    if (rule !== null) return rule;
    if (!options.honorMiss) break;
    miss = table.miss;
    if (miss !== 'continue') break;
  }
  if (!options.mayPacketIn) return ofproto.noPacketInRule;
  if (miss === 'default') {
    return ofproto.wantsPacketInOnMiss() ? ofproto.missRule : ofproto.noPacketInRule;
  }
  if (miss === 'drop') return ofproto.noPacketInRule;
  const port = ctx.port(inPort);
  const send = port !== null && (port.config & OFPPC.NO_PACKET_IN) === 0;
  return send ? ofproto.missRule : ofproto.noPacketInRule;
}

function clearActionSet(ctx: XlateContext): void {
  reportActionSet(ctx, 'was');
  ctx.actionSet = [];
  ctx.flow[W_ACTSET_OUTPUT] = OFPP_UNSET_WORD;
}

function reportActionSet(ctx: XlateContext, verb: 'was' | 'is'): void {
  if (ctx.trace === null) return;
  const list = orderActionSet(ctx.actionSet);
  const text = list.length > 0 ? `: ${formatActionsText(list)}` : ' empty';
  ctx.report('detail', `action set ${verb}${text}`);
}

/** At the end of a pipeline: what the action set holds. */
export function runActionSet(ctx: XlateContext): void {
  if (ctx.actionSet.length === 0) return;
  const list = orderActionSet(ctx.actionSet);
  ctx.actionSet = [];
  if (list.length === 0 || ctx.error !== 'ok') return;
  ctx.inActionSet = true;
  const exit = ctx.exit;
  ctx.exit = false;
  const trace = ctx.enter('table', '--. Executing action set:');
  executeActions(ctx, list);
  ctx.leave(trace);
  ctx.exit = exit;
  ctx.inActionSet = false;
}
