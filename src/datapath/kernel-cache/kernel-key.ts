/**
 * From a megaflow to the key and mask that the kernel's programs compare (layout.ts), or null when
 * it asks for something that they do not look at.
 *
 *     flow words (flow-layout.ts)  ->  class, key[16], mask[16]
 *
 * Word 0 is the interface index, which is the caller's to fill in.
 */
import {
  ETH_TYPE_ARP,
  ETH_TYPE_IP,
  ETH_TYPE_IPV6,
  ETH_TYPE_RARP,
  VLAN_CFI,
  W_CT_STATE,
  W_DL_DST,
  W_DL_SRC,
  W_DL_TYPE,
  W_DP_HASH,
  W_IN_PORT,
  W_IPV6_DST,
  W_IPV6_SRC,
  W_NW,
  W_NW_DST,
  W_NW_SRC,
  W_PACKET_TYPE,
  W_PKT_MARK,
  W_RECIRC_ID,
  W_SKB_PRIORITY,
  W_TP,
  W_VLAN0,
  W_VLAN1,
} from '../../packet/flow-layout.js';
import type { MaskedKey } from '../megaflow-table.js';
import { CLASS_IPV4, CLASS_IPV6, CLASS_OTHER, KEY_WORDS } from './layout.js';

export interface KernelKey {
  /** CLASS_*. */
  cls: number;
  /** Datapath number of the input port. */
  inPort: number;
  /** Under the mask; word 0 is empty. */
  key: Int32Array;
  mask: Int32Array;
  /** Frames have no VLAN tag. */
  untagged: boolean;
  /** The flow asks for ports: its TCP flags are kept, as by a worker. */
  tcpFlags: boolean;
}

/** Swaps the bytes of a word: values of flow words are those of the wire, read big-endian. */
export function swap32(word: number): number {
  return (
    (word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff0000) | ((word & 0xff) << 24) | 0
  );
}

/** protocol, TOS and TTL, in the order of the kernel's word. */
function networkWord(word: number): number {
  return (word >>> 24) | (((word >>> 16) & 0xff) << 8) | (((word >>> 8) & 0xff) << 16);
}

/** Words that are 0 in every frame which the kernel's programs take: no need to compare them. */
function alwaysZero(word: number): boolean {
  return (
    word === W_RECIRC_ID ||
    word === W_VLAN1 ||
    word === W_DP_HASH ||
    word === W_SKB_PRIORITY ||
    word === W_PKT_MARK ||
    word === W_PACKET_TYPE ||
    word >= W_CT_STATE
  );
}

/** Where a flow word stands in the key, by class; 0: nowhere. */
function position(word: number, cls: number): number {
  if (word >= W_DL_DST && word <= W_DL_SRC) return word - W_DL_DST + 1;
  if (word === W_VLAN0) return 4;
  if (cls === CLASS_OTHER) return 0;
  if (word === W_NW) return 6;
  if (cls === CLASS_IPV4) {
    if (word === W_NW_SRC) return 7;
    if (word === W_NW_DST) return 8;
    return word === W_TP ? 9 : 0;
  }
  if (word >= W_IPV6_SRC && word < W_IPV6_SRC + 4) return word - W_IPV6_SRC + 7;
  if (word >= W_IPV6_DST && word < W_IPV6_DST + 4) return word - W_IPV6_DST + 11;
  return word === W_TP ? 15 : 0;
}

function classOf(dlType: number): number | null {
  if (dlType === ETH_TYPE_IP) return CLASS_IPV4;
  if (dlType === ETH_TYPE_IPV6) return CLASS_IPV6;
  return dlType === ETH_TYPE_ARP || dlType === ETH_TYPE_RARP ? null : CLASS_OTHER;
}

/** How a flow word's bits lie in the kernel's word. */
function arranged(word: number, bits: number): number {
  if (word === W_VLAN0) return bits;
  return word === W_NW ? networkWord(bits) : swap32(bits);
}

/** The kernel's form of a megaflow's match; null when the kernel cannot match it. */
export function kernelKey({ words, masks, values }: MaskedKey): KernelKey | null {
  const typeAt = words.indexOf(W_DL_TYPE);
  const portAt = words.indexOf(W_IN_PORT);
  if (typeAt < 0 || masks[typeAt] >>> 16 !== 0xffff) return null;
  if (portAt < 0 || masks[portAt] !== -1) return null;
  const dlType = values[typeAt] >>> 16;
  const cls = classOf(dlType);
  // Fragments are the worker's.
  if (cls === null || (values[typeAt] & 0xffff) !== 0) return null;
  const key = new Int32Array(KEY_WORDS);
  const mask = new Int32Array(KEY_WORDS);
  key[5] = ((dlType & 0xff) << 8) | (dlType >>> 8);
  mask[5] = 0xffff;
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (i === typeAt || i === portAt) continue;
    if (alwaysZero(word)) {
      if (values[i] !== 0) return null;
      continue;
    }
    const at = position(word, cls);
    if (at === 0) return null;
    key[at] = arranged(word, values[i]);
    mask[at] = arranged(word, masks[i]);
  }
  const untagged = (mask[4] & VLAN_CFI) !== 0 && (key[4] & VLAN_CFI) === 0;
  const tcpFlags = words.includes(W_TP);
  return { cls, inPort: values[portAt], key, mask, untagged, tcpFlags };
}
