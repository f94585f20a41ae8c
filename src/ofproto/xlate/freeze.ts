/**
 * Freezing and thawing: a translation that needs to know more about the packet than its key tells
 * stops, and goes on when the datapath gives the packet back with a new key.
 *
 *     actions: a, pop_mpls, b, c        datapath: ..., pop_mpls, recirc(0x5)
 *                          ^ frozen here          0x5 -> bridge, metadata, stack, action set,
 *                            steps: [b, c], and what was left of each enclosing list
 *
 * A controller that asked for a pause gets the packet instead, and gives it back by NXT_RESUME.
 * Equal states have the same number, so translating a flow again gives equal actions.
 */
import { type Clock, NEVER } from '../../common/clock.js';
import type { OfAction } from '../../openflow/actions.js';
import {
  type FlowWords,
  newFlow,
  W_IN_PORT,
  W_METADATA,
  W_TUN_ID,
} from '../../packet/flow-layout.js';
import type { Ofproto } from '../ofproto.js';
import type { RecircIds } from '../recirc-ids.js';
import type { Rule } from '../rule.js';
import { type NumberSource, StateNumbers } from '../state-numbers.js';
import { formatActionsText } from '../text.js';
import { executeActions, runActionSet } from './actions.js';
import { commitActions } from './commit.js';
import type { XlateContext } from './context.js';
import { controllerAction } from './output.js';

/** Actions that are left, and the entry that they belong to. */
export interface FrozenStep {
  rule: Rule | null;
  tableId: number;
  actions: readonly OfAction[];
}

export interface FrozenState {
  ofproto: Ofproto;
  tableId: number;
  /** Metadata words alone. */
  flow: FlowWords;
  stack: readonly Uint8Array[];
  actionSet: readonly OfAction[];
  /** Mirrors (bits) that have the packet. */
  mirrors: number;
  steps: readonly FrozenStep[];
}

/** The hash that the datapath is to compute on the way. */
export interface FrozenHash {
  algorithm: 'l4' | 'sym_l4';
  basis: number;
}

/** Numbers of frozen states. What a controller paused waits until it comes back, however late. */
export class FrozenStates {
  private readonly passing: StateNumbers<FrozenState>;
  private readonly paused: StateNumbers<FrozenState>;

  constructor(ids: RecircIds, clock: Clock) {
    const source: NumberSource<FrozenState> = {
      alloc: (state) =>
        ids.alloc({ ofproto: state.ofproto, tableId: state.tableId, frozen: state }),
      free: (id) => ids.free(id),
      now: () => clock.now(),
    };
    this.passing = new StateNumbers(source);
    this.paused = new StateNumbers(source, NEVER);
  }

  intern(state: FrozenState, isPause: boolean): number {
    return (isPause ? this.paused : this.passing).intern(keyOf(state), () => state);
  }

  /** An installed flow uses these states. */
  ref(ids: readonly number[]): void {
    this.passing.ref(ids);
    this.paused.ref(ids);
  }

  unref(ids: readonly number[]): void {
    this.passing.unref(ids);
    this.paused.unref(ids);
  }

  dropOfproto(ofproto: Ofproto): void {
    this.passing.dropWhere((state) => state.ofproto === ofproto);
    this.paused.dropWhere((state) => state.ofproto === ofproto);
  }

  run(now: number): void {
    this.passing.run(now);
  }

  nextWake(): number {
    return this.passing.nextWake();
  }
}

function keyOf(state: FrozenState): string {
  const plain = (_key: string, value: unknown): unknown => {
    if (typeof value === 'bigint') return `${value}n`;
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
  };
  const { ofproto, tableId, flow, stack, actionSet, mirrors, steps } = state;
  const words = [...flow].flatMap((word, i) => (word === 0 ? [] : [i, word]));
  const plainSteps = steps.map(({ rule, tableId: table, actions }) => {
    return [rule?.cookie, rule?.priority, table, actions];
  });
  const parts = [ofproto.name, tableId, words, stack, actionSet, mirrors, plainSteps];
  return JSON.stringify(parts, plain);
}

/** Stops the translation: what is left of every list is kept for later. */
export function triggerFreeze(ctx: XlateContext, hash: FrozenHash | null = null): void {
  ctx.exit = true;
  ctx.freezing = true;
  ctx.frozenHash = hash;
}

/** Keeps what is left of a list while the translation stops. */
export function freezeRest(ctx: XlateContext, actions: readonly OfAction[]): void {
  if (actions.length > 0) {
    ctx.frozenSteps.push({ rule: ctx.rule, tableId: ctx.tableId, actions });
  }
}

/** Gives the state a number and emits the recirculation that brings the packet back to it. */
export function finishFreezing(ctx: XlateContext): void {
  commitActions(ctx);
  const { frozenHash, pause } = ctx;
  const id = ctx.ofproto.backer.frozenStates.intern(frozenState(ctx), pause !== null);
  ctx.recircIds.push(id);
  if (pause !== null) {
    const { maxLen, reason, controllerId, userdata } = pause;
    const silent = ctx.trace !== null && !ctx.xin.sideEffects;
    if (!silent) controllerAction(ctx, maxLen, reason, controllerId, { userdata, resume: id });
  } else {
    if (frozenHash !== null) ctx.emit({ type: 'hash', ...frozenHash });
    ctx.emit({ type: 'recirc', id });
  }
  ctx.pause = null;
  ctx.freezing = false;
  ctx.frozenHash = null;
  ctx.frozenSteps = [];
}

function frozenState(ctx: XlateContext): FrozenState {
  const flow = newFlow();
  flow[W_IN_PORT] = ctx.flow[W_IN_PORT];
  for (let i = W_TUN_ID; i < flow.length; i++) flow[i] = ctx.flow[i];
  return {
    ofproto: ctx.ofproto,
    tableId: 0,
    flow,
    stack: [...ctx.stack],
    actionSet: [...ctx.actionSet],
    mirrors: ctx.mirrors,
    steps: ctx.frozenSteps,
  };
}

/** Goes on where a translation was frozen. */
export function thaw(ctx: XlateContext, state: FrozenState): void {
  const { flow } = ctx;
  const trace = ctx.enter('thaw', 'thaw');
  flow[W_IN_PORT] = state.flow[W_IN_PORT];
  for (let i = W_METADATA; i < flow.length; i++) flow[i] = state.flow[i];
  for (let i = W_TUN_ID; i < W_METADATA; i++) flow[i] = state.flow[i];
  ctx.tableId = state.tableId;
  ctx.report('thaw', `Resuming from table ${state.tableId}`);
  ctx.stack = [...state.stack];
  ctx.mirrors = state.mirrors;
  ctx.actionSet = [...state.actionSet];
  if (ctx.trace !== null) {
    if (state.actionSet.length > 0) {
      ctx.report('thaw', `Restoring action set: ${formatActionsText(state.actionSet)}`);
    }
    const all = state.steps.flatMap((step) => step.actions);
    if (all.length > 0) ctx.report('thaw', `Restoring actions: ${formatActionsText(all)}`);
  }
  ctx.leave(trace);
  for (const [i, { rule, tableId, actions }] of state.steps.entries()) {
    if (ctx.error !== 'ok') return;
    if (ctx.exit) {
      if (ctx.freezing) ctx.frozenSteps.push(...state.steps.slice(i));
      break;
    }
    ctx.rule = rule;
    ctx.tableId = tableId;
    executeActions(ctx, actions);
  }
  if (!ctx.freezing) runActionSet(ctx);
}
