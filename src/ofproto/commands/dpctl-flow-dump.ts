/** dpctl/dump-flows, dpctl/get-flow: the flows of a datapath as text, all or chosen ones. */
import type { DpFlow, DpFlowStats } from '../../datapath/dpif.js';
import { formatDpFlow, formatUfid } from '../../datapath/odp-format.js';
import type { Match } from '../../openflow/match.js';
import { nameMap } from '../../openflow/syntax/names.js';
import type { OfprotoBacker } from '../backer.js';
import type { DpctlOptions } from './dpctl-options.js';
import { type DpctlRun, refusal } from './dpctl-run.js';
import type { UfidNames } from './dpctl-ufids.js';
import { nameByNo } from './dpif-commands.js';
import { parseMatch } from './parse-flow.js';

/** Workers have their flows in common: all are shown as the main thread's. */
const MAIN_THREAD = -1;

/**
 * Which flows `type=` lets through. The kernel's are what Open vSwitch has in tc: shown as that
 * when somebody asked for forwarding in the kernel, or asks for them here.
 */
const TYPES: Readonly<Record<string, (stats: DpFlowStats) => boolean>> = {
  all: () => true,
  ovs: ({ offloaded }) => offloaded !== true,
  tc: ({ inKernel }) => inKernel === true,
  dpdk: () => false,
  offloaded: ({ inKernel }) => inKernel === true,
  'non-offloaded': ({ offloaded }) => offloaded !== true,
  'partially-offloaded': () => false,
};

const KERNEL_TYPES = new Set(['tc', 'offloaded']);

interface Chosen {
  type: string | null;
  filter: string | null;
  pmd: string | null;
  /** What is none of these. */
  rest: string[];
}

/** The conditions stand last; of two of a kind, the first that is read from the end counts. */
function conditions(args: readonly string[]): Chosen {
  const chosen: Chosen = { type: null, filter: null, pmd: null, rest: [...args] };
  for (;;) {
    const { rest } = chosen;
    const [, key, value] = /^(filter|type|pmd)=(.*)$/s.exec(rest.at(-1) ?? '') ?? [];
    if (key === undefined || (key !== 'pmd' && chosen[key as 'type' | 'filter'] !== null)) {
      return chosen;
    }
    chosen[key as 'type' | 'filter' | 'pmd'] = value;
    rest.pop();
  }
}

/** Whether the flow's packets may be what the filter wants: bits that it leaves open all are. */
function fits({ flow, mask }: Match, { key, mask: flowMask }: DpFlow): boolean {
  return mask.every((bits, word) => ((flow[word] ^ key[word]) & bits & flowMask[word]) === 0);
}

function readFilter(run: DpctlRun, backer: OfprotoBacker, text: string): Match | null {
  const ports = nameMap([...backer.dpif.ports()].map((port) => [port.portNo, port.name]));
  try {
    return parseMatch(text, ports);
  } catch (error) {
    const why = refusal(error).replace('Bad openflow flow syntax: ', '');
    run.fail(`Failed to parse filter (${why})`);
    return null;
  }
}

export function formatFlow(
  backer: OfprotoBacker,
  ufids: UfidNames,
  flow: DpFlow,
  { verbose, names }: DpctlOptions,
  stats: DpFlowStats = backer.dpif.flowStats(flow),
): string {
  const portName = names ? nameByNo(backer.dpif) : undefined;
  const text = formatDpFlow(flow, stats, backer.clock.now(), { verbose, portName });
  return text.replace(/^ufid:[-0-9a-f]+/, `ufid:${ufids.of(flow) ?? formatUfid(flow.id)}`);
}

export function dumpFlows(run: DpctlRun, args: string[], ufids: UfidNames): boolean {
  const { type, filter, pmd, rest } = conditions(args);
  // Open vSwitch says nothing of a number that is none.
  if (pmd !== null && !/^\s*[-+]?\d/.test(pmd)) return false;
  const backer = run.open(rest, 1);
  if (backer === null) return false;
  const wanted = filter === null ? null : readFilter(run, backer, filter);
  if (filter !== null && wanted === null) return false;
  const types = (type ?? 'all').split(',').filter((one) => one !== '');
  const unknown = types.find((one) => !Object.hasOwn(TYPES, one));
  if (unknown !== undefined) return run.fail(`Failed to parse type (${unknown})`, 'EINVAL');
  if (pmd !== null && Number.parseInt(pmd, 10) !== MAIN_THREAD) return true;
  const lines: string[] = [];
  let matched = false;
  for (const flow of [...backer.dpif.flows()].sort((a, b) => a.id - b.id)) {
    if (wanted !== null && !fits(wanted, flow)) continue;
    matched = true;
    const stats = backer.dpif.flowStats(flow);
    if (!types.some((one) => TYPES[one](stats))) continue;
    if (types.every((one) => KERNEL_TYPES.has(one))) stats.offloaded = stats.inKernel;
    lines.push(formatFlow(backer, ufids, flow, run.options, stats));
  }
  if (matched && pmd === null && lines.length > 0) run.print('flow-dump from the main thread:');
  for (const line of lines) run.print(line);
  return true;
}

/** As in Open vSwitch, a text that is no ufid ends without an error status. */
export function getFlow(run: DpctlRun, args: string[], ufids: UfidNames): boolean {
  const backer = run.open(args, 2);
  if (backer === null) return false;
  const text = args.at(-1) ?? '';
  const ufid = ufids.read(text);
  if (ufid === null) {
    run.fail('parsing flow ufid', text.startsWith('ufid:') ? 'EINVAL' : undefined);
    return true;
  }
  const flow = ufids.find(backer, ufid.ufid);
  if (flow === null) return run.fail('getting flow', 'ENOENT');
  run.print(formatFlow(backer, ufids, flow, run.options));
  return true;
}
