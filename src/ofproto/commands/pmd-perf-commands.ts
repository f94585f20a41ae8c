/**
 * dpif-netdev/pmd-perf-show and pmd-perf-log-set: how forwarding threads spend their time. With
 * other_config:pmd-perf-metrics, also histograms and histories of single rounds.
 */
import { getLogger } from '../../common/log.js';
import {
  DEFAULT_PERF_LOG,
  type PerfLog,
  type PmdCounters,
  type PmdInfo,
} from '../../datapath/pmd-control.js';
import {
  BINS,
  HIST_CYCLES,
  HIST_CYCLES_PER_PACKET,
  HIST_PACKETS,
  HIST_PACKETS_PER_BATCH,
  HIST_UPCALLS,
  HISTORY,
  logarithmicWalls,
  type PmdPerf,
  WALLS,
} from '../../datapath/pmd-perf.js';
import type { OfprotoRegistry } from '../registry.js';
import { commandError, type OfprotoCommand } from './command.js';
import { choosePmds, pmdHeading } from './pmd-choice.js';

const logger = getLogger('pmd_perf');

/** 'HH:MM:SS.mmm' of the wall clock. */
function timeOfDay(now: number): string {
  return new Date(now).toISOString().slice(11, 23);
}

interface Show {
  histograms: boolean;
  rounds: number;
  milliseconds: number;
}

/** Takes its own options off the front, as Open vSwitch does; the rest names threads. */
function readShow(args: readonly string[]): { show: Show; rest: readonly string[] } {
  const show = { histograms: true, rounds: 0, milliseconds: 0 };
  const most = (text: string) => Math.min(Math.max(Number.parseInt(text, 10) || 0, 0), HISTORY);
  let at = 0;
  for (; at < args.length; at++) {
    const value = args[at + 1];
    if (args[at] === '-nh') show.histograms = false;
    else if (args[at] === '-it' && value !== undefined) show.rounds = most(args[++at]);
    else if (args[at] === '-ms' && value !== undefined) show.milliseconds = most(args[++at]);
    else break;
  }
  return { show, rest: args.slice(at) };
}

function perfText(pmd: PmdInfo, hz: number, wallMs: number, show: Show): string {
  const seconds = pmd.durationMs / 1000;
  let text = `\nTime: ${timeOfDay(wallMs)}\nMeasurement duration: ${seconds.toFixed(3)} s\n\n`;
  text += `${pmdHeading(pmd)}\n`;
  if (seconds > 0) text += roundsText(pmd.counters, seconds, hz);
  const { perf } = pmd;
  if (perf === null) return text;
  if (show.histograms) text += `\n${histogramsText(perf)}`;
  if (show.rounds > 0) text += `\n${roundHistory(perf, show.rounds)}`;
  if (show.milliseconds > 0) text += `\n${msHistory(perf, show.milliseconds)}`;
  return text;
}

/** Columns of a histogram; of what there is nothing to say, null. */
const HISTOGRAMS: readonly [title: string, walls: readonly number[], histogram: number | null][] = [
  ['cycles/it', [...WALLS[HIST_CYCLES]], HIST_CYCLES],
  ['packets/it', [...WALLS[HIST_PACKETS]], HIST_PACKETS],
  ['cycles/pkt', [...WALLS[HIST_CYCLES_PER_PACKET]], HIST_CYCLES_PER_PACKET],
  ['pkts/batch', [...WALLS[HIST_PACKETS_PER_BATCH]], HIST_PACKETS_PER_BATCH],
  // There are no vhost queues; the main thread handles upcalls.
  ['max vhost qlen', [...logarithmicWalls(0, 512)], null],
  ['upcalls/it', [...WALLS[HIST_UPCALLS]], HIST_UPCALLS],
  ['cycles/upcall', [...logarithmicWalls(1000, 1_000_000)], null],
];

