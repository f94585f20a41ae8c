/**
 * Ports, their statistics, queues and tables as ovs-ofctl prints them.
 */

import { portTo16 } from '../../packet/fields.js';
import { formatEth } from '../../packet/ip-text.js';
import type { PortDesc, PortMod, PortStatsEntry } from '../messages.js';
import type { PortConfigQueue, QueueGetConfigReply } from '../messages-control.js';
import type { QueueStatsEntry, QueueStatsReply } from '../messages-stats.js';
import { formatDuration } from './flow-format.js';
import { formatPort, type NameMap } from './names.js';

/** Names of set bits with blanks between; bits without a name as one number; '0' for none. */
export function bitNames(bits: number, names: Readonly<Record<number, string>>): string {
  if (bits === 0) return '0';
  const parts: string[] = [];
  let left = bits >>> 0;
  for (let i = 0; i < 32; i++) {
    const bit = 2 ** i;
    if ((bits & bit) === 0 || names[bit] === undefined) continue;
    parts.push(names[bit]);
    left = (left & ~bit) >>> 0;
  }
  if (left !== 0) parts.push(`0x${left.toString(16)}`);
  return parts.join(' ');
}

const CONFIG_NAMES: Record<number, string> = {
  1: 'PORT_DOWN',
  2: 'NO_STP',
  4: 'NO_RECV',
  8: 'NO_RECV_STP',
  16: 'NO_FLOOD',
  32: 'NO_FWD',
  64: 'NO_PACKET_IN',
};
const STATE_NAMES: Record<number, string> = { 1: 'LINK_DOWN', 2: 'BLOCKED', 4: 'LIVE' };
const STP_MASK = 0x300;
const STP_NAMES: Record<number, string> = {
  256: 'STP_LEARN',
  512: 'STP_FORWARD',
  768: 'STP_BLOCK',
};

const FEATURE_LIST = [
  ...['10MB-HD', '10MB-FD', '100MB-HD', '100MB-FD', '1GB-HD', '1GB-FD', '10GB-FD', '40GB-FD'],
  ...['100GB-FD', '1TB-FD', 'OTHER', 'COPPER', 'FIBER', 'AUTO_NEG', 'AUTO_PAUSE'],
  'AUTO_PAUSE_ASYM',
];
const FEATURE_NAMES = Object.fromEntries(FEATURE_LIST.map((name, i) => [2 ** i, name]));

function stateText(state: number): string {
  const stp = state & STP_MASK;
  if (stp === 0) return bitNames(state, STATE_NAMES);
  const rest = state & ~STP_MASK;
  return STP_NAMES[stp] + (rest === 0 ? '' : bitNames(rest, STATE_NAMES));
}

/** A port, over several lines. */
export function formatPortDesc(p: PortDesc): string {
  const name = (/^[\x20-\x7e]*/.exec(p.name) as RegExpExecArray)[0];
  let text = ` ${formatPort(p.portNo, null)}(${name}): addr:${formatEth(p.hwAddr)}\n`;
  text += `     config:     ${bitNames(p.config, CONFIG_NAMES)}\n`;
  text += `     state:      ${stateText(p.state)}\n`;
  const features: [string, number][] = [
    ['current:    ', p.curr],
    ['advertised: ', p.advertised],
    ['supported:  ', p.supported],
    ['peer:       ', p.peer],
  ];
  for (const [title, bits] of features) {
    if (bits !== 0) text += `     ${title}${bitNames(bits, FEATURE_NAMES)}\n`;
  }
  const mbps = (kbps: number): number => Math.floor(kbps / 1000);
  return `${text}     speed: ${mbps(p.currSpeedKbps)} Mbps now, ${mbps(p.maxSpeedKbps)} Mbps max\n`;
}

/** Ports in the order of their numbers. */
export function formatPortDescs(ports: readonly PortDesc[]): string {
  const sorted = [...ports].sort((a, b) => portTo16(a.portNo) - portTo16(b.portNo));
  return sorted.map(formatPortDesc).join('');
}

