/**
 * Requests that set what tables can do. Tables have names to be given; what they can do stays, so
 * a request may ask for all of it or less.
 *
 * Source: OpenFlow 1.5 section 7.3.5.18. As in OVS every table must be named by a request that
 * replaces, and tables can neither be enabled nor disabled.
 */
import { fail } from '../../openflow/errors.js';
import type { TableFeaturesEntry } from '../../openflow/messages-tables.js';
import type { Ofproto } from '../ofproto.js';
import { PROPERTY, tableFeatures } from './table-features.js';

const REPLACE = 0;
const MODIFY = 1;
const EXPERIMENTER_CLASS = 0xffff;

/** @throws OfpError; nothing has changed then */
export function setTableFeatures(
  ofproto: Ofproto,
  entries: readonly TableFeaturesEntry[],
  version: number,
): void {
  const wanted = new Map<number, TableFeaturesEntry>();
  for (const entry of entries) {
    if (entry.table === 255) fail('OFPTFFC_BAD_TABLE');
    if (wanted.has(entry.table)) fail('NXTFFC_DUP_TABLE');
    if (ofproto.tables[entry.table].hidden) fail('OFPTFFC_EPERM');
    wanted.set(entry.table, entry);
  }
  const command = entries[0]?.command ?? REPLACE;
  if (command !== REPLACE && command !== MODIFY) fail('OFPTFFC_EPERM');
  const known = tableFeatures(ofproto.tables, version);
  if (command === REPLACE && wanted.size !== known.length) fail('OFPTFFC_EPERM');
  for (const now of known) {
    const entry = wanted.get(now.table);
    if (entry !== undefined) checkEntry(ofproto, entry, now);
  }
  for (const { table, name } of wanted.values()) ofproto.tables[table].openflowName = name;
}

function checkEntry(ofproto: Ofproto, entry: TableFeaturesEntry, now: TableFeaturesEntry): void {
  if (entry.maxEntries !== now.maxEntries) fail('OFPTFFC_EPERM');
  if (!ofproto.tables[entry.table].mayBeNamed(entry.name)) fail('OFPTFFC_EPERM');
  if ((entry.metadataMatch & ~now.metadataMatch) !== 0n) fail('OFPTFFC_EPERM');
  if ((entry.metadataWrite & ~now.metadataWrite) !== 0n) fail('OFPTFFC_EPERM');
  if ((entry.config & ~now.config) !== 0) fail('OFPTFFC_EPERM');
  const seen = new Set<number>();
  for (const { type, data } of entry.properties) {
    if (seen.has(type)) fail('OFPTFFC_BAD_FEATURES');
    seen.add(type);
    const have = new Set(items(type, now.properties.find((p) => p.type === type)?.data));
    if (items(type, data).some((item) => !have.has(item))) fail('OFPTFFC_EPERM');
  }
}

/** What a property lists: table numbers, numbers of actions and instructions, fields. */
function items(type: number, data: Uint8Array | undefined): string[] {
  if (data === undefined) return [];
  const even = type & ~1;
  if (even === PROPERTY.NEXT_TABLES) return Array.from(data, String);
  const list: string[] = [];
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const fields = even >= PROPERTY.MATCH;
  for (let at = 0; at < data.length; ) {
    if (at + 4 > data.length) fail('OFPBPC_BAD_LEN');
    const [high, low] = [view.getUint16(at), view.getUint16(at + 2)];
    const vendor = high === EXPERIMENTER_CLASS;
    if (vendor && at + 8 > data.length) fail('OFPBPC_BAD_LEN');
    const who = vendor ? view.getUint32(at + 4) : 0;
    // Of a field its number counts; of actions and instructions the type.
    list.push(fields ? `${high}/${who}/${low >> 9}` : `${high}/${who}`);
    at += vendor ? 8 : 4;
  }
  return list;
}
