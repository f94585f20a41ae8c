/**
 * Flow arrays to borrow: translation needs several for a moment, and arrays of this size live
 * outside of the JavaScript heap, where making and collecting them costs more than the
 * translation itself.
 *
 * Whoever takes one gives it back, or keeps it for good; nothing is lost by the latter but the
 * reuse.
 */
import { type FlowWords, newFlow } from '../packet/flow-layout.js';

const POOL_MAX = 64;
const free: FlowWords[] = [];

/** An array of zeros. */
export function takeZeroFlow(): FlowWords {
  const flow = free.pop();
  return flow === undefined ? newFlow() : flow.fill(0);
}

/** A copy of `from`. */
export function takeFlowCopy(from: FlowWords): FlowWords {
  const flow = free.pop() ?? newFlow();
  flow.set(from);
  return flow;
}

/** Ends a loan: the giver must not look at the array again. */
export function giveFlow(flow: FlowWords): void {
  if (free.length < POOL_MAX) free.push(flow);
}
