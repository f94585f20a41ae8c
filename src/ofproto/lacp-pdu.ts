/**
 * LACPDUs (IEEE 802.1AX-2014, section 6.4.2.3): bytes <-> values.
 *
 * What follows the Ethernet header, 110 bytes, all numbers in network order:
 *
 *      0  subtype 1   1  version 1
 *      2  TLV 1, 20   4  actor's information    (15 bytes)   19  reserved (3)
 *     22  TLV 2, 20  24  partner's information  (15 bytes)   39  reserved (3)
 *     42  TLV 3, 16  44  collector's max delay  (2)          46  reserved (12)
 *     58  TLV 0,  0                                          60  reserved (50)
 *
 *     information:  system priority(2) system(6) key(2) port priority(2) port(2) state(1)
 *
 * A marker (section 6.5) has subtype 2; a peer that moves conversations to another link sends one
 * down the old link, and waits until it comes back as a response: nothing is under way any more.
 *
 *      2  TLV 1: information, or 2: response; 16       4  the peer's port, system, transaction
 *
 * Of the fixed values those are checked that tell a LACPDU from anything else; versions above 1
 * and reserved bytes are let pass, as the standard wants it of a receiver.
 *
 * Not for: what a PDU means (lacp.ts).
 */

export const LACP_PDU_BYTES = 110;
/** Slow protocols multicast: 01:80:c2:00:00:02. */
export const MAC_SLOW_PROTOCOLS: Uint8Array = Uint8Array.of(0x01, 0x80, 0xc2, 0, 0, 0x02);

const SUBTYPE_LACP = 1;
const SUBTYPE_MARKER = 2;
const VERSION = 1;
const TLV_MARKER_INFORMATION = 1;
const TLV_MARKER_RESPONSE = 2;
const TLV_ACTOR = 1;
const TLV_PARTNER = 2;
const TLV_COLLECTOR = 3;
const INFO_TLV_BYTES = 20;
const COLLECTOR_TLV_BYTES = 16;
const AT_ACTOR = 2;
const AT_PARTNER = 22;
const AT_COLLECTOR = 42;
/** From a TLV's first byte to its information. */
const TLV_HEADER_BYTES = 2;

/** Bits of a port's state. */
export const LACP_STATE = {
  ACTIVITY: 0x01,
  TIMEOUT: 0x02,
  AGGREGATION: 0x04,
  SYNCHRONIZED: 0x08,
  COLLECTING: 0x10,
  DISTRIBUTING: 0x20,
  DEFAULTED: 0x40,
  EXPIRED: 0x80,
} as const;

/** One end of a link as a PDU tells it. */
export interface LacpInfo {
  sysPriority: number;
  /** 6 bytes. */
  sysId: Uint8Array;
  key: number;
  portPriority: number;
  portId: number;
  /** LACP_STATE bits. */
  state: number;
}

export interface LacpPdu {
  actor: LacpInfo;
  partner: LacpInfo;
}

export type ParsedPdu =
  | { type: 'lacp'; pdu: LacpPdu }
  | { type: 'marker'; wantsResponse: boolean }
  | { type: 'bad' };

/** What a link's end is taken for while nothing is known of it. */
export function noInfo(): LacpInfo {
  return { sysPriority: 0, sysId: new Uint8Array(6), key: 0, portPriority: 0, portId: 0, state: 0 };
}

/** Reads what follows an Ethernet header. Never throws: what is no LACPDU is 'bad'. */
export function parsePdu(payload: Uint8Array): ParsedPdu {
  if (payload.length < LACP_PDU_BYTES) return { type: 'bad' };
  if (payload[0] === SUBTYPE_MARKER) {
    return { type: 'marker', wantsResponse: payload[2] === TLV_MARKER_INFORMATION };
  }
  const wellFormed =
    payload[0] === SUBTYPE_LACP &&
    isTlv(payload, AT_ACTOR, TLV_ACTOR) &&
    isTlv(payload, AT_PARTNER, TLV_PARTNER);
  if (!wellFormed) return { type: 'bad' };
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const actor = getInfo(view, AT_ACTOR + TLV_HEADER_BYTES);
  const partner = getInfo(view, AT_PARTNER + TLV_HEADER_BYTES);
  return { type: 'lacp', pdu: { actor, partner } };
}

function isTlv(payload: Uint8Array, at: number, type: number): boolean {
  return payload[at] === type && payload[at + 1] === INFO_TLV_BYTES;
}

function getInfo(view: DataView, at: number): LacpInfo {
  return {
    sysPriority: view.getUint16(at),
    sysId: new Uint8Array(view.buffer, view.byteOffset + at + 2, 6).slice(),
    key: view.getUint16(at + 8),
    portPriority: view.getUint16(at + 10),
    portId: view.getUint16(at + 12),
    state: view.getUint8(at + 14),
  };
}

/** The bytes of a PDU, LACP_PDU_BYTES of them. The collector's delay is 0: nothing is reordered. */
export function composePdu(pdu: LacpPdu): Uint8Array {
  const bytes = new Uint8Array(LACP_PDU_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set([SUBTYPE_LACP, VERSION]);
  bytes.set([TLV_ACTOR, INFO_TLV_BYTES], AT_ACTOR);
  putInfo(view, AT_ACTOR + TLV_HEADER_BYTES, pdu.actor);
  bytes.set([TLV_PARTNER, INFO_TLV_BYTES], AT_PARTNER);
  putInfo(view, AT_PARTNER + TLV_HEADER_BYTES, pdu.partner);
  bytes.set([TLV_COLLECTOR, COLLECTOR_TLV_BYTES], AT_COLLECTOR);
  return bytes;
}

function putInfo(view: DataView, at: number, info: LacpInfo): void {
  view.setUint16(at, info.sysPriority);
  new Uint8Array(view.buffer).set(info.sysId, view.byteOffset + at + 2);
  view.setUint16(at + 8, info.key);
  view.setUint16(at + 10, info.portPriority);
  view.setUint16(at + 12, info.portId);
  view.setUint8(at + 14, info.state);
}

/** The answer to a marker: the same, but for its type. */
export function markerResponse(payload: Uint8Array): Uint8Array {
  const bytes = payload.slice(0, LACP_PDU_BYTES);
  bytes[2] = TLV_MARKER_RESPONSE;
  return bytes;
}

/** Byte order of two system ids, negative when `a` comes first. */
export function compareSysIds(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < 6; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return 0;
}

export function infoEqual(a: LacpInfo, b: LacpInfo): boolean {
  return a.state === b.state && identityEqual(a, b);
}

/** Equal but for the state. */
export function identityEqual(a: LacpInfo, b: LacpInfo): boolean {
  return (
    a.portId === b.portId &&
    a.portPriority === b.portPriority &&
    a.key === b.key &&
    a.sysPriority === b.sysPriority &&
    compareSysIds(a.sysId, b.sysId) === 0
  );
}
