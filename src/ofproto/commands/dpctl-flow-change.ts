/**
 * dpctl/*: putting flows into a datapath and taking them out, past the bridges that own it.
 *
 * A flow that is put here stays until it is deleted: the bridges do not know it.
 *
 * Not for: looking at flows (dpctl-flow-dump.ts).
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { DpFlow } from '../../datapath/dpif.js';
import type { OdpAction } from '../../datapath/odp-actions.js';
import { formatDpFlowStats } from '../../datapath/odp-format.js';
import type { Match } from '../../openflow/match.js';
import type { OfprotoBacker } from '../backer.js';
import { type DpctlRun, portNames, REASONS, type Reason, refusal } from './dpctl-run.js';
import type { UfidNames } from './dpctl-ufids.js';
import { parseOdpActions } from './parse-odp-actions.js';
import { parseOdpMatch } from './parse-odp-flow.js';

/** The longest file of flows, bytes. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

export type Change = 'add' | 'modify' | 'delete';

/** How a change to one flow is to be made. */
interface Wish {
  modify: boolean;
  mayCreate: boolean;
}

function sameKey(flow: DpFlow, { flow: key, mask }: Match): boolean {
  return flow.mask.every((bits, i) => bits === mask[i] && ((flow.key[i] ^ key[i]) & bits) === 0);
}

/** The installed flow of a ufid, or with exactly this key and mask. */
function known(
  backer: OfprotoBacker,
  ufids: UfidNames,
  ufid: string | undefined,
  match: Match,
): DpFlow | null {
  const named = ufid === undefined ? null : ufids.find(backer, ufid);
  if (named !== null) return named;
  for (const flow of backer.dpif.flows()) if (sameKey(flow, match)) return flow;
  return null;
}

/** The key behind a ufid that may be there; null after an error, worded by `words`. */
function readKey(
  run: DpctlRun,
  backer: OfprotoBacker,
  ufids: UfidNames,
  text: string,
  words: (why: string) => string,
): { ufid: string | undefined; match: Match; named: boolean } | null {
  const read = ufids.read(text);
  if (read === null && /^\s*ufid:/.test(text)) {
    run.fail('parsing flow ufid', 'EINVAL');
    return null;
  }
  const key = read?.rest ?? text;
  try {
    const match = parseOdpMatch(key, portNames(backer).portNo);
    return { ufid: read?.ufid, match, named: key.trim() === '' };
  } catch (error) {
    run.fail(words(refusal(error)), 'EINVAL');
    return null;
  }
}

function statistics(run: DpctlRun, backer: OfprotoBacker, flow: DpFlow): void {
  if (!run.options.statistics) return;
  run.print(formatDpFlowStats(backer.dpif.flowStats(flow), backer.clock.now()));
}

function readActions(run: DpctlRun, backer: OfprotoBacker, text: string): OdpAction[] | null {
  try {
    return parseOdpActions(text, portNames(backer));
  } catch (error) {
    refusal(error);
    run.fail('parsing actions', 'EINVAL');
    return null;
  }
}

async function put(
  run: DpctlRun,
  backer: OfprotoBacker,
  ufids: UfidNames,
  [keyText, actionText]: readonly string[],
  { modify, mayCreate }: Wish,
): Promise<boolean> {
  const words = (why: string): string => `parsing flow key (${why})`;
  const key = readKey(run, backer, ufids, keyText, words);
  if (key === null) return false;
  const actions = readActions(run, backer, actionText);
  if (actions === null) return false;
  let flow = known(backer, ufids, key.ufid, key.match);
  if (flow !== null && !modify) return run.fail('updating flow table', 'EEXIST');
  if (flow === null && !mayCreate) return run.fail('updating flow table', 'ENOENT');
  const { flow: values, mask } = key.match;
  const zeroed = flow !== null && run.options.clear;
  const ufid = key.ufid ?? (flow === null ? undefined : ufids.of(flow));
  if (flow !== null && zeroed) backer.udpif.removeDpFlow(flow);
  try {
    if (flow !== null && !zeroed) backer.dpif.flowModify(flow, actions);
    else flow = backer.dpif.flowPut({ key: values, mask, actions });
  } catch (error) {
    refusal(error);
    return run.fail('updating flow table', 'ENOSPC');
  }
  if (ufid !== undefined) ufids.set(flow, ufid);
  await backer.dpif.sync();
  statistics(run, backer, flow);
  return true;
}

