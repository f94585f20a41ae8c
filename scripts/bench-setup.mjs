/**
 * Measures flow set-up beside Open vSwitch, in one run: how many flows a second that were never
 * seen before get through, what each costs, and what happens to established flows meanwhile.
 *
 *     node scripts/bench-setup.mjs [--kinds=flows,macs] [--rates=10000,40000] [--seconds=2]
 *         [--rounds=1] [--established=10000] [--only=ours|theirs] [--dist=DIRECTORY]
 *         [--node=OPTION,...] [--config=other_config setting,...] [--profile=SECONDS]
 *
 * Each new flow sends one packet, so what of them arrives was set up. 'flows': each UDP source port
 * is a megaflow of its own; 'macs': each source address is, and is learned. Established flows are
 * sent to by the same port as the new ones, and by another. CPU for each set-up: of the whole switch,
 * less what it takes for the established flows alone. Network: scripts/lib/setup-switch.mjs.
 *
 * Needs root, and for the comparison Open vSwitch. Not for: forwarding (`tapswitch bench`).
 */
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SetupSwitch } from './lib/setup-switch.mjs';

const ROOT = path.resolve(import.meta.dirname, '..');
const options = new Map(
  process.argv.slice(2).map((word) => {
    const [name, ...value] = word.replace(/^--/, '').split('=');
    return [name, value.join('=')];
  }),
);
const list = (name, fallback) => (options.get(name) ?? fallback).split(',').filter(Boolean);
const DIST = path.resolve(options.get('dist') ?? path.join(ROOT, 'dist'));
const SECONDS = Number(options.get('seconds') ?? 2);
const ROUNDS = Number(options.get('rounds') ?? 1);
const ESTABLISHED = Number(options.get('established') ?? 10_000);
const RATES = list('rates', '5000,10000,20000,40000,80000').map(Number);
const KINDS = list('kinds', 'flows,macs');
const NAMES = options.has('only') ? [options.get('only')] : ['ours', 'theirs'];
const TITLES = { ours: 'tapswitch', theirs: 'Open vSwitch netdev' };
/** More flows than both switches keep would measure the limit, not the set-up. */
const FLOWS_MAX = 150_000;

const { command, until } = await import(path.join(DIST, 'cli/bench/commands.js'));
const { loadNative } = await import(path.join(DIST, 'native/binding.js'));

/** Of the machine's counter, by which Open vSwitch says how busy it is. */
async function cyclesPerSecond() {
  const native = loadNative();
  const [cycles, ms] = [native.cycleCount(), performance.now()];
  await sleep(200);
  return ((native.cycleCount() - cycles) / (performance.now() - ms)) * 1000;
}

/** Sends for a while: what was sent, and by how much counters went up. */
async function phase(each, kind, fresh, seconds) {
  const before = await each.counters();
  const sent = await each.traffic(kind, { fresh, same: ESTABLISHED, other: ESTABLISHED }, seconds);
  await sleep(400);
  const after = await each.counters();
  const got = Object.fromEntries(
    Object.keys(after).map((name) => [name, after[name] - before[name]]),
  );
  return { sent, got, flows: after.flows };
}

/** One rate: what arrived of what was sent. */
async function measure(each, kind, rate) {
  await each.appctl('revalidator/purge');
  await each.appctl('fdb/flush', 'br0');
  await sleep(200);
  await each.traffic(kind, { fresh: 0, same: ESTABLISHED, other: ESTABLISHED }, 0.3);
  await sleep(200);
  const seconds = Math.min(SECONDS, FLOWS_MAX / rate);
  const idle = await phase(each, kind, 0, seconds);
  const { sent, got, flows } = await phase(each, kind, rate, seconds);
  const lost = (name) => 1 - got[name] / Math.max(1, sent[name]);
  return {
    offered: sent.fresh / sent.seconds,
    setUp: got.fresh / sent.seconds,
    cpuUs: ((got.cpu - idle.got.cpu) / Math.max(1, got.fresh)) * 1e6,
    fresh: lost('fresh'),
    same: lost('same'),
    other: lost('other'),
    missLost: got.lost,
    flows,
  };
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
const medians = (all) =>
  Object.fromEntries(Object.keys(all[0]).map((name) => [name, median(all.map((r) => r[name]))]));
const number = (n) => Math.round(n).toLocaleString('en');
const percent = (part) => `${(100 * Math.max(0, part)).toFixed(2)} %`;

function row(kind, name, r) {
  const cells = [kind, TITLES[name], number(r.offered), number(r.setUp), r.cpuUs.toFixed(1)];
  cells.push(...[r.fresh, r.same, r.other].map(percent), number(r.missLost), number(r.flows));
  console.log(`| ${cells.join(' | ')} |`);
}

const tools = { dist: DIST, command, until, cyclesPerSecond: await cyclesPerSecond() };
const switches = NAMES.map(
  (name) => new SetupSwitch(name, tools, list('node', ''), list('config', '')),
);
process.once('SIGINT', () => process.exit(130));
try {
  for (const each of switches) await each.start();
  console.log(`\n${os.cpus()[0]?.model}, ${os.cpus().length} CPUs, Linux ${os.release()};`);
  console.log(`established: 2 x 64 flows, 2 x ${ESTABLISHED} packets/s; medians of ${ROUNDS}\n`);
  const losses = 'new lost | same port lost | other port lost';
  console.log(`| new | switch | offered/s | set up/s | CPU us each | ${losses} | "lost" | flows |`);
  console.log('|---|---|---:|---:|---:|---:|---:|---:|---:|---:|');
  for (const kind of KINDS) {
    for (const each of switches) await each.flows(kind);
    for (const rate of RATES) {
      const results = new Map(NAMES.map((name) => [name, []]));
      for (let round = 0; round < ROUNDS; round++) {
        for (const each of switches) results.get(each.name).push(await measure(each, kind, rate));
      }
      for (const [name, all] of results) row(kind, name, medians(all));
    }
  }
} finally {
  for (const each of switches) await each.stop();
}
