/**
 * Measures large flow tables on our switch beside Open vSwitch, in one run: medians, ratios and a
 * picture.
 *
 *     node scripts/bench-tables.mjs [--flows=10000,100000,1000000] [--masks=0,1,10,100] [--rounds=N]
 *                                   [--mask-flows=N] [--packets=N] [--expiry=SECONDS]
 *                                   [--dist=DIRECTORY] [--ours=COMMAND] [--only=ours|theirs]
 *                                   [--svg=FILE] [--help]
 *
 * For each number of exact flows (in_port, protocol, addresses and ports): add in a bundle, memory,
 * dump, delete; add again with a hard timeout and wait until the last has expired. All the while the
 * daemon is asked for its version: the longest wait for an answer is how long its main thread did
 * nothing else. For each number of masks: packets of random flows, of which none is cached
 * (flow-limit=0); what the processor time for one grows by, from an empty table on (0 masks), is the
 * lookup. Our classifier alone is measured beside, in this process.
 *
 * The client is Debian's ovs-ofctl for both. Needs Open vSwitch's programs; no network devices.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { barsSvg } from './lib/bars-svg.mjs';
import { BRIDGE, DummySwitch } from './lib/dummy-switch.mjs';
import { exactFlow, flowLines, maskedFlow, packetOf } from './lib/table-flows.mjs';

const ROOT = path.resolve(import.meta.dirname, '..');
const DISTINCT_PACKETS = 2000;
const SETTLE_MS = 1500;
/** A dummy port's queue must not overflow: it is given time to empty. */
const QUEUE_PACKETS = 50;
const DRAIN_MS = 10;

const options = new Map(
  process.argv.slice(2).map((word) => {
    const [name, ...value] = word.replace(/^--/, '').split('=');
    return [name, value.join('=')];
  }),
);
if (options.has('help')) {
  const header = fs.readFileSync(import.meta.filename, 'utf8').split('*/')[0];
  console.log(header.replace(/^\/?\*+ ?|^ \* ?/gm, '').trim());
  process.exit(0);
}
const number = (name, usual) => Number(options.get(name) ?? usual);
const list = (name, usual) => (options.get(name) ?? usual).split(',').filter(Boolean).map(Number);
const ROUNDS = number('rounds', 3);
const MASK_FLOWS = number('mask-flows', 10_000);
const PACKETS = number('packets', 20_000);
const EXPIRY_SECONDS = number('expiry', 20);
const DIST = path.resolve(options.get('dist') ?? path.join(ROOT, 'dist'));
const MAIN = `${process.execPath} ${DIST}/cli/main.js vswitchd`;
const COMMANDS = {
  theirs: ['ovs-vswitchd'],
  ours: (options.get('ours') ?? MAIN).split(' '),
};
const SUBJECTS = Object.keys(COMMANDS).filter((n) => (options.get('only') ?? n) === n);

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Values by row and subject; rows in the order in which they came. */
class Results {
  rows = new Map();

  add(row, subject, value) {
    const values = this.rows.get(row) ?? {};
    values[subject] ??= [];
    values[subject].push(value);
    this.rows.set(row, values);
  }

  get(row, subject) {
    const values = this.rows.get(row)?.[subject];
    return values === undefined ? Number.NaN : median(values);
  }

  print() {
    const cell = (n) => (n >= 100 ? Math.round(n).toLocaleString('en') : n.toFixed(2));
    console.log('\n| | ours | Open vSwitch | theirs / ours |\n|---|---:|---:|---:|');
    for (const row of this.rows.keys()) {
      const [a, b] = [this.get(row, 'ours'), this.get(row, 'theirs')];
      console.log(`| ${row} | ${cell(a)} | ${cell(b)} | ${(b / a).toFixed(2)} |`);
    }
  }
}

const maskLabel = (masks) => {
  if (masks === 0) return 'no flows';
  return `${MASK_FLOWS.toLocaleString('en')} flows, ${masks} mask${masks === 1 ? '' : 's'}`;
};
const results = new Results();
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-tables-'));