export function formatPortMod(m: PortMod, ports: NameMap | null): string {
  let text = ` port: ${formatPort(m.portNo, ports)}: addr:${formatEth(m.hwAddr)}\n`;
  text += `     config: ${bitNames(m.config, CONFIG_NAMES)}\n`;
  text += `     mask:   ${bitNames(m.mask, CONFIG_NAMES)}\n`;
  const advertise = m.advertise === 0 ? 'UNCHANGED' : bitNames(m.advertise, FEATURE_NAMES);
  return `${text}     advertise: ${advertise}\n`;
}

const UNKNOWN = 0xffffffffffffffffn;
const count = (value: bigint): string => (value === UNKNOWN ? '?' : String(value));

const CUSTOM_PER_LINE = 3;

/** Counters of the device's own, a few on each line. */
function formatCustomStats(custom: readonly { name: string; value: bigint }[]): string {
  if (custom.length === 0) return '';
  const parts = custom.map(({ name, value }, i) =>
    name === ''
      ? ''
      : `${i % CUSTOM_PER_LINE === 0 ? `\n${' '.repeat(22)}` : ' '}${name}=${value},`,
  );
  return `           CUSTOM Statistics${parts.join('')}\n`;
}

/** One port's statistics, over two or three lines. */
export function formatPortStats(s: PortStatsEntry, ports: NameMap | null): string {
  const pad = portTo16(s.portNo) < 10 ? ' ' : '';
  let text = `  port ${pad}${formatPort(s.portNo, ports)}: rx `;
  text += `pkts=${count(s.rxPackets)}, bytes=${count(s.rxBytes)}, drop=${count(s.rxDropped)}, `;
  text += `errs=${count(s.rxErrors)}, frame=${count(s.rxFrameErr)}, `;
  text += `over=${count(s.rxOverErr)}, crc=${count(s.rxCrcErr)}\n`;
  text += `           tx pkts=${count(s.txPackets)}, bytes=${count(s.txBytes)}, `;
  text += `drop=${count(s.txDropped)}, errs=${count(s.txErrors)}, coll=${count(s.collisions)}\n`;
  if (s.durationSec !== 0xffffffff) {
    text += `           duration=${formatDuration(s.durationSec, s.durationNsec)}\n`;
  }
  return text + formatCustomStats(s.custom ?? []);
}

export const queueName = (queue: number): string => (queue === 0xffffffff ? 'ALL' : String(queue));

function formatQueueStats(s: QueueStatsEntry, ports: NameMap | null): string {
  const known = s.durationSec !== 0xffffffff;
  const duration = known ? formatDuration(s.durationSec, s.durationNsec) : '?';
  const head = `  port ${formatPort(s.port, ports)} queue ${queueName(s.queue)}: `;
  const counts = `bytes=${count(s.txBytes)}, pkts=${count(s.txPackets)}`;
  return `${head}${counts}, errors=${count(s.txErrors)}, duration=${duration}\n`;
}

export function formatQueueStatsReply(reply: QueueStatsReply, ports: NameMap | null): string {
  const lines = reply.entries.map((e) => formatQueueStats(e, ports)).join('');
  return ` ${reply.entries.length} queues\n${lines}`;
}

function rate(name: string, value: number | undefined): string {
  if (value === undefined || value === 0xffff) return '';
  if (value > 1000) return ` ${name}:(disabled)`;
  return ` ${name}:${Math.floor(value / 10)}.${value % 10}%`;
}

/** A queue and its limits, on a line. */
export function formatQueueRates(q: PortConfigQueue): string {
  return `queue ${q.queue}:${rate('min_rate', q.minRate)}${rate('max_rate', q.maxRate)}\n`;
}

export function formatQueueConfig(reply: QueueGetConfigReply, ports: NameMap | null): string {
  if (reply.queues.length === 0) return '';
  const queues = [...reply.queues].sort((a, b) => a.queue - b.queue);
  return ` port=${formatPort(reply.port, ports)}\n${queues.map(formatQueueRates).join('')}`;
}
