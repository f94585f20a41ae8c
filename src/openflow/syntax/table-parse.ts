/**
 * Settings of tables as people write them: `controller`, `evict`, `vacancy:20,80`, `name:ingress`.
 */
import { TABLE_CONFIG, type TableMod, type Vacancy } from '../messages-tables.js';
import { type NameMap, parseTable } from './names.js';
import { syntaxError } from './scan.js';

const TABLE_ALL = 255;
const LAST_TABLE = 0xfe;
const MISS: Readonly<Record<string, number>> = { controller: 0, continue: 1, drop: 2 };
const OLD = [2, 3];
const NEW = [5, 6];
const NAMING = [4, 5, 6];

export interface ParsedTableMod {
  msg: TableMod;
  /** What of OpenFlow 1.4's settings this is about; the other stays as it is. */
  about: 'miss' | 'eviction' | 'vacancy' | 'name';
  name?: string;
  /** Wire numbers of the versions that have it. */
  versions: readonly number[];
}

function percent(text: string, which: string): number {
  const value = /^[+]?(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : -1;
  return value >= 0 && value <= 100
    ? value
    : syntaxError(`Invalid vacancy ${which} value "${text}"`);
}

function parseVacancy(setting: string): Vacancy {
  const values = setting
    .slice(setting.indexOf(':') + 1)
    .split(',')
    .filter((v) => v !== '');
  const [downText, upText] = setting.includes(':') ? values : [];
  if (downText === undefined) syntaxError('Vacancy down value missing');
  const down = percent(downText, 'down');
  if (upText === undefined) syntaxError('Vacancy up value missing');
  const up = percent(upText, 'up');
  if (down > up) {
    syntaxError(
      'Invalid vacancy range, vacancy up should be greater than vacancy down (OFPBPC_BAD_VALUE)',
    );
  }
  return { down, up, current: 0 };
}

/** Reads a table, `all` or its number or name, and what to set in it. Throws FlowSyntaxError. */
export function parseTableMod(
  tableText: string,
  setting: string,
  names: NameMap | null,
): ParsedTableMod {
  const all = tableText.toLowerCase() === 'all';
  const table = all ? TABLE_ALL : parseTable(tableText, names);
  if (table === null) syntaxError(`unknown table "${tableText}"`);
  const mod = (config: number): TableMod => ({ type: 'table_mod', table, config });
  if (Object.hasOwn(MISS, setting)) {
    if (table === LAST_TABLE && setting === 'continue') {
      syntaxError("last table's flow miss handling can not be continue");
    }
    return { msg: mod(MISS[setting]), about: 'miss', versions: OLD };
  }
  if (setting === 'evict' || setting === 'noevict') {
    const config = setting === 'evict' ? TABLE_CONFIG.EVICTION : 0;
    return { msg: mod(config), about: 'eviction', versions: NEW };
  }
  if ('vacancy'.startsWith(setting.replace(/:.*$/, ''))) {
    const msg = { ...mod(TABLE_CONFIG.VACANCY_EVENTS), vacancy: parseVacancy(setting) };
    return { msg, about: 'vacancy', versions: NEW };
  }
  if (setting === 'novacancy') return { msg: mod(0), about: 'vacancy', versions: NEW };
  if (!all && setting.startsWith('name:')) {
    return { msg: mod(0), about: 'name', name: setting.slice(5), versions: NAMING };
  }
  return syntaxError(`invalid table_mod setting ${setting}`);
}
