/**
 * The picture of `bond watch`: one table for each bond, rates from two looks at the counters.
 *
 *     bond1 on br1: balance-tcp, LACP negotiated, active member vetha, next rebalance in 4 s
 *       member  state    buckets  load                    tx Mbit/s  rx Mbit/s  why
 *       vetha   enabled      128  ############  61 %          312.0        3.1  carries its buckets
 *       12:30:01.250  vethx: disabled: no carrier
 */
import type { BondReport, MemberReport } from '../../ofproto/bond-status.js';

/** All bonds at one time. */
export interface Sample {
  /** Monotonic milliseconds. */
  atMs: number;
  bonds: BondReport[];
}

export interface TableOptions {
  color: boolean;
  /** Show the latest events again in each picture; otherwise each is shown once. */
  repeatEvents?: boolean;
  /** Size of the terminal: less important columns go, then lines are cut; older events go. */
  columns?: number;
  rows?: number;
}

/** Events of a bond in one picture, at most. */
const EVENTS_SHOWN = 8;

const BAR_CHARS = 12;
const GREEN = '\x1b[32m';
const RED = '\x1b[31m';
const BOLD = '\x1b[1m';
const PLAIN = '\x1b[0m';

type Cell = string;

/** @param before the sample before, for rates; null: there is none yet */
export function bondTable(now: Sample, before: Sample | null, options: TableOptions): string {
  if (now.bonds.length === 0) return 'no bonds\n';
  const nEvents = eventsThatFit(now.bonds, options.rows);
  const text = now.bonds
    .map((bond) => {
      const old = bondBefore(bond, before);
      const seconds = before === null ? 0 : (now.atMs - before.atMs) / 1000;
      const table = members(bond, old, seconds, options);
      return `${heading(bond, options)}${table}${events(bond, old, nEvents, options)}\n`;
    })
    .join('');
  if (options.rows === undefined) return text;
  const lines = text.trimEnd().split('\n');
  return `${lines.slice(0, Math.max(1, options.rows - 1)).join('\n')}\n`;
}

/** Tables come first: their events share what is left of the screen. */
function eventsThatFit(bonds: readonly BondReport[], rows: number | undefined): number {
  if (rows === undefined) return EVENTS_SHOWN;
  // A heading, the columns' titles and an empty line.
  const taken = bonds.reduce((sum, bond) => sum + 3 + bond.members.length, 0);
  return Math.max(0, Math.min(EVENTS_SHOWN, Math.floor((rows - taken) / bonds.length)));
}

function bondBefore(bond: BondReport, before: Sample | null): BondReport | undefined {
  return before?.bonds.find((b) => b.name === bond.name && b.bridge === bond.bridge);
}

function cut(text: string, { columns }: TableOptions): string {
  return columns === undefined ? text : text.slice(0, columns);
}

/** '  12:30:01.250  vethx: disabled: no carrier' */
function events(
  bond: BondReport,
  old: BondReport | undefined,
  count: number,
  options: TableOptions,
): string {
  if (count === 0) return '';
  const last = old?.events.at(-1)?.seq ?? 0;
  const wanted = options.repeatEvents ? bond.events : bond.events.filter(({ seq }) => seq > last);
  return wanted
    .slice(-count)
    .map(({ atMs, member, text }) => {
      const what = member === null ? text : `${member}: ${text}`;
      return `${cut(`  ${timeOfDay(atMs)}  ${what}`, options)}\n`;
    })
    .join('');
}

/** Local time with milliseconds, as in the log. */
function timeOfDay(atMs: number): string {
  const time = new Date(atMs);
  const two = (n: number): string => String(n).padStart(2, '0');
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':');
  return `${clock}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}

function heading(bond: BondReport, options: TableOptions): string {
  const facts = [
    bond.mode as string,
    `LACP ${bond.lacp}`,
    `active member ${bond.active ?? 'none'}`,
  ];
  if (bond.rebalanceMs !== null) {
    facts.push(`next rebalance in ${Math.ceil(bond.rebalanceMs / 1000)} s`);
  }
  const line = cut(`${bond.name} on ${bond.bridge}: ${facts.join(', ')}`, options);
  return options.color ? `${line.replace(bond.name, `${BOLD}$&${PLAIN}`)}\n` : `${line}\n`;
}

function members(
  bond: BondReport,
  old: BondReport | undefined,
  seconds: number,
  options: TableOptions,
): string {
  const total = bond.members.reduce((sum, member) => sum + member.load, 0);
  const rows = bond.members.map((member) => {
    const was = old?.members.find((m) => m.name === member.name);
    return row(member, total, was, seconds);
  });
  const widths = HEAD.map((title, i) => Math.max(title.length, ...rows.map((r) => r[i].length)));
  const shown = columnsThatFit(widths, options.columns);
  const line = (cells: readonly Cell[], paint = ''): string => {
    const padded = shown.map((i) =>
      RIGHT.has(i) ? cells[i].padStart(widths[i]) : cells[i].padEnd(widths[i]),
    );
    const text = cut(`  ${padded.join('  ')}`.trimEnd(), options);
    if (paint === '') return text;
    // The state, right after the name.
    const [from, to] = [widths[0] + 4, widths[0] + 4 + widths[1]];
    return `${text.slice(0, from)}${paint}${text.slice(from, to)}${PLAIN}${text.slice(to)}`;
  };
  const lines = bond.members.map((member, i) =>
    line(rows[i], options.color ? (member.enabled ? GREEN : RED) : ''),
  );
  return `${[line(HEAD), ...lines].join('\n')}\n`;
}

const HEAD = ['member', 'state', 'buckets', 'load', 'tx Mbit/s', 'rx Mbit/s', 'LACP', 'why'];
/** What a narrow terminal goes without, in this order. */
const DISPENSABLE = [5, 3, 6, 4, 2];

/** Indices of the columns that a terminal has room for. */
function columnsThatFit(widths: readonly number[], room: number | undefined): number[] {
  let shown = HEAD.map((_, i) => i);
  const width = (): number => shown.reduce((sum, i) => sum + 2 + widths[i], 0);
  for (const least of DISPENSABLE) {
    if (room === undefined || width() <= room) break;
    shown = shown.filter((i) => i !== least);
  }
  return shown;
}

/** Columns of numbers. */
const RIGHT = new Set([2, 4, 5]);

function row(
  member: MemberReport,
  total: number,
  was: MemberReport | undefined,
  seconds: number,
): Cell[] {
  const rate = (bytes: number, old: number | undefined): string => {
    if (old === undefined || seconds <= 0) return '-';
    return ((Math.max(0, bytes - old) * 8) / seconds / 1e6).toFixed(1);
  };
  const state = member.enabled ? (member.active ? 'active' : 'enabled') : 'disabled';
  const { lacp } = member;
  return [
    member.name,
    state,
    member.buckets > 0 ? `${member.buckets}` : '-',
    total > 0 ? bar(member.load / total) : '-',
    rate(member.txBytes, was?.txBytes),
    rate(member.rxBytes, was?.rxBytes),
    lacp === null ? '-' : `${lacp.status} ${lacp.attached ? 'attached' : 'detached'}`,
    member.why,
  ];
}

/** '######        50 %' */
function bar(share: number): string {
  const filled = Math.round(share * BAR_CHARS);
  return `${'#'.repeat(filled).padEnd(BAR_CHARS)} ${Math.round(share * 100)} %`;
}
