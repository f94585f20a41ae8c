/** One UDP frame of the generator, with the checksum of the IPv4 header; UDP's own is left 0. */

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

/** @param flow number of the flow: decides source port and, for many flows, source address */
export function buildUdpFrame(options: UdpFrameOptions, flow: number): Buffer {
  const { sourceMac, sinkMac, frameBytes } = options;
  const frame = Buffer.alloc(frameBytes);
  Buffer.from(sinkMac.replaceAll(':', ''), 'hex').copy(frame, 0);
  Buffer.from(sourceMac.replaceAll(':', ''), 'hex').copy(frame, 6);
  frame.writeUInt16BE(0x0800, 12);
  const ip = frame.subarray(ETHERNET_BYTES, ETHERNET_BYTES + IPV4_BYTES);
  ip[0] = 0x45;
  ip.writeUInt16BE(frameBytes - ETHERNET_BYTES, 2);
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
  return frame;
}

function headerChecksum(header: Buffer): number {
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
