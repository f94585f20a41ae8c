/**
 * What tables can do, as text. Of tables that can do the same only the first is told in full:
 *
 *       table 0:
 *         max_entries=1000000
 *         instructions (table miss and others):
 *           ...
 *       tables 1...252: ditto
 *
 * Properties that mean nothing to us are passed over, as are fields and actions.
 */
import { FIELDS, fieldByHeader } from '../../packet/fields.js';
import { Reader } from '../codec/buffer.js';
import { OfpError } from '../errors.js';
import { TABLE_CONFIG, type TableFeaturesEntry } from '../messages-tables.js';
import { ACTIONS_12 } from './group-format.js';
import { shortenNames } from './name-list.js';

const PROPERTY = {
  ...{ INSTRUCTIONS: 0, NEXT: 2, WRITE: 4, APPLY: 6, MATCH: 8, WILDCARDS: 10 },
  ...{ WRITE_SETFIELD: 12, APPLY_SETFIELD: 14 },
} as const;
/** The same property for what a table miss does has the next number. */
const MISS = 1;
const CLASS_EXPERIMENTER = 0xffff;
const NO_TABLE = 255;

/** In the order in which they are shown; numbers as in OpenFlow. */
export const INSTRUCTIONS: readonly [number: number, name: string][] = [
  [6, 'meter'],
  [4, 'apply_actions'],
  [5, 'clear_actions'],
  [3, 'write_actions'],
  [2, 'write_metadata'],
  [1, 'goto_table'],
];
/** Places of fields in lists. */
const ranks = new Map<string, number>();
for (const field of FIELDS) ranks.set(field.name, field.id);

interface Headers {
  exact: Set<string>;
  masked: Set<string>;
}

function readHeaders(data: Uint8Array): Headers {
  const out: Headers = { exact: new Set(), masked: new Set() };
  const r = new Reader(data);
  while (r.left >= 4) {
    const cls = r.u16();
    const bits = r.u16();
    const vendor = cls === CLASS_EXPERIMENTER ? r.u32() : 0;
    const name = fieldByHeader(vendor, cls, bits >>> 9)?.name;
    if (name !== undefined) ((bits & 0x100) !== 0 ? out.masked : out.exact).add(name);
  }
  return out;
}

/** Types of a list of instruction or action headers. */
function readTypes(data: Uint8Array): number[] {
  const types: number[] = [];
  const r = new Reader(data);
  while (r.left >= 4) {
    types.push(r.u16());
    const length = r.u16();
    if (length < 4) break;
    r.skip(length - 4);
  }
  return types;
}

/** What a table can do with packets that match an entry, or with those that match none. */
export interface Abilities {
  next: number[];
  instructions: string;
  writeActions: string;
  applyActions: string;
  writeFields: string;
  applyFields: string;
}

export interface TableView {
  entry: Omit<TableFeaturesEntry, 'properties'>;
  /** What misses do, where that is told. */
  missConfig: string;
  /** Counters, where they are told with it. */
  counts?: string;
  hit: Abilities;
  miss: Abilities;
  match: Set<string>;
  mask: Set<string>;
  wildcard: Set<string>;
}

export const named = (list: readonly [number, string][], types: readonly number[]): string =>
  list
    .filter(([number]) => types.includes(number))
    .map(([, name]) => name)
    .join(' ');

export function listed(names: Iterable<string>): string {
  const sorted = [...names].sort((a, b) => (ranks.get(a) ?? 0) - (ranks.get(b) ?? 0));
  return shortenNames(sorted);
}

function view(entry: TableFeaturesEntry): TableView {
  const data = (type: number): Uint8Array | undefined =>
    entry.properties.find((p) => p.type === type)?.data;
  const none = new Uint8Array(0);
  const abilities = (offset: number): Abilities => {
    // What is not said of a miss is as said of the others.
    const of = (type: number): Uint8Array => data(type + offset) ?? data(type) ?? none;
    return {
      next: [...of(PROPERTY.NEXT)].sort((a, b) => a - b),
      instructions: named(INSTRUCTIONS, readTypes(of(PROPERTY.INSTRUCTIONS))),
      writeActions: named(ACTIONS_12, readTypes(of(PROPERTY.WRITE))),
      applyActions: named(ACTIONS_12, readTypes(of(PROPERTY.APPLY))),
      writeFields: listed(readHeaders(of(PROPERTY.WRITE_SETFIELD)).exact),
      applyFields: listed(readHeaders(of(PROPERTY.APPLY_SETFIELD)).exact),
    };
  };
  const { exact, masked } = readHeaders(data(PROPERTY.MATCH) ?? none);
  const match = new Set([...exact, ...masked]);
  const wildcards = readHeaders(data(PROPERTY.WILDCARDS) ?? none).exact;
  const wildcard = new Set([...wildcards, ...masked].filter((name) => match.has(name)));
  const sides = { hit: abilities(0), miss: abilities(MISS) };
  return { entry, missConfig: '', ...sides, match, mask: masked, wildcard };
}

