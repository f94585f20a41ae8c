/**
 * rtnetlink(7) messages about links: encoding of requests, parsing of answers and events.
 *
 *     | nlmsghdr 16 | ifinfomsg 16 | attribute | attribute | ...      all in host byte order
 *                                  | rta_len 2 | rta_type 2 | value, padded to 4 |
 *
 * Parsing is total: whatever the bytes are, it ends, stays inside the buffer and throws nothing. A
 * message or attribute whose length lies ends the list it stands in.
 *
 * Not for: sockets and the state of links (rtnetlink.ts).
 */
import { endianness } from 'node:os';

const LE = endianness() === 'LE';

/** Bytes of struct nlmsghdr and of struct ifinfomsg. */
const NLMSG_HDRLEN = 16;
const IFINFO_LEN = 16;
const RTA_HDRLEN = 4;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
/** Flag of a dump's answer: something changed meanwhile, the dump may be inconsistent. */
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;

/** Multicast group of link events, as a bit for nl_groups. */
export const RTMGRP_LINK = 0x1;

export const IFF_UP = 0x1;
export const IFF_LOOPBACK = 0x8;
export const IFF_RUNNING = 0x40;

export const ARPHRD_ETHER = 1;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_OPERSTATE = 16;
const IFLA_LINKINFO = 18;
const IFLA_STATS64 = 23;
const IFLA_PROMISCUITY = 30;
const IFLA_NUM_TX_QUEUES = 31;
const IFLA_NUM_RX_QUEUES = 32;
const IFLA_CARRIER = 33;
const IFLA_CARRIER_CHANGES = 35;
const IFLA_LINK_NETNSID = 37;
const IFLA_TARGET_NETNSID = 46;
const IFLA_INFO_KIND = 1;
/** NLA_F_NESTED and NLA_F_NET_BYTEORDER stand in the type's upper bits. */
const NLA_TYPE_MASK = 0x3fff;

/** Members of struct rtnl_link_stats64, in its order. */
export const LINK_STATS_FIELDS = [
  'rxPackets',
  'txPackets',
  'rxBytes',
  'txBytes',
  'rxErrors',
  'txErrors',
  'rxDropped',
  'txDropped',
  'multicast',
  'collisions',
  'rxLengthErrors',
  'rxOverErrors',
  'rxCrcErrors',
  'rxFrameErrors',
  'rxFifoErrors',
  'rxMissedErrors',
  'txAbortedErrors',
  'txCarrierErrors',
] as const;

export type LinkStats = Record<(typeof LINK_STATS_FIELDS)[number], number>;

/** A network interface, as the kernel described it last. */
export interface Link {
  ifindex: number;
  name: string;
  /** ARPHRD_*: 1 is Ethernet. */
  hwType: number;
  /** IFF_* bits. */
  flags: number;
  /** Hardware address: 6 bytes for Ethernet, may be empty. */
  address: Uint8Array;
  mtu: number;
  /** RFC 2863 state: 2 down, 6 up, 0 unknown. */
  operstate: number;
  /** The device's own carrier bit, also while it is administratively down. */
  carrier: boolean;
  /** How often the carrier went up or down. */
  carrierChanges: number;
  /** 'veth', 'tun', 'bridge'...; '' for physical devices. */
  kind: string;
  numTxQueues: number;
  numRxQueues: number;
  /** How many users asked for promiscuous mode. */
  promiscuity: number;
  /** ifindex of the lower or peer device, 0: none. */
  link: number;
  /** Namespace that `link` is in; null: this one. */
  linkNetnsid: number | null;
  stats: LinkStats | null;
}

