/**
 * Comparing whole flow tables: replace-flows and diff-flows.
 *
 * A flow is told apart by table, priority and match; two versions of it are equal when cookie,
 * timeouts, importance and the text of their actions are.
 */
import { existsSync } from 'node:fs';
import type { Match } from '../../openflow/match.js';
import type { FlowMod, FlowStatsEntry } from '../../openflow/messages.js';
import { P_ANY } from '../../openflow/protocols.js';
import { formatActions } from '../../openflow/syntax/action-format.js';
import { formatMatch } from '../../openflow/syntax/match-format.js';
import { type Names, NO_NAMES } from '../../openflow/syntax/names.js';
import { fitTunOptions } from '../../openflow/tun-metadata.js';
import { runBundle } from './bundle-commands.js';
import { OfctlExit } from './errors.js';
import { dumpEntries, everyFlow, flowsFromFile, setDumpProtocol } from './flow-source.js';
import type { Session } from './session.js';

interface Version {
  cookie: bigint;
  idleTimeout: number;
  hardTimeout: number;
  importance: number;
  actions: FlowMod['actions'];
  sendFlowRem: boolean;
}

interface Flow {
  table: number;
  priority: number;
  match: Match;
  /** From the first and from the second source. */
  versions: [Version?, Version?];
}

const OPTION_UNIT = 4;

/** Makes flows of several sources alike: tunnel options of one number have one length. */
function fitOptions(flows: readonly (FlowMod | FlowStatsEntry)[]): void {
  const lengths = new Map<number, number>();
  for (const { match } of flows) {
    for (const { index, value } of match.tunMetadata?.options ?? []) {
      lengths.set(index, Math.max(lengths.get(index) ?? 0, value.length));
    }
  }
  if (lengths.size === 0) return;
  const whole = (index: number): number =>
    Math.ceil((lengths.get(index) ?? 0) / OPTION_UNIT) * OPTION_UNIT;
  for (const { match } of flows) fitTunOptions(match, whole);
}

/** Flows of two sources by what tells them apart, tables in order. */
class FlowTables {
  private readonly tables = new Map<number, Map<string, Flow>>();

  add(side: 0 | 1, f: FlowMod | FlowStatsEntry): void {
    const table = f.table === 255 ? 0 : f.table;
    let flows = this.tables.get(table);
    if (flows === undefined) {
      flows = new Map();
      this.tables.set(table, flows);
    }
    const key = `${f.priority}:${f.match.flow.join()}:${f.match.mask.join()}`;
    let flow = flows.get(key);
    if (flow === undefined) {
      flow = { table, priority: f.priority, match: f.match, versions: [] };
      flows.set(key, flow);
    }
    const cookie = 'newCookie' in f ? (f.newCookie ?? 0n) : f.cookie;
    const { idleTimeout, hardTimeout, importance, actions } = f;
    const { sendFlowRem } = f.flags;
    flow.versions[side] = { cookie, idleTimeout, hardTimeout, importance, actions, sendFlowRem };
  }

  *byTable(): Generator<Flow[]> {
    for (const table of [...this.tables.keys()].sort((a, b) => a - b)) {
      yield [...(this.tables.get(table) as Map<string, Flow>).values()];
    }
  }
}

function equal(a: Version, b: Version): boolean {
  return (
    a.cookie === b.cookie &&
    a.idleTimeout === b.idleTimeout &&
    a.hardTimeout === b.hardTimeout &&
    a.importance === b.importance &&
    formatActions(a.actions) === formatActions(b.actions)
  );
}

function formatVersion(flow: Flow, v: Version | undefined, names: Names): string {
  if (v === undefined) return '';
  let text = flow.table === 0 ? '' : `table=${flow.table} `;
  text += formatMatch(flow.match, names.ports, flow.priority);
  if (v.cookie !== 0n) text += ` cookie=0x${v.cookie.toString(16)}`;
  if (v.idleTimeout !== 0) text += ` idle_timeout=${v.idleTimeout}`;
  if (v.hardTimeout !== 0) text += ` hard_timeout=${v.hardTimeout}`;
  if (v.importance !== 0) text += ` importance=${v.importance}`;
  return `${text} actions=${formatActions(v.actions, { ports: names.ports, tables: null })}\n`;
}

