/** The flow that a frame belongs to, in the syntax that a trace takes; without its port. */
import { formatFlow } from '../../openflow/syntax/packet-format.js';
import { extractFlow } from '../../packet/extract.js';

/** A frame's shortest: below there is no Ethernet header. */
const ETH_HEADER_LEN = 14;

/** '' for what is no frame. */
export function flowOfPacket(frame: Uint8Array): string {
  if (frame.length < ETH_HEADER_LEN) return '';
  return formatFlow(extractFlow(frame)).trim();
}
