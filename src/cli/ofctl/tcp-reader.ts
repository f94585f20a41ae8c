/**
 * Byte streams out of captured TCP segments, as far as they come in order: what a capture lacks or
 * has twice is passed over. Not for: IPv6, and segments out of order.
 */
import * as L from '../../packet/flow-layout.js';

const FIN_RST = 0x05;
const SYN = 0x02;
/** A peer that sends no whole message does not fill memory. */
const WAITING_BYTES_MAX = 1024 * 1024;
const STREAMS_MAX = 4096;

interface Stream {
  /** Number of the byte that comes next. */
  next: number;
  waiting: Uint8Array;
}

/** Where the TCP header of an IPv4 frame begins, and where its payload ends. */
function locate(frame: Uint8Array): { tcp: number; end: number } | null {
  const u16 = (at: number): number => (frame[at] << 8) | frame[at + 1];
  let at = 12;
  while (u16(at) === L.ETH_TYPE_VLAN_8021Q || u16(at) === L.ETH_TYPE_VLAN_8021AD) at += 4;
  const ip = at + 2;
  const tcp = ip + 4 * (frame[ip] & 0x0f);
  const end = Math.min(frame.length, ip + u16(ip + 2));
  return tcp + 20 > end ? null : { tcp, end };
}

export class TcpReader {
  private readonly streams = new Map<string, Stream>();

  /**
   * Takes a segment.
   * @param use is given the bytes that wait, again and again until it takes none of them
   */
  run(frame: Uint8Array, flow: L.FlowWords, use: (bytes: Uint8Array) => number): void {
    const place = locate(frame);
    if (place === null) return;
    const { tcp, end } = place;
    const view = new DataView(frame.buffer, frame.byteOffset);
    const flags = view.getUint8(tcp + 13);
    const seq = view.getUint32(tcp + 4);
    const data = frame.subarray(Math.min(end, tcp + 4 * (view.getUint8(tcp + 12) >> 4)), end);
    const key = `${flow[L.W_NW_SRC]}:${flow[L.W_NW_DST]}:${flow[L.W_TP]}`;
    let stream = this.streams.get(key);
    if (stream === undefined) {
      if ((flags & SYN) === 0 && data.length === 0) return;
      if (this.streams.size >= STREAMS_MAX) return;
      stream = { next: seq, waiting: new Uint8Array(0) };
      this.streams.set(key, stream);
    }
    if ((flags & SYN) !== 0) {
      stream.next = (seq + 1) >>> 0;
      stream.waiting = new Uint8Array(0);
    } else if ((flags & FIN_RST) !== 0) this.streams.delete(key);
    else if (seq === stream.next) this.append(stream, data, use);
  }

  private append(stream: Stream, data: Uint8Array, use: (bytes: Uint8Array) => number): void {
    stream.next = (stream.next + data.length) >>> 0;
    let bytes = new Uint8Array(stream.waiting.length + data.length);
    bytes.set(stream.waiting);
    bytes.set(data, stream.waiting.length);
    for (let taken = use(bytes); taken > 0; taken = use(bytes)) bytes = bytes.subarray(taken);
    stream.waiting = bytes.length > WAITING_BYTES_MAX ? new Uint8Array(0) : bytes;
  }
}
