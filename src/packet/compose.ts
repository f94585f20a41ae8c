/**
 * A frame that has a given flow key: the inverse of extraction, for tests and traces.
 *
 * Whatever the key does not say is zero; lengths and checksums are right. TCP (without SYN, FIN and
 * RST), UDP and ICMP echo carry a payload.
 */
import { addToSum, finishSum, pseudoSum4, pseudoSum6 } from './checksum.js';
import * as L from './flow-layout.js';

const ETH_HEADER_BYTES = 14;
const TCP_SYN_FIN_RST = 0x07;
const MPLS_BOS = 0x100;
/** Where the checksum lies in each transport header. */
const CHECKSUM_AT: Readonly<Record<number, number>> = { 1: 2, 2: 2, 6: 16, 17: 6, 58: 2 };

/** Bytes that are put one behind the other. */
class Builder {
  readonly bytes: number[] = [];
  u8(value: number): this {
    this.bytes.push(value & 0xff);
    return this;
  }
  u16(value: number): this {
    return this.u8(value >>> 8).u8(value);
  }
  u32(value: number): this {
    return this.u16(value >>> 16).u16(value);
  }
  words(flow: L.FlowWords, word: number, count: number): this {
    for (let i = 0; i < count; i++) this.u32(flow[word + i]);
    return this;
  }
  put(data: Uint8Array): this {
    for (const byte of data) this.u8(byte);
    return this;
  }
  zeros(count: number): this {
    for (let i = 0; i < count; i++) this.u8(0);
    return this;
  }
  get length(): number {
    return this.bytes.length;
  }
}

/**
 * Composes a frame.
 *
 * @param payload what TCP, UDP and ICMP echo carry, or its length: bytes that count up
 * @param totalBytes makes the frame this long with zeros at its end, inside of IP's length; null
 *   when headers and payload alone are longer
 */
export function composeFrame(
  flow: L.FlowWords,
  payload: number | Uint8Array,
  totalBytes?: number,
): Uint8Array | null {
  const out = new Builder();
  const dlType = flow[L.W_DL_TYPE] >>> 16;
  out.words(flow, L.W_DL_DST, 3);
  for (const word of [L.W_VLAN0, L.W_VLAN1]) {
    if ((flow[word] & L.VLAN_CFI) === 0) break;
    out.u16(flow[word] >>> 16).u16(flow[word] & ~L.VLAN_CFI);
  }
  if (dlType === L.ETH_TYPE_NOT_ETHERNET) {
    const length = Math.max(totalBytes ?? 0, ETH_HEADER_BYTES);
    return pad(Uint8Array.from(out.u16(length).bytes), totalBytes);
  }
  out.u16(dlType);
  const l3 = out.length;
  composeNetwork(out, flow, dlType, typeof payload === 'number' ? counting(payload) : payload);
  const frame = pad(Uint8Array.from(out.bytes), totalBytes);
  if (frame !== null) finishNetwork(frame, flow, dlType, l3);
  return frame;
}

function pad(frame: Uint8Array, totalBytes: number | undefined): Uint8Array | null {
  if (totalBytes === undefined || frame.length === totalBytes) return frame;
  if (frame.length > totalBytes) return null;
  const longer = new Uint8Array(totalBytes);
  longer.set(frame);
  return longer;
}

function composeNetwork(out: Builder, flow: L.FlowWords, dlType: number, data: Uint8Array): void {
  const proto = flow[L.W_NW] >>> 24;
  const tos = (flow[L.W_NW] >>> 16) & 0xff;
  const ttl = (flow[L.W_NW] >>> 8) & 0xff;
  switch (dlType) {
    case L.ETH_TYPE_IP: {
      const frag = (flow[L.W_DL_TYPE] >>> 8) & 3;
      const later = (frag & L.NW_FRAG_LATER) !== 0 ? 100 : 0;
      const fragOff = (frag & L.NW_FRAG_ANY) !== 0 ? 0x2000 | later : 0;
      out.u8(0x45).u8(tos).u32(0).u16(fragOff).u8(ttl).u8(proto).u16(0);
      out.words(flow, L.W_NW_SRC, 2);
      composeTransport(out, flow, proto, data);
      break;
    }
    case L.ETH_TYPE_IPV6:
      out.u32(0x60000000 | (tos << 20) | (flow[L.W_IPV6_LABEL] & 0xfffff));
      out.u16(0).u8(proto).u8(ttl).words(flow, L.W_IPV6_SRC, 8);
      composeTransport(out, flow, proto, data);
      break;
    case L.ETH_TYPE_ARP:
    case L.ETH_TYPE_RARP:
      composeArp(out, flow, proto);
      break;
    case L.ETH_TYPE_MPLS:
    case L.ETH_TYPE_MPLS_MCAST:
      for (let i = 0; i < 3; i++) {
        out.u32(flow[L.W_MPLS + i]);
        if ((flow[L.W_MPLS + i] & MPLS_BOS) !== 0) break;
      }
  }
}

