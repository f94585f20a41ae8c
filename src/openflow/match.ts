/**
 * A match: values and mask over the flow layout (src/packet/flow-layout.ts).
 *
 * Invariant: value bits outside the mask are zero, so two equal matches have equal words.
 * In matches of the OpenFlow layer W_IN_PORT holds the OpenFlow port number.
 */
import { FLOW_WORDS, type FlowWords, sameWords, W_TUN_METADATA } from '../packet/flow-layout.js';
import { type TunMetadata, tunMetadataCovers } from './tun-options.js';

export interface Match {
  flow: FlowWords;
  mask: FlowWords;
  /** What it asks of tunnel options, if anything; set by tun-metadata.ts alone. */
  tunMetadata?: TunMetadata;
}

const FLOW_BYTES = FLOW_WORDS * Int32Array.BYTES_PER_ELEMENT;

/**
 * How many matches share a buffer: buffers, not words, are what allocating them costs. A match that
 * stays keeps its neighbours' room, so that they must be few.
 */
const MATCHES_PER_BUFFER = 8;
const BUFFER_BYTES = MATCHES_PER_BUFFER * FLOW_BYTES;

/** Masks lie apart: entries with equal masks share one, and the others' room is free again. */
let flows = new ArrayBuffer(BUFFER_BYTES);
let masks = new ArrayBuffer(BUFFER_BYTES);
let used = 0;

/** Matches that were given back. */
const SPARE_MAX = 64;
const spare: Match[] = [];

/**
 * Ends the life of a match that nobody looks at any more: its words are used again. A million
 * flow-mods need as many matches for a moment, and collecting those costs as much as decoding them.
 */
export function giveMatch(match: Match): void {
  if (spare.length === SPARE_MAX) return;
  match.tunMetadata = undefined;
  match.flow.fill(0);
  match.mask.fill(0);
  spare.push(match);
}

/** A match that every packet satisfies. */
export function matchAny(): Match {
  const given = spare.pop();
  if (given !== undefined) return given;
  if (used === BUFFER_BYTES) {
    flows = new ArrayBuffer(BUFFER_BYTES);
    masks = new ArrayBuffer(BUFFER_BYTES);
    used = 0;
  }
  const at = used;
  used += FLOW_BYTES;
  return {
    flow: new Int32Array(flows, at, FLOW_WORDS),
    mask: new Int32Array(masks, at, FLOW_WORDS),
    tunMetadata: undefined,
  };
}

export function matchClone(match: Match): Match {
  const copy = matchAny();
  copy.flow.set(match.flow);
  copy.mask.set(match.mask);
  copy.tunMetadata = match.tunMetadata;
  return copy;
}

export function matchEqual(a: Match, b: Match): boolean {
  return sameWords(a.mask, b.mask) && sameWords(a.flow, b.flow);
}

/** What a match says besides tunnel options. */
export function withoutTunMetadata(match: Match): Match {
  const rest = matchClone(match);
  rest.tunMetadata = undefined;
  rest.flow[W_TUN_METADATA] = 0;
  rest.mask[W_TUN_METADATA] = 0;
  return rest;
}

/** True when every packet that satisfies `inner` also satisfies `outer`. */
export function matchCovers(outer: Match, inner: Match): boolean {
  if (outer.tunMetadata !== undefined) {
    if (!tunMetadataCovers(outer.tunMetadata, inner.tunMetadata)) return false;
    return matchCovers(withoutTunMetadata(outer), inner);
  }
  for (let i = 0; i < FLOW_WORDS; i++) {
    if ((outer.mask[i] & ~inner.mask[i]) !== 0) return false;
    if (((outer.flow[i] ^ inner.flow[i]) & outer.mask[i]) !== 0) return false;
  }
  return true;
}
