/**
 * What each table can match and do: OpenFlow 1.3's table features, the same for every table.
 *
 * Source: OpenFlow 1.3.5, section 7.3.5.5. The property numbers' odd ones describe the table-miss
 * entry, which can do all that others can.
 */
import {
  TABLE_CONFIG,
  type TableFeaturesEntry,
  type TableFeaturesProperty,
} from '../../openflow/messages-tables.js';
import { FIELDS, type Field, fieldHeader } from '../../packet/fields.js';
import { type FlowTable, TBL_INTERNAL } from '../flow-table.js';

/** Numbers of the properties. */
export const PROPERTY = {
  INSTRUCTIONS: 0,
  NEXT_TABLES: 2,
  WRITE_ACTIONS: 4,
  APPLY_ACTIONS: 6,
  MATCH: 8,
  WILDCARDS: 10,
  WRITE_SETFIELD: 12,
  APPLY_SETFIELD: 14,
} as const;
/** Added to the number of a property: it is about the table-miss entry. */
const MISS = 1;

/** goto_table, write_metadata, write_actions, apply_actions, clear_actions, meter. */
const INSTRUCTIONS = [1, 2, 3, 4, 5, 6];
/** The last table leads nowhere. */
const INSTRUCTIONS_LAST = [2, 3, 4, 5, 6];
/**
 * output, set_mpls_ttl, dec_mpls_ttl, push_vlan, pop_vlan, push_mpls, pop_mpls, set_queue, group,
 * set_nw_ttl, dec_nw_ttl, set_field.
 */
const ACTIONS = [0, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25];
const EXPERIMENTER_CLASS = 0xffff;
const OF14 = 5;
const OF15 = 6;
/** Since 1.4: eviction and vacancy events. */
const CAPABILITIES_OF14 = TABLE_CONFIG.EVICTION | TABLE_CONFIG.VACANCY_EVENTS;
const ALL_64 = 0xffffffffffffffffn;

/** Fields that the tables match on, in a version. */
function fieldsOf(version: number): Field[] {
  return FIELDS.filter((field) => fieldHeader(field, version) !== undefined);
}

/** Numbers of fields as OXM writes them; `masks`: saying which take a mask. */
function fieldNumbers(fields: readonly Field[], version: number, masks: boolean): Uint8Array {
  const bytes: number[] = [];
  for (const field of fields) {
    const header = fieldHeader(field, version);
    if (header === undefined) continue;
    const experimenter = header.class === EXPERIMENTER_CLASS;
    const hasMask = masks && field.maskable;
    const length = field.nBytes * (hasMask ? 2 : 1) + (experimenter ? 4 : 0);
    bytes.push(header.class >> 8, header.class & 0xff);
    bytes.push((header.field << 1) | (hasMask ? 1 : 0), length);
    if (experimenter) {
      const v = header.vendor;
      bytes.push(v >>> 24, (v >>> 16) & 0xff, (v >>> 8) & 0xff, v & 0xff);
    }
  }
  return Uint8Array.from(bytes);
}

/** Numbers of actions or instructions, each with its length of 4. */
function ids(numbers: readonly number[]): Uint8Array {
  return Uint8Array.from(numbers.flatMap((n) => [n >> 8, n & 0xff, 0, 4]));
}

/** Properties that do not depend on the table. */
function commonProperties(version: number): TableFeaturesProperty[] {
  const fields = fieldsOf(version);
  const settable = fieldNumbers(
    fields.filter((field) => field.writable),
    version,
    false,
  );
  const properties: TableFeaturesProperty[] = [];
  for (const miss of [0, MISS]) {
    properties.push(
      { type: PROPERTY.WRITE_ACTIONS + miss, data: ids(ACTIONS) },
      { type: PROPERTY.WRITE_SETFIELD + miss, data: settable },
      { type: PROPERTY.APPLY_ACTIONS + miss, data: ids(ACTIONS) },
      { type: PROPERTY.APPLY_SETFIELD + miss, data: settable },
    );
  }
  properties.push(
    { type: PROPERTY.MATCH, data: fieldNumbers(fields, version, true) },
    { type: PROPERTY.WILDCARDS, data: fieldNumbers(fields, version, false) },
  );
  return properties;
}

/** What leads on from a table. */
function instructions(next: Uint8Array): TableFeaturesProperty[] {
  const data = ids(next.length === 0 ? INSTRUCTIONS_LAST : INSTRUCTIONS);
  return [0, MISS].flatMap((miss) => [
    { type: PROPERTY.INSTRUCTIONS + miss, data },
    { type: PROPERTY.NEXT_TABLES + miss, data: next },
  ]);
}

/** One entry for each table that a controller can see. */
export function tableFeatures(tables: readonly FlowTable[], version: number): TableFeaturesEntry[] {
  const common = commonProperties(version);
  return tables
    .filter((table) => !table.hidden)
    .map((table) => {
      const next = Uint8Array.from(
        { length: TBL_INTERNAL - table.id - 1 },
        (_, i) => table.id + 1 + i,
      );
      return {
        table: table.id,
        name: tableName(table),
        metadataMatch: ALL_64,
        metadataWrite: ALL_64,
        config: version >= OF14 ? CAPABILITIES_OF14 : 0,
        ...(version >= OF15 && { command: 0, features: 0 }),
        maxEntries: table.maxFlows,
        properties: [...instructions(next), ...common],
      };
    });
}

/** The name of a table in replies: its own, or none. */
export const tableName = (table: FlowTable): string => table.name;
