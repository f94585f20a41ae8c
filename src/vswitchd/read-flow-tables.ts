/** Bridge.flow_tables: rows of the Flow_Table table -> settings of OpenFlow tables. */
import { errorMessage } from '../common/errors.js';
import type { TableSettings } from '../ofproto/flow-table.js';
import { DEFAULT_PREFIX_FIELDS, mayHaveTrie } from '../ofproto/trie-set.js';
import type { SubField } from '../openflow/actions.js';
import { scanSubfield } from '../openflow/syntax/scan.js';
import type { IdlRow } from '../ovsdb/idl/index.js';
import { fieldByName } from '../packet/fields.js';
import { rowNumber, rowString, rowStrings, type Warn } from './row-values.js';

const TABLES_MAX = 254;

export function readFlowTables(bridge: IdlRow, warn: Warn): Map<number, TableSettings> {
  const tables = new Map<number, TableSettings>();
  const rows = bridge.get<Map<number, IdlRow>>('flow_tables');
  for (const [key, row] of rows ?? []) {
    const id = Number(key);
    if (id >= TABLES_MAX) {
      warn(`ignoring configuration for flow table ${id} not supported by this datapath`);
      continue;
    }
    tables.set(id, {
      name: rowString(row, 'name'),
      maxFlows: rowNumber(row, 'flow_limit'),
      evicts: rowString(row, 'overflow_policy') === 'evict',
      groups: readGroups(row, (message) => warn(`table ${id}: ${message}`)),
      prefixes: readPrefixes(row, warn),
    });
  }
  return tables;
}

/** Fields by name; 'none' alone: no tries. */
function readPrefixes(row: IdlRow, warn: Warn): readonly string[] {
  const names = rowStrings(row, 'prefixes');
  if (names.length === 0) return DEFAULT_PREFIX_FIELDS;
  if (names.includes('none')) return [];
  const fields: string[] = [];
  for (const name of names) {
    const field = fieldByName(name);
    if (field === undefined) warn(`'prefixes' with unknown field: ${name}`);
    else if (!mayHaveTrie(field.name) && !/^tun_/.test(field.name)) {
      warn(`'prefixes' with incompatible field: ${name}`);
    } else fields.push(field.name);
  }
  return fields.length > 0 ? fields : DEFAULT_PREFIX_FIELDS;
}

function readGroups(row: IdlRow, warn: Warn): SubField[] {
  const groups: SubField[] = [];
  for (const text of rowStrings(row, 'groups')) {
    try {
      const { sub, rest } = scanSubfield(text);
      if (rest === '') groups.push(sub);
      else warn(`'groups' element '${text}' contains trailing garbage`);
    } catch (error) {
      warn(`error parsing 'groups' (${errorMessage(error)})`);
    }
  }
  return groups;
}
