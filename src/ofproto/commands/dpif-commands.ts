/** dpif/*, dpctl/*: what the datapaths look like from above, and the flows that are installed. */

import type { DpFlow, Dpif } from '../../datapath/dpif.js';
import { formatDpFlow, formatDpifFlow, formatUfid } from '../../datapath/odp-format.js';
import type { Match } from '../../openflow/match.js';
import { portTo16 } from '../../packet/fields.js';
import type { OfprotoBacker } from '../backer.js';
import type { Ofproto } from '../ofproto.js';
import type { OfprotoRegistry } from '../registry.js';
import { ANY_ARGS, bridgeNamed, commandError, type OfprotoCommand } from './command.js';
import { type DpctlOptions, dpctlOptions } from './dpctl-options.js';
import { dpctlShow } from './dpctl-show.js';
import { parseMatch } from './parse-flow.js';

const DUMP_OPTIONS = new Set(['-m', '--more', '--names', '--no-names']);

export function nameByNo(dpif: Dpif): (port: number) => string | undefined {
  const names = new Map([...dpif.ports()].map((port) => [port.portNo, port.name]));
  return (port) => names.get(port);
}

/** What a device of a polling type is configured with, as Open vSwitch prints it. */
export function pollConfig(type: string): string {
  if (type !== 'dummy-pmd') return '';
  const queues = (what: string): string => `${what}_rx_queues=1, ${what}_tx_queues=1`;
  return `: ${queues('configured')}, ${queues('requested')}`;
}

function dpifShow(backer: OfprotoBacker): string {
  const { hit, missed } = backer.dpif.stats();
  let text = `${backer.dpif.name}: hit:${hit} missed:${missed}\n`;
  const bridges = [...backer.ofprotos].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const ofproto of bridges) {
    text += `  ${ofproto.name}:\n`;
    const ports = ofproto.ports().sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const port of ports) {
      const { patchPeer } = port.device;
      const type = port.device.dpifType ?? port.device.type;
      const config = patchPeer ? `: peer=${patchPeer}` : pollConfig(type);
      const odp = port.odpPort ?? 'none';
      text += `    ${port.name} ${portTo16(port.ofPort)}/${odp}: (${type || 'system'}${config})\n`;
    }
  }
  return text;
}

/** Of dpif/dump-flows, which passes over what it does not know, as Open vSwitch's does. */
function dumpOptions(args: readonly string[]): DpctlOptions {
  const known = args.filter((arg) => !arg.startsWith('-') || DUMP_OPTIONS.has(arg));
  return dpctlOptions(known);
}

export function flowLines(
  backer: OfprotoBacker,
  options: DpctlOptions,
  chosen: (flow: DpFlow) => boolean,
  format = formatDpFlow,
): string {
  const { dpif } = backer;
  const portName = options.names ? nameByNo(dpif) : undefined;
  const now = backer.clock.now();
  let text = '';
  // The oldest first.
  for (const flow of [...dpif.flows()].sort((a, b) => a.id - b.id)) {
    if (!chosen(flow)) continue;
    const { verbose } = options;
    text += `${format(flow, dpif.flowStats(flow), now, { verbose, portName })}\n`;
  }
  return text;
}

function dumpBridge(ofproto: Ofproto, options: DpctlOptions): string {
  const { backer } = ofproto;
  const chosen = (flow: DpFlow): boolean => backer.ofprotoOfKey(flow.key) === ofproto;
  return flowLines(backer, options, chosen, formatDpifFlow);
}

/** The datapath that a dpctl command names ('netdev@ovs-netdev', 'ovs-netdev'), or the only one. */
export function chooseBacker(registry: OfprotoRegistry, name: string | undefined): OfprotoBacker {
  const backers = [...registry.backers()];
  if (name !== undefined) {
    const found = backers.find((b) => b.dpif.name === name || b.dpif.name.endsWith(`@${name}`));
    return found ?? commandError(`ovs-vswitchd: opening datapath (No such device)`);
  }
  if (backers.length === 1) return backers[0];
  return commandError(
    backers.length === 0 ? 'no datapaths exist' : 'multiple datapaths, specify one',
  );
}

