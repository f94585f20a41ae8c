/**
 * Port numbers of OpenFlow 1.1 and later.
 */
import { OFPP } from '../actions.js';
import { fail } from '../errors.js';
import type { Reader } from './buffer.js';
import { codecWarning } from './warnings.js';

/** Numbers end where those of 1.0 do; from here on there are none but the reserved ones. */
const PORTS_MAX = 0xff00;

/** Whether there may be such a port; says so in the log if not. */
export function portExists(port: number): boolean {
  if (port < PORTS_MAX || port >= OFPP.MAX) return true;
  codecWarning('ofp_port', () => {
    const reserved = `0x${OFPP.MAX.toString(16)} through 0xffffffff`;
    return `port ${port} is outside the supported range 0 through ${PORTS_MAX - 1} or ${reserved}`;
  });
  return false;
}

/** A port of 1.1 and later messages. */
export function getPort32(r: Reader): number {
  const port = r.u32();
  if (!portExists(port)) fail('OFPBAC_BAD_OUT_PORT');
  return port;
}
