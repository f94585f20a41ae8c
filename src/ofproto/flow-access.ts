/**
 * Reading and writing single header fields of a flow or mask (src/packet/flow-layout.ts) by hand,
 * for the code that knows at writing time which field it wants: NORMAL, commit, bonds.
 *
 * Not for: fields named by an OpenFlow action or match (src/packet/fields.ts does those).
 */
import {
  ETH_TYPE_IP,
  ETH_TYPE_IPV6,
  type FlowWords,
  VLAN_CFI,
  W_DL_DST,
  W_DL_DST_SRC,
  W_DL_SRC,
  W_DL_TYPE,
  W_NW,
  W_VLAN0,
} from '../packet/flow-layout.js';

/** A MAC address as an integer below 2^48: exact in a double, and a cheap map key. */
export type MacNumber = number;

const TWO_32 = 2 ** 32;

export const MAC_BROADCAST: MacNumber = 2 ** 48 - 1;

export function dlDst(flow: FlowWords): MacNumber {
  const low = ((flow[W_DL_DST] & 0xffff) << 16) | (flow[W_DL_DST_SRC] >>> 16);
  return (flow[W_DL_DST] >>> 16) * TWO_32 + (low >>> 0);
}

export function dlSrc(flow: FlowWords): MacNumber {
  return (flow[W_DL_DST_SRC] & 0xffff) * TWO_32 + (flow[W_DL_SRC] >>> 0);
}

export function setDlDst(flow: FlowWords, mac: MacNumber): void {
  const high16 = Math.floor(mac / TWO_32);
  const low32 = (mac % TWO_32) | 0;
  flow[W_DL_DST] = (high16 << 16) | (low32 >>> 16);
  flow[W_DL_DST_SRC] = (low32 << 16) | (flow[W_DL_DST_SRC] & 0xffff);
}

export function setDlSrc(flow: FlowWords, mac: MacNumber): void {
  const high16 = Math.floor(mac / TWO_32);
  flow[W_DL_DST_SRC] = (flow[W_DL_DST_SRC] & 0xffff0000) | high16;
  flow[W_DL_SRC] = (mac % TWO_32) | 0;
}

/** True when the group bit of the first byte is set (broadcast included). */
export function macIsMulticast(mac: MacNumber): boolean {
  return (Math.floor(mac / 2 ** 40) & 1) === 1;
}

export function macFromBytes(bytes: Uint8Array): MacNumber {
  let mac = 0;
  for (let i = 0; i < 6; i++) mac = mac * 256 + bytes[i];
  return mac;
}

export function macToBytes(mac: MacNumber): Uint8Array {
  const bytes = new Uint8Array(6);
  for (let i = 5, rest = mac; i >= 0; i--, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
  return bytes;
}

/** '00:11:22:aa:bb:cc'. */
export function macText(mac: MacNumber): string {
  return mac
    .toString(16)
    .padStart(12, '0')
    .replace(/..(?!$)/g, '$&:');
}

/** The number of a MAC in text, or null when it is not one. */
export function macParse(text: string): MacNumber | null {
  const bytes = text.split(':');
  if (bytes.length !== 6 || !bytes.every((b) => /^[0-9a-fA-F]{1,2}$/.test(b))) return null;
  return bytes.reduce((mac, b) => mac * 256 + Number.parseInt(b, 16), 0);
}

export function dlType(flow: FlowWords): number {
  return flow[W_DL_TYPE] >>> 16;
}

export function nwFrag(flow: FlowWords): number {
  return (flow[W_DL_TYPE] >>> 8) & 0xff;
}

export function isIp(flow: FlowWords): boolean {
  const type = dlType(flow);
  return type === ETH_TYPE_IP || type === ETH_TYPE_IPV6;
}

export function nwProto(flow: FlowWords): number {
  return flow[W_NW] >>> 24;
}

/** The TCI of tag `level` (0 outer, 1 inner); 0 when there is none. */
export function vlanTci(flow: FlowWords, level = 0): number {
  return flow[W_VLAN0 + level] & 0xffff;
}

export function vlanTpid(flow: FlowWords, level = 0): number {
  return flow[W_VLAN0 + level] >>> 16;
}

/** How many tags the flow has: 0, 1 or 2. */
export function vlanCount(flow: FlowWords): number {
  if ((flow[W_VLAN0] & VLAN_CFI) === 0) return 0;
  return (flow[W_VLAN0 + 1] & VLAN_CFI) === 0 ? 1 : 2;
}

/** ORs `bits` into the mask's word: 'this much of it was consulted'. */
export function unwildcard(mask: FlowWords, word: number, bits: number): void {
  mask[word] |= bits;
}

export function unwildcardDlDst(mask: FlowWords): void {
  mask[W_DL_DST] = -1;
  mask[W_DL_DST_SRC] |= 0xffff0000;
}

export function unwildcardDlSrc(mask: FlowWords): void {
  mask[W_DL_DST_SRC] |= 0xffff;
  mask[W_DL_SRC] = -1;
}
