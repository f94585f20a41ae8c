/**
 * The state of one translation: the packet's flow as it is now, the flow as the datapath has it so
 * far, what was consulted, and the datapath actions gathered.
 *
 *     flow   what OpenFlow actions have made of the packet
 *     base   what the datapath has made of it: `commit` emits the difference before an output
 *     wc     every bit of the original packet that a decision depended on
 *
 * Not for: decisions. actions.ts, output.ts and normal.ts make them on this state.
 */
import { getLogger } from '../../common/log.js';
import type { OdpAction, SlowPathReason } from '../../datapath/odp-actions.js';
import type { OfAction } from '../../openflow/actions.js';
import type { NameMap } from '../../openflow/syntax/names.js';
import {
  type FlowWords,
  VLAN_CFI,
  W_ACTSET_OUTPUT,
  W_IN_PORT,
  W_VLAN0,
  W_VLAN1,
} from '../../packet/flow-layout.js';
import { takeFlowCopy, takeZeroFlow } from '../flow-pool.js';
import type { Ofproto } from '../ofproto.js';
import type { OfPort } from '../port.js';
import type { Rule } from '../rule.js';
import { formatFlowText } from '../text.js';
import { OFPP_UNSET_WORD } from './action-set.js';
import type { XlateCacheEntry } from './cache.js';
import type { FrozenHash, FrozenState, FrozenStep } from './freeze.js';
import { SamplingState } from './sampling-state.js';
import { type TraceNode, type TraceNodeType, traceNode } from './trace.js';

/** Resubmits into the same or an earlier table may nest this deep. */
export const MAX_DEPTH = 64;
/** Resubmits in one translation. */
export const MAX_RESUBMITS = MAX_DEPTH * MAX_DEPTH;
/** Datapath actions of one translation: a packet that asks for more is cut off there. */
export const MAX_ODP_ACTIONS = 4096;
/** Bits on the stack of stack_push, in entries. */
export const MAX_STACK = 4096;

/** Why a translation failed: the packet is dropped. Names as Open vSwitch prints them. */
export const XLATE_ERRORS = {
  ok: 'OK',
  'recursion-too-deep': 'Recursion too deep',
  'too-many-resubmits': 'Too many resubmits',
  'stack-too-deep': 'Stack too deep',
  'no-recirculation-context': 'No recirculation context',
  'too-many-mpls-labels': 'Too many MPLS labels',
} as const;
export type XlateError = keyof typeof XLATE_ERRORS;

/** What to translate. */
export interface XlateIn {
  ofproto: Ofproto;
  /** The packet's key with the OpenFlow port in W_IN_PORT; not changed. */
  flow: FlowWords;
  /** Actions in place of a table lookup (packet-out, trace with actions). */
  actions?: readonly OfAction[];
  /** A packet-out: sending to the controller gives that as the reason. */
  inPacketOut?: boolean;
  /** Learning and logging are wanted: false for revalidation and for a trace without packet. */
  sideEffects: boolean;
  /** There is a packet, so problems with it are worth a log line. */
  hasPacket: boolean;
  /** The frame itself, for the protocols that the switch takes part in. */
  packet?: Uint8Array;
  /** A paused packet goes on from here; `flow` has its headers and metadata. */
  resume?: FrozenState;
  /** Gets the trace's nodes. */
  trace?: TraceNode[];
  /** Shows ports of the traced bridge by name. */
  names?: NameMap;
}

/** What translation gives. */
export interface XlateOut {
  actions: OdpAction[];
  /** Bits consulted, in the layout of the key, without OpenFlow's own metadata. The caller's now:
   * to keep, or to give back to the pool. */
  wc: FlowWords;
  /** Set: the datapath must send each packet up. */
  slow: SlowPathReason | null;
  /** Set: the datapath's meter that packets on the slow path pass. */
  slowMeter: number | null;
  /** What the datapath's statistics belong to. */
  cache: XlateCacheEntry[];
  /** Numbers of the controller actions in `actions` (OfprotoBacker.controllerActions). */
  controllerIds: number[];
  /** Numbers of frozen translations in `actions` (OfprotoBacker.frozenStates). */
  recircIds: number[];
  error: XlateError;
  /** What was translated must not be kept: the next packet may have another result. */
  avoidCaching: boolean;
  /** The flow at the end of the first bridge's pipeline; for traces alone. */
  finalFlow: FlowWords | null;
}

const log = getLogger('ofproto_dpif_xlate');

/** Bounds of one translation. */
export const LIMITS = {
  depth: MAX_DEPTH,
  resubmits: MAX_RESUBMITS,
  actions: MAX_ODP_ACTIONS,
} as const;