/** True for equal lists, and for those of neighbours that differ in the later one alone. */
function sameNext(a: number[], tableA: number, b: number[], tableB: number): boolean {
  if (tableA === tableB + 1) return sameNext(b, tableB, a, tableA);
  const isNeighbour = tableB === tableA + 1 && a.includes(tableB) && !b.includes(tableB);
  const left = isNeighbour ? a.filter((table) => table !== tableB) : a;
  return left.join() === b.join();
}

const actionsOf = (a: Abilities): string =>
  [a.writeActions, a.applyActions, a.writeFields, a.applyFields].join('|');

const sameAbilities = (a: Abilities, tableA: number, b: Abilities, tableB: number): boolean =>
  sameNext(a.next, tableA, b.next, tableB) &&
  a.instructions === b.instructions &&
  actionsOf(a) === actionsOf(b);

const isEmpty = (a: Abilities): boolean =>
  a.next.length === 0 && a.instructions === '' && actionsOf(a) === '|||';

const sameInstructions = (a: TableView, b: TableView): boolean =>
  sameAbilities(a.hit, a.entry.table, b.hit, b.entry.table) &&
  sameAbilities(a.miss, a.entry.table, b.miss, b.entry.table);

const sameSet = (a: Set<string>, b: Set<string>): boolean => listed(a) === listed(b);

/** Nothing is told of the table but counters. */
const isBlank = ({ entry, missConfig, hit, miss, match }: TableView): boolean =>
  entry.metadataMatch === 0n &&
  entry.metadataWrite === 0n &&
  missConfig === '' &&
  entry.maxEntries === 0 &&
  isEmpty(hit) &&
  isEmpty(miss) &&
  match.size === 0;

function same(a: TableView, b: TableView, supports: number): boolean {
  const [x, y] = [a.entry, b.entry];
  return (
    x.metadataMatch === y.metadataMatch &&
    x.metadataWrite === y.metadataWrite &&
    a.missConfig === b.missConfig &&
    (x.config & supports) === (y.config & supports) &&
    x.maxEntries === y.maxEntries &&
    sameInstructions(a, b) &&
    sameSet(a.match, b.match)
  );
}

/** `1-3,5` */
function ranges(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < numbers.length; ) {
    let end = i;
    while (end + 1 < numbers.length && numbers[end + 1] === numbers[end] + 1) end++;
    parts.push(end === i ? `${numbers[i]}` : `${numbers[i]}-${numbers[end]}`);
    i = end + 1;
  }
  return parts.join(',');
}

function actionLines(actions: string, fields: string): string {
  let text = actions === '' ? '' : `        actions: ${actions}\n`;
  if (fields !== '') text += `        supported on Set-Field: ${fields}\n`;
  return text;
}

function abilityLines(a: Abilities, before: Abilities | null): string {
  let text = '';
  const next = a.next.filter((table) => table < NO_TABLE);
  if (next.length > 0) text += `      next tables: ${ranges(next)}\n`;
  if (a.instructions !== '') {
    text +=
      before?.instructions === a.instructions
        ? '      (same instructions)\n'
        : `      instructions: ${a.instructions}\n`;
  }
  if (before !== null && actionsOf(before) === actionsOf(a) && a.writeFields !== '') {
    return `${text}      (same actions)\n`;
  }
  const write = actionLines(a.writeActions, a.writeFields);
  const apply = actionLines(a.applyActions, a.applyFields);
  if (write !== apply) {
    const head = '      Write-Actions features:\n';
    return `${text}${head}${write}      Apply-Actions features:\n${apply}`;
  }
  return write === '' ? text : `${text}      Write-Actions and Apply-Actions features:\n${write}`;
}

function matchLines(v: TableView): string {
  const line = (title: string, wanted: (name: string) => boolean): string => {
    const names = listed([...v.match].filter(wanted));
    return names === '' ? '' : `      ${title}: ${names}\n`;
  };
  return (
    line('arbitrary mask', (name) => v.mask.has(name) && v.wildcard.has(name)) +
    line('exact match or wildcard', (name) => !v.mask.has(name) && v.wildcard.has(name)) +
    line('must exact match', (name) => !v.mask.has(name) && !v.wildcard.has(name))
  );
}

