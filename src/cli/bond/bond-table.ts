/**
 * The picture of `bond watch`: one table for each bond, rates from two looks at the counters.
 *
 *     bond1 on br1: balance-tcp, LACP negotiated, active member vetha, next rebalance in 4 s
 *       member  state    buckets  load                    tx Mbit/s  rx Mbit/s  why
 *       vetha   enabled      128  ############  61 %          312.0        3.1  carries its buckets
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
}

const BAR_CHARS = 12;
const GREEN = '\x1b[32m';
const RED = '\x1b[31m';
const BOLD = '\x1b[1m';
const PLAIN = '\x1b[0m';

type Cell = string;

/** @param before the sample before, for rates; null: there is none yet */
export function bondTable(now: Sample, before: Sample | null, options: TableOptions): string {
  if (now.bonds.length === 0) return 'no bonds\n';
  return now.bonds
    .map((bond) => `${heading(bond, options)}${members(bond, now, before, options)}\n`)
    .join('');
}

function heading(bond: BondReport, { color }: TableOptions): string {
  const facts = [
    bond.mode as string,
    `LACP ${bond.lacp}`,
    `active member ${bond.active ?? 'none'}`,
  ];
  if (bond.rebalanceMs !== null) {
    facts.push(`next rebalance in ${Math.ceil(bond.rebalanceMs / 1000)} s`);
  }
  const name = color ? `${BOLD}${bond.name}${PLAIN}` : bond.name;
  return `${name} on ${bond.bridge}: ${facts.join(', ')}\n`;
}

function members(
  bond: BondReport,
  now: Sample,
  before: Sample | null,
  { color }: TableOptions,
): string {
  const old = before?.bonds.find((b) => b.name === bond.name && b.bridge === bond.bridge);
  const seconds = before === null ? 0 : (now.atMs - before.atMs) / 1000;
  const total = bond.members.reduce((sum, member) => sum + member.load, 0);
  const head = ['member', 'state', 'buckets', 'load', 'tx Mbit/s', 'rx Mbit/s', 'LACP', 'why'];
  const rows = bond.members.map((member) => {
    const was = old?.members.find((m) => m.name === member.name);
    return row(member, total, was, seconds);
  });
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((r) => r[i].length)));
  const line = (cells: Cell[], paint = ''): string => {
    const padded = cells.map((cell, i) => {
      const text = RIGHT.has(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i]);
      return i === 1 && paint !== '' ? `${paint}${text}${PLAIN}` : text;
    });
    return `  ${padded.join('  ')}`.trimEnd();
  };
  const lines = bond.members.map((member, i) =>
    line(rows[i], color ? (member.enabled ? GREEN : RED) : ''),
  );
  return `${[line(head), ...lines].join('\n')}\n`;
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
