/**
 * Captures: reading the pcap stream that tcpdump writes, and writing pcapng files. Pure functions
 * over bytes; times are nanoseconds since 1970.
 *
 *     pcapng  section header | interface description ... | enhanced packet ... (with a comment)
 *
 * Source: draft-ietf-opsawg-pcapng (blocks and options), pcap-savefile(5).
 */

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const ENHANCED_PACKET = 6;
const BYTE_ORDER = 0x1a2b3c4d;
const LINKTYPE_ETHERNET = 1;
const OPT_COMMENT = 1;
const SHB_USERAPPL = 4;
const IF_NAME = 2;
const IF_DESCRIPTION = 3;
const IF_TSRESOL = 9;
/** Times in nanoseconds: 10^-9. */
const NANOSECONDS = 9;

type Option = readonly [code: number, value: string | number];

function pad(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

function encodeOptions(options: readonly Option[]): Buffer {
  if (options.length === 0) return Buffer.alloc(0);
  const parts = options.map(([code, value]) => {
    const bytes = typeof value === 'number' ? Buffer.of(value) : Buffer.from(value, 'utf8');
    const head = Buffer.alloc(4);
    head.writeUInt16LE(code, 0);
    head.writeUInt16LE(bytes.length, 2);
    return Buffer.concat([head, pad(bytes)]);
  });
  return Buffer.concat([...parts, Buffer.alloc(4)]);
}

function block(type: number, body: Buffer): Buffer {
  const length = 12 + body.length;
  const out = Buffer.alloc(length);
  out.writeUInt32LE(type, 0);
  out.writeUInt32LE(length, 4);
  body.copy(out, 8);
  out.writeUInt32LE(length, length - 4);
  return out;
}

/** The beginning of a file. @param program what made it */
export function sectionHeader(program: string): Buffer {
  const fixed = Buffer.alloc(16);
  fixed.writeUInt32LE(BYTE_ORDER, 0);
  fixed.writeUInt16LE(1, 4);
  // The section's length is not known.
  fixed.fill(0xff, 8);
  return block(SECTION_HEADER, Buffer.concat([fixed, encodeOptions([[SHB_USERAPPL, program]])]));
}

export function interfaceBlock(name: string, description: string, snaplen: number): Buffer {
  const fixed = Buffer.alloc(8);
  fixed.writeUInt16LE(LINKTYPE_ETHERNET, 0);
  fixed.writeUInt32LE(snaplen, 4);
  const options = [
    [IF_NAME, name],
    [IF_DESCRIPTION, description],
    [IF_TSRESOL, NANOSECONDS],
  ] as const;
  return block(INTERFACE_DESCRIPTION, Buffer.concat([fixed, encodeOptions(options)]));
}

export interface CapturedPacket {
  timeNs: bigint;
  /** What was captured, and how long the packet was. */
  data: Uint8Array;
  length: number;
}

/** @param port index of the interface block @param comment shown with the packet */
export function packetBlock(packet: CapturedPacket, port = 0, comment?: string): Buffer {
  const fixed = Buffer.alloc(20);
  fixed.writeUInt32LE(port, 0);
  fixed.writeUInt32LE(Number(packet.timeNs >> 32n), 4);
  fixed.writeUInt32LE(Number(packet.timeNs & 0xffffffffn), 8);
  fixed.writeUInt32LE(packet.data.length, 12);
  fixed.writeUInt32LE(packet.length, 16);
  const options = encodeOptions(comment === undefined ? [] : [[OPT_COMMENT, comment]]);
  return block(ENHANCED_PACKET, Buffer.concat([fixed, pad(Buffer.from(packet.data)), options]));
}

const PCAP_HEADER_BYTES = 24;
const PCAP_RECORD_BYTES = 16;
const PCAP_MICROSECONDS = 0xa1b2c3d4;
const PCAP_NANOSECONDS = 0xa1b23c4d;
/** No frame is longer: a larger length is no pcap. */
const PACKET_BYTES_MAX = 1 << 20;

/** Takes a pcap stream apart as it comes; little-endian, as tcpdump on this machine writes it. */
export class PcapReader {
  private rest: Buffer = Buffer.alloc(0);
  private nsPerTick = 0n;

  /** @returns the packets that are whole by now @throws Error when the stream is no pcap */
  push(chunk: Buffer): CapturedPacket[] {
    this.rest = Buffer.concat([this.rest, chunk]);
    const packets: CapturedPacket[] = [];
    if (this.nsPerTick === 0n && !this.readHeader()) return packets;
    for (let packet = this.next(); packet !== null; packet = this.next()) packets.push(packet);
    return packets;
  }

  private readHeader(): boolean {
    if (this.rest.length < PCAP_HEADER_BYTES) return false;
    const magic = this.rest.readUInt32LE(0);
    if (magic === PCAP_NANOSECONDS) this.nsPerTick = 1n;
    else if (magic === PCAP_MICROSECONDS) this.nsPerTick = 1000n;
    else throw new Error('tcpdump wrote no pcap');
    this.rest = this.rest.subarray(PCAP_HEADER_BYTES);
    return true;
  }

  private next(): CapturedPacket | null {
    if (this.rest.length < PCAP_RECORD_BYTES) return null;
    const captured = this.rest.readUInt32LE(8);
    if (captured > PACKET_BYTES_MAX) throw new Error('tcpdump wrote no pcap');
    if (this.rest.length < PCAP_RECORD_BYTES + captured) return null;
    const seconds = BigInt(this.rest.readUInt32LE(0));
    const fraction = BigInt(this.rest.readUInt32LE(4)) * this.nsPerTick;
    const length = this.rest.readUInt32LE(12);
    const data = this.rest.subarray(PCAP_RECORD_BYTES, PCAP_RECORD_BYTES + captured);
    this.rest = this.rest.subarray(PCAP_RECORD_BYTES + captured);
    return { timeNs: seconds * 1_000_000_000n + fraction, data, length };
  }
}
