/**
 * Capture files (libpcap): reading Ethernet and Linux cooked captures, writing Ethernet ones.
 * Source: draft-ietf-opsawg-pcap.
 */
import { readFileSync } from 'node:fs';
import { getLogger } from '../../common/log.js';
import { errorText } from './errors.js';

const log = getLogger('pcap');

const MAGIC_USEC = 0xa1b2c3d4;
const MAGIC_NSEC = 0xa1b23c4d;
const LINKTYPE_ETHERNET = 1;
const LINKTYPE_LINUX_SLL = 113;
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const SLL_HEADER_BYTES = 16;
const PACKET_BYTES_MAX = 0xffff;
const SNAPLEN = 1518;

export interface CapturedPacket {
  frame: Uint8Array;
  /** Milliseconds since 1970. */
  whenMs: number;
}

/** Thrown for a file that is no capture; `code` as errno names it. */
export class PcapError extends Error {
  constructor(readonly code: 'EPROTO' | 'EOF') {
    super(code === 'EOF' ? 'End of file' : 'Protocol error');
  }
}

function wrong(message: string, code: 'EPROTO' | 'EOF' = 'EPROTO'): never {
  log.warn(message);
  throw new PcapError(code);
}

function readAll(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (e) {
    log.warn(`${path}: failed to open pcap file for reading (${errorText(e)})`);
    throw e;
  }
}

const hex8 = (n: number): string => `0x${n.toString(16).padStart(8, '0')}`;

/**
 * The packets of a file, in order. Throws the error of reading the file, or PcapError, after having
 * logged what is wrong.
 */
export function* readPcap(path: string): Generator<CapturedPacket> {
  const data = readAll(path);
  if (data.length < FILE_HEADER_BYTES) wrong('failed to read pcap header: End of file', 'EOF');
  const magic = [data.readUInt32LE(0), data.readUInt32BE(0)];
  const little = magic[0] === MAGIC_USEC || magic[0] === MAGIC_NSEC;
  const native = little ? magic[0] : magic[1];
  if (native !== MAGIC_USEC && native !== MAGIC_NSEC) {
    const known = [MAGIC_USEC, MAGIC_NSEC, 0xd4c3b2a1, 0x4d3cb2a1].map(hex8);
    wrong(
      `bad magic ${hex8(magic[0])} reading pcap file ` +
        `(expected ${known.slice(0, 3).join(', ')}, or ${known[3]})`,
    );
  }
  const u32 = (at: number): number => (little ? data.readUInt32LE(at) : data.readUInt32BE(at));
  const network = u32(20);
  if (network !== LINKTYPE_ETHERNET && network !== LINKTYPE_LINUX_SLL) {
    wrong(`unknown network type ${network} reading pcap file`);
  }
  const perMs = native === MAGIC_USEC ? 1000 : 1_000_000;
  for (let at = FILE_HEADER_BYTES; at + RECORD_HEADER_BYTES <= data.length; ) {
    const length = u32(at + 8);
    if (length > PACKET_BYTES_MAX) wrong(`bad packet length ${length} reading pcap file`);
    const whenMs = u32(at) * 1000 + Math.floor(u32(at + 4) / perMs);
    at += RECORD_HEADER_BYTES;
    if (at + length > data.length) wrong('failed to read pcap packet: End of file', 'EOF');
    const bytes = new Uint8Array(data.subarray(at, at + length));
    at += length;
    yield { frame: network === LINKTYPE_ETHERNET ? bytes : fromCooked(bytes), whenMs };
  }
}

/** A frame for a packet of a cooked capture, which does not tell the destination's address. */
function fromCooked(bytes: Uint8Array): Uint8Array {
  if (bytes.length < SLL_HEADER_BYTES) wrong('pcap packet too short for SLL header');
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (view.getUint16(4) !== 6) wrong('bad SLL header');
  const frame = new Uint8Array(bytes.length - 2);
  frame.set(bytes.subarray(6, 12), 6);
  frame.set(bytes.subarray(14), 12);
  return frame;
}

/** A file of one packet, without a time. */
export function pcapOf(frame: Uint8Array): Uint8Array {
  const out = Buffer.alloc(FILE_HEADER_BYTES + RECORD_HEADER_BYTES + frame.length);
  out.writeUInt32LE(MAGIC_USEC, 0);
  out.writeUInt16LE(2, 4);
  out.writeUInt16LE(4, 6);
  out.writeUInt32LE(SNAPLEN, 16);
  out.writeUInt32LE(LINKTYPE_ETHERNET, 20);
  out.writeUInt32LE(frame.length, FILE_HEADER_BYTES + 8);
  out.writeUInt32LE(frame.length, FILE_HEADER_BYTES + 12);
  out.set(frame, FILE_HEADER_BYTES + RECORD_HEADER_BYTES);
  return out;
}
