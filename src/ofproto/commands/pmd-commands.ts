/** dpif-netdev/pmd-*: what forwarding threads do, and which receive queues they read. */
import type { PmdControl, PmdCounters, PmdInfo } from '../../datapath/pmd-control.js';
import { INTERVAL_MS, INTERVALS } from '../../datapath/rxq-load.js';
import type { OfprotoRegistry } from '../registry.js';
import { commandError, type OfprotoCommand } from './command.js';

const INTERVAL_SEC = INTERVAL_MS / 1000;
const SECONDS_MAX = INTERVAL_SEC * INTERVALS;

interface Chosen {
  pmds: PmdControl | null;
  threads: PmdInfo[];
  seconds: number;
}

/** Reads `[-pmd core] [-secs secs] [dp]`; options with a value that is ignored are skipped. */
function choose(registry: OfprotoRegistry, args: readonly string[], withSecs: boolean): Chosen {
  let cpu: number | null = null;
  let seconds = 0;
  let name: string | null = null;
  for (let i = 0; i < args.length; i++) {
    const value = args[i + 1];
    if (args[i] === '-pmd' && value !== undefined) {
      if (/^\d+$/.test(value)) cpu = Number(value);
      i++;
    } else if (withSecs && args[i] === '-secs' && value !== undefined) {
      seconds = /^\d+$/.test(value) ? Number(value) : SECONDS_MAX;
      i++;
    } else if ((args[i] === '-it' || args[i] === '-ms') && value !== undefined) i++;
    else if (args[i] !== '-nh') name = args[i];
  }
  const { pmds } = datapath(registry, name);
  const threads = (pmds?.info() ?? []).filter((pmd) => cpu === null || pmd.cpu === cpu);
  return { pmds: pmds ?? null, threads, seconds };
}

function datapath(registry: OfprotoRegistry, name: string | null) {
  const all = [...registry.backers()].map(({ dpif }) => dpif);
  const found = name === null ? undefined : all.find((dpif) => dpif.name.endsWith(`@${name}`));
  const chosen = found ?? (all.length === 1 ? all[0] : undefined);
  return chosen ?? commandError('please specify an existing datapath');
}

function heading({ numa, cpu }: PmdInfo): string {
  return `pmd thread numa_id ${numa}${cpu < 0 ? '' : ` core_id ${cpu}`}:\n`;
}

function percent(part: number, whole: number): string {
  return whole > 0 ? `${String(Math.floor((part * 100) / whole)).padStart(2)} %` : 'NOT AVAIL';
}

function rxqShow(registry: OfprotoRegistry, args: readonly string[]): string {
  const { pmds, threads, seconds } = choose(registry, args, true);
  if (threads.length === 0 || !pmds) return '';
  const usable = seconds > 0 && seconds <= SECONDS_MAX;
  const shown = usable ? Math.ceil(seconds / INTERVAL_SEC) * INTERVAL_SEC : SECONDS_MAX;
  const intervals = shown / INTERVAL_SEC;
  const total = pmds.intervalCycles * intervals;
  let text = `Displaying last ${shown} seconds pmd usage %\n`;
  for (const pmd of threads) {
    text += `${heading(pmd)}  isolated : ${pmd.isolated}\n`;
    let used = 0;
    for (const queue of pmd.queues) {
      const cycles = queue.cycles(intervals);
      used += cycles;
      const id = String(queue.rxq).padStart(2);
      const state = queue.enabled && pmd.alive ? '(enabled) ' : '(disabled)';
      text += `  port: ${queue.port.padEnd(16)}  queue-id: ${id} ${state}`;
      text += `  pmd usage: ${percent(cycles, total)}\n`;
    }
    const busy = Math.min(pmd.busyCycles(intervals), total);
    if (pmd.queues.length > 0) {
      text += `  overhead: ${percent(Math.max(0, busy - used), total)}\n`;
    }
  }
  return text;
}

