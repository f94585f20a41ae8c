/**
 * A match: values and mask over the flow layout (src/packet/flow-layout.ts).
 *
 * Invariant: value bits outside the mask are zero, so two equal matches have equal words.
 * In matches of the OpenFlow layer W_IN_PORT holds the OpenFlow port number.
 */
import { FLOW_WORDS, type FlowWords } from '../packet/flow-layout.js';

export interface Match {
  flow: FlowWords;
  mask: FlowWords;
}

const FLOW_BYTES = FLOW_WORDS * Int32Array.BYTES_PER_ELEMENT;

/** A match that every packet satisfies. */
export function matchAny(): Match {
  // One buffer for both: buffers, not words, are what allocating them costs.
  const buffer = new ArrayBuffer(2 * FLOW_BYTES);
  return {
    flow: new Int32Array(buffer, 0, FLOW_WORDS),
    mask: new Int32Array(buffer, FLOW_BYTES, FLOW_WORDS),
  };
}

export function matchClone(match: Match): Match {
  const copy = matchAny();
  copy.flow.set(match.flow);
  copy.mask.set(match.mask);
  return copy;
}

export function matchEqual(a: Match, b: Match): boolean {
  for (let i = 0; i < FLOW_WORDS; i++) {
    if (a.mask[i] !== b.mask[i] || a.flow[i] !== b.flow[i]) return false;
  }
  return true;
}

/** True when every packet that satisfies `inner` also satisfies `outer`. */
export function matchCovers(outer: Match, inner: Match): boolean {
  for (let i = 0; i < FLOW_WORDS; i++) {
    if ((outer.mask[i] & ~inner.mask[i]) !== 0) return false;
    if (((outer.flow[i] ^ inner.flow[i]) & outer.mask[i]) !== 0) return false;
  }
  return true;
}
