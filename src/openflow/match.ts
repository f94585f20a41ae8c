/**
 * A match: values and mask over the flow layout (src/packet/flow-layout.ts).
 *
 * Invariant: value bits outside the mask are zero, so two equal matches have equal words.
 * In matches of the OpenFlow layer W_IN_PORT holds the OpenFlow port number.
 */
import { FLOW_WORDS, type FlowWords, newFlow } from '../packet/flow-layout.js';

export interface Match {
  flow: FlowWords;
  mask: FlowWords;
}

/** A match that every packet satisfies. */
export function matchAny(): Match {
  return { flow: newFlow(), mask: newFlow() };
}

export function matchClone(match: Match): Match {
  return { flow: match.flow.slice(), mask: match.mask.slice() };
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