export interface RtnetlinkMessage {
  type: number;
  flags: number;
  seq: number;
  /** What follows nlmsghdr. */
  payload: Uint8Array;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function align4(length: number): number {
  return (length + 3) & ~3;
}

/** Splits a datagram into messages. Ends at the first header that does not fit. */
export function decodeMessages(datagram: Uint8Array): RtnetlinkMessage[] {
  const messages: RtnetlinkMessage[] = [];
  const data = view(datagram);
  for (let at = 0; at + NLMSG_HDRLEN <= datagram.length; ) {
    const length = data.getUint32(at, LE);
    if (length < NLMSG_HDRLEN || at + length > datagram.length) break;
    messages.push({
      type: data.getUint16(at + 4, LE),
      flags: data.getUint16(at + 6, LE),
      seq: data.getUint32(at + 8, LE),
      payload: datagram.subarray(at + NLMSG_HDRLEN, at + length),
    });
    at += align4(length);
  }
  return messages;
}

/** The error of an NLMSG_ERROR: 0 for an acknowledgement, else a positive errno. */
export function decodeError(message: RtnetlinkMessage): number {
  if (message.payload.length < 4) return 0;
  return -view(message.payload).getInt32(0, LE);
}

/** Attributes by type; of one that is there twice, the last counts. */
export function decodeAttributes(bytes: Uint8Array): Map<number, Uint8Array> {
  const attributes = new Map<number, Uint8Array>();
  const data = view(bytes);
  for (let at = 0; at + RTA_HDRLEN <= bytes.length; ) {
    const length = data.getUint16(at, LE);
    if (length < RTA_HDRLEN || at + length > bytes.length) break;
    const type = data.getUint16(at + 2, LE) & NLA_TYPE_MASK;
    attributes.set(type, bytes.subarray(at + RTA_HDRLEN, at + length));
    at += align4(length);
  }
  return attributes;
}

function text(value: Uint8Array | undefined): string {
  if (!value) return '';
  const end = value.indexOf(0);
  return Buffer.from(end < 0 ? value : value.subarray(0, end)).toString('utf8');
}

function uint32(value: Uint8Array | undefined, otherwise: number): number {
  return value && value.length >= 4 ? view(value).getUint32(0, LE) : otherwise;
}

function int32(value: Uint8Array | undefined): number | null {
  return value && value.length >= 4 ? view(value).getInt32(0, LE) : null;
}

function uint8(value: Uint8Array | undefined): number {
  return value && value.length >= 1 ? value[0] : 0;
}

function decodeStats(value: Uint8Array | undefined): LinkStats | null {
  if (!value || value.length < LINK_STATS_FIELDS.length * 8) return null;
  const data = view(value);
  const stats = {} as LinkStats;
  LINK_STATS_FIELDS.forEach((field, i) => {
    stats[field] = Number(data.getBigUint64(i * 8, LE));
  });
  return stats;
}

/**
 * The link that an RTM_NEWLINK or RTM_DELLINK is about. Null when the message is not about a whole
 * link: another address family's view of it (bridge ports), or one without a name.
 */
export function decodeLink(message: RtnetlinkMessage): Link | null {
  const { payload } = message;
  if (payload.length < IFINFO_LEN) return null;
  const data = view(payload);
  const attributes = decodeAttributes(payload.subarray(IFINFO_LEN));
  const name = text(attributes.get(IFLA_IFNAME));
  const ifindex = data.getInt32(4, LE);
  if (payload[0] !== 0 || name === '' || ifindex <= 0) return null;
  const info = attributes.get(IFLA_LINKINFO);
  return {
    ifindex,
    name,
    hwType: data.getUint16(2, LE),
    flags: data.getUint32(8, LE),
    // A copy: the datagram's buffer is used again.
    address: Uint8Array.from(attributes.get(IFLA_ADDRESS) ?? []),
    mtu: uint32(attributes.get(IFLA_MTU), 0),
    operstate: uint8(attributes.get(IFLA_OPERSTATE)),
    carrier: uint8(attributes.get(IFLA_CARRIER)) !== 0,
    carrierChanges: uint32(attributes.get(IFLA_CARRIER_CHANGES), 0),
    kind: info ? text(decodeAttributes(info).get(IFLA_INFO_KIND)) : '',
    numTxQueues: uint32(attributes.get(IFLA_NUM_TX_QUEUES), 1),
    numRxQueues: uint32(attributes.get(IFLA_NUM_RX_QUEUES), 1),
    promiscuity: uint32(attributes.get(IFLA_PROMISCUITY), 0),
    link: uint32(attributes.get(IFLA_LINK), 0),
    linkNetnsid: int32(attributes.get(IFLA_LINK_NETNSID)),
    stats: decodeStats(attributes.get(IFLA_STATS64)),
  };
}

/** What a request about one link says. */
export interface LinkRequest {
  type: number;
  /** NLM_F_* beside NLM_F_REQUEST. */
  flags: number;
  seq: number;
  /** 0: by name. */
  ifindex?: number;
  name?: string;
  /** Flag bits to set and to clear. */
  setFlags?: number;
  clearFlags?: number;
  mtu?: number;
  address?: Uint8Array;
  /** The namespace that is asked, by its number in ours. */
  targetNetnsid?: number;
}

/** Encodes RTM_GETLINK (of one, or with NLM_F_DUMP of all) and RTM_SETLINK. */
export function encodeLinkRequest(request: LinkRequest): Uint8Array {
  const attributes: Array<[number, Uint8Array]> = [];
  if (request.name !== undefined) {
    attributes.push([IFLA_IFNAME, Buffer.from(`${request.name}\0`, 'utf8')]);
  }
  const number = (type: number, value: number | undefined) => {
    if (value === undefined) return;
    const bytes = new Uint8Array(4);
    view(bytes).setInt32(0, value, LE);
    attributes.push([type, bytes]);
  };
  number(IFLA_MTU, request.mtu);
  number(IFLA_TARGET_NETNSID, request.targetNetnsid);
  if (request.address) attributes.push([IFLA_ADDRESS, request.address]);

  let length = NLMSG_HDRLEN + IFINFO_LEN;
  for (const [, value] of attributes) length += RTA_HDRLEN + align4(value.length);
  const bytes = new Uint8Array(length);
  const data = view(bytes);
  data.setUint32(0, length, LE);
  data.setUint16(4, request.type, LE);
  data.setUint16(6, request.flags | NLM_F_REQUEST, LE);
  data.setUint32(8, request.seq, LE);
  data.setInt32(NLMSG_HDRLEN + 4, request.ifindex ?? 0, LE);
  data.setUint32(NLMSG_HDRLEN + 8, request.setFlags ?? 0, LE);
  data.setUint32(NLMSG_HDRLEN + 12, (request.setFlags ?? 0) | (request.clearFlags ?? 0), LE);
  let at = NLMSG_HDRLEN + IFINFO_LEN;
  for (const [type, value] of attributes) {
    data.setUint16(at, RTA_HDRLEN + value.length, LE);
    data.setUint16(at + 2, type, LE);
    bytes.set(value, at + RTA_HDRLEN);
    at += RTA_HDRLEN + align4(value.length);
  }
  return bytes;
}
