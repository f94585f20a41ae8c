/**
 * What the generator sends: a burst of equal UDP frames of one flow, as one segment that the
 * kernel cuts up (UDP GSO) before the interface sees it.
 *
 *     virtio_net_hdr (GSO: UDP, size of a payload) | Ethernet | IPv4 | UDP | payload | payload ...
 *
 * Frame by frame, the generator's thread would be slower than what it measures.
 */
import { VNET_HDR_LEN } from '../../native/binding.js';

export interface UdpFrameOptions {
  sourceMac: string;
  sinkMac: string;
  /** Whole frame without FCS: at least 42. */
  frameBytes: number;
}

const PORTS_PER_ADDRESS = 50_000;
const FIRST_PORT = 10_000;
const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const UDP_BYTES = 8;
const HEADER_BYTES = ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES;
/** Bytes of payload in a burst, so that ten thousand flows do not take all memory. */
const BURST_BYTES = 6000;
const BURST_FRAMES = 16;
const NEEDS_CSUM = 1;
const GSO_UDP_L4 = 5;

/** Frames of a burst. */
export function burstFrames(frameBytes: number): number {
  const payload = Math.max(1, frameBytes - HEADER_BYTES);
  return Math.min(BURST_FRAMES, Math.max(2, Math.floor(BURST_BYTES / payload)));
}

/**
 * A burst with its virtio header.
 * @param flow number of the flow: decides source port and, for many flows, source address
 */
export function buildBurst(options: UdpFrameOptions, flow: number): Buffer {
  const { sourceMac, sinkMac, frameBytes } = options;
  const payload = Math.max(1, frameBytes - HEADER_BYTES);
  const burst = Buffer.alloc(VNET_HDR_LEN + HEADER_BYTES + payload * burstFrames(frameBytes));
  burst[0] = NEEDS_CSUM;
  burst[1] = GSO_UDP_L4;
  burst.writeUInt16LE(HEADER_BYTES, 2);
  burst.writeUInt16LE(payload, 4);
  burst.writeUInt16LE(ETHERNET_BYTES + IPV4_BYTES, 6);
  burst.writeUInt16LE(6, 8); // where UDP has its checksum
  const frame = burst.subarray(VNET_HDR_LEN);
  Buffer.from(sinkMac.replaceAll(':', ''), 'hex').copy(frame, 0);
  Buffer.from(sourceMac.replaceAll(':', ''), 'hex').copy(frame, 6);
  frame.writeUInt16BE(0x0800, 12);
  const ip = frame.subarray(ETHERNET_BYTES, ETHERNET_BYTES + IPV4_BYTES);
  ip[0] = 0x45;
  ip.writeUInt16BE(frame.length - ETHERNET_BYTES, 2);
  ip[8] = 64; // TTL
  ip[9] = 17; // UDP
  // TEST-NET-2 (RFC 5737) as source; the sink's stack never sees the frame (see measures.ts).
  ip.writeUInt32BE(0xc6336401 + Math.floor(flow / PORTS_PER_ADDRESS), 12);
  ip.writeUInt32BE(0x0a630002, 16);
  ip.writeUInt16BE(headerChecksum(ip), 10);
  const udp = frame.subarray(ETHERNET_BYTES + IPV4_BYTES);
  udp.writeUInt16BE(FIRST_PORT + (flow % PORTS_PER_ADDRESS), 0);
  udp.writeUInt16BE(9, 2); // discard
  udp.writeUInt16BE(udp.length, 4);
  // The kernel finishes it for each frame, and wants the pseudo header's part.
  udp.writeUInt16BE(sum16(ip.subarray(12), ip[9] + udp.length), 6);
  return burst;
}

function headerChecksum(header: Buffer): number {
  return ~sum16(header, 0) & 0xffff;
}

/** The one's complement sum of 16-bit words. */
function sum16(bytes: Buffer, start: number): number {
  let sum = start;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