/** Does something, and notes how long it took and how long the daemon did nothing else. */
async function timed(daemon, row, work) {
  const start = performance.now();
  const cpu = daemon.cpu;
  const wait = await daemon.control.longestWait(work);
  results.add(`${row}, s`, daemon.name, (performance.now() - start) / 1000);
  results.add(`${row}, processor s`, daemon.name, daemon.cpu - cpu);
  results.add(`${row}, longest wait ms`, daemon.name, wait);
}

async function expectActive(daemon, count) {
  const { active } = await daemon.table();
  if (active !== count) throw new Error(`${daemon.name} has ${active} entries, not ${count}`);
}

/** One daemon, one number of exact flows. */
async function exact(name, count, files) {
  const label = `${count.toLocaleString('en')} exact`;
  const daemon = new DummySwitch(name, COMMANDS[name]);
  try {
    await daemon.start();
    await sleep(SETTLE_MS);
    const empty = daemon.memory;
    const add = (file) => daemon.ofctl(['--bundle', 'add-flows', BRIDGE, file]);
    await timed(daemon, `${label}: add`, () => add(files.plain));
    await expectActive(daemon, count);
    await sleep(SETTLE_MS);
    results.add(`${label}: memory, bytes a flow`, name, (daemon.memory - empty) / count);
    await timed(daemon, `${label}: dump`, () => daemon.ofctl(['dump-flows', BRIDGE]));
    await timed(daemon, `${label}: delete`, () => daemon.ofctl(['del-flows', BRIDGE]));
    await expectActive(daemon, 0);
    const start = performance.now();
    await add(files.expiring);
    await expectActive(daemon, count);
    console.error(`${name}: added again in ${Math.round(performance.now() - start)} ms`);
    await timed(daemon, `${label}: expire`, async () => {
      while ((await daemon.table()).active > 0) await sleep(100);
    });
  } finally {
    await daemon.stop();
  }
}

/** One daemon, all numbers of masks: what a packet costs that no cache knows. */
async function masked(name, file, masks) {
  const label = maskLabel(masks);
  const daemon = new DummySwitch(name, COMMANDS[name]);
  try {
    await daemon.start();
    if (masks > 0) await daemon.ofctl(['--bundle', 'add-flows', BRIDGE, file]);
    await expectActive(daemon, masks > 0 ? MASK_FLOWS : 0);
    const packets = Array.from({ length: DISTINCT_PACKETS }, (_, i) =>
      packetOf(maskedFlow((i * 7919) % MASK_FLOWS, masks || 1)),
    );
    const send = async (total) => {
      // One at a time: Open vSwitch takes one from a dummy port in each turn of its main loop.
      for (let sent = 0; sent < total; sent++) {
        await daemon.control.call('netdev-dummy/receive', 'p1', packets[sent % DISTINCT_PACKETS]);
        if (sent % QUEUE_PACKETS === 0) await sleep(DRAIN_MS);
      }
      await sleep(100);
    };
    await send(PACKETS / 2);
    const before = { cpu: daemon.cpu, ...(await daemon.table()) };
    await send(PACKETS);
    const cpu = daemon.cpu - before.cpu;
    const looked = (await daemon.table()).lookups - before.lookups;
    if (looked < PACKETS * 0.95) throw new Error(`${name} looked up ${looked} of ${PACKETS}`);
    results.add(`${label}: us a packet`, name, (cpu / looked) * 1e6);
  } finally {
    await daemon.stop();
  }
}