function composeArp(out: Builder, flow: L.FlowWords, opcode: number): void {
  out.u16(1).u16(L.ETH_TYPE_IP).u8(6).u8(4).u16(opcode);
  if (opcode !== 1 && opcode !== 2) {
    out.zeros(20);
    return;
  }
  const sha = [flow[L.W_ARP_SHA], flow[L.W_ARP_SHA_THA], flow[L.W_ARP_THA]];
  out.u32(sha[0]).u16(sha[1] >>> 16);
  out.u32(flow[L.W_NW_SRC]);
  out.u16(sha[1]).u32(sha[2]);
  out.u32(flow[L.W_NW_DST]);
}

const counting = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => i);

function composeTransport(out: Builder, flow: L.FlowWords, proto: number, data: Uint8Array): void {
  const frag = (flow[L.W_DL_TYPE] >>> 8) & 3;
  if ((frag & L.NW_FRAG_LATER) !== 0) return;
  const ports = flow[L.W_TP];
  const type = (ports >>> 16) & 0xff;
  const code = ports & 0xff;
  switch (proto) {
    case 6: {
      const flags = (flow[L.W_TCP_FLAGS] >>> 16) & 0xfff;
      out
        .u32(ports)
        .zeros(8)
        .u16(0x5000 | flags)
        .zeros(6);
      if ((flags & TCP_SYN_FIN_RST) === 0) out.put(data);
      break;
    }
    case 17:
      out
        .u32(ports)
        .u16(8 + data.length)
        .u16(0);
      out.put(data);
      break;
    case 132:
      out.u32(ports).zeros(8);
      break;
    case 1:
      out.u8(type).u8(code).zeros(6);
      if ((type === 8 || type === 0) && code === 0) out.put(data);
      break;
    case 2:
      out.u8(type).u8(code).u16(0).u32(flow[L.W_IGMP]);
      break;
    case 58:
      composeIcmp6(out, flow, type, code, data);
  }
}

function composeIcmp6(
  out: Builder,
  flow: L.FlowWords,
  type: number,
  code: number,
  data: Uint8Array,
): void {
  out.u8(type).u8(code).u16(0).u32(flow[L.W_IGMP]);
  if (code !== 0) return;
  if (type === 128 || type === 129) out.put(data);
  if (type !== 135 && type !== 136) return;
  out.words(flow, L.W_ND_TARGET, 4);
  const [first, middle, last] = flow.subarray(L.W_ARP_SHA, L.W_ARP_SHA + 3);
  if ((first | (middle >>> 16)) !== 0) {
    out
      .u8(1)
      .u8(1)
      .u32(first)
      .u16(middle >>> 16);
  }
  if (((middle & 0xffff) | last) !== 0) out.u8(2).u8(1).u16(middle).u32(last);
}

/** Fills in lengths and checksums of IP and of what it carries. */
function finishNetwork(frame: Uint8Array, flow: L.FlowWords, dlType: number, l3: number): void {
  const view = new DataView(frame.buffer);
  const proto = flow[L.W_NW] >>> 24;
  if (dlType === L.ETH_TYPE_IP) {
    view.setUint16(l3 + 2, frame.length - l3);
    view.setUint16(l3 + 10, finishSum(addToSum(view, l3, 20)));
    finishTransport(view, flow, proto, l3 + 20, (len) => pseudoSum4(view, l3, proto, len));
  } else if (dlType === L.ETH_TYPE_IPV6) {
    view.setUint16(l3 + 4, frame.length - l3 - 40);
    finishTransport(view, flow, proto, l3 + 40, (len) => pseudoSum6(view, l3, proto, len));
  }
}

function finishTransport(
  view: DataView,
  flow: L.FlowWords,
  proto: number,
  l4: number,
  pseudoSum: (len: number) => number,
): void {
  const at = CHECKSUM_AT[proto];
  if (at === undefined || ((flow[L.W_DL_TYPE] >>> 8) & L.NW_FRAG_LATER) !== 0) return;
  const length = view.byteLength - l4;
  if (proto === 17) view.setUint16(l4 + 4, length);
  const bare = proto === 1 || proto === 2;
  const sum = finishSum(addToSum(view, l4, length, bare ? 0 : pseudoSum(length)));
  view.setUint16(l4 + at, sum === 0 && proto === 17 ? 0xffff : sum);
}