function histogramsText(perf: PmdPerf): string {
  const bins = HISTOGRAMS.map(([, , n]) => (n === null ? new Float64Array(BINS) : perf.bins(n)));
  const line = (cells: readonly string[]) => `   ${cells.join('  ')}\n`;
  let text = 'Histograms\n';
  text += line(HISTOGRAMS.map(([title]) => title.padEnd(21)));
  for (let bin = 0; bin < BINS; bin++) {
    const wall = (walls: readonly number[]) => (bin === BINS - 1 ? '>' : String(walls[bin]));
    text += line(
      HISTOGRAMS.map(([, walls], i) => `${wall(walls).padEnd(9)} ${count(bins[i][bin], 11)}`),
    );
  }
  const t = perf.totals();
  if (t.rounds === 0) return text;
  const titles = HISTOGRAMS.map(([title]) => title.replace('max ', '').padEnd(21));
  const each = (part: number, whole: number) => (whole > 0 ? part / whole : 0);
  const means = [
    String(Math.floor(t.cycles / t.rounds)),
    (t.packets / t.rounds).toFixed(5),
    String(Math.floor(each(t.busyCycles, t.packets))),
    each(t.packets, t.batches).toFixed(5),
    (0).toFixed(5),
    (t.upcalls / t.rounds).toFixed(5),
    '0',
  ];
  return `${text}${'-'.repeat(154)}\n${line(titles)}${line(means.map((m) => m.padEnd(21)))}`;
}

function count(n: number, width: number): string {
  return String(Math.floor(n)).padEnd(width);
}

function per(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}

function roundHistory(perf: PmdPerf, n: number): string {
  const titles = ['cycles', 'packets', 'cycles/pkt', 'pkts/batch', 'vhost qlen', 'upcalls'];
  const heads = [...titles, 'cycles/upcall'].map((title) => title.padEnd(10));
  let text = `   ${'iter'.padEnd(17)}   ${heads.join('   ')}\n`;
  for (const { round, cycles, packets, batches, upcalls } of perf.rounds(n)) {
    const row = [cycles, packets, per(cycles, packets), per(packets, batches), 0, upcalls, 0];
    text += `   ${count(round, 17)}   ${row.map((value) => count(value, 11)).join('  ')}\n`;
  }
  return text;
}

function msHistory(perf: PmdPerf, n: number): string {
  const first = ['iterations', 'cycles/it', 'Kpps', 'cycles/pkt', 'pkts/batch', 'vhost qlen'];
  const heads = [...first, 'upcalls', 'cycles/upcall'].map((title) => title.padEnd(10));
  let text = `   ${'ms'.padEnd(12)}   ${heads.join('   ')}\n`;
  for (const s of perf.milliseconds(n)) {
    const perPacket = per(s.busyCycles, s.packets);
    const rest = [s.packets, perPacket, per(s.packets, s.batches), 0, s.upcalls, 0];
    const row = [s.rounds, per(s.cycles, s.rounds), ...rest];
    text += `   ${count(s.ms, 12)}   ${row.map((value) => count(value, 11)).join('  ')}\n`;
  }
  return text;
}

function row(label: string, value: number, note: string): string {
  return `  ${label.padEnd(20)}${String(Math.round(value)).padStart(12)}  (${note})\n`;
}

function share(part: number, whole: number, digits = 5): string {
  return (whole > 0 ? (100 * part) / whole : 0).toFixed(1).padStart(digits);
}

function roundsText(c: PmdCounters, seconds: number, hz: number): string {
  const rounds = c.busyRounds + c.idleRounds;
  // Asleep is what is neither busy nor polling.
  const used = c.busyCycles + c.idleCycles;
  const sleepUs = (Math.max(0, c.totalCycles - used) / hz) * 1e6;
  const us = (cycles: number, n: number) => (n > 0 ? (cycles / hz / n) * 1e6 : 0);
  let text = row('Iterations:', rounds, `${us(c.totalCycles, rounds).toFixed(2)} us/it`);
  text += row('- Used TSC cycles:', used, `${share(used / seconds, hz)} % of total cycles`);
  text += row('- idle iterations:', c.idleRounds, `${share(c.idleCycles, used)} % of used cycles`);
  text += row('- busy iterations:', c.busyRounds, `${share(c.busyCycles, used)} % of used cycles`);
  text += row('- sleep iterations:', c.sleeps, `${share(c.sleeps, rounds)} % of iterations`);
  const each = c.sleeps > 0 ? sleepUs / c.sleeps : 0;
  text += row('Sleep time (us):', sleepUs, `${each.toFixed(0).padStart(3)} us/iteration avg.`);
  return text + receivedText(c, seconds) + sentText(c, seconds);
}