/** Our classifier alone, in this process. */
async function classifierAlone(count, flow, label) {
  const from = (file) => import(path.join(DIST, file));
  const { Classifier } = await from('ofproto/classifier.js');
  const { matchAny } = await from('openflow/match.js');
  const { newFlow } = await from('packet/flow-layout.js');
  const layout = await from('packet/flow-layout.js');
  const cls = new Classifier();
  const keys = [];
  for (let i = 0; i < count; i++) {
    const { src, dst, srcBits, dstBits, ports, priority } = flow(i);
    const match = matchAny();
    const put = (word, value, bits) => {
      match.mask[word] |= bits;
      match.flow[word] |= value & bits;
    };
    put(layout.W_IN_PORT, 1, -1);
    put(layout.W_DL_TYPE, 0x08000000, 0xffff0000 | 0);
    put(layout.W_NW, 6 << 24, 0xff000000 | 0);
    put(layout.W_NW_SRC, src, srcBits === 32 ? -1 : ~(-1 >>> srcBits));
    put(layout.W_NW_DST, dst, dstBits === 32 ? -1 : ~(-1 >>> dstBits));
    if (ports !== null) put(layout.W_TP, (ports[0] << 16) | ports[1], -1);
    if (i % Math.ceil(count / DISTINCT_PACKETS) === 0) {
      const key = match.flow.slice();
      key[layout.W_TP] = (1000 << 16) | 80;
      if (ports !== null) key[layout.W_TP] = match.flow[layout.W_TP];
      keys.push(key);
    }
    cls.insert({ match, priority, conjunctions: null });
  }
  const wc = newFlow();
  const run = (lookups) => {
    for (let i = 0; i < lookups; i++) {
      wc.fill(0);
      if (cls.lookup(keys[i % keys.length], wc) === null) throw new Error('a lookup found nothing');
    }
  };
  run(20_000);
  const { user } = process.cpuUsage();
  run(100_000);
  results.add(`${label}: lookup alone, us`, 'ours', (process.cpuUsage().user - user) / 100_000);
}

function write(name, lines) {
  const file = path.join(scratch, name);
  const stream = fs.openSync(file, 'w');
  for (const chunk of lines) fs.writeSync(stream, chunk);
  fs.closeSync(stream);
  return file;
}

function picture(flowCounts, maskCounts) {
  const short = (n) => (n >= 1e6 ? `${n / 1e6} M` : n >= 1000 ? `${n / 1000} k` : String(n));
  const values = (row) => ({
    ours: results.get(row, 'ours'),
    theirs: results.get(row, 'theirs'),
  });
  const byFlows = (what) =>
    flowCounts.map((n) => ({
      label: short(n),
      ...values(`${n.toLocaleString('en')} exact: ${what}`),
    }));
  const flows = MASK_FLOWS.toLocaleString('en');
  return barsSvg({
    names: { ours: 'tapswitch', theirs: 'Open vSwitch' },
    panels: [
      { title: 'bytes of memory a flow, by flows', bars: byFlows('memory, bytes a flow') },
      { title: 'processor s to add, by flows', bars: byFlows('add, processor s') },
      { title: 'processor s to dump, by flows', bars: byFlows('dump, processor s') },
      {
        title: `us for an uncached packet, ${flows} flows, by masks`,
        bars: maskCounts.map((n) => ({
          label: short(n),
          ...values(`${maskLabel(n)}: us a packet`),
        })),
      },
    ],
  });
}

try {
  const flowCounts = list('flows', '10000,100000,1000000');
  const maskCounts = list('masks', '0,1,10,100');
  for (const count of flowCounts) {
    const timeout = `hard_timeout=${EXPIRY_SECONDS},`;
    const files = {
      plain: write('plain', flowLines(count, exactFlow, '')),
      expiring: write('expiring', flowLines(count, exactFlow, timeout)),
    };
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of round % 2 === 0 ? SUBJECTS : SUBJECTS.toReversed()) {
        await exact(name, count, files);
      }
      console.error(`${count} exact flows: round ${round + 1} of ${ROUNDS}`);
    }
    if (SUBJECTS.includes('ours')) {
      await classifierAlone(count, exactFlow, `${count.toLocaleString('en')} exact`);
    }
  }
  for (const masks of maskCounts) {
    const flow = (i) => maskedFlow(i, masks || 1);
    const file = write('masked', flowLines(MASK_FLOWS, flow, ''));
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of round % 2 === 0 ? SUBJECTS : SUBJECTS.toReversed()) {
        await masked(name, file, masks);
      }
    }
    if (SUBJECTS.includes('ours') && masks > 0) {
      await classifierAlone(MASK_FLOWS, flow, maskLabel(masks));
    }
    console.error(`${masks} masks`);
  }
  results.print();
  if (options.has('svg')) fs.writeFileSync(options.get('svg'), picture(flowCounts, maskCounts));
} finally {
  fs.rmSync(scratch, { recursive: true, force: true });
}