function flowMod(flow: Flow, v: Version, command: 'add' | 'delete_strict'): FlowMod {
  const add = command === 'add';
  return {
    ...{ type: 'flow_mod', command, table: flow.table, match: flow.match, priority: flow.priority },
    ...{ cookie: v.cookie, cookieMask: 0n, newCookie: v.cookie },
    ...{ idleTimeout: v.idleTimeout, hardTimeout: v.hardTimeout, importance: v.importance },
    ...{ bufferId: 0xffffffff, outPort: 0xffffffff, outGroup: 0xffffffff },
    flags: {
      ...{ sendFlowRem: v.sendFlowRem, checkOverlap: false, resetCounts: false },
      ...{ noPktCounts: false, noByteCounts: false },
    },
    actions: add ? v.actions : [],
  };
}

const OFPT_ERROR = 1;

export async function replaceFlows(s: Session, [name, file]: string[]): Promise<void> {
  const tables = new FlowTables();
  const names = await s.namesToAccept(name);
  const { flows, usable } = await flowsFromFile(s, file, 'add', names, 'open');
  const errors: Uint8Array[] = [];
  const onFrame = (frame: Uint8Array): void => {
    if (frame[1] === OFPT_ERROR) errors.push(frame);
  };
  const sw = await s.connect(name, { onFrame });
  await setDumpProtocol(s, sw, usable);
  const entries = await dumpEntries(sw, everyFlow());
  fitOptions([...flows, ...entries]);
  for (const f of flows) tables.add(0, f);
  for (const e of entries) tables.add(1, e);
  const requests: FlowMod[] = [];
  for (const table of tables.byTable()) {
    for (const flow of table) {
      const [wanted, present] = flow.versions;
      if (present !== undefined && wanted === undefined) {
        requests.push(flowMod(flow, present, 'delete_strict'));
      }
    }
    for (const flow of table) {
      const [wanted, present] = flow.versions;
      if (wanted === undefined) continue;
      if (s.options.readd || present === undefined || !equal(present, wanted)) {
        requests.push(flowMod(flow, wanted, 'add'));
      }
    }
  }
  if (s.options.bundle) await runBundle(s, sw, requests, errors);
  else await sw.transact(requests);
  sw.close();
}

/** A source is a file if it looks like one or there is one. */
const isFile = (source: string): boolean =>
  /^[/.]/.test(source) || (!source.includes(':') && existsSync(source));

interface Source {
  flows: readonly (FlowMod | FlowStatsEntry)[];
  names: Names;
}

async function readSource(s: Session, source: string): Promise<Source> {
  if (isFile(source)) {
    const { flows } = await flowsFromFile(s, source, 'add', NO_NAMES, 'open');
    return { flows, names: NO_NAMES };
  }
  const sw = await s.connect(source);
  await setDumpProtocol(s, sw, P_ANY);
  const flows = await dumpEntries(sw, everyFlow());
  sw.close();
  return { flows, names: await s.namesToShow(source) };
}

export async function diffFlows(s: Session, [a, b]: string[]): Promise<void> {
  const tables = new FlowTables();
  const first = await readSource(s, a);
  const second = await readSource(s, b);
  fitOptions([...first.flows, ...second.flows]);
  for (const f of first.flows) tables.add(0, f);
  for (const f of second.flows) tables.add(1, f);
  const names = first.names.ports === null ? second.names : first.names;
  let differ = false;
  for (const table of tables.byTable()) {
    for (const flow of table) {
      const [va, vb] = flow.versions;
      if (va !== undefined && vb !== undefined && equal(va, vb)) continue;
      differ = true;
      const [ta, tb] = [formatVersion(flow, va, names), formatVersion(flow, vb, names)];
      s.print((ta === '' ? '' : `-${ta}`) + (tb === '' ? '' : `+${tb}`));
    }
  }
  if (differ) throw new OfctlExit(2);
}