const COMMANDS = ['replace', 'modify', 'enable', 'disable'];
const OF14 = 5;

/** Prints one table after the other; `finish` must follow the last. */
export class TableFeaturesPrinter {
  private before: TableView | null = null;
  private ditto: [first: number, last: number] | null = null;

  /** @param version of the messages; those since 1.4 tell what happens to full tables */
  constructor(private readonly version: number) {}

  add(entry: TableFeaturesEntry): string {
    return this.addView(this.viewOf(entry));
  }

  addView(now: TableView): string {
    const { before } = this;
    const { entry } = now;
    const supports = this.version >= OF14 ? TABLE_CONFIG.EVICTION | TABLE_CONFIG.VACANCY_EVENTS : 0;
    const command = entry.command ?? 0;
    let text = before === null && command !== 0 ? `\n  command: ${COMMANDS[command]}` : '';
    const alike = before !== null && same(now, before, supports);
    const unchanged = alike && now.counts === before.counts;
    this.before = now;
    if (unchanged && entry.name === '') {
      this.ditto = [this.ditto?.[0] ?? entry.table, entry.table];
      return text;
    }
    text += this.finish();
    text += `\n  table ${entry.table}${entry.name === '' ? '' : ` ("${entry.name}")`}:`;
    if (unchanged) return `${text} ditto`;
    text += `\n${now.counts ?? ''}`;
    if (alike) return isBlank(now) ? text : `${text}    (same features)\n`;
    return text + this.lines(now, before);
  }

  /** What is still to be said of tables that are like those before. */
  finish(): string {
    const { ditto } = this;
    this.ditto = null;
    if (ditto === null) return '';
    const [first, last] = ditto;
    return first === last
      ? `\n  table ${first}: ditto\n`
      : `\n  tables ${first}...${last}: ditto\n`;
  }

  private viewOf(entry: TableFeaturesEntry): TableView {
    try {
      return view(entry);
    } catch (e) {
      // A property that is cut short says nothing.
      if (e instanceof OfpError) return view({ ...entry, properties: [] });
      throw e;
    }
  }

  private lines(now: TableView, before: TableView | null): string {
    const { entry } = now;
    const hex = (n: bigint): string => (n === 0n ? '0' : `0x${n.toString(16)}`);
    let text = '';
    if (entry.metadataMatch !== 0n || entry.metadataWrite !== 0n) {
      text += `    metadata: match=${hex(entry.metadataMatch)} write=${hex(entry.metadataWrite)}\n`;
    }
    if (now.missConfig !== '') text += `    config=${now.missConfig}\n`;
    if (this.version >= OF14 && now.counts === undefined) {
      const can = (bit: number): string => ((entry.config & bit) === 0 ? 'not ' : '');
      text += `    eviction: ${can(TABLE_CONFIG.EVICTION)}supported\n`;
      text += `    vacancy events: ${can(TABLE_CONFIG.VACANCY_EVENTS)}supported\n`;
    }
    if (entry.maxEntries !== 0) text += `    max_entries=${entry.maxEntries}\n`;
    text += instructionLines(now, before);
    if (now.match.size === 0) return text;
    if (before !== null && sameSet(now.match, before.match)) return `${text}    (same matching)\n`;
    return `${text}    matching:\n${matchLines(now)}`;
  }
}

function instructionLines(now: TableView, before: TableView | null): string {
  const { table } = now.entry;
  if (before !== null && sameInstructions(now, before)) {
    return isEmpty(now.hit) ? '' : '    (same instructions)\n';
  }
  const hit = abilityLines(now.hit, before?.hit ?? null);
  if (!sameAbilities(now.hit, table, now.miss, table)) {
    const miss = abilityLines(now.miss, before?.miss ?? null);
    const [hitHead, missHead] = ['(other than table miss)', '(table miss)'];
    return `    instructions ${hitHead}:\n${hit}    instructions ${missHead}:\n${miss}`;
  }
  return isEmpty(now.hit) ? '' : `    instructions (table miss and others):\n${hit}`;
}

/** The features of tables in one message. */
export function formatTableFeatures(
  entries: readonly TableFeaturesEntry[],
  version: number,
): string {
  const printer = new TableFeaturesPrinter(version);
  return entries.map((entry) => printer.add(entry)).join('') + printer.finish();
}
