/**
 * dpctl/*: changing a datapath past the bridges that own it, for tests and for looking into things.
 *
 * A flow that is put here stays until it is deleted: the bridges do not know it. A port that is
 * taken out comes back when its bridge is configured next.
 *
 * Not for: looking (dpif-commands.ts).
 */

import { TapswitchError } from '../../common/errors.js';
import type { DpFlow } from '../../datapath/dpif.js';
import { formatDpFlowStats, formatOdpActions } from '../../datapath/odp-format.js';
import type { Match } from '../../openflow/match.js';
import type { OfprotoBacker } from '../backer.js';
import type { OfprotoRegistry } from '../registry.js';
import { ANY_ARGS, bridgeNamed, commandError, type OfprotoCommand } from './command.js';
import { dpctlOptions } from './dpctl-options.js';
import { chooseBacker, flowByUfid } from './dpif-commands.js';
import { type OdpActionNames, parseOdpActions } from './parse-odp-actions.js';
import { parseOdpMatch } from './parse-odp-flow.js';

/** What Open vSwitch's program name is in these answers. */
const PROGRAM = 'ovs-vswitchd';

function failed(text: string): never {
  return commandError(`${PROGRAM}: ${text}`);
}

function portNames({ dpif }: OfprotoBacker): OdpActionNames {
  const numbers = new Map([...dpif.ports()].map((port) => [port.name, port.portNo]));
  return { portNo: (name) => numbers.get(name) ?? null };
}

function readKey(backer: OfprotoBacker, text: string): Match {
  try {
    return parseOdpMatch(text, portNames(backer).portNo);
  } catch (error) {
    if (!(error instanceof TapswitchError)) throw error;
    return failed(`parsing flow key (${error.message}) (Invalid argument)`);
  }
}

function sameKey(flow: DpFlow, { flow: key, mask }: Match): boolean {
  return flow.mask.every((bits, i) => bits === mask[i] && ((flow.key[i] ^ key[i]) & bits) === 0);
}

function findFlow(backer: OfprotoBacker, text: string): DpFlow | null {
  if (text.startsWith('ufid:')) return flowByUfid(backer, text.split(',')[0]);
  const wanted = readKey(backer, text);
  for (const flow of backer.dpif.flows()) if (sameKey(flow, wanted)) return flow;
  return null;
}

async function putFlow(
  registry: OfprotoRegistry,
  args: readonly string[],
  modify: boolean,
): Promise<string> {
  const { rest, statistics } = dpctlOptions(args);
  const mayCreate = !modify || args.includes('--may-create');
  if (rest.length < 2 || rest.length > 3) failed('syntax error (Invalid argument)');
  const backer = chooseBacker(registry, rest.length === 3 ? rest[0] : undefined);
  const [keyText, actionText] = rest.slice(-2);
  const { flow: key, mask } = readKey(backer, keyText.replace(/^ufid:[-0-9a-f]+[,\s]*/, ''));
  const actions = parseOdpActions(actionText, portNames(backer));
  const known = findFlow(backer, keyText);
  if (known !== null && !modify) failed('updating flow table (File exists)');
  if (known === null && !mayCreate) failed('updating flow table (No such file or directory)');
  let flow = known;
  if (flow === null) flow = backer.dpif.flowPut({ key, mask, actions });
  else backer.dpif.flowModify(flow, actions);
  await backer.dpif.sync();
  if (!statistics) return '';
  return `${formatDpFlowStats(backer.dpif.flowStats(flow), backer.clock.now())}\n`;
}

async function delFlow(registry: OfprotoRegistry, args: readonly string[]): Promise<string> {
  const { rest, statistics } = dpctlOptions(args);
  const backer = chooseBacker(registry, rest.length > 1 ? rest[0] : undefined);
  const flow = findFlow(backer, rest.at(-1) ?? '');
  if (flow === null) {
    return failed('deleting flow (No such file or directory)\nPerhaps you need to specify a UFID?');
  }
  backer.udpif.removeDpFlow(flow);
  await backer.dpif.sync();
  if (!statistics) return '';
  return `${formatDpFlowStats(backer.dpif.flowStats(flow), backer.clock.now())}\n`;
}

/** Takes ports out of the datapath, and so out of their bridges. */
function delIf(registry: OfprotoRegistry, [dp, ...names]: readonly string[]): string {
  const backer = chooseBacker(registry, dp);
  for (const name of names) {
    const number = /^\d+$/.test(name) ? Number(name) : portNames(backer).portNo(name);
    if (number === null) return failed(`no port named ${name}`);
    const port = backer.portByOdp(number);
    if (port === null) {
      return failed(`deleting port ${name} from ${dp} failed (No such device)`);
    }
    port.ofproto.portDel(port.ofPort);
  }
  return '';
}

