/**
 * What sFlow 1:400 and NetFlow cost: packets a second through the switch with and without them, and
 * the CPU time of its processes for each packet, which other load on the machine disturbs less.
 *
 *     node scripts/bench-export.mjs [--rounds=N] [--seconds=N] [--flows=N] [--dist=DIRECTORY]
 *
 * Needs a build, and root. The two switches run side by side and are measured in turns.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = path.resolve(import.meta.dirname, '..');
const option = (name, fallback) =>
  process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback;
const dist = path.resolve(option('dist', path.join(ROOT, 'dist')));
const load = (file) => import(pathToFileURL(path.join(dist, 'cli/bench', file)).href);
const { Subject, SUBJECTS } = await load('subjects.js');
const { withTraffic } = await load('measures.js');

const rounds = Number(option('rounds', 7));
const seconds = Number(option('seconds', 3));
const flows = Number(option('flows', 64));
const traffic = { frameBytes: [64], flows, burst: 32, vlan: null, ipv6: false };
const measure = { seconds, traffic, tcpStreams: 1 };
/** Both by workers: with sFlow, packets have to be sampled there. */
const KINDS = ['tapswitch-user', 'tapswitch-export'];

/** CPU time so far of the main threads and of all others in a namespace, nanoseconds. */
function cpuNs(namespace) {
  const pids = execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
  const used = { main: 0, workers: 0 };
  for (const pid of pids.split('\n').filter(Boolean)) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const ns = Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
      used[task === pid ? 'main' : 'workers'] += ns;
    }
  }
  return used;
}

/** Packets a second, and nanoseconds of CPU for each. */
function measureOne(subject) {
  const { network } = subject;
  return withTraffic(subject, measure, async () => {
    const start = performance.now();
    const [cpu, packets] = [cpuNs(network.switchNamespace), await network.sinkPackets()];
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const passed = (await network.sinkPackets()) - packets;
    const pps = (passed / (performance.now() - start)) * 1000;
    const after = cpuNs(network.switchNamespace);
    const worker = (after.workers - cpu.workers) / passed;
    return { pps, worker, ns: worker + (after.main - cpu.main) / passed };
  });
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const subjects = [];
const results = new Map(KINDS.map((name) => [name, []]));
try {
  for (const name of KINDS) {
    subjects.push(
      await Subject.start(
        SUBJECTS.find((kind) => kind.name === name),
        1,
      ),
    );
  }
  for (let round = 1; round <= rounds; round++) {
    for (const subject of subjects) results.get(subject.kind.name).push(await measureOne(subject));
    console.error(`round ${round} of ${rounds}`);
  }
} finally {
  for (const subject of subjects) await subject.stop();
}
const of = (name, what) => median(results.get(name).map((result) => result[what]));
const [plain, exporting] = KINDS;
console.log(`medians of ${rounds} rounds of ${seconds} s, 64-byte frames of ${flows} flows`);
for (const [title, name] of [
  ['without', plain],
  ['with', exporting],
]) {
  const [pps, ns, worker] = ['pps', 'ns', 'worker'].map((what) => of(name, what).toFixed(0));
  console.log(`${title}: ${pps} packets/s; CPU a packet: ${ns} ns, ${worker} ns in workers`);
}
for (const what of ['pps', 'ns', 'worker']) {
  const pairs = results
    .get(plain)
    .map((result, i) => results.get(exporting)[i][what] / result[what]);
  console.log(`${what}: ${((median(pairs) - 1) * 100).toFixed(1)} % (median of pairs)`);
}
