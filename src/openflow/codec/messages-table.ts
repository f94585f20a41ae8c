/**
 * Rows for messages about whole tables: table-mod, descriptions, features.
 *
 * Properties of tables since 1.4:  2 eviction: flags(32)    3 vacancy: down(8) up(8) now(8) zero(8)
 * Source: OpenFlow 1.1 section A.3.4.3; OpenFlow 1.4 sections 7.3.4.1, 7.3.5.5 and 7.3.5.6.
 */
import { fail } from '../errors.js';
import type { TableDesc, TableFeaturesEntry, TableMod, Vacancy } from '../messages-tables.js';
import type { Reader, Writer } from './buffer.js';
import { type MessageContext, type MessageRow, row } from './message-row.js';
import { getProperty, putProperty } from './props.js';
import { emptyRequest, listReply } from './stats-list.js';

const EVICTION = 2;
const VACANCY = 3;
const OF15 = 6;

interface TableProperties {
  evictionFlags?: number;
  vacancy?: Vacancy;
}

function getProperties(r: Reader, request: boolean): TableProperties {
  const found: TableProperties = {};
  while (r.left > 0) {
    const { type, payload } = getProperty(r);
    if (type === EVICTION) {
      if (payload.left !== 4) fail('OFPBPC_BAD_LEN');
      found.evictionFlags = payload.u32();
    } else if (type === VACANCY) {
      if (payload.left !== 4) fail('OFPBPC_BAD_LEN');
      const vacancy = { down: payload.u8(), up: payload.u8(), current: payload.u8() };
      if (request && vacancy.current !== 0) fail('OFPBPC_BAD_VALUE');
      found.vacancy = vacancy;
    } else if (request) fail('OFPBRC_BAD_TYPE');
  }
  return found;
}

function putProperties(w: Writer, { evictionFlags, vacancy }: TableProperties): void {
  if (evictionFlags !== undefined) putProperty(w, EVICTION, (p) => p.u32(evictionFlags));
  if (vacancy !== undefined) {
    putProperty(w, VACANCY, (p) => p.u8(vacancy.down).u8(vacancy.up).u8(vacancy.current).zeros(1));
  }
}

const DESC_HEADER = 8;

/** A description of a table, as it stands in its list and in table status messages. */
export function getTableDesc(r: Reader): TableDesc {
  const length = r.u16();
  if (length < DESC_HEADER) fail('OFPBRC_BAD_LEN');
  const e = r.sub(length - 2);
  const table = e.u8();
  const config = e.skip(1).u32();
  return { table, config, ...getProperties(e, false) };
}

export function putTableDesc(w: Writer, e: TableDesc): void {
  const start = w.length;
  w.u16(0).u8(e.table).zeros(1).u32(e.config);
  putProperties(w, e);
  w.setU16(start, w.length - start);
}

const FEATURES_LENGTH = 64;
const COMMAND_MAX = 3;

function getTableFeatures(r: Reader, ctx: MessageContext): TableFeaturesEntry {
  const length = r.peek16(0);
  if (length < FEATURES_LENGTH || length % 8 !== 0) fail('OFPBPC_BAD_LEN');
  const e = r.sub(length, 'OFPBPC_BAD_LEN');
  const table = e.skip(2).u8();
  const [command, features] = [e.u8(), e.u32()];
  if (ctx.version >= OF15 && command > COMMAND_MAX) fail('OFPTFFC_BAD_COMMAND');
  const name = e.text(32);
  const [metadataMatch, metadataWrite] = [e.u64(), e.u64()];
  const [config, maxEntries] = [e.u32(), e.u32()];
  const properties: TableFeaturesEntry['properties'] = [];
  while (e.left > 0) {
    const { type, payload } = getProperty(e);
    properties.push({ type, data: payload.rest() });
  }
  return {
    ...{ table, name, metadataMatch, metadataWrite, config, maxEntries, properties },
    ...(ctx.version >= OF15 && { command, features }),
  };
}

function putTableFeatures(w: Writer, e: TableFeaturesEntry, ctx: MessageContext): void {
  const start = w.length;
  const wide = ctx.version >= OF15;
  w.u16(0).u8(e.table);
  w.u8(wide ? (e.command ?? 0) : 0).u32(wide ? (e.features ?? 0) : 0);
  w.text(e.name, 32).u64(e.metadataMatch).u64(e.metadataWrite).u32(e.config).u32(e.maxEntries);
  for (const { type, data } of e.properties) putProperty(w, type, (p) => p.put(data));
  w.setU16(start, w.length - start);
}

const FEATURES = { number: 12, min: 4, max: 6, unit: 8 };

export const TABLE_ROWS: readonly MessageRow[] = [
  row({
    ...{ type: 'table_mod', cls: 'msg', number: 17, min: 2, max: 4, body: 8 },
    decode: (r) => ({ type: 'table_mod', table: r.u8(), config: r.skip(3).u32() }),
    encode: (w, msg) => void w.u8(msg.table).zeros(3).u32(msg.config),
  }),
  row({
    ...{ type: 'table_mod', cls: 'msg', number: 17, min: 5, max: 6, body: 8, unit: 8 },
    decode(r): TableMod {
      const [table, config] = [r.u8(), r.skip(3).u32()];
      return { type: 'table_mod', table, config, ...getProperties(r, true) };
    },
    encode(w, msg) {
      w.u8(msg.table).zeros(3).u32(msg.config);
      putProperties(w, msg);
    },
  }),
  emptyRequest('table_desc_request', 14, 5, 6),
  listReply(
    'table_desc_reply',
    { number: 14, min: 5, max: 6, unit: 8 },
    getTableDesc,
    putTableDesc,
  ),
  listReply(
    'table_features_request',
    { cls: 'stats_request', ...FEATURES },
    getTableFeatures,
    putTableFeatures,
  ),
  listReply('table_features_reply', FEATURES, getTableFeatures, putTableFeatures),
];
