/**
 * Counters of tables as text, and what tables can do as far as the same message tells it: all but
 * the counters is OpenFlow 1.0 to 1.2's.
 */
import { fieldByHeader } from '../../packet/fields.js';
import type { TableAbilities, TableStatsEntry, TableStatsReply } from '../messages-stats.js';
import { ACTIONS_11, ACTIONS_12 } from './group-format.js';
import {
  type Abilities,
  INSTRUCTIONS,
  listed,
  named,
  TableFeaturesPrinter,
  type TableView,
} from './table-features-format.js';

/** What bits stand for, several of them where prefixes of addresses may be matched. */
type FieldBits = readonly [bits: number, field: string][];
const FIELDS_10: FieldBits = [
  [1 << 0, 'in_port'],
  [1 << 1, 'vlan_vid'],
  [1 << 2, 'eth_src'],
  [1 << 3, 'eth_dst'],
  [1 << 4, 'eth_type'],
  [1 << 5, 'nw_proto'],
  [1 << 6, 'tcp_src'],
  [1 << 7, 'tcp_dst'],
  [0x3f << 8, 'ip_src'],
  [0x3f << 14, 'ip_dst'],
  [1 << 20, 'vlan_pcp'],
  [1 << 21, 'nw_tos'],
];
const FIELDS_11: FieldBits = [
  [1 << 0, 'in_port'],
  [1 << 1, 'vlan_vid'],
  [1 << 2, 'vlan_pcp'],
  [1 << 3, 'eth_type'],
  [1 << 4, 'nw_tos'],
  [1 << 5, 'nw_proto'],
  [1 << 6, 'tcp_src'],
  [1 << 7, 'tcp_dst'],
  [1 << 8, 'mpls_label'],
  [1 << 9, 'mpls_tc'],
  [1 << 11, 'eth_src'],
  [1 << 12, 'eth_dst'],
  [1 << 13, 'ip_src'],
  [1 << 14, 'ip_dst'],
  [1 << 15, 'metadata'],
];
const CLASS_BASIC = 0x8000;
/** OpenFlow 1.2 has no field with a higher number. */
const FIELD_MAX_12 = 35;
const MISS = ['controller', 'continue', 'drop'];
const OF11 = 2;

const fieldsOf = (table: FieldBits, bits: number): Set<string> =>
  new Set(table.filter(([bit]) => (bits & bit) !== 0).map(([, field]) => field));

function fields12(bits: bigint): Set<string> {
  const names = new Set<string>();
  for (let number = 0; number <= FIELD_MAX_12; number++) {
    const field = fieldByHeader(0, CLASS_BASIC, number);
    if (field !== undefined && ((bits >> BigInt(number)) & 1n) === 1n) names.add(field.name);
  }
  return names;
}

function numbers(bits: number): number[] {
  return Array.from({ length: 32 }, (_, n) => n).filter((n) => (bits & (1 << n)) !== 0);
}

const NOTHING: Abilities = {
  ...{ next: [], instructions: '', writeActions: '', applyActions: '' },
  ...{ writeFields: '', applyFields: '' },
};

function abilitiesOf(a: TableAbilities, version: number): Abilities {
  const actions = version === OF11 ? ACTIONS_11 : ACTIONS_12;
  return {
    next: [],
    instructions: named(INSTRUCTIONS, numbers(a.instructions)),
    writeActions: named(actions, numbers(a.writeActions)),
    applyActions: named(actions, numbers(a.applyActions)),
    writeFields: listed(fields12(a.writeSetFields)),
    applyFields: listed(fields12(a.applySetFields)),
  };
}

/** Fields that a table matches, and those that it may leave out. */
function matching(e: TableStatsEntry, version: number): Pick<TableView, 'match' | 'wildcard'> {
  const { abilities: a } = e;
  if (a === undefined) {
    const both = fieldsOf(FIELDS_10, e.wildcards);
    return { match: both, wildcard: both };
  }
  const fields = (bits: bigint): Set<string> =>
    version === OF11 ? fieldsOf(FIELDS_11, Number(bits)) : fields12(bits);
  const wildcard = fields(a.wildcards);
  return { match: new Set([...fields(a.match), ...wildcard]), wildcard };
}

function viewOf(e: TableStatsEntry, version: number): TableView {
  const { table, name, maxEntries, abilities: a } = e;
  const { metadataMatch = 0n, metadataWrite = 0n } = a ?? {};
  const can = a === undefined ? NOTHING : abilitiesOf(a, version);
  return {
    entry: { table, name, metadataMatch, metadataWrite, config: 0, maxEntries },
    missConfig: a === undefined ? '' : (MISS[e.missConfig ?? 0] ?? MISS[0]),
    counts: `    active=${e.active}, lookup=${e.lookups}, matched=${e.matched}\n`,
    ...{ hit: can, miss: can, mask: new Set(), ...matching(e, version) },
  };
}

export function formatTableStats(reply: TableStatsReply, version: number): string {
  const printer = new TableFeaturesPrinter(version);
  const text = reply.entries.map((entry) => printer.addView(viewOf(entry, version))).join('');
  return text + printer.finish();
}
