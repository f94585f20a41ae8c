/** dpif-netdev/pmd-*: what forwarding threads do, and which receive queues they read. Not for:
 * pmd-perf-* (pmd-perf-commands.ts). */
import type { PmdInfo } from '../../datapath/pmd-control.js';
import { INTERVAL_MS } from '../../datapath/rxq-load.js';
import type { OfprotoRegistry } from '../registry.js';
import { commandError, type OfprotoCommand } from './command.js';
import { choosePmds, datapathNamed, pmdHeading, SECONDS_MAX } from './pmd-choice.js';
import { pmdPerfCommands } from './pmd-perf-commands.js';

const INTERVAL_SEC = INTERVAL_MS / 1000;

function percent(part: number, whole: number): string {
  return whole > 0 ? `${String(Math.floor((part * 100) / whole)).padStart(2)} %` : 'NOT AVAIL';
}

function rxqShow(registry: OfprotoRegistry, args: readonly string[]): string {
  const { pmds, threads, seconds } = choosePmds(registry, args, true);
  if (threads.length === 0 || !pmds) return '';
  const usable = seconds > 0 && seconds <= SECONDS_MAX;
  const shown = usable ? Math.ceil(seconds / INTERVAL_SEC) * INTERVAL_SEC : SECONDS_MAX;
  const intervals = shown / INTERVAL_SEC;
  const total = pmds.intervalCycles * intervals;
  let text = `Displaying last ${shown} seconds pmd usage %\n`;
  for (const pmd of threads) {
    text += `${pmdHeading(pmd)}  isolated : ${pmd.isolated}\n`;
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
  let text = pmdHeading(pmd);
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

export function pmdCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  return [
    {
      name: 'dpif-netdev/pmd-stats-show',
      usage: '[-pmd core] [dp]',
      minArgs: 0,
      maxArgs: 3,
      run: (args) => choosePmds(registry, args, false).threads.map(statsText).join(''),
    },
    {
      name: 'dpif-netdev/pmd-stats-clear',
      usage: '[-pmd core] [dp]',
      minArgs: 0,
      maxArgs: 3,
      run: (args) => {
        const { pmds, threads } = choosePmds(registry, args, false);
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
      name: 'dpif-netdev/pmd-rxq-rebalance',
      usage: '[dp]',
      minArgs: 0,
      maxArgs: 1,
      run: ([name]) => {
        datapathNamed(registry, name ?? null).pmds?.rebalance();
        return 'pmd rxq rebalance requested.\n';
      },
    },
    ...pmdPerfCommands(registry),
    {
      // For tests of what follows: not listed.
      name: 'dpif-netdev/pmd-kill',
      usage: null,
      minArgs: 1,
      maxArgs: 2,
      run: ([cpu, how]) => {
        const { pmds } = datapathNamed(registry, null);
        return pmds?.kill(Number(cpu), how === 'error') ? '' : commandError('no such pmd thread');
      },
    },
  ];
}
