/**
 * Changing a port's columns in the database, as vsctl would: in one transaction, and done when the
 * switch has taken it up.
 */
import { TapswitchError } from '../common/errors.js';
import { type ColumnValue, type IdlRow, IdlTxn } from '../ovsdb/idl/index.js';
import type { PortChange } from './api/index.js';
import type { Subject } from './subject/subject.js';

/** How long the switch may take to put a change in force. */
const IN_FORCE_MS_MAX = 10_000;
const TRIES = 5;

/** @returns what was done, in words @throws TapswitchError E_WEB_NOT_FOUND, E_WEB_REFUSED */
export async function changePort(
  subject: Subject,
  name: string,
  change: PortChange,
): Promise<string> {
  subject.mustHaveDatabase();
  const row = portNamed(subject, name);
  const { active_member: active, ...columns } = change;
  const entries = Object.entries(columns).filter(([, value]) => value !== undefined);
  if (entries.length === 0 && active === undefined) {
    throw new TapswitchError('E_WEB_REQUEST', 'that changes nothing');
  }
  const bondOnly = entries.some(([column]) => column.startsWith('bond_') || column === 'lacp');
  if ((bondOnly || active !== undefined) && row.get<IdlRow[]>('interfaces').length < 2) {
    throw new TapswitchError('E_WEB_REQUEST', `${name} is no bond`);
  }
  if (entries.length > 0) await commit(subject, name, entries);
  if (active !== undefined) await subject.control.ask('bond/set-active-member', [name, active]);
  const words = entries.map(([column, value]) => `${column}=${JSON.stringify(value)}`);
  if (active !== undefined) words.push(`active member ${active}`);
  return `port ${name}: ${words.join(', ')}`;
}

function portNamed(subject: Subject, name: string): IdlRow {
  const row = subject.rows('Port').find((port) => port.get<string>('name') === name);
  if (row) return row;
  throw new TapswitchError('E_WEB_NOT_FOUND', `no port or bond named ${name}`);
}

async function commit(
  subject: Subject,
  name: string,
  entries: readonly [string, unknown][],
): Promise<void> {
  const { idl } = subject;
  for (let i = 0; i < TRIES; i++) {
    const seqno = idl.seqno;
    const txn = new IdlTxn(idl);
    const row = portNamed(subject, name);
    for (const [column, value] of entries) txn.set(row, column, value as ColumnValue);
    txn.comment(`console: port ${name}`);
    const [root] = subject.rows('Open_vSwitch');
    if (root) txn.increment(root, 'next_cfg');
    const { status, error, incremented } = await txn.commit();
    if (status === 'success') return inForce(subject, incremented ?? 0);
    if (status === 'unchanged') return;
    if (status !== 'try again') {
      throw new TapswitchError('E_WEB_REFUSED', `the database refused it: ${error ?? status}`);
    }
    while (idl.seqno === seqno && idl.live) await idl.nextEvent();
  }
  throw new TapswitchError('E_WEB_BUSY', 'somebody else changes the database all the time');
}

/** Waits until the switch says that it has taken up what is configured. */
async function inForce(subject: Subject, wanted: number): Promise<void> {
  const { idl, clock } = subject;
  const [root] = subject.rows('Open_vSwitch');
  if (!root) return;
  const until = clock.now() + IN_FORCE_MS_MAX;
  while (root.get<number>('cur_cfg') < wanted && clock.now() < until) {
    const tick = new Promise((resolve) => setTimeout(resolve, 200));
    await Promise.race([idl.nextEvent(), tick]);
  }
}
