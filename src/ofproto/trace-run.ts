/**
 * Tracing a packet: translation with a record of every step, and what came of it.
 *
 *     tracePacket(request) -> [pass, pass...]     a pass for the packet as it came, and, where they
 *                                                 are asked for, one for each recirculation
 *     traceText(pass)                             the text of ofproto/trace
 *
 * Without a packet nothing changes by it. With one MACs are learned as from a packet that came in,
 * and controllers get what is sent to them; only outputs do not take place.
 *
 * Not for: reading what the user typed (commands/trace-args.ts), why a packet was dropped
 * (trace-drops.ts).
 */
import { hashL4, hashSymL4 } from '../datapath/flow-hash.js';
import type { OdpAction, SlowPathReason } from '../datapath/odp-actions.js';
import { formatOdpActions } from '../datapath/odp-format.js';
import type { OfAction } from '../openflow/actions.js';
import {
  type FlowWords,
  W_ACTSET_OUTPUT,
  W_DP_HASH,
  W_IN_PORT,
  W_RECIRC_ID,
} from '../packet/flow-layout.js';
import type { Ofproto } from './ofproto.js';
import { formatFlowText, formatMegaflow, namesOf } from './text.js';
import { OFPP_UNSET_WORD } from './xlate/action-set.js';
import { XLATE_ERRORS, type XlateError, type XlateOut } from './xlate/context.js';
import { formatTrace, type TraceNode } from './xlate/trace.js';
import { translate } from './xlate/translate.js';

export const SLOW_PATH_EXPLANATIONS: Readonly<Record<SlowPathReason, string>> = {
  cfm: 'Consists of CFM packets',
  bfd: 'Consists of BFD packets',
  lacp: 'Consists of LACP packets',
  stp: 'Consists of STP packets',
  lldp: 'Consists of LLDP packets',
  controller: 'Sends "packet-in" messages to the OpenFlow controller',
  action: 'Uses action(s) not supported by datapath',
  match: "Datapath can't match specifically enough",
};

/** Recirculations that one trace follows. */
const RECIRCULATIONS_MAX = 32;

export interface TraceRequest {
  ofproto: Ofproto;
  /** The packet's key, OpenFlow port in W_IN_PORT. */
  flow: FlowWords;
  /** The packet itself: its effects take place. */
  packet?: Uint8Array;
  /** In place of a table lookup. */
  actions?: readonly OfAction[];
  /** Ports by name. */
  names?: boolean;
  /** Goes on where the datapath would give the packet back. */
  follow?: boolean;
}

/** One way through the tables. */
export interface TracePass {
  ofproto: Ofproto;
  names: boolean;
  /** The recirculation that it goes on from, or 0. */
  recircId: number;
  flow: FlowWords;
  final: FlowWords;
  nodes: TraceNode[];
  out: XlateOut;
}

/** @returns the packet's own pass first */
export function tracePacket(request: TraceRequest): TracePass[] {
  const passes = [tracePass(request)];
  if (!request.follow) return passes;
  for (const pass of passes) {
    for (const { id, hash } of recirculations(pass.out.actions)) {
      if (passes.length > RECIRCULATIONS_MAX) return passes;
      const flow = keyAgain(pass, id, hash);
      if (flow !== null) passes.push(tracePass({ ...request, flow, actions: undefined }));
    }
  }
  return passes;
}

/** What the datapath would give back: the packet as the actions have made it. */
function keyAgain(pass: TracePass, recircId: number, hash: Hash | null): FlowWords | null {
  if (pass.ofproto.backer.recircIds.get(recircId) === null) return null;
  const flow = pass.final.slice();
  flow[W_RECIRC_ID] = recircId;
  flow[W_IN_PORT] = pass.flow[W_IN_PORT];
  if (hash !== null) {
    const { basis } = hash;
    flow[W_DP_HASH] = hash.algorithm === 'l4' ? hashL4(flow, basis) : hashSymL4(flow, basis);
  }
  return flow;
}

type Hash = Extract<OdpAction, { type: 'hash' }>;

/** Recirculations, each with the hash that the datapath computes right before it. */
function recirculations(actions: readonly OdpAction[]): { id: number; hash: Hash | null }[] {
  let hash: Hash | null = null;
  return actions.flatMap((action) => {
    if (action.type === 'hash') hash = action;
    if (action.type === 'recirc') return [{ id: action.id, hash }];
    if (action.type === 'clone' || action.type === 'sample') return recirculations(action.actions);
    if (action.type !== 'check_pkt_len') return [];
    return [...recirculations(action.greater), ...recirculations(action.lessEqual)];
  });
}

