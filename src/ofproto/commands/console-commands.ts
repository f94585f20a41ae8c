/**
 * tapswitch/*: what a console reads, as JSON. Counters are totals; who wants rates asks twice. Of
 * this switch alone, so list-commands has none of them.
 *
 *     tapswitch/commands                              which of these there are
 *     tapswitch/workers                               forwarding threads, counters, receive queues
 *     tapswitch/tx-queues                             transmit queues and classes of every port
 *     tapswitch/drops                                 dropped packets by reason
 *     tapswitch/capture-drops REASON PACKETS SECONDS  some of them, as they are dropped
 *
 * Not for: text that people read (pmd-commands.ts, tx-queue-commands.ts, drop-commands.ts).
 */
import { DROP_REASONS, dropsAreShown } from '../../datapath/drop-reasons.js';
import type { PmdControl, PmdInfo, TxQueueCounters } from '../../datapath/pmd-control.js';
import { INTERVALS } from '../../datapath/rxq-load.js';
import { REASON_NAMES } from '../../datapath/tx-queue-info.js';
import type { OfprotoRegistry } from '../registry.js';
import { commandError, type OfprotoCommand } from './command.js';

const PACKETS_MAX = 1000;
const SECONDS_MAX = 60;
/** Bytes of a packet that are shown. */
const SNAPLEN = 512;

/** Also those that others register. */
const COMMANDS = [
  'tapswitch/workers',
  'tapswitch/tx-queues',
  'tapswitch/drops',
  'tapswitch/capture-drops',
  'tapswitch/logs',
  'bond/status',
];

export function consoleCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  const none = { usage: null, minArgs: 0, maxArgs: 0 };
  return [
    { name: 'tapswitch/commands', ...none, run: () => json(COMMANDS) },
    { name: 'tapswitch/workers', ...none, run: () => json(workers(registry)) },
    { name: 'tapswitch/tx-queues', ...none, run: () => json(txQueues(registry)) },
    { name: 'tapswitch/drops', ...none, run: () => json(drops(registry)) },
    {
      name: 'tapswitch/capture-drops',
      usage: null,
      minArgs: 3,
      maxArgs: 3,
      run: ([reason, packets, seconds]) =>
        captureDrops(registry, reason, {
          packets: whole('packets', packets, PACKETS_MAX),
          seconds: whole('seconds', seconds, SECONDS_MAX),
        }),
    },
  ];
}

function json(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function whole(what: string, text: string, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  return commandError(`${what}: '${text}' is not a whole number from 1 to ${max}`);
}

function workers(registry: OfprotoRegistry) {
  return [...registry.backers()].map(({ dpif, udpif, settings }) => ({
    datapath: dpif.name,
    hz: dpif.pmds?.hz ?? 0,
    flows: { current: udpif.ukeys.size, limit: settings.flowLimit },
    workers: dpif.pmds?.info().map((pmd) => worker(pmd, dpif.pmds as PmdControl)) ?? [],
  }));
}

function worker(pmd: PmdInfo, control: PmdControl) {
  const { cpu, numa, alive, isolated, counters, durationMs } = pmd;
  const whole = control.intervalCycles * INTERVALS;
  const queues = pmd.queues.map(({ port, rxq, enabled, cycles }) => ({
    port,
    queue: rxq,
    enabled: enabled && alive,
    // Of the last minute; null before a first interval is over.
    load: whole > 0 ? cycles(INTERVALS) / whole : null,
  }));
  return { cpu, numa, alive, isolated, durationMs, counters, queues };
}

function txQueues(registry: OfprotoRegistry) {
  return [...registry.backers()].flatMap(({ dpif }) =>
    (dpif.pmds?.txPorts() ?? []).map(({ port, discipline, queues, classes }) => ({
      port,
      discipline,
      queues: queues.map((queue) => ({ queue: queue.queue, cpu: queue.cpu, ...counted(queue) })),
      classes: classes.map((each) => ({ queue: each.queueId, cpu: -1, ...counted(each) })),
    })),
  );
}

function counted({ packets, bytes, dropped, queued, waiting, stops, reasons }: TxQueueCounters) {
  const named = REASON_NAMES.map((name, i) => [name, reasons[i]] as const);
  const byReason = Object.fromEntries(named.filter(([, count]) => count > 0));
  return { packets, bytes, dropped, queued, waiting, stops, reasons: byReason };
}

function drops(registry: OfprotoRegistry) {
  const totals = new Map(DROP_REASONS.map(({ name }) => [name, 0]));
  for (const { dpif } of registry.backers()) {
    for (const [name, count] of Object.entries(dpif.stats().drops)) {
      totals.set(name, (totals.get(name) ?? 0) + count);
    }
  }
  return DROP_REASONS.map(({ name, meaning }, reason) => ({
    ...{ name, meaning, packets: totals.get(name) },
    examples: dropsAreShown(reason),
  }));
}

interface Example {
  /** Milliseconds since 1970. */
  at: number;
  /** That it came in by, or, of a packet that was leaving, that did not take it. */
  port: string;
  leaving: boolean;
  reason: string;
  length: number;
  /** The packet's beginning, hexadecimal. */
  data: string;
}

/** Ends when there are enough, or the time is over. */
async function captureDrops(
  registry: OfprotoRegistry,
  reason: string,
  limits: { packets: number; seconds: number },
): Promise<string> {
  const wanted = DROP_REASONS.findIndex(({ name }) => name === reason);
  if (wanted < 0 && reason !== 'any') commandError(`no reason is named ${reason}`);
  const backers = [...registry.backers()].filter(({ dpif }) => dpif.captureDrops !== undefined);
  if (backers.length === 0) commandError('no datapath can show what it drops');
  if (backers.some(({ dpif }) => dpif.showsDrops)) commandError('a capture of drops is under way');
  const found: Example[] = [];
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, limits.seconds * 1000);
    timer.unref();
    for (const { dpif, clock, ...backer } of backers.map((b) => named(b))) {
      dpif.captureDrops?.(({ frame, port, reason: number, leaving }) => {
        if (wanted >= 0 && number !== wanted) return;
        if (found.length >= limits.packets) return;
        found.push({
          at: clock.wallNow(),
          port: backer.portName(port),
          leaving,
          reason: DROP_REASONS[number]?.name ?? `reason ${number}`,
          length: frame.length,
          data: Buffer.from(frame.subarray(0, SNAPLEN)).toString('hex'),
        });
        if (found.length < limits.packets) return;
        clearTimeout(timer);
        resolve();
      });
    }
  });
  for (const { dpif } of backers) dpif.captureDrops?.(null);
  return json(found);
}

type Backer = ReturnType<OfprotoRegistry['backers']> extends Iterable<infer T> ? T : never;

function named(backer: Backer) {
  const { dpif, clock } = backer;
  const portName = (odp: number) => backer.portByOdp(odp)?.name ?? `port ${odp}`;
  return { dpif, clock, portName };
}
