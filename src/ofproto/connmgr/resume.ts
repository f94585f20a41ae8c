/**
 * Packets that pause at a controller: what goes out with them, and what happens when they come
 * back.
 *
 *     controller(pause) --> packet-in with continuation --> controller --> resume --> rest of the
 *                                                                                     actions
 *
 * The continuation is opaque: it names the frozen translation (xlate/freeze.ts) by its number, in
 * the form of the property for a cookie, so that tools that look into it find it well formed.
 */
import { fail } from '../../openflow/errors.js';
import type { NxResume } from '../../openflow/messages.js';
import { extractFlow } from '../../packet/extract.js';
import { W_DP_HASH, W_IN_PORT } from '../../packet/flow-layout.js';
import type { ControllerActionState } from '../controller-actions.js';
import type { Ofproto } from '../ofproto.js';
import { pushStats } from '../xlate/cache.js';
import { translate } from '../xlate/translate.js';

const PROPERTY_COOKIE = 0x8005;
const PROPERTY_BYTES = 16;

/** What a paused packet is sent with; undefined for any other. */
export function continuationOf({ resume }: ControllerActionState): Uint8Array | undefined {
  if (resume === undefined) return undefined;
  const bytes = new Uint8Array(PROPERTY_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, PROPERTY_COOKIE);
  view.setUint16(2, PROPERTY_BYTES);
  view.setUint32(12, resume);
  return bytes;
}

/** Goes on with a packet that a controller gives back. @throws OfpError NXR_STALE */
export function resumePacket(ofproto: Ofproto, msg: NxResume): void {
  const { data, metadata, continuation } = msg;
  if (continuation.length !== PROPERTY_BYTES) fail('NXR_STALE');
  const view = new DataView(continuation.buffer, continuation.byteOffset, PROPERTY_BYTES);
  if (view.getUint16(0) !== PROPERTY_COOKIE) fail('NXR_STALE');
  const state = ofproto.backer.recircIds.get(view.getUint32(12))?.frozen ?? fail('NXR_STALE');
  const flow = extractFlow(data);
  flow[W_IN_PORT] = metadata.flow[W_IN_PORT];
  for (let i = W_DP_HASH; i < flow.length; i++) flow[i] = metadata.flow[i];
  const out = translate({
    ofproto: state.ofproto,
    flow,
    resume: { ...state, flow },
    sideEffects: true,
    hasPacket: true,
  });
  const usedMs = ofproto.clock.now();
  pushStats(out.cache, { packets: 1, bytes: data.length, usedMs });
  if (out.actions.length === 0) return;
  const key = flow.slice();
  key[W_IN_PORT] = state.ofproto.portByNo(flow[W_IN_PORT] >>> 0)?.odpPort ?? 0;
  ofproto.backer.dpif.execute({ data }, key, out.actions);
}