function statsText(pmd: PmdInfo): string {
  const c = pmd.counters;
  const per = (part: number, whole: number) => (whole > 0 ? part / whole : 0).toFixed(2);
  const busy = Math.round(c.busyCycles);
  const total = Math.round(c.totalCycles);
  let text = heading(pmd);
  text += `  packets received: ${c.received}\n`;
  text += `  packet recirculations: ${c.recirculated}\n`;
  text += `  avg. datapath passes per packet: ${per(c.received + c.recirculated, c.received)}\n`;
  text += '  phwol hits: 0\n  mfex opt hits: 0\n  simple match hits: 0\n';
  text += `  emc hits: ${c.cacheHits}\n  smc hits: 0\n  megaflow hits: ${c.megaflowHits}\n`;
  text += `  avg. subtable lookups per megaflow hit: ${per(c.megaflowLookups, c.megaflowHits)}\n`;
  text += `  miss with success upcall: ${c.missed - c.lost}\n`;
  text += `  miss with failed upcall: ${c.lost}\n`;
  text += `  avg. packets per output batch: ${per(c.sent, c.sendCalls)}\n`;
  if (total <= 0) return text;
  const idle = total - busy;
  text += `  idle cycles: ${idle} (${per(idle * 100, total)}%)\n`;
  text += `  processing cycles: ${busy} (${per(busy * 100, total)}%)\n`;
  if (c.received === 0) return text;
  text += `  avg cycles per packet: ${per(total, c.received)} (${total}/${c.received})\n`;
  text += `  avg processing cycles per packet: ${per(busy, c.received)} (${busy}/${c.received})\n`;
  return text;
}

/** 'HH:MM:SS.mmm' of the wall clock. */
function timeOfDay(now: number): string {
  return new Date(now).toISOString().slice(11, 23);
}

function perfText(pmd: PmdInfo, hz: number, wallMs: number): string {
  const seconds = pmd.durationMs / 1000;
  let text = `\nTime: ${timeOfDay(wallMs)}\nMeasurement duration: ${seconds.toFixed(3)} s\n\n`;
  text += `${heading(pmd)}\n`;
  return seconds > 0 ? text + roundsText(pmd.counters, seconds, hz) : text;
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

export function pmdCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  return [
    {
      name: 'dpif-netdev/pmd-stats-show',
      usage: '[-pmd core] [dp]',
      minArgs: 0,
      maxArgs: 3,
      run: (args) => choose(registry, args, false).threads.map(statsText).join(''),
    },
    {
      name: 'dpif-netdev/pmd-stats-clear',
      usage: '[-pmd core] [dp]',
      minArgs: 0,
      maxArgs: 3,
      run: (args) => {
        const { pmds, threads } = choose(registry, args, false);
        for (const { cpu } of threads) pmds?.clear(cpu);
        return '';
      },
    },
    {
      name: 'dpif-netdev/pmd-rxq-show',
      usage: '[-pmd core] [-secs secs] [dp]',
      minArgs: 0,
      maxArgs: 5,
      run: (args) => rxqShow(registry, args),
    },
    {
      name: 'dpif-netdev/pmd-perf-show',
      usage: '[-nh] [-it iter-history-len] [-ms ms-history-len] [-pmd core] [dp]',
      minArgs: 0,
      maxArgs: 8,
      run: (args) => {
        const { pmds, threads } = choose(registry, args, false);
        const now = registry.clock.wallNow();
        return threads.map((pmd) => perfText(pmd, pmds?.hz ?? 1, now)).join('');
      },
    },
    {
      name: 'dpif-netdev/pmd-rxq-rebalance',
      usage: '[dp]',
      minArgs: 0,
      maxArgs: 1,
      run: ([name]) => {
        datapath(registry, name ?? null).pmds?.rebalance();
        return 'pmd rxq rebalance requested.\n';
      },
    },
    {
      // For tests of what follows: not listed.
      name: 'dpif-netdev/pmd-kill',
      usage: null,
      minArgs: 1,
      maxArgs: 2,
      run: ([cpu, how]) => {
        const { pmds } = datapath(registry, null);
        return pmds?.kill(Number(cpu), how === 'error') ? '' : commandError('no such pmd thread');
      },
    },
  ];
}