function tracePass({ ofproto, flow, packet, actions, names }: TraceRequest): TracePass {
  const nodes: TraceNode[] = [];
  const hasPacket = packet !== undefined;
  const out = translate({
    ofproto,
    flow,
    actions,
    packet,
    sideEffects: hasPacket,
    hasPacket,
    trace: nodes,
    names: names ? namesOf(ofproto) : undefined,
  });
  if (packet !== undefined && out.error === 'ok') sendUp(ofproto, flow, packet, out.actions);
  const initial = initialFlow(flow);
  const recircId = flow[W_RECIRC_ID] >>> 0;
  return {
    ofproto,
    names: names ?? false,
    recircId,
    flow,
    final: out.finalFlow ?? initial,
    nodes,
    out,
  };
}

function initialFlow(flow: FlowWords): FlowWords {
  const initial = flow.slice();
  initial[W_ACTSET_OUTPUT] = OFPP_UNSET_WORD;
  return initial;
}

/** Lets the datapath do everything but outputs: what is left goes to controllers and collectors. */
function sendUp(
  ofproto: Ofproto,
  flow: FlowWords,
  packet: Uint8Array,
  actions: readonly OdpAction[],
): void {
  const left = withoutOutputs(actions);
  if (!left.some((action) => action.type === 'userspace' || action.type === 'sample')) return;
  const key = flow.slice();
  key[W_IN_PORT] = ofproto.portByNo(flow[W_IN_PORT] >>> 0)?.odpPort ?? 0;
  ofproto.backer.dpif.execute({ data: packet }, key, left);
}

function withoutOutputs(actions: readonly OdpAction[]): OdpAction[] {
  return actions.flatMap((action): OdpAction[] => {
    if (action.type === 'output' || action.type === 'recirc' || action.type === 'lb_output') {
      return [];
    }
    if (action.type === 'clone') return [{ ...action, actions: withoutOutputs(action.actions) }];
    return [action];
  });
}

/** Whether a pass leaves the packet's flow as it was, registers and all. */
export function flowUnchanged({ flow, final }: TracePass): boolean {
  return initialFlow(flow).every((word, i) => word === final[i]);
}

/** Datapath actions as text, with names of ports where they are wanted. */
export function passActions({ ofproto, names, out }: TracePass): string {
  const { dpif } = ofproto.backer;
  const portNames = new Map([...dpif.ports()].map((port) => [port.portNo, port.name]));
  const portName = names ? (no: number) => portNames.get(no) : undefined;
  return formatOdpActions(out.actions, { portName });
}

/** The text of one pass, as ofproto/trace prints it. */
export function traceText(pass: TracePass): string {
  const { ofproto, flow, final, nodes, out } = pass;
  const names = pass.names ? namesOf(ofproto) : null;
  let text = `Flow: ${formatFlowText(flow, names)}\n${formatTrace(nodes)}`;
  text += `\nFinal flow: ${flowUnchanged(pass) ? 'unchanged' : formatFlowText(final, names)}\n`;
  text += `Megaflow: ${formatMegaflow(flow, out.wc, names)}\n`;
  text += `Datapath actions: ${passActions(pass)}`;
  if (out.error !== 'ok') {
    text += `\nTranslation failed (${XLATE_ERRORS[out.error]}), packet is dropped.\n`;
  } else if (out.slow !== null) {
    text += '\nThis flow is handled by the userspace slow path because it:';
    text += `\n  - ${SLOW_PATH_EXPLANATIONS[out.slow]}.`;
  }
  return text.endsWith('\n') ? text : `${text}\n`;
}

/** Translations that ran into a limit: the whole trace is worth the log, though not often. */
const LIMITS: ReadonlySet<XlateError> = new Set(['recursion-too-deep', 'too-many-resubmits']);

/** Logs how a packet's translation came to a limit, if it did. */
export function logFailure(ofproto: Ofproto, flow: FlowWords, error: XlateError): void {
  if (!LIMITS.has(error)) return;
  ofproto.backer.failedTranslations.warn(() => traceText(tracePass({ ofproto, flow })));
}
