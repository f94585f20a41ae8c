/** What controllers and the configuration say of whole tables: names, limits, misses. */
import { fail } from '../openflow/errors.js';
import { chooseVictim } from './eviction.js';
import { deleteRules } from './flow-mod.js';
import {
  TABLE_DEFAULTS,
  type TableMiss,
  type TableSettings,
  TBL_ALL,
  TBL_INTERNAL,
} from './flow-table.js';
import type { Ofproto } from './ofproto.js';

/** OpenFlow 1.1 and 1.2: OFPTC_TABLE_MISS_*; 1.3: 0 alone. */
const TABLE_MISS: readonly (TableMiss | undefined)[] = ['controller', 'continue', 'drop'];
const TABLE_MISS_MASK = 3;
const OF_TABLE_MISS_MAX = 3;

/** Settings of tables by number; tables that are not named have the defaults. */
export function configureTables(
  ofproto: Ofproto,
  settings: ReadonlyMap<number, TableSettings>,
): void {
  for (const table of ofproto.tables) {
    if (table.hidden) continue;
    table.configure(settings.get(table.id) ?? TABLE_DEFAULTS);
    while (table.evicts && table.cls.size > table.maxFlows) {
      const victim = chooseVictim(table);
      if (victim === null) break;
      deleteRules(ofproto, [victim], 'eviction');
    }
  }
}

/**
 * What packets meet in a table without a matching entry.
 * @param config OFPTC bits, as of OpenFlow 1.1 to 1.3
 * @throws OfpError
 */
export function tableMod(ofproto: Ofproto, tableId: number, config: number, version: number): void {
  if (tableId !== TBL_ALL && tableId >= TBL_INTERNAL) fail('OFPTMFC_BAD_TABLE');
  const miss = TABLE_MISS[config & TABLE_MISS_MASK];
  if (miss === undefined) fail('OFPTMFC_BAD_CONFIG');
  if (version > OF_TABLE_MISS_MAX) return;
  const chosen = tableId === TBL_ALL ? ofproto.tables : [ofproto.tables[tableId]];
  for (const table of chosen) if (!table.hidden) table.miss = miss;
  ofproto.tablesChanged();
}