async function remove(
  run: DpctlRun,
  backer: OfprotoBacker,
  ufids: UfidNames,
  text: string,
): Promise<boolean> {
  const key = readKey(run, backer, ufids, text, (why) => why);
  if (key === null) return false;
  const flow = key.named
    ? ufids.find(backer, key.ufid ?? '')
    : known(backer, ufids, key.ufid, key.match);
  if (flow === null) {
    run.fail('deleting flow', 'ENOENT');
    if (key.ufid === undefined) run.print('Perhaps you need to specify a UFID?');
    return false;
  }
  backer.udpif.removeDpFlow(flow);
  await backer.dpif.sync();
  statistics(run, backer, flow);
  return true;
}

export async function putFlow(
  run: DpctlRun,
  args: string[],
  ufids: UfidNames,
  modify: boolean,
): Promise<boolean> {
  const backer = run.open(args, 3);
  if (backer === null) return false;
  const mayCreate = !modify || run.options.mayCreate;
  return put(run, backer, ufids, args.slice(-2), { modify, mayCreate });
}

export async function delFlow(run: DpctlRun, args: string[], ufids: UfidNames): Promise<boolean> {
  const backer = run.open(args, 2);
  return backer !== null && remove(run, backer, ufids, args.at(-1) ?? '');
}

/** Deletes all flows, or those that a file names. */
export async function delFlows(run: DpctlRun, args: string[], ufids: UfidNames): Promise<boolean> {
  if (args.length > 1 || (args.length === 1 && run.find(args[0]) === null)) {
    return changeFlows(run, args, ufids, 'delete');
  }
  const backer = run.open(args, 1);
  if (backer === null) return false;
  backer.udpif.removeAll();
  for (const flow of [...backer.dpif.flows()]) backer.dpif.flowDel(flow);
  await backer.dpif.sync();
  return true;
}

/** A line of a file: what to do, the flow, and actions behind it. */
function readLine(text: string, change: Change): { change: Change; flow: string; actions: string } {
  const [, word, rest] = /^([^,\s]*)(.*)$/s.exec(text.trim()) ?? ['', '', ''];
  const named = (['add', 'delete', 'modify'] as const).find((one) => one.startsWith(word));
  const [, flow, actions] = /^(\S*)\s*(.*)$/s.exec((named ? rest : text).trim()) ?? ['', '', ''];
  return { change: named ?? change, flow, actions };
}

/** Does what the lines of a file say. One that cannot be done is told of, and passed over. */
export async function changeFlows(
  run: DpctlRun,
  args: string[],
  ufids: UfidNames,
  change: Change,
): Promise<boolean> {
  const backer = run.open(args, 3);
  if (backer === null) return false;
  const file = args.at(-1) ?? '';
  const text = await readWhole(file);
  if (typeof text !== 'string') {
    run.fail(`Opening file "${file}" failed`, text.reason);
    return true;
  }
  for (const [i, whole] of text.split('\n').entries()) {
    const line = whole.replace(/#.*/s, '').trim();
    if (line === '') continue;
    const wish = readLine(line, change);
    if (wish.flow === '' || (wish.change === 'delete') !== (wish.actions === '')) {
      run.fail(`Failed parsing line number ${i + 1}, skipped!`);
    } else if (wish.change === 'delete') {
      await remove(run, backer, ufids, wish.flow);
    } else {
      const modify = wish.change === 'modify';
      const how = { modify, mayCreate: !modify };
      await put(run, backer, ufids, [wish.flow, wish.actions], how);
    }
  }
  return true;
}

/** A file's text, if it is one and not too long. A pipe is not waited for. */
async function readWhole(path: string): Promise<string | { reason: Reason }> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      if (!stat.isFile() || stat.size > FILE_BYTES_MAX) return { reason: 'EINVAL' };
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return { reason: Object.hasOwn(REASONS, code) ? (code as Reason) : 'EIO' };
  }
}
