/**
 * Packets of protocols that the switch itself takes part in: they go up to the main thread, each of
 * them, and no table sees them.
 */
import { ETH_TYPE_LACP } from '../../packet/flow-layout.js';
import { receiveSlowFrame } from '../bundle-run.js';
import { dlType, vlanCount } from '../flow-access.js';
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
