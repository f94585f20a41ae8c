/**
 * Outputs: to a port, through a patch cable into the peer bridge, to all ports, to the controller.
 *
 * Not for: NORMAL (normal.ts), which chooses ports and then comes here.
 */
import { OFPP } from '../../openflow/actions.js';
import { OFPM } from '../../openflow/messages-groups.js';
import {
  N_REGS,
  W_ACTSET_OUTPUT,
  W_CT_STATE,
  W_IN_PORT,
  W_METADATA,
  W_NW,
  W_REG0,
  W_SKB_PRIORITY,
} from '../../packet/flow-layout.js';
import type { Bond } from '../bond.js';
import { dlDst } from '../flow-access.js';
import { giveFlow, takeFlowCopy } from '../flow-pool.js';
import { OFPPC, type OfPort } from '../port.js';
import { NF_OUT } from '../sampling.js';
import { OFPP_UNSET_WORD } from './action-set.js';
import { tableAction } from './actions.js';
import { commitActions } from './commit.js';
import type { XlateContext } from './context.js';
import { mirrorEgress, mirrorIngress, reportReserved } from './mirror.js';
import { executeNormal } from './normal.js';
import { beginOutputs, endOutputs, noteOutput, sampleOutput } from './sampling.js';
import { metered } from './slow-path.js';
import { processSpecial } from './special.js';

/** Packet-in reasons. */
export const OFPR = {
  NO_MATCH: 0,
  ACTION: 1,
  INVALID_TTL: 2,
  ACTION_SET: 3,
  GROUP: 4,
  PACKET_OUT: 5,
  IMPLICIT_MISS: 7,
  EXPLICIT_MISS: 8,
} as const;

/** Of W_NW: the upper six bits of the type of service. */
const DSCP_BITS = 0x00fc0000;
const DSCP_SHIFT = 18;
/** The destination of spanning tree protocol frames. */
const MAC_STP = 0x0180c2000000;

/** The cookie of a packet that no entry matched. */
const NO_COOKIE = 0xffffffffffffffffn;
/** The whole packet, in a controller action. */
export const CONTROLLER_LEN_ALL = 0xffff;

/** The output action: a port, or one of OpenFlow's reserved numbers. */
export function outputAction(
  ctx: XlateContext,
  port: number,
  maxLen: number,
  mayPacketIn: boolean,
): void {
  const before = beginOutputs(ctx);
  outputTo(ctx, port, maxLen, mayPacketIn);
  endOutputs(ctx, before);
}

function outputTo(ctx: XlateContext, port: number, maxLen: number, mayPacketIn: boolean): void {
  switch (port) {
    case OFPP.IN_PORT:
      composeOutput(ctx, ctx.inPort);
      return;
    case OFPP.TABLE:
      tableAction(ctx, ctx.inPort, 0, { mayPacketIn, honorMiss: true });
      return;
    case OFPP.NORMAL:
      executeNormal(ctx);
      return;
    case OFPP.FLOOD:
      floodPorts(ctx, false);
      return;
    case OFPP.ALL:
      floodPorts(ctx, true);
      return;
    case OFPP.CONTROLLER:
      controllerAction(ctx, maxLen, controllerReason(ctx), 0);
      return;
    case OFPP.NONE:
      return;
    default:
      if (port === ctx.inPort) ctx.reportInfo('skipping output to input port');
      else composeOutput(ctx, port);
  }
}

function controllerReason(ctx: XlateContext): number {
  if (ctx.xin.inPacketOut) return OFPR.PACKET_OUT;
  if (ctx.inBucket) return OFPR.GROUP;
  return ctx.inActionSet ? OFPR.ACTION_SET : OFPR.ACTION;
}

/**
 * Outputs to one port of the current bridge.
 * @param bond when given, the datapath chooses the bond's member in place of `ofPort`
 */
