/**
 * dpctl/show: a datapath, its ports, and with -s what each port's device has counted.
 *
 *     port 2: br1 (tap)
 *       RX packets:8 errors:0 dropped:0 overruns:0 frame:0
 *       TX packets:9 errors:0 dropped:0 aborted:0 carrier:0      ?: not counted
 *       collisions:0
 *       RX bytes:600  TX bytes:2048 (2.0 KiB)
 */
import type { OfprotoBacker } from '../backer.js';
import { pollConfig } from './dpif-commands.js';

type Counters = Readonly<Record<string, number | undefined>>;

/** Groups of one line each: the text before a counter, and its name in Interface.statistics. */
const RX: readonly [string, string][] = [
  ['    RX packets:', 'rx_packets'],
  [' errors:', 'rx_errors'],
  [' dropped:', 'rx_dropped'],
  [' overruns:', 'rx_over_err'],
  [' frame:', 'rx_frame_err'],
];
const TX: readonly [string, string][] = [
  ['    TX packets:', 'tx_packets'],
  [' errors:', 'tx_errors'],
  [' dropped:', 'tx_dropped'],
  [' aborted:', 'tx_aborted_err'],
  [' carrier:', 'tx_carrier_err'],
];
const COLLISIONS: readonly [string, string][] = [['    collisions:', 'collisions']];

/** Of the datapath's own port. */
const NOTHING: Counters = { rx_packets: 0, tx_packets: 0, rx_bytes: 0, tx_bytes: 0 };

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'];

/** ' (1.5 KiB)'; nothing below 1024 bytes. */
function humanSize(bytes: number | undefined): string {
  if (bytes === undefined || bytes < 1024) return '';
  let unit = 0;
  let size = bytes / 1024;
  for (; size >= 1024 && unit < UNITS.length - 1; unit++) size /= 1024;
  return ` (${size.toFixed(1)} ${UNITS[unit]})`;
}

function portCounters(counters: Counters): string {
  const line = (group: readonly [string, string][]): string =>
    `${group.map(([leader, name]) => `${leader}${counters[name] ?? '?'}`).join('')}\n`;
  const bytes = (leader: string, count: number | undefined): string =>
    `${leader}${count ?? '?'}${humanSize(count)}`;
  const received = bytes('    RX bytes:', counters.rx_bytes);
  const sent = bytes('  TX bytes:', counters.tx_bytes);
  return `${line(RX)}${line(TX)}${line(COLLISIONS)}${received}${sent}\n`;
}

/** The counters of the device behind each port of the datapath. */
function countersByPort({ ofprotos }: OfprotoBacker): Map<number, Counters> {
  const counters = new Map<number, Counters>();
  for (const ofproto of ofprotos) {
    for (const { odpPort, device } of ofproto.ports()) {
      if (odpPort !== null) counters.set(odpPort, device.statistics?.() ?? {});
    }
  }
  return counters;
}

/** @param statistics with the counters of each port */
export function dpctlShow(backer: OfprotoBacker, statistics: boolean): string {
  const { dpif } = backer;
  const stats = dpif.stats();
  let text = `${dpif.name}:\n`;
  text += `  lookups: hit:${stats.hit} missed:${stats.missed} lost:${stats.lost}\n`;
  text += `  flows: ${stats.flows}\n`;
  const counters = statistics ? countersByPort(backer) : null;
  const ports = [...dpif.ports()].sort((a, b) => a.portNo - b.portNo);
  // The datapath's own port, which carries nothing.
  const [, ownName] = dpif.name.split('@');
  const own = { portNo: 0, name: ownName, type: dpif.type === 'dummy' ? 'dummy-internal' : 'tap' };
  if (ports[0]?.portNo !== 0) ports.unshift(own);
  for (const port of ports) {
    const { portNo, name, type } = port;
    const shown = type === 'system' || type === '' ? '' : ` (${type}${pollConfig(type, port)})`;
    text += `  port ${portNo}: ${name}${shown}\n`;
    if (counters !== null) text += portCounters(counters.get(portNo) ?? NOTHING);
  }
  return text;
}
