/**
 * What the choice of a transmit queue needs of an outgoing frame: the hash of its flow, and its
 * priority. Read from the frame as it leaves, so that changed headers count.
 *
 *     | dst 6 | src 6 | [tags 4 each] | type 2 | IPv4 or IPv6 ... | ports 4
 *
 * Not for: classification (packet/extract.ts).
 */
// hot path
const ETH_TYPE_IP = 0x0800;
const ETH_TYPE_IPV6 = 0x86dd;
const TPID_8021Q = 0x8100;
const TPID_8021AD = 0x88a8;
const TAGS_MAX = 2;
const FRAGMENT_MASK = 0x3fff;
/** Fields of struct virtio_net_hdr, which ends where the frame begins: how far before it. */
const VNET_GSO_TYPE = 9;
const VNET_HDR_BYTES = 8;
const VNET_GSO_SIZE = 6;

function mix(hash: number, word: number): number {
  hash = Math.imul(hash ^ word, 0x9e3779b1);
  return hash ^ (hash >>> 15);
}

function finish(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function hasPorts(protocol: number): boolean {
  return protocol === 6 || protocol === 17 || protocol === 132;
}

/** Reads one frame at a time; `hash` and `priority` are those of the last one. */
export class TxFrame {
  /** int32; the same for all frames of a flow, fragments among themselves. */
  hash = 0;
  /** Bytes on the wire: a frame that is to be cut into segments has its headers in each. */
  wireBytes = 0;
  /** 0..7: of the outermost tag, else the class of the DSCP. */
  priority = 0;

  constructor(private readonly view: DataView) {}

  /** @param len at least an Ethernet header */
  read(off: number, len: number): void {
    const view = this.view;
    const end = off + len;
    let at = off + 12;
    let type = view.getUint16(at);
    this.priority = 0;
    this.wireBytes = len;
    if (view.getUint8(off - VNET_GSO_TYPE) !== 0) this.segmented(off, len);
    for (let tags = 0; tags < TAGS_MAX && (type === TPID_8021Q || type === TPID_8021AD); tags++) {
      if (at + 6 > end) break;
      if (tags === 0) this.priority = view.getUint8(at + 2) >>> 5;
      at += 4;
      type = view.getUint16(at);
    }
    const tagged = at !== off + 12;
    at += 2;
    if (type === ETH_TYPE_IP && at + 20 <= end) this.ipv4(at, end, tagged);
    else if (type === ETH_TYPE_IPV6 && at + 40 <= end) this.ipv6(at, end, tagged);
    else this.other(off, type);
  }

  private segmented(off: number, len: number): void {
    const view = this.view;
    const headers = view.getUint16(off - VNET_HDR_BYTES, true);
    const size = view.getUint16(off - VNET_GSO_SIZE, true);
    if (size === 0 || headers === 0 || headers >= len) return;
    this.wireBytes += (Math.ceil((len - headers) / size) - 1) * headers;
  }

  private ipv4(at: number, end: number, tagged: boolean): void {
    const view = this.view;
    if (!tagged) this.priority = view.getUint8(at + 1) >>> 5;
    const protocol = view.getUint8(at + 9);
    let hash = mix(view.getInt32(at + 12), view.getInt32(at + 16));
    hash = mix(hash, protocol);
    const l4 = at + (view.getUint8(at) & 0xf) * 4;
    const fragment = (view.getUint16(at + 6) & FRAGMENT_MASK) !== 0;
    if (!fragment && hasPorts(protocol) && l4 + 4 <= end) hash = mix(hash, view.getInt32(l4));
    this.hash = finish(hash);
  }

  private ipv6(at: number, end: number, tagged: boolean): void {
    const view = this.view;
    if (!tagged) this.priority = (view.getUint8(at) >>> 1) & 7;
    const protocol = view.getUint8(at + 6);
    let hash = 0;
    for (let word = 8; word < 40; word += 4) hash = mix(hash, view.getInt32(at + word));
    hash = mix(hash, protocol);
    if (hasPorts(protocol) && at + 44 <= end) hash = mix(hash, view.getInt32(at + 40));
    this.hash = finish(hash);
  }

  private other(off: number, type: number): void {
    const view = this.view;
    const hash = mix(mix(view.getInt32(off), view.getInt32(off + 4)), view.getInt32(off + 8));
    this.hash = finish(mix(hash, type));
  }
}
