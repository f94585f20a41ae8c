/**
 * QoS and Queue rows, and an interface's policing columns, as plain settings; and what they come to
 * on a device. Rules and defaults are those of Open vSwitch (ovs-vswitchd.conf.db(5)).
 *
 *     Port.qos ──> QoS.type, other_config:max-rate
 *                    queues: id ──> Queue.other_config: min-rate, max-rate, burst, priority
 */
import type { Policing, Shaping, ShapingClass } from '../netdev/index.js';
import type { IdlRow } from '../ovsdb/idl/index.js';
import { rowMap, rowNumber, rowRefs, rowString, type Warn } from './row-values.js';

type Details = ReadonlyMap<string, string>;

/** A QoS row. */
export interface QosConfig {
  type: string;
  details: Details;
  queues: ReadonlyMap<number, Details>;
  /** DSCP that packets of a queue leave with, of those that have one. */
  dscp: ReadonlyMap<number, number>;
}

/** What shaping depends on besides its settings. */
export interface QosDevice {
  readonly type: string;
  mtu(): number;
  speedMbps(): number;
}

/** Types of QoS that are applied, as qos/show-types lists them. */
export const QOS_TYPES = ['egress-policer', 'linux-hfsc', 'linux-htb', 'linux-noop'] as const;

/** Of devices that tell no speed: what Open vSwitch documents. */
const DEFAULT_RATE = 100_000_000 / 8;
/** Beyond the MTU: headers, with a guard. */
const HEADER_BYTES = 64;
const POLICING_BURST_KBIT = 8000;
const POLICING_BURST_KPKTS = 16;
/** Queue numbers that HTB's classes are made for, as in Open vSwitch. */
const KERNEL_QUEUES_MAX = 0xf000;
const QOS_NUMBERS = ['max-rate', 'cir', 'cbs'] as const;
const QUEUE_NUMBERS = ['min-rate', 'max-rate', 'burst', 'priority'] as const;

export function isQosType(type: string): boolean {
  return (QOS_TYPES as readonly string[]).includes(type);
}

/** A Port row's QoS row, or null. Rates that are no numbers are told of, and as if not there. */
export function readQos(port: IdlRow, warn: Warn): QosConfig | null {
  const [row] = rowRefs(port, 'qos');
  const type = row ? rowString(row, 'type') : '';
  if (!row || type === '') return null;
  const queues = new Map<number, Details>();
  const rows = row.get<Map<number, IdlRow>>('queues');
  const dscp = new Map<number, number>();
  for (const [id, queue] of rows) {
    const details = rowMap(queue, 'other_config');
    warnOfNonNumbers(details, QUEUE_NUMBERS, (message) => warn(`queue ${id}: ${message}`));
    queues.set(Number(id), details);
    const value = rowNumber(queue, 'dscp');
    if (value !== null && value !== undefined) dscp.set(Number(id), value);
  }
  const details = rowMap(row, 'other_config');
  warnOfNonNumbers(details, QOS_NUMBERS, (message) => warn(`QoS ${type}: ${message}`));
  return { type, details, queues, dscp };
}

function warnOfNonNumbers(details: Details, keys: readonly string[], warn: Warn): void {
  for (const key of keys) {
    const text = details.get(key);
    if (text !== undefined && !/^\d{1,15}$/.test(text)) {
      warn(`${key}: '${text}' is not a number, ignored`);
    }
  }
}

/** Ingress policing of an Interface row, or null. */
export function readPolicing(row: IdlRow): Policing | null {
  const kbit = rowNumber(row, 'ingress_policing_rate') ?? 0;
  const kpkts = rowNumber(row, 'ingress_policing_kpkts_rate') ?? 0;
  if (kbit <= 0 && kpkts <= 0) return null;
  const burst = rowNumber(row, 'ingress_policing_burst') || POLICING_BURST_KBIT;
  const packets = rowNumber(row, 'ingress_policing_kpkts_burst') || POLICING_BURST_KPKTS;
  return {
    rate: (kbit * 1000) / 8,
    burst: (burst * 1000) / 8,
    packetRate: kpkts * 1000,
    packetBurst: packets * 1000,
  };
}

/** A number of a setting, bit/s or bits, in bytes; 0 when it is not there or no number. */
function bytesOf(details: Details, key: string): number {
  const text = details.get(key) ?? '';
  return /^\d{1,15}$/.test(text) ? Math.floor(Number(text) / 8) : 0;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}

function classOf(queueId: number, details: Details, type: string, root: Shaping, mtu: number) {
  const htb = type === 'linux-htb';
  // HTB sends nothing below one MTU in a second.
  const minRate = clamp(bytesOf(details, 'min-rate'), htb ? mtu : 1, root.maxRate);
  const maxRate = clamp(bytesOf(details, 'max-rate') || root.maxRate, minRate, root.maxRate);
  const burst = Math.max(htb ? bytesOf(details, 'burst') : 0, mtu + HEADER_BYTES);
  const priority = htb ? Number(details.get('priority') ?? 0) || 0 : 0;
  return { queueId, minRate, maxRate, burst, priority } satisfies ShapingClass;
}

/** What a QoS row comes to on a device; null when it asks for nothing, or for an unknown type. */
export function shapingOf({ type, details, queues }: QosConfig, device: QosDevice): Shaping | null {
  const mtu = device.mtu() || 1500;
  if (type === 'egress-policer') return policer(details, mtu);
  if (type !== 'linux-htb' && type !== 'linux-hfsc') return null;
  const speed = device.type === 'system' ? device.speedMbps() : 0;
  const maxRate = bytesOf(details, 'max-rate') || (speed * 1e6) / 8 || DEFAULT_RATE;
  // Queues beyond what a discipline of the kernel's can number are the switch's affair.
  const byKernel =
    details.get('scheduler') !== 'switch' && Math.max(0, ...queues.keys()) < KERNEL_QUEUES_MAX;
  const root: Shaping = {
    type,
    byKernel,
    maxRate,
    burst: mtu + HEADER_BYTES,
    policer: false,
    classes: [],
  };
  // Queue 0 is what names no other.
  const ids = new Set([0, ...queues.keys()]);
  const classes = [...ids]
    .sort((a, b) => a - b)
    .map((id) => classOf(id, queues.get(id) ?? new Map(), type, root, mtu));
  return { ...root, classes };
}

/** cir, bytes in a second, and cbs, bytes: what is beyond is dropped at once. */
function policer(details: Details, mtu: number): Shaping | null {
  const rate = Number(details.get('cir') ?? 0);
  if (!(rate > 0)) return null;
  const burst = Math.max(Number(details.get('cbs') ?? 0) || 0, mtu + HEADER_BYTES);
  const only: ShapingClass = { queueId: 0, minRate: rate, maxRate: rate, burst, priority: 0 };
  return {
    type: 'egress-policer',
    byKernel: false,
    maxRate: rate,
    burst,
    policer: true,
    classes: [only],
  };
}
