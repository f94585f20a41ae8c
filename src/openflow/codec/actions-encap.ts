/**
 * Actions on a packet's outermost header as a whole (encap, decap, dec_nsh_ttl), and delete_field,
 * which takes a tunnel option away: Nicira's extensions.
 *
 * encap has properties, each padded to 8 bytes:
 *
 *     class(16) type(8) length(8) data      class 4: NSH; type 1: metadata type, 2: a TLV
 */
import { mustField } from '../../packet/fields.js';
import type { EncapProperty, OfAction } from '../actions.js';
import { fail } from '../errors.js';
import { type ActionRow, close, type Encoder, openNx } from './action-context.js';
import type { Reader, Writer } from './buffer.js';
import { getFieldHeader, putFieldHeader } from './oxm.js';

/** Packet types that a header can be made for: Ethernet, NSH, MPLS, MPLS multicast. */
const ENCAP_TYPES = new Set([0, 0x1894f, 0x18847, 0x18848]);
const CLASS_NSH = 4;
const PROPERTY = { MD_TYPE: 1, TLV: 2 } as const;
const PROPERTY_HEADER = 4;
const TLV_HEADER = 8;
const UNIT = 8;

const padded = (length: number): number => Math.ceil(length / UNIT) * UNIT;

function getProperty(r: Reader): EncapProperty {
  if (r.left < PROPERTY_HEADER) fail('OFPBAC_BAD_LEN');
  const cls = r.u16();
  const type = r.u8();
  const length = r.u8();
  const size = padded(length);
  if (length < PROPERTY_HEADER || size - PROPERTY_HEADER > r.left) fail('OFPBAC_BAD_LEN');
  const data = r.take8(size - PROPERTY_HEADER);
  if (cls === CLASS_NSH && type === PROPERTY.MD_TYPE) {
    if (length > UNIT) fail('NXBAC_BAD_ED_PROP');
    return { type: 'md_type', mdType: data[0] };
  }
  if (cls === CLASS_NSH && type === PROPERTY.TLV) {
    const tlvLength = data[3];
    if (length !== TLV_HEADER + padded(tlvLength)) fail('NXBAC_BAD_ED_PROP');
    const value = data.slice(PROPERTY_HEADER, PROPERTY_HEADER + tlvLength);
    return { type: 'tlv', tlvClass: (data[0] << 8) | data[1], tlvType: data[2], value };
  }
  return fail('NXBAC_UNKNOWN_ED_PROP');
}

function encap(r: Reader): OfAction {
  const headerSize = r.u16();
  const packetType = r.u32();
  if (!ENCAP_TYPES.has(packetType)) fail('NXBAC_BAD_HEADER_TYPE');
  const properties: EncapProperty[] = [];
  while (r.left > 0) properties.push(getProperty(r));
  return { type: 'encap', packetType, headerSize, properties };
}

function decap(r: Reader): OfAction {
  r.skip(2);
  const packetType = r.u32();
  if (r.left > 0) fail('NXBAC_UNKNOWN_ED_PROP');
  return { type: 'decap', packetType };
}

export const ENCAP_ROWS: readonly ActionRow[] = [
  { kind: 'nx', min: 4, max: 6, number: 46, length: 16, open: true, decode: encap },
  { kind: 'nx', min: 4, max: 6, number: 47, length: 16, open: true, decode: decap },
  {
    ...{ kind: 'nx', min: 4, max: 6, number: 48, length: 16 },
    decode: () => ({ type: 'dec_nsh_ttl' }),
  },
  {
    ...{ kind: 'nx', min: 1, max: 6, number: 50, length: 24 },
    decode: (r) => ({ type: 'delete_field', field: getFieldHeader(r).name }),
  },
];

function putProperty(w: Writer, p: EncapProperty): void {
  w.u16(CLASS_NSH);
  if (p.type === 'md_type') {
    w.u8(PROPERTY.MD_TYPE)
      .u8(PROPERTY_HEADER + 1)
      .u8(p.mdType)
      .zeros(3);
    return;
  }
  const room = padded(p.value.length);
  w.u8(PROPERTY.TLV)
    .u8(TLV_HEADER + room)
    .u16(p.tlvClass)
    .u8(p.tlvType)
    .u8(p.value.length);
  w.put(p.value).zeros(room - p.value.length);
}

const DELETE_FIELD_LENGTH = 24;

export const ENCAP_ENCODERS: { [T in OfAction['type']]?: Encoder<T> } = {
  encap(w, a) {
    const start = openNx(w, 46);
    w.u16(a.headerSize).u32(a.packetType);
    for (const property of a.properties) putProperty(w, property);
    close(w, start);
  },
  decap(w, a) {
    const start = openNx(w, 47);
    w.u16(0).u32(a.packetType);
    close(w, start);
  },
  dec_nsh_ttl: (w) => close(w, openNx(w, 48)),
  delete_field(w, a) {
    const start = openNx(w, 50);
    putFieldHeader(w, mustField(a.field), 1);
    w.zeros(DELETE_FIELD_LENGTH - (w.length - start));
    close(w, start);
  },
};