/** Whether the flow's key, where the filter looks, is what the filter wants. */
function fits({ flow, mask }: Match, { key }: DpFlow): boolean {
  return mask.every((bits, word) => ((flow[word] ^ key[word]) & bits) === 0);
}

/** The one flow that `ufid:...` names. */
export function flowByUfid(backer: OfprotoBacker, text: string): DpFlow {
  const wanted = text.replace(/^ufid:/, '');
  for (const flow of backer.dpif.flows()) if (formatUfid(flow.id) === wanted) return flow;
  return commandError('getting flow (No such file or directory)');
}

export function dpifCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  return [
    {
      name: 'ofproto/list',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: () =>
        registry
          .ofprotos()
          .map((ofproto) => `${ofproto.name}\n`)
          .join(''),
    },
    {
      name: 'dpif/dump-dps',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: () =>
        registry
          .ofprotos()
          .map((o) => `${o.backer.type}@${o.name}\n`)
          .join(''),
    },
    {
      name: 'dpif/show',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: () => [...registry.backers()].map(dpifShow).join(''),
    },
    {
      name: 'dpif/dump-flows',
      usage: '[-m] [--names | --no-names] bridge',
      minArgs: 1,
      maxArgs: ANY_ARGS,
      run: (args) => {
        const options = dumpOptions(args);
        return dumpBridge(bridgeNamed(registry, options.rest.at(-1) ?? ''), options);
      },
    },
    {
      name: 'dpctl/dump-dps',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: () => [...registry.backers()].map((b) => `${b.dpif.name}\n`).join(''),
    },
    {
      name: 'dpctl/show',
      usage: '[-s] [dp...]',
      minArgs: 0,
      maxArgs: ANY_ARGS,
      run: (args) => {
        const { rest: names, statistics } = dpctlOptions(args);
        const chosen =
          names.length > 0
            ? names.map((name) => chooseBacker(registry, name))
            : [...registry.backers()];
        return chosen.map((backer) => dpctlShow(backer, statistics)).join('');
      },
    },
    {
      name: 'dpctl/dump-flows',
      usage: '[-m] [--names] [dp]',
      minArgs: 0,
      maxArgs: ANY_ARGS,
      run: (args) => {
        const options = dpctlOptions(args);
        const unknown = options.rest.find((arg) => /^(type|pmd)=/.test(arg));
        if (unknown !== undefined) commandError(`${unknown}: this option is not supported`);
        const filter = options.rest.find((arg) => arg.startsWith('filter='));
        const [name] = options.rest.filter((arg) => !arg.startsWith('filter='));
        const backer = chooseBacker(registry, name);
        const wanted = filter === undefined ? null : parseMatch(filter.slice('filter='.length));
        const lines = flowLines(backer, options, (flow) => wanted === null || fits(wanted, flow));
        return lines === '' ? '' : `flow-dump from the main thread:\n${lines}`;
      },
    },
    {
      name: 'dpctl/get-flow',
      usage: '[dp] ufid',
      minArgs: 1,
      maxArgs: 3,
      run: (args) => {
        const options = dpctlOptions(args);
        const backer = chooseBacker(registry, options.rest.at(-2));
        const wanted = flowByUfid(backer, options.rest.at(-1) ?? '');
        return flowLines(backer, options, (flow) => flow === wanted);
      },
    },
    {
      name: 'dpctl/del-flows',
      usage: '[dp]',
      minArgs: 0,
      maxArgs: 1,
      run: async (args) => {
        const backer = chooseBacker(registry, dpctlOptions(args).rest[0]);
        backer.udpif.removeAll();
        for (const flow of [...backer.dpif.flows()]) backer.dpif.flowDel(flow);
        await backer.dpif.sync();
        return '';
      },
    },
  ];
}
