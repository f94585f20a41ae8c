/**
 * Port numbers of OpenFlow 1.1 and later.
 */
import { OFPP } from '../actions.js';
import { fail } from '../errors.js';
import type { Reader } from './buffer.js';

/** Ports of 1.1 and later messages: ours end where 1.0's do. */
export function getPort32(r: Reader): number {
  const port = r.u32();
  if (port >= 0xff00 && port < OFPP.MAX) fail('OFPBAC_BAD_OUT_PORT');
  return port;
}