export function composeOutput(ctx: XlateContext, ofPort: number, bond: Bond | null = null): void {
  const port = ctx.port(ofPort);
  if (port === null) {
    ctx.report('warn', 'Nonexistent output port');
    return;
  }
  if ((port.config & OFPPC.NO_FWD) !== 0) {
    ctx.report('detail', 'OFPPC_NO_FWD set, skipping output');
    return;
  }
  if (port.bundle?.isProtected && ctx.port(ctx.inPort)?.bundle?.isProtected) {
    ctx.report('warn', 'Flow is between protected ports, skipping output.');
    return;
  }
  if (port.isPatch && ctx.mirrorSnaplen !== 0) {
    ctx.report('warn', 'Mirror truncate to ODPP_NONE, skipping output');
    return;
  }
  if (port.isPatch) {
    const peer = port.peer();
    if (peer !== null) patchOutput(ctx, port, peer);
    mirrorEgress(ctx, port.bundle);
    return;
  }
  if (port.odpPort === null) return;
  const tos = markQueue(ctx, port);
  emitOutput(ctx, port.odpPort, bond);
  ctx.flow[W_NW] = tos;
  noteOutput(ctx, port);
  mirrorEgress(ctx, port.bundle);
}

/**
 * Gives the packet the DSCP of its queue on that port, where the queue has one.
 * @returns what W_NW was
 */
function markQueue(ctx: XlateContext, port: OfPort): number {
  const { flow, wc } = ctx;
  const before = flow[W_NW];
  if (port.queueDscp.size === 0) return before;
  wc[W_SKB_PRIORITY] = -1;
  const dscp = port.queueDscp.get(flow[W_SKB_PRIORITY] >>> 0);
  if (dscp !== undefined) {
    wc[W_NW] |= DSCP_BITS;
    flow[W_NW] = (before & ~DSCP_BITS) | (dscp << DSCP_SHIFT);
  }
  return before;
}

function emitOutput(ctx: XlateContext, odpPort: number, bond: Bond | null): void {
  commitActions(ctx);
  if (bond === null) sampleOutput(ctx, odpPort);
  if (ctx.mirrorSnaplen !== 0) cutForMirror(ctx);
  const basis = bond?.settings.basis ?? 0;
  if (bond === null) ctx.emit({ type: 'output', port: odpPort });
  else if (bond.lbOutput) ctx.emit({ type: 'lb_output', bond: bond.recircId, basis });
  else {
    ctx.emit({ type: 'hash', algorithm: 'l4', basis });
    ctx.emit({ type: 'recirc', id: bond.recircId });
  }
}

function cutForMirror(ctx: XlateContext): void {
  ctx.emit({ type: 'trunc', maxLen: ctx.mirrorSnaplen });
  if (!ctx.ofproto.backer.support.has('trunc')) ctx.slow ??= 'action';
}

function floodPorts(ctx: XlateContext, all: boolean): void {
  const { inPort, last } = ctx;
  const ports = ctx.ofproto.ports().filter((port) => {
    return port.ofPort !== inPort && (all || (port.config & OFPPC.NO_FLOOD) === 0);
  });
  for (const [i, port] of ports.entries()) {
    ctx.last = last && i === ports.length - 1;
    composeOutput(ctx, port.ofPort);
  }
  ctx.last = last;
  ctx.sampling.netflowOut = NF_OUT.FLOOD;
}

/** Whether the port takes packets in. */
export function mayReceive(port: OfPort, ctx: XlateContext): boolean {
  const isStp = dlDst(ctx.flow) === MAC_STP;
  return (port.config & (isStp ? OFPPC.NO_RECV_STP : OFPPC.NO_RECV)) === 0;
}

/**
 * Runs the peer bridge's pipeline on the packet as it is now. Header changes there do not come
 * back, nor do registers, the stack, an exit or an error.
 */
