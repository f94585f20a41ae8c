/**
 * Packets of protocols that the switch itself takes part in: they go up to the main thread, each of
 * them, and no table sees them.
 */
import { ETH_TYPE_LACP } from '../../packet/flow-layout.js';
import { dlType, vlanCount } from '../flow-access.js';
import { MAC_SLOW_PROTOCOLS } from '../lacp-pdu.js';
import type { OfPort } from '../port.js';
import type { XlateContext } from './context.js';

const ETH_HEADER_BYTES = 14;
const TAG_BYTES = 4;

/**
 * Gives the packet to the protocol that it belongs to, if any.
 * @param port where it came in
 * @returns true when nothing else may be done with it
 */
export function processSpecial(ctx: XlateContext, port: OfPort | null): boolean {
  if (!port?.bundle?.lacp || dlType(ctx.flow) !== ETH_TYPE_LACP) return false;
  const { packet } = ctx.xin;
  if (packet !== undefined) {
    receiveSlowFrame(port, packet, ETH_HEADER_BYTES + TAG_BYTES * vlanCount(ctx.flow));
  }
  ctx.slow = 'lacp';
  return true;
}

/** A frame of the slow protocols' type that came in on `port`. */
function receiveSlowFrame(port: OfPort, frame: Uint8Array, headerBytes: number): void {
  const { bundle, device } = port;
  const addressed = MAC_SLOW_PROTOCOLS.every((byte, i) => frame[i] === byte);
  const enable = bundle?.lacp?.receive(device, frame.subarray(headerBytes), addressed) ?? false;
  // Packets that follow at once must not be dropped until the main loop's next turn.
  if (enable) bundle?.bond?.setMayEnable(device, true);
  port.ofproto.backer.wake();
}