function receivedText(c: PmdCounters, seconds: number): string {
  const n = c.received;
  if (n === 0) return `  Rx packets:         ${'0'.padStart(12)}\n`;
  const passes = n + c.recirculated;
  const kpps = (n / seconds / 1000).toFixed(0);
  const lookups = c.megaflowHits > 0 ? c.megaflowLookups / c.megaflowHits : 0;
  const hits = `${share(c.megaflowHits, passes)} %, ${lookups.toFixed(2)} subtbl lookups/hit`;
  const cycles = (c.busyCycles / n).toFixed(0);
  let text = row('Rx packets:', n, `${kpps} Kpps, ${cycles} cycles/pkt`);
  text += row('Datapath passes:', passes, `${(passes / n).toFixed(2)} passes/pkt`);
  for (const label of ['- PHWOL hits:', '- MFEX Opt hits:', '- Simple Match hits:']) {
    text += row(label, 0, '  0.0 %');
  }
  text += row('- EMC hits:', c.cacheHits, `${share(c.cacheHits, passes)} %`);
  text += row('- SMC hits:', 0, '  0.0 %');
  text += row('- Megaflow hits:', c.megaflowHits, hits);
  text += row('- Upcalls:', c.missed, `${share(c.missed, passes)} %, 0.0 us/upcall`);
  return text + row('- Lost upcalls:', c.lost, `${share(c.lost, passes)} %`);
}

function sentText(c: PmdCounters, seconds: number): string {
  if (c.sent === 0) return `  Tx packets:         ${'0'.padStart(12)}\n\n`;
  const perBatch = c.sendCalls > 0 ? c.sent / c.sendCalls : 0;
  return (
    row('Tx packets:', c.sent, `${(c.sent / seconds / 1000).toFixed(0)} Kpps`) +
    row('Tx batches:', c.sendCalls, `${perBatch.toFixed(2)} pkts/batch`)
  );
}

const LOG_USAGE =
  'Usage: ovs-appctl dpif-netdev/pmd-perf-log-set [on|off] [-b before] [-a after] [-e|-ne] ' +
  '[-us usec] [-q qlen]';

/** @returns null when the arguments are none */
function readPerfLog(args: readonly string[], now: PerfLog): PerfLog | null {
  const log = { ...now };
  for (let i = 0; i < args.length; i++) {
    const option = args[i];
    if (option === 'on' || option === 'off') log.on = option === 'on';
    else if (option === '-e' || option === '-ne') log.extend = option === '-e';
    else {
      const value = args[++i];
      if (value === undefined || !/^\d{1,10}$/.test(value)) return null;
      if (option === '-a') log.after = Math.min(Number(value), HISTORY - 2);
      else if (option === '-b') log.before = Math.min(Number(value), HISTORY - 2);
      else if (option === '-q') log.queueLength = Number(value);
      else if (option === '-us') log.usec = Number(value);
      else return null;
    }
  }
  log.after = Math.min(log.after, HISTORY - 2 - log.before);
  return log;
}

function setPerfLog(registry: OfprotoRegistry, args: readonly string[]): string {
  const all = [...registry.backers()].flatMap(({ dpif }) => (dpif.pmds ? [dpif.pmds] : []));
  const log = readPerfLog(args, all[0]?.perfLog ?? DEFAULT_PERF_LOG);
  if (log === null) return commandError(LOG_USAGE);
  for (const pmds of all) pmds.perfLog = log;
  const { on, before, after, extend, usec, queueLength } = log;
  logger.info(
    `pmd-perf-log-set: ${on ? 'on' : 'off'}, before=${before}, after=${after}, extend=${extend}, ` +
      `us_thr=${usec}, q_thr=${queueLength}`,
  );
  return '';
}

export function pmdPerfCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  return [
    {
      name: 'dpif-netdev/pmd-perf-show',
      usage: '[-nh] [-it iter-history-len] [-ms ms-history-len] [-pmd core] [dp]',
      minArgs: 0,
      maxArgs: 8,
      run: (args) => {
        const { show, rest } = readShow(args);
        const { pmds, threads } = choosePmds(registry, rest);
        const now = registry.clock.wallNow();
        return threads.map((pmd) => perfText(pmd, pmds?.hz ?? 1, now, show)).join('');
      },
    },
    {
      name: 'dpif-netdev/pmd-perf-log-set',
      usage: 'on|off [-b before] [-a after] [-e|-ne] [-us usec] [-q qlen]',
      minArgs: 0,
      maxArgs: 10,
      run: (args) => setPerfLog(registry, args),
    },
  ];
}