function patchOutput(ctx: XlateContext, out: OfPort, peer: OfPort): void {
  if (!withinLimits(ctx)) return;
  ctx.cache.push({ type: 'patch', out, in: peer });
  const saved = {
    flow: ctx.flow,
    ofproto: ctx.ofproto,
    stack: ctx.stack,
    actionSet: ctx.actionSet,
    rule: ctx.rule,
    tableId: ctx.tableId,
    exit: ctx.exit,
    wasMpls: ctx.wasMpls,
    last: ctx.last,
    mirrors: ctx.mirrors,
  };
  ctx.flow = takeFlowCopy(saved.flow);
  ctx.flow[W_IN_PORT] = peer.ofPort;
  ctx.flow.fill(0, W_METADATA, W_METADATA + 2);
  ctx.flow.fill(0, W_REG0, W_REG0 + N_REGS);
  ctx.flow[W_ACTSET_OUTPUT] = OFPP_UNSET_WORD;
  ctx.flow[W_CT_STATE] = 0;
  ctx.stack = [];
  ctx.actionSet = [];
  if (ctx.ofproto !== peer.ofproto) ctx.mirrors = 0;
  ctx.ofproto = peer.ofproto;
  const trace = ctx.enter('bridge', `bridge("${peer.ofproto.name}")`);
  if (peer.bundle !== null && peer.bundle.mirrorOut !== 0) reportReserved(ctx, peer.bundle);
  else if (!processSpecial(ctx, peer) && mayReceive(peer, ctx)) {
    mirrorIngress(ctx, peer.bundle);
    ctx.depth += 1;
    tableAction(ctx, peer.ofPort, 0, { mayPacketIn: true, honorMiss: true, asClone: true });
    ctx.depth -= 1;
  }
  ctx.leave(trace);
  giveFlow(ctx.flow);
  // The mirrors of another bridge are their own affair.
  if (peer.ofproto === saved.ofproto) saved.mirrors = ctx.mirrors;
  Object.assign(ctx, saved);
  ctx.error = 'ok';
}

/** Checked before anything that goes deeper: a loop of patch cables or resubmits ends here. */
export function withinLimits(ctx: XlateContext): boolean {
  const { limits } = ctx;
  if (ctx.depth >= limits.depth) {
    ctx.reportError(`over max translation depth ${limits.depth}`);
    ctx.error = 'recursion-too-deep';
  } else if (ctx.resubmits >= limits.resubmits) {
    ctx.reportError(`over ${limits.resubmits} resubmit actions`);
    ctx.error = 'too-many-resubmits';
  } else if (ctx.actions.length > limits.actions) {
    ctx.reportError('resubmits yielded over 64 kB of actions');
    ctx.exit = true;
  } else return true;
  return false;
}

/** What goes with a packet to a controller, beside the reason. */
export interface ControllerExtras {
  userdata?: Uint8Array;
  /** The packet is paused: the number of the translation that waits for it. */
  resume?: number;
  /** An OpenFlow meter in place of the bridge's for controllers. */
  meterId?: number;
}

/** Sends the packet to controllers with the given reason. */
export function controllerAction(
  ctx: XlateContext,
  maxLen: number,
  reason: number,
  controllerId: number,
  { userdata, resume, meterId }: ControllerExtras = {},
): void {
  commitActions(ctx);
  const explicit = reason === OFPR.ACTION && ctx.rule?.isTableMiss === true;
  const implicit = ctx.rule === ctx.ofproto.missRule;
  const id = ctx.ofproto.backer.controllerActions.intern({
    ofproto: ctx.ofproto,
    tableId: ctx.tableId,
    cookie: ctx.rule?.cookie ?? NO_COOKIE,
    flow: ctx.flow,
    controllerId,
    reason: explicit ? OFPR.NO_MATCH : reason,
    miss: implicit ? 'implicit' : explicit ? 'explicit' : 'none',
    userdata,
    resume,
  });
  ctx.controllerIds.push(id);
  const cookie = {
    type: 'controller',
    id,
    maxLen,
    // A trace without a packet has nothing to send.
    dontSend: ctx.trace !== null && !ctx.xin.sideEffects,
    reason: explicit ? OFPR.EXPLICIT_MISS : implicit ? OFPR.IMPLICIT_MISS : reason,
    continuation: resume !== undefined,
    ruleCookie: ctx.rule?.cookie ?? NO_COOKIE,
    controllerId,
  } as const;
  const send = { type: 'userspace', cookie } as const;
  const meter = ctx.ofproto.meters.get(meterId ?? OFPM.CONTROLLER);
  ctx.emit(metered(meter?.dpId ?? null, send));
}