export class XlateContext {
  readonly limits = LIMITS;
  flow: FlowWords;
  readonly base: FlowWords;
  readonly wc: FlowWords = takeZeroFlow();
  private list: OdpAction[] = [];
  readonly cache: XlateCacheEntry[] = [];
  readonly controllerIds: number[] = [];
  readonly recircIds: number[] = [];
  /** The bridge whose pipeline the packet is in. */
  ofproto: Ofproto;
  trace: TraceNode[] | null;
  slow: SlowPathReason | null = null;
  error: XlateError = 'ok';
  exit = false;
  rule: Rule | null = null;
  tableId = 0;
  depth = 0;
  resubmits = 0;
  stack: Uint8Array[] = [];
  actionSet: OfAction[] = [];
  inActionSet = false;
  inBucket = false;
  /** Nothing comes after the action that is being executed. */
  last = true;
  /** The last label was popped: what is behind it is not known yet. */
  wasMpls = false;
  /** The translation is being stopped (freeze.ts); `exit` is set too. */
  freezing = false;
  avoidCaching = false;
  readonly sampling = new SamplingState();
  /** Mirrors (bits) of the current bridge that have the packet, or must not get it. */
  mirrors = 0;
  /** Bytes that outputs are cut to while a mirror's copy is made; 0: not cut. */
  mirrorSnaplen = 0;
  frozenHash: FrozenHash | null = null;
  /** The controller that gets the packet when the translation stops for it. */
  pause: Extract<OfAction, { type: 'controller' }> | null = null;
  frozenSteps: FrozenStep[] = [];

  constructor(readonly xin: XlateIn) {
    this.flow = takeFlowCopy(xin.flow);
    this.flow[W_ACTSET_OUTPUT] = OFPP_UNSET_WORD;
    this.base = takeFlowCopy(xin.flow);
    this.ofproto = xin.ofproto;
    this.trace = xin.trace ?? null;
  }

  get inPort(): number {
    return this.flow[W_IN_PORT] >>> 0;
  }

  port(ofPort: number): OfPort | null {
    return this.ofproto.portByNo(ofPort);
  }

  /** Datapath actions so far. */
  get actions(): OdpAction[] {
    return this.list;
  }

  /** Makes further actions go to another list. @returns the one before */
  redirect(list: OdpAction[]): OdpAction[] {
    const old = this.list;
    this.list = list;
    return old;
  }

  emit(action: OdpAction): void {
    this.list.push(action);
  }

  /**
   * The packet's tags are no longer as they came: what is done to them depends on all of their
   * bits, and a tag's place may not be where the packet had it.
   */
  touchTags(): void {
    const { flow } = this.xin;
    for (const word of [W_VLAN0, W_VLAN1]) if ((flow[word] & VLAN_CFI) !== 0) this.wc[word] = -1;
  }

  /** Whether somebody wants to know of each step. */
  get traces(): boolean {
    return this.trace !== null;
  }

  /** Adds a line to the trace, if there is one. */
  report(type: TraceNodeType, text: string): void {
    if (this.trace !== null) traceNode(this.trace, type, text);
  }

  /** A line that other lines go under until `leave` gets the returned value back. */
  enter(type: TraceNodeType, text: string): TraceNode[] | null {
    const old = this.trace;
    if (old !== null) this.trace = traceNode(old, type, text).subs;
    return old;
  }

  leave(old: TraceNode[] | null): void {
    this.trace = old;
  }

  /** A problem worth a warning in the log when a packet met it. */
  reportError(text: string): void {
    if (this.trace !== null) traceNode(this.trace, 'error', text);
    else if (this.xin.hasPacket) this.ofproto.backer.packetWarnings.warn(this.whilst(text));
  }

  /** Something that surprises users often enough to be logged at info level. */
  reportInfo(text: string): void {
    if (this.trace !== null) traceNode(this.trace, 'warn', text);
    else if (this.xin.hasPacket) this.ofproto.backer.packetNotes.info(this.whilst(text));
  }

  /** Whether reportDebug would show its text to anyone. */
  get wantsDebug(): boolean {
    return this.trace !== null || log.enabled('dbg');
  }

  reportDebug(text: string): void {
    if (this.trace !== null) traceNode(this.trace, 'detail', text);
    else if (this.xin.hasPacket && log.enabled('dbg'))
      log.dbg(`bridge ${this.ofproto.name}: ${text}`);
  }

  private whilst(text: string): string {
    return `${text} on bridge ${this.ofproto.name} while processing ${formatFlowText(this.base)}`;
  }
}
