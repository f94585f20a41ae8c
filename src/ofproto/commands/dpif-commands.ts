/** dpif/*: what the datapaths look like from above, and the flows that are installed. */

import type { DpFlow, Dpif } from '../../datapath/dpif.js';
import { formatDpFlow, formatDpifFlow } from '../../datapath/odp-format.js';
import { portTo16 } from '../../packet/fields.js';
import type { OfprotoBacker } from '../backer.js';
import type { Ofproto } from '../ofproto.js';
import type { OfprotoRegistry } from '../registry.js';
import { ANY_ARGS, bridgeNamed, type OfprotoCommand } from './command.js';
import { type DpctlOptions, dpctlOptions } from './dpctl-options.js';

const DUMP_OPTIONS = new Set(['-m', '--more', '--names', '--no-names']);

export function nameByNo(dpif: Dpif): (port: number) => string | undefined {
  const names = new Map([...dpif.ports()].map((port) => [port.portNo, port.name]));
  return (port) => names.get(port);
}

/** What a device of a polling type is configured with, as Open vSwitch prints it. */
export function pollConfig(
  type: string,
  device: { config?(): Readonly<Record<string, string>> },
): string {
  const config = Object.entries(device.config?.() ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  if (config.length > 0) return `: ${config.map((each) => each.join('=')).join(', ')}`;
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
      const config = patchPeer ? `: peer=${patchPeer}` : pollConfig(type, port.device);
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
  ];
}