/** Checks what is asked of ports; nothing of a port can be changed here. */
function setIf(registry: OfprotoRegistry, [dp, ...wishes]: readonly string[]): string {
  const backer = chooseBacker(registry, dp);
  for (const wish of wishes) {
    const [name, ...options] = wish.split(',');
    const port = [...backer.dpif.ports()].find((other) => other.name === name);
    if (port === undefined) return failed(`no port named ${name}`);
    for (const option of options) {
      const [key, value] = option.split('=');
      if (key === 'port_no' && Number(value) !== port.portNo) {
        failed(`${name}: can't change port number from ${port.portNo} to ${value}`);
      } else if (key === 'type' && value !== port.type) {
        failed(`${name}: can't change type from ${port.type} to ${value}`);
      }
    }
  }
  return '';
}

function changePortNumber(registry: OfprotoRegistry, [dp, name, text]: readonly string[]): string {
  const backer =
    [...registry.backers()].find((b) => b.dpif.name.endsWith(`@${dp}`) || b.dpif.name === dp) ??
    commandError('unknown datapath');
  const number = portNames(backer).portNo(name) ?? Number(/^\d+$/.test(name) ? name : -1);
  const port = backer.portByOdp(number) ?? commandError('unknown port');
  const wanted = Number(text);
  if (!Number.isInteger(wanted) || wanted <= 0) commandError('bad port number');
  if (backer.portByOdp(wanted) !== null) commandError('port number already in use');
  backer.changeOdpPort(port, wanted);
  return '';
}

/** Tracking connections is not there: nothing is kept, and nothing can be set. */
const CONNTRACK: readonly string[] = [
  'ct-bkts',
  'ct-del-limits',
  'ct-disable-tcp-seq-chk',
  'ct-enable-tcp-seq-chk',
  'ct-get-limits',
  'ct-get-maxconns',
  'ct-get-nconns',
  'ct-get-tcp-seq-chk',
  'ct-set-limits',
  'ct-set-maxconns',
  'ct-stats-show',
  'dump-conntrack',
  'flush-conntrack',
  'ipf-get-status',
];

function refused(name: string, usage: string, why: string): OfprotoCommand {
  return { name: `dpctl/${name}`, usage, minArgs: 0, maxArgs: ANY_ARGS, run: () => failed(why) };
}

export function dpctlCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  const any = { minArgs: 1, maxArgs: ANY_ARGS };
  return [
    {
      name: 'dpctl/add-flow',
      usage: '[dp] flow actions',
      ...any,
      run: (args) => putFlow(registry, args, false),
    },
    {
      name: 'dpctl/mod-flow',
      usage: '[dp] flow actions',
      ...any,
      run: (args) => putFlow(registry, args, true),
    },
    {
      name: 'dpctl/del-flow',
      usage: '[dp] flow',
      ...any,
      run: (args) => delFlow(registry, args),
    },
    {
      name: 'dpctl/del-if',
      usage: 'dp iface...',
      minArgs: 2,
      maxArgs: ANY_ARGS,
      run: (args) => delIf(registry, args),
    },
    {
      name: 'dpctl/set-if',
      usage: 'dp iface...',
      minArgs: 2,
      maxArgs: ANY_ARGS,
      run: (args) => setIf(registry, args),
    },
    refused('add-if', 'dp iface...', 'ports are added to bridges (ovs-vsctl add-port)'),
    refused('add-dp', 'dp [iface...]', 'datapaths come with their bridges (ovs-vsctl add-br)'),
    refused('del-dp', 'dp', 'datapaths go with their bridges (ovs-vsctl del-br)'),
    {
      name: 'dpctl/parse-actions',
      usage: 'actions',
      ...any,
      run: (args) => {
        const lines = args.map((text) => parseOdpActions(text, { portNo: () => null }));
        return lines.map((actions) => `${formatOdpActions(actions)}\n`).join('');
      },
    },
    ...CONNTRACK.map((name) => refused(name, '[dp]', 'connection tracking is not there')),
    {
      name: 'dpif-dummy/change-port-number',
      usage: 'dp port new-number',
      minArgs: 3,
      maxArgs: 3,
      run: (args) => changePortNumber(registry, args),
    },
    {
      name: 'dpif/show-dp-features',
      usage: 'bridge',
      minArgs: 1,
      maxArgs: 1,
      run: ([bridge]) => bridgeNamed(registry, bridge).backer.support.show(),
    },
    {
      name: 'dpif/set-dp-features',
      usage: 'bridge',
      minArgs: 1,
      maxArgs: 3,
      run: ([bridge, feature, value]) => {
        const { backer } = bridgeNamed(registry, bridge);
        if (value === undefined) return backer.support.list(feature);
        const answer = backer.support.set(feature, value);
        if (answer === '') backer.udpif.removeAll();
        return answer;
      },
    },
  ];
}
