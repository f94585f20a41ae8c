/**
 * encap and decap as ovs-actions(7) writes them: `encap(nsh(md_type=2,tlv(0x1000,10,0x12)))`,
 * `decap(packet_type(ns=0,type=0))`.
 *
 * Errors are FlowSyntaxError in the words that ovs-ofctl uses.
 */
import type { EncapProperty, OfAction } from '../actions.js';
import { KeyValueScanner, parseU8, parseU16, syntaxError } from './scan.js';

type Encap = Extract<OfAction, { type: 'encap' }>;
type Decap = Extract<OfAction, { type: 'decap' }>;

const HEADERS: Readonly<Record<string, number>> = {
  ethernet: 0,
  nsh: 0x1894f,
  mpls: 0x18847,
  mpls_mc: 0x18848,
};
/** Whatever the header that goes says comes next. */
const USE_NEXT_PROTO = 0xfffe;
/** Namespaces of packet types that there are. */
const N_NAMESPACES = 5;

function parseTlv(text: string): EncapProperty {
  const m = /^0x([0-9a-f]{1,4}),(\d{1,3}),0x([0-9a-f]{1,251})/i.exec(text);
  if (m === null) syntaxError(`Invalid NSH TLV header: ${text}`);
  const value = Uint8Array.from(Buffer.from(m[3], 'hex'));
  return {
    ...{ type: 'tlv', tlvClass: Number.parseInt(m[1], 16), tlvType: Number(m[2]) & 0xff },
    value,
  };
}

function parseProperty(header: string, key: string, value: string): EncapProperty {
  if (header !== 'nsh' || (key !== 'md_type' && key !== 'tlv')) {
    syntaxError(`Invalid property: ${key}`);
  }
  if (value === '') syntaxError('Value missing for encap property');
  if (key === 'tlv') return parseTlv(value);
  const mdType = parseU8(value, 'md_type');
  if (mdType < 1 || mdType > 2) syntaxError('invalid md_type');
  return { type: 'md_type', mdType };
}

/** @throws FlowSyntaxError */
export function parseEncap(arg: string): Encap {
  const header = new KeyValueScanner(arg).next();
  if (header === null) syntaxError(`Missing encap hdr: ${arg}`);
  if (!Object.hasOwn(HEADERS, header.key)) syntaxError(`Encap hdr not supported: ${header.value}`);
  const properties: EncapProperty[] = [];
  const scanner = new KeyValueScanner(header.value);
  for (let kv = scanner.next(); kv !== null; kv = scanner.next()) {
    properties.push(parseProperty(header.key, kv.key, kv.value));
  }
  return { type: 'encap', packetType: HEADERS[header.key], headerSize: 0, properties };
}

/** @throws FlowSyntaxError */
export function parseDecap(arg: string): Decap {
  const first = new KeyValueScanner(arg).next();
  if (first === null) return { type: 'decap', packetType: USE_NEXT_PROTO };
  if (first.key !== 'packet_type') syntaxError(`Invalid decap argument: ${first.key}`);
  const scanner = new KeyValueScanner(first.value);
  const ns = scanner.next();
  if (ns?.key !== 'ns') syntaxError('Missing packet_type attribute ns');
  const namespace = parseU16(ns.value, 'ns');
  if (namespace >= N_NAMESPACES) syntaxError(`Unsupported ns value: ${namespace}`);
  const type = scanner.next();
  if (type?.key !== 'type') syntaxError('Missing packet_type attribute type');
  return { type: 'decap', packetType: namespace * 0x10000 + parseU16(type.value, 'type') };
}

const hash = (n: number): string => (n === 0 ? '0' : `0x${n.toString(16)}`);

function formatProperty(p: EncapProperty): string {
  if (p.type === 'md_type') return `md_type=${p.mdType}`;
  const digits = Buffer.from(p.value).toString('hex').replace(/^0+/, '');
  const value = digits === '' ? '0' : `0x${digits}`;
  return `tlv(0x${p.tlvClass.toString(16).padStart(4, '0')},${p.tlvType},${value})`;
}

export function formatEncap(a: Encap): string {
  const name = Object.keys(HEADERS).find((key) => HEADERS[key] === a.packetType) ?? 'UNKNOWN';
  const properties = a.properties.map(formatProperty).join(',');
  return `encap(${name}${properties === '' ? '' : `(${properties})`})`;
}

export function formatDecap(a: Decap): string {
  if (a.packetType === USE_NEXT_PROTO) return 'decap()';
  const [namespace, type] = [Math.floor(a.packetType / 0x10000), a.packetType & 0xffff];
  return `decap(packet_type(ns=${namespace},type=${hash(type)}))`;
}
