/**
 * What the generator sends.
 *
 *     burst: virtio_net_hdr (GSO: UDP, bytes of a payload) | headers | payload | payload | ...
 *     probe: virtio_net_hdr (nothing to do)                | headers | magic, number, time
 *
 * A burst is equal frames of one flow, as one segment that the kernel cuts up before the interface
 * sees it: frame by frame, the generator's thread would be slower than what it measures.
 */
import { VNET_HDR_LEN } from '../../native/binding.js';

export interface TrafficOptions {
  sourceMac: string;
  sinkMac: string;
  /** Frames of these lengths (without FCS), bursts of one after the other: an IMIX has several. */
  frameBytes: readonly number[];
  /** Frames of a burst at most. */
  burst: number;
  /** IEEE 802.1Q VLAN, or null: no tag. */
  vlan: number | null;
  ipv6: boolean;
}

/** UDP destination ports: discard, and probes. */
export const LOAD_PORT = 9;
export const PROBE_PORT = 10;
/** Bytes of a probe's payload: number (4), pad (4), time sent (a double, us). */
export const PROBE_BYTES = 16;

const PORTS_PER_ADDRESS = 50_000;
const FIRST_PORT = 10_000;
const ETHERNET_BYTES = 14;
const VLAN_BYTES = 4;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const UDP_BYTES = 8;
const UDP = 17;
/** Bytes of payload in a burst, so that ten thousand flows do not take all memory. */
const BURST_BYTES = 6000;
const NEEDS_CSUM = 1;
const GSO_UDP_L4 = 5;

export function headerBytes({ vlan, ipv6 }: TrafficOptions): number {
  const tag = vlan === null ? 0 : VLAN_BYTES;
  return ETHERNET_BYTES + tag + (ipv6 ? IPV6_BYTES : IPV4_BYTES) + UDP_BYTES;
}

/** Frames of a burst of frames of this length. */
export function burstFrames(options: TrafficOptions, frameBytes: number): number {
  const payload = Math.max(1, frameBytes - headerBytes(options));
  return Math.min(options.burst, Math.max(1, Math.floor(BURST_BYTES / payload)));
}

/**
 * A burst with its virtio header.
 * @param flow number of the flow: decides source port and, for many flows, source address
 */
export function buildBurst(options: TrafficOptions, frameBytes: number, flow: number): Buffer {
  const payload = Math.max(1, frameBytes - headerBytes(options));
  const frames = burstFrames(options, frameBytes);
  const burst = build(options, flow, LOAD_PORT, payload * frames);
  if (frames > 1) {
    burst[1] = GSO_UDP_L4;
    burst.writeUInt16LE(headerBytes(options), 2);
    burst.writeUInt16LE(payload, 4);
  }
  return burst;
}

/** A probe with its virtio header; the caller fills in the last PROBE_BYTES. */
export function buildProbe(options: TrafficOptions): Buffer {
  return build(options, 0, PROBE_PORT, PROBE_BYTES);
}

function build(options: TrafficOptions, flow: number, port: number, payload: number): Buffer {
  const { sourceMac, sinkMac, vlan, ipv6 } = options;
  const headers = headerBytes(options);
  const bytes = Buffer.alloc(VNET_HDR_LEN + headers + payload);
  const frame = bytes.subarray(VNET_HDR_LEN);
  Buffer.from(sinkMac.replaceAll(':', ''), 'hex').copy(frame, 0);
  Buffer.from(sourceMac.replaceAll(':', ''), 'hex').copy(frame, 6);
  let at = ETHERNET_BYTES;
  if (vlan !== null) {
    frame.writeUInt16BE(0x8100, 12);
    frame.writeUInt16BE(vlan, 14);
    at += VLAN_BYTES;
  }
  frame.writeUInt16BE(ipv6 ? 0x86dd : 0x0800, at - 2);
  const network = frame.subarray(at, headers - UDP_BYTES);
  const udp = frame.subarray(headers - UDP_BYTES);
  const addresses = ipv6 ? ipv6Header(network, udp.length, flow) : ipv4Header(network, udp, flow);
  udp.writeUInt16BE(FIRST_PORT + (flow % PORTS_PER_ADDRESS), 0);
  udp.writeUInt16BE(port, 2);
  udp.writeUInt16BE(udp.length, 4);
  // The kernel finishes the checksum for each frame, and wants the pseudo header's part.
  udp.writeUInt16BE(sum16(addresses, UDP + udp.length), 6);
  bytes[0] = NEEDS_CSUM;
  bytes.writeUInt16LE(headers - UDP_BYTES, 6);
  bytes.writeUInt16LE(6, 8);
  return bytes;
}

/** Fills the header in; returns its addresses. The sink's stack never sees the frames. */
function ipv4Header(header: Buffer, udp: Buffer, flow: number): Buffer {
  header[0] = 0x45;
  header.writeUInt16BE(IPV4_BYTES + udp.length, 2);
  header[8] = 64;
  header[9] = UDP;
  // Source: TEST-NET-2 (RFC 5737).
  header.writeUInt32BE(0xc6336401 + Math.floor(flow / PORTS_PER_ADDRESS), 12);
  header.writeUInt32BE(0x0a630002, 16);
  header.writeUInt16BE(~sum16(header, 0) & 0xffff, 10);
  return header.subarray(12);
}

function ipv6Header(header: Buffer, length: number, flow: number): Buffer {
  header[0] = 0x60;
  header.writeUInt16BE(length, 4);
  header[6] = UDP;
  header[7] = 64;
  // Documentation prefix (RFC 3849).
  header.writeUInt32BE(0x20010db8, 8);
  header.writeUInt32BE(1 + Math.floor(flow / PORTS_PER_ADDRESS), 20);
  header.writeUInt32BE(0x20010db8, 24);
  header.writeUInt32BE(0xffff, 36);
  return header.subarray(8);
}

/** The one's complement sum of 16-bit words. */
function sum16(bytes: Buffer, start: number): number {
  let sum = start;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
