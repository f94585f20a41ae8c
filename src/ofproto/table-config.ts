/** What controllers and the configuration say of whole tables: names, limits, misses, events. */
import { fail } from '../openflow/errors.js';
import { VACANCY } from '../openflow/messages-monitor.js';
import { TABLE_CONFIG, type TableDesc, type TableMod } from '../openflow/messages-tables.js';
import { deleteRules } from './flow-mod.js';
import {
  type FlowTable,
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
const OF14 = 5;
/** By what an entry is chosen: groups, importance, time left. */
const EVICTION_FLAGS = 7;

/** Settings of tables by number; tables that are not named have the defaults. */
export function configureTables(
  ofproto: Ofproto,
  settings: ReadonlyMap<number, TableSettings>,
): void {
  ofproto.finishDraft();
  for (const table of ofproto.tables) {
    if (table.hidden) continue;
    if (table.configure(settings.get(table.id) ?? TABLE_DEFAULTS)) ofproto.tablesChanged();
    while (table.evicts && table.cls.size > table.maxFlows) {
      const victim = table.victim();
      if (victim === null) break;
      deleteRules(ofproto, [victim], 'eviction');
    }
  }
}

/**
 * Carries a table-mod out: what misses do (1.1, 1.2), eviction and vacancy events (since 1.4).
 * @throws OfpError
 */
export function tableMod(ofproto: Ofproto, mod: TableMod, version: number): void {
  const { table: tableId } = mod;
  if (tableId === TBL_INTERNAL) fail('OFPTMFC_EPERM');
  const chosen = tableId === TBL_ALL ? ofproto.tables : [ofproto.tables[tableId]];
  const miss = TABLE_MISS[mod.config & TABLE_MISS_MASK];
  if (version <= OF_TABLE_MISS_MAX && miss === undefined) fail('OFPTMFC_BAD_CONFIG');
  if (version >= OF14) {
    const { down, up } = mod.vacancy ?? { down: 0, up: 0 };
    if (down > up || up > 100) fail('OFPBPC_BAD_VALUE');
  }
  for (const table of chosen) {
    if (table.hidden) continue;
    if (version >= OF14) modTable14(table, mod);
    else if (version <= OF_TABLE_MISS_MAX) table.miss = miss as TableMiss;
  }
  ofproto.tablesChanged();
}

function modTable14(table: FlowTable, mod: TableMod): void {
  table.openflowEvicts = (mod.config & TABLE_CONFIG.EVICTION) !== 0;
  const { down, up } = mod.vacancy ?? { down: 0, up: 0 };
  table.vacancy = { down, up };
  if ((mod.config & TABLE_CONFIG.VACANCY_EVENTS) === 0) table.vacancyEvent = 0;
  else if (table.vacancyEvent === 0) {
    table.vacancyEvent = vacancyOf(table) < up ? VACANCY.UP : VACANCY.DOWN;
  }
}

/** How much of a table is free, in whole percent. */
export function vacancyOf(table: FlowTable): number {
  const { maxFlows } = table;
  const free = Math.max(0, maxFlows - table.cls.size);
  return maxFlows === 0 ? 100 : Math.floor((free * 100) / maxFlows);
}

/** OpenFlow 1.1's and 1.2's number of what a miss does. */
export function missConfig(table: FlowTable): number {
  return table.miss === 'default' ? 0 : TABLE_MISS.indexOf(table.miss);
}

/** A table as table-desc replies and table-status messages tell of it. */
export function tableDesc(table: FlowTable): TableDesc {
  const config =
    (table.openflowEvicts ? TABLE_CONFIG.EVICTION : 0) |
    (table.vacancyEvent !== 0 ? TABLE_CONFIG.VACANCY_EVENTS : 0);
  const vacancy = { ...table.vacancy, current: vacancyOf(table) };
  return {
    ...{ table: table.id, config, evictionFlags: EVICTION_FLAGS },
    ...(table.vacancyEvent !== 0 && { vacancy }),
  };
}
