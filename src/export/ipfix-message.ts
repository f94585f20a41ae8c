/**
 * IPFIX messages: templates, data records and statistics of the exporter, as bytes. Pure functions.
 *
 *     message  version 10, length, export time, sequence, domain | set | set ...
 *     set      id (2 templates, 3 options templates, 256 and up data), length, records
 *
 * Source: RFC 7011, sections 3 and 4.
 */
import { Writer } from '../openflow/codec/buffer.js';
import {
  EXPORTER_STATS_FIELDS,
  EXPORTER_STATS_TEMPLATE,
  type IpfixField,
  type TemplateKind,
  templateFields,
  templateId,
} from './ipfix-templates.js';

const VERSION = 10;
const SET_TEMPLATES = 2;
const SET_OPTIONS_TEMPLATES = 3;
const MESSAGE_HEADER_BYTES = 16;
const SET_HEADER_BYTES = 4;
const ENTERPRISE_BIT = 0x8000;
const VARIABLE_LENGTH = 0xffff;
/** Messages are not made longer than this: they must not be fragmented. */
export const MESSAGE_BYTES_MAX = 1400;

export interface IpfixHeader {
  exportSec: number;
  /** Data records sent before this message. */
  sequence: number;
  domain: number;
}

/** A message of sets. @param sets as the functions below give them */
export function encodeMessage(header: IpfixHeader, sets: readonly Uint8Array[]): Uint8Array {
  const length = sets.reduce((sum, set) => sum + set.length, MESSAGE_HEADER_BYTES);
  const w = new Writer(length);
  w.u16(VERSION).u16(length).u32(header.exportSec).u32(header.sequence).u32(header.domain);
  for (const set of sets) w.put(set);
  return w.finish();
}

function encodeSet(id: number, records: readonly Uint8Array[]): Uint8Array {
  const length = records.reduce((sum, record) => sum + record.length, SET_HEADER_BYTES);
  const w = new Writer(length);
  w.u16(id).u16(length);
  for (const record of records) w.put(record);
  return w.finish();
}

function putFields(w: Writer, fields: readonly IpfixField[]): void {
  for (const [id, bytes, enterprise = 0] of fields) {
    w.u16(enterprise === 0 ? id : id | ENTERPRISE_BIT);
    w.u16(bytes === 0 ? VARIABLE_LENGTH : bytes);
    if (enterprise !== 0) w.u32(enterprise);
  }
}

/** Sets of templates, as many as fit into a message each. */
export function templateSets(kinds: readonly TemplateKind[], virtualObsId: boolean): Uint8Array[] {
  const sets: Uint8Array[] = [];
  let records: Uint8Array[] = [];
  let bytes = 0;
  for (const kind of kinds) {
    const fields = templateFields(kind, virtualObsId);
    const w = new Writer(256);
    w.u16(templateId(kind)).u16(fields.length);
    putFields(w, fields);
    const record = w.finish();
    const used = MESSAGE_HEADER_BYTES + SET_HEADER_BYTES + bytes;
    if (used + record.length > MESSAGE_BYTES_MAX) {
      sets.push(encodeSet(SET_TEMPLATES, records));
      records = [];
      bytes = 0;
    }
    records.push(record);
    bytes += record.length;
  }
  return records.length === 0 ? sets : [...sets, encodeSet(SET_TEMPLATES, records)];
}

/** The template of what the exporter tells of itself. */
export function optionsTemplateSet(): Uint8Array {
  const w = new Writer(32);
  w.u16(EXPORTER_STATS_TEMPLATE).u16(EXPORTER_STATS_FIELDS.length).u16(1);
  putFields(w, EXPORTER_STATS_FIELDS);
  return encodeSet(SET_OPTIONS_TEMPLATES, [w.finish()]);
}

/** @param notSent datagrams that no collector got */
export function exporterStatsSet(exporterId: number, notSent: number): Uint8Array {
  const w = new Writer(12);
  w.u32(exporterId).u64(BigInt(notSent));
  return encodeSet(EXPORTER_STATS_TEMPLATE, [w.finish()]);
}

/** One data record as a set of its own. */
export function dataSet(template: number, record: Uint8Array): Uint8Array {
  return encodeSet(template, [record]);
}
