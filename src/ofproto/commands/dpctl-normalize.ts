/**
 * dpctl/parse-actions, dpctl/normalize-actions: what actions mean, whatever way they are written.
 *
 *     no vlan, push_vlan(5), 4, 1, pop_vlan, 6   ->   no vlan: ... 6    vlan(vid=5,...): ... 1,4
 *
 * Actions are gathered by the VLAN tags that the packet has when they are met.
 */
import type { OdpAction } from '../../datapath/odp-actions.js';
import { formatOdpActions } from '../../datapath/odp-format.js';
import { type FlowWords, VLAN_CFI, W_DL_TYPE, W_MPLS, W_VLAN0 } from '../../packet/flow-layout.js';
import { type DpctlRun, refusal } from './dpctl-run.js';
import { parseOdpActions } from './parse-odp-actions.js';
import { parseOdpMatch } from './parse-odp-flow.js';

const TAGS_MAX = 2;
const TPID_8021Q = 0x8100;
const VID_MASK = 0xfff;

/** Actions that are met with the same tags: TPID and TCI of each, the outer one first. */
interface Group {
  tags: readonly number[];
  actions: OdpAction[];
}

export function parseActions(run: DpctlRun, args: string[]): boolean {
  for (const text of args) {
    const actions = readActions(run, text, () => null);
    if (actions === null) return false;
    run.print(formatOdpActions(actions));
  }
  return true;
}

function readActions(
  run: DpctlRun,
  text: string,
  portNo: (name: string) => number | null,
): OdpAction[] | null {
  try {
    return parseOdpActions(text, { portNo });
  } catch (error) {
    refusal(error);
    run.fail('odp_actions_from_string', 'EINVAL');
    return null;
  }
}

function tagText(tag: number): string {
  const tpid = tag >>> 16;
  const other = tpid === TPID_8021Q ? '' : `tpid=0x${tpid.toString(16).padStart(4, '0')},`;
  return `vlan(${other}vid=${tag & VID_MASK},pcp=${(tag >>> 13) & 7}): `;
}

function mplsText(flow: FlowWords): string {
  const type = flow[W_DL_TYPE] >>> 16;
  if (type !== 0x8847 && type !== 0x8848) return 'no mpls: ';
  const lse = flow[W_MPLS];
  return `mpls(label=${lse >>> 12},tc=${(lse >>> 9) & 7},ttl=${lse & 0xff}): `;
}

/** Neighbouring outputs in the order of their ports. */
function sortOutputs(actions: readonly OdpAction[]): OdpAction[] {
  const sorted: OdpAction[] = [];
  let outputs: (OdpAction & { type: 'output' })[] = [];
  const flush = (): void => {
    sorted.push(...outputs.sort((a, b) => a.port - b.port));
    outputs = [];
  };
  for (const action of actions) {
    if (action.type === 'output') outputs.push(action);
    else {
      flush();
      sorted.push(action);
    }
  }
  flush();
  return sorted;
}

function compareTags(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < TAGS_MAX; i++) {
    const difference = ((a[i] ?? 0) >>> 0) - ((b[i] ?? 0) >>> 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function groups(flow: FlowWords, actions: readonly OdpAction[]): Group[] {
  let tags = [flow[W_VLAN0], flow[W_VLAN0 + 1]].filter((tag) => (tag & VLAN_CFI) !== 0);
  const found: Group[] = [];
  for (const action of actions) {
    if (action.type === 'pop_vlan') tags = tags.slice(1);
    else if (action.type === 'push_vlan') {
      tags = [(action.tpid << 16) | action.tci, ...tags].slice(0, TAGS_MAX);
    } else {
      const group = found.find((one) => compareTags(one.tags, tags) === 0);
      if (group) group.actions.push(action);
      else found.push({ tags, actions: [action] });
    }
  }
  return found.sort((a, b) => compareTags(a.tags, b.tags));
}

/** Arguments: flow, actions, and names of ports with their numbers. */
export function normalizeActions(run: DpctlRun, args: string[]): boolean {
  const [flowText, actionText, ...ports] = args;
  const numbers = new Map<string, number>();
  for (const port of ports) {
    const [, name, number] = /^([^=]{1,15})=\s*(-?\d+)/.exec(port) ?? [];
    if (name === undefined) return run.fail(`${port}: expected NAME=NUMBER`);
    numbers.set(name, Number(number));
  }
  const portNo = (name: string): number | null => numbers.get(name) ?? null;
  let flow: FlowWords;
  try {
    flow = parseOdpMatch(flowText, portNo).flow;
  } catch (error) {
    return run.fail(`odp_flow_key_from_string (${refusal(error)})`, 'EINVAL');
  }
  run.print(`input flow: ${flowText.trim()}`);
  const actions = readActions(run, actionText, portNo);
  if (actions === null) return false;
  if (run.options.verbose) run.print(`input actions: ${formatOdpActions(actions)}`);
  for (const { tags, actions: list } of groups(flow, actions)) {
    // All on one line, as Open vSwitch has them.
    run.text += tags.length === 0 ? 'no vlan: ' : tags.map(tagText).join('');
    run.text += mplsText(flow) + formatOdpActions(sortOutputs(list));
  }
  return true;
}
