/** fdb/*: the MAC learning tables. */
import { formatPort } from '../../openflow/syntax/names.js';
import type { Bundle } from '../bundle.js';
import { type MacNumber, macParse, macText } from '../flow-access.js';
import type { Ofproto } from '../ofproto.js';
import type { OfprotoRegistry } from '../registry.js';
import { bridgeNamed, commandError, type OfprotoCommand } from './command.js';

const VLAN_MAX = 4095;

function portText(bundle: Bundle): string {
  const port = bundle.aPort();
  return port === null ? 'ANY' : formatPort(port.ofPort, null);
}

function fdbShow(ofproto: Ofproto): string {
  ofproto.backer.pushStats();
  let text = ' port  VLAN  MAC                Age\n';
  for (const entry of ofproto.macs.entries()) {
    const age = ofproto.macs.age(entry);
    const shownAge = age === null ? 'static' : String(Math.max(0, age)).padStart(3);
    const port = portText(entry.bundle).padStart(5);
    text += `${port}  ${String(entry.vlan).padStart(4)}  ${macText(entry.mac)}  ${shownAge}\n`;
  }
  return text;
}

function fdbStats(ofproto: Ofproto): string {
  const { macs } = ofproto;
  const { learned, expired, evicted, moved } = macs.statistics;
  return [
    `Statistics for bridge "${ofproto.name}":\n`,
    `  Current/maximum MAC entries in the table: ${macs.size}/${macs.maximum}\n`,
    `  Current static MAC entries in the table : ${macs.staticEntries}\n`,
    `  Total number of learned MAC entries     : ${learned}\n`,
    `  Total number of expired MAC entries     : ${expired}\n`,
    `  Total number of evicted MAC entries     : ${evicted}\n`,
    `  Total number of port moved MAC entries  : ${moved}\n`,
  ].join('');
}

function mac(text: string): MacNumber {
  return macParse(text) ?? commandError('bad MAC address');
}

/** Open vSwitch takes any number, and forgets what no VLAN has. */
function vlanNumber(text: string): number {
  const vlan = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return vlan <= VLAN_MAX ? vlan : commandError(`bad VLAN (0 to ${VLAN_MAX})`);
}

function fdbAdd(ofproto: Ofproto, portName: string, vlan: number, address: MacNumber): string {
  const bundle = ofproto.portByName(portName)?.bundle;
  if (!bundle) commandError('software error, odp port is present but no ofp port');
  const old = ofproto.macs.lookup(address, vlan);
  const isStatic = old !== null && ofproto.macs.age(old) === null;
  let text = '';
  if (old !== null && (old.bundle.name !== portName || !isStatic)) {
    const kind = isStatic ? 'static' : 'dynamic';
    text = `Overriding already existing ${kind} entry on ${portText(old.bundle)}\n`;
  }
  ofproto.macs.addStatic(address, vlan, bundle);
  ofproto.markRevalidate();
  return text;
}

export function fdbCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  const chosen = (args: string[]): Ofproto[] =>
    args.length > 0 ? [bridgeNamed(registry, args[0])] : registry.ofprotos();
  return [
    {
      name: 'fdb/add',
      usage: 'bridge port vlan mac',
      minArgs: 4,
      maxArgs: 4,
      run: ([bridge, port, vlan, address]) =>
        fdbAdd(bridgeNamed(registry, bridge), port, vlanNumber(vlan), mac(address)),
    },
    {
      name: 'fdb/del',
      usage: 'bridge vlan mac',
      minArgs: 3,
      maxArgs: 3,
      run: ([bridge, vlan, address]) => {
        const ofproto = bridgeNamed(registry, bridge);
        if (!ofproto.macs.delStatic(mac(address), Number.parseInt(vlan, 10) || 0)) {
          commandError('could not find static mac entry\n');
        }
        ofproto.markRevalidate();
        return '';
      },
    },
    {
      name: 'fdb/flush',
      usage: '[bridge]',
      minArgs: 0,
      maxArgs: 1,
      run: (args) => {
        for (const ofproto of chosen(args)) {
          ofproto.macs.flush();
          ofproto.markRevalidate();
        }
        return 'table successfully flushed';
      },
    },
    {
      name: 'fdb/show',
      usage: 'bridge',
      minArgs: 1,
      maxArgs: 1,
      run: ([bridge]) => fdbShow(bridgeNamed(registry, bridge)),
    },
    {
      name: 'fdb/stats-clear',
      usage: '[bridge]',
      minArgs: 0,
      maxArgs: 1,
      run: (args) => {
        for (const ofproto of chosen(args)) ofproto.macs.clearStatistics();
        return 'statistics successfully cleared';
      },
    },
    {
      name: 'fdb/stats-show',
      usage: 'bridge',
      minArgs: 1,
      maxArgs: 1,
      run: ([bridge]) => fdbStats(bridgeNamed(registry, bridge)),
    },
  ];
}
