/**
 * Settings of an interface's queues, from its row: options:n_rxq and other_config.
 *
 *     pmd-rxq-affinity   0:3,1:7          receive queue : CPU
 *     xps-cpus           1,2,c            a hexadecimal CPU mask for each transmit queue; 0: none
 *     num-tc             2                traffic classes ...
 *     prio-tc-map        0,0,1,1,...      ... the class of each priority, 0 to 15
 *     tc-queues          2@0,2@2          ... count@offset of each class's queues
 *     tx-queue-discipline  noqueue | pfifo_fast
 *     tx-queue-length    1000
 *
 * What cannot be used is reported and left out.
 */
import {
  DEFAULT_QUEUE_LENGTH,
  type Discipline,
  type PortQueueSettings,
  type TrafficClasses,
} from '../netdev/index.js';
import { mapInt, type Warn } from './row-values.js';

type Settings = ReadonlyMap<string, string>;

const CLASSES_MAX = 16;
const PRIORITIES = 16;

export function readQueueSettings(
  options: Settings,
  other: Settings,
  warn: Warn,
): PortQueueSettings {
  const rxQueues = mapInt(options, 'n_rxq', { min: 1, max: 64, fallback: 0 }, warn);
  const length = { min: 1, max: 100_000, fallback: DEFAULT_QUEUE_LENGTH };
  return {
    rxQueues: rxQueues || null,
    rxAffinity: readAffinity(other.get('pmd-rxq-affinity'), warn),
    xpsCpus: readMasks(other.get('xps-cpus'), warn),
    classes: readClasses(other, warn),
    discipline: readDiscipline(other.get('tx-queue-discipline'), warn),
    queueLength: mapInt(other, 'tx-queue-length', length, warn),
    // Rates depend on the device: bridge.ts.
    shaping: null,
    policing: null,
  };
}

function readAffinity(text: string | undefined, warn: Warn): Map<number, number> {
  const affinity = new Map<number, number>();
  for (const pair of (text ?? '').split(',').filter((part) => part.trim() !== '')) {
    const match = /^\s*(\d{1,4}):(\d{1,4})\s*$/.exec(pair);
    if (match) affinity.set(Number(match[1]), Number(match[2]));
    else {
      warn(`pmd-rxq-affinity '${text}' is not a list of queue:core, ignored`);
      return new Map();
    }
  }
  return affinity;
}

/** CPU numbers of a hexadecimal mask ('0x6' or '6': CPUs 1 and 2), or null. */
export function parseCpuMask(text: string): number[] | null {
  const digits = text.trim().replace(/^0x/i, '');
  if (!/^[0-9a-f]{1,256}$/i.test(digits)) return null;
  const cpus: number[] = [];
  for (let mask = BigInt(`0x${digits}`), cpu = 0; mask !== 0n; mask >>= 1n, cpu++) {
    if (mask & 1n) cpus.push(cpu);
  }
  return cpus;
}

function readMasks(text: string | undefined, warn: Warn): number[][] | null {
  if (text === undefined) return null;
  const masks = text.split(',').map(parseCpuMask);
  if (masks.length <= 64 && masks.every((mask) => mask !== null)) return masks;
  warn(`xps-cpus '${text}' is not a list of hexadecimal CPU masks, ignored`);
  return null;
}

function readClasses(other: Settings, warn: Warn): TrafficClasses | null {
  const count = mapInt(other, 'num-tc', { min: 1, max: CLASSES_MAX, fallback: 0 }, warn);
  if (count === 0) return null;
  const classOf = (other.get('prio-tc-map') ?? '').split(/[\s,]+/).map(Number);
  const ranges = (other.get('tc-queues') ?? '').split(/[\s,]+/).map((part) => {
    const match = /^(\d{1,3})@(\d{1,3})$/.exec(part);
    return match ? { count: Number(match[1]), offset: Number(match[2]) } : null;
  });
  const usable = classOf.length <= PRIORITIES && classOf.every((c) => c >= 0 && c < count);
  const complete = ranges.length === count && ranges.every((range) => range && range.count > 0);
  if (!usable || !complete) {
    warn(`num-tc ${count} needs prio-tc-map and tc-queues for ${count} classes, ignored`);
    return null;
  }
  // Priorities that are not named are of class 0.
  const classes = Array.from({ length: PRIORITIES }, (_, i) => classOf[i] ?? 0);
  return { classOf: classes, ranges: ranges as TrafficClasses['ranges'] };
}

function readDiscipline(text: string | undefined, warn: Warn): Discipline {
  if (text === 'noqueue' || text === 'pfifo_fast') return text;
  // mq is what several queues with a discipline each are called.
  if (text !== undefined && text !== 'mq') {
    warn(`tx-queue-discipline '${text}' is neither noqueue nor pfifo_fast, ignored`);
  }
  return 'pfifo_fast';
}
