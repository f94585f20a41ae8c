/**
 * What watching costs: packets a second through the switch with ten consoles open and with none,
 * in turns on one switch, and the CPU time that the switch takes.
 *
 *     node scripts/bench-console.mjs [--consoles=N] [--rounds=N] [--seconds=N] [--flows=N]
 *         [--subject=tapswitch-user,tapswitch] [--dist=DIRECTORY]
 *
 * The table is of the switch with its workers alone (hw-offload=false) and with the kernel
 * forwarding. A console is what the overview page subscribes to. The consoles are clients of one server,
 * `tapswitch web`, in a process of its own; drawing (a browser's, on the watcher's machine) is not
 * measured. On a machine with few CPUs the server takes time from the traffic's source and sink:
 * the CPU time for each packet does not see that. Needs a build, and root.
 */
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { WebSocket } from 'ws';

const ROOT = path.resolve(import.meta.dirname, '..');
const option = (name, fallback) =>
  process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback;
const dist = path.resolve(option('dist', path.join(ROOT, 'dist')));
const TAPSWITCH = path.join(path.dirname(dist), 'bin/tapswitch');
const load = (file) => import(pathToFileURL(path.join(dist, 'cli/bench', file)).href);
const { Subject, SUBJECTS } = await load('subjects.js');
const { withTraffic } = await load('measures.js');

const consoles = Number(option('consoles', 10));
const rounds = Number(option('rounds', 7));
const seconds = Number(option('seconds', 3));
const subjects = option('subject', 'tapswitch-user,tapswitch').split(',');
const traffic = {
  ...{ frameBytes: [64], flows: Number(option('flows', 64)), burst: 32 },
  ...{ vlan: null, ipv6: false },
};
const measure = { seconds, traffic, tcpStreams: 1 };

/** What the overview page watches. */
const TOPICS = [
  { topic: 'ports', params: { history: 0 } },
  { topic: 'ports', params: { history: 5 } },
  ...['system', 'bridges', 'bonds', 'controllers', 'drops', 'workers'].map((topic) => ({ topic })),
].map((subscription, id) => ({ id, ...subscription }));

/** CPU time so far of main threads and of all others, nanoseconds. */
function cpuNs(pids) {
  const used = { main: 0, workers: 0 };
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const ns = Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
      used[task === pid ? 'main' : 'workers'] += ns;
    }
  }
  return used;
}

function pidsIn(namespace) {
  const pids = execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
  return pids.split('\n').filter(Boolean);
}

/** Packets a second, nanoseconds of a worker for each; of the rest, milliseconds a second. */
function measureOne(subject, server) {
  const { network } = subject;
  return withTraffic(subject, measure, async () => {
    const own = pidsIn(network.switchNamespace);
    const served = [`${server.pid}`];
    const start = performance.now();
    const [cpu, serving, packets] = [cpuNs(own), cpuNs(served), await network.sinkPackets()];
    await sleep(seconds * 1000);
    const passed = (await network.sinkPackets()) - packets;
    const took = (performance.now() - start) / 1000;
    const [after, servedNow] = [cpuNs(own), cpuNs(served)];
    const serverNs = servedNow.main + servedNow.workers - serving.main - serving.workers;
    return {
      pps: passed / took,
      worker: (after.workers - cpu.workers) / passed,
      main: (after.main - cpu.main) / 1e6 / took,
      server: serverNs / 1e6 / took,
    };
  });
}

/** Starts the server. @returns its process and its address */
async function startServer(runDir) {
  const argv = ['web', '--listen=127.0.0.1:0', `--rundir=${runDir}`];
  const server = spawn(process.execPath, [TAPSWITCH, ...argv]);
  let said = '';
  server.stdout.on('data', (chunk) => {
    said += chunk;
  });
  const url = () => /^http:(\S+)$/m.exec(said)?.[1];
  while (url() === undefined) await sleep(50);
  return { server, url: `ws:${url()}api/v1/live` };
}

/** Opens one console, and waits until it has heard of everything. */
async function openConsole(url) {
  const socket = new WebSocket(url);
  const heard = new Set();
  let messages = 0;
  socket.on('message', (data) => {
    heard.add(JSON.parse(data).id);
    messages += 1;
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.send(JSON.stringify({ subscribe: TOPICS }));
  while (heard.size < TOPICS.length) await sleep(50);
  return { close: () => socket.close(), messages: () => messages };
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** Measures one kind of switch. @returns medians without and with consoles, and their ratios */
async function measureSubject(name) {
  const kind = SUBJECTS.find((each) => each.name === name);
  if (kind === undefined) throw new Error(`no subject is named ${name}`);
  const results = { none: [], open: [] };
  const subject = await Subject.start(kind, 1);
  const { server, url } = await startServer(subject.directory);
  let messages = 0;
  try {
    for (let round = 1; round <= rounds; round++) {
      results.none.push(await measureOne(subject, server));
      const open = await Promise.all(Array.from({ length: consoles }, () => openConsole(url)));
      results.open.push(await measureOne(subject, server));
      for (const one of open) {
        messages += one.messages();
        one.close();
      }
      console.error(`${name}: round ${round} of ${rounds}`);
      await sleep(1000);
    }
  } finally {
    server.kill('SIGTERM');
    await subject.stop();
  }
  const of = (when, what) => median(results[when].map((result) => result[what]));
  const ratio = (what) => {
    const pairs = results.none.map((result, i) => results.open[i][what] / result[what]);
    return `${((median(pairs) - 1) * 100).toFixed(1)} %`;
  };
  return { of, ratio, messages };
}

const started = performance.now();
const measured = [];
for (const name of subjects) measured.push(await measureSubject(name));

const titles = { 'tapswitch-user': 'workers alone', tapswitch: 'kernel forwards' };
const row = (cells) => console.log(`| ${cells.join(' | ')} |`);
const minutes = ((performance.now() - started) / 60_000).toFixed(1);
console.log(
  `medians of ${rounds} rounds of ${seconds} s, 64-byte frames of ${traffic.flows} flows; ` +
    `the consoles heard ${measured.map(({ messages }) => messages).join(' and ')} messages; ` +
    `${minutes} minutes\n`,
);
const columns = subjects.map((name) => titles[name] ?? name);
row(['', ...columns.flatMap((title) => [`${title}, no console`, `${consoles} consoles`])]);
row(['---', ...columns.flatMap(() => ['---:', '---:'])]);
for (const [title, what, unit] of [
  ['packets/s', 'pps', ''],
  ['CPU time of a worker for a packet (no meaning where it has none)', 'worker', ' ns'],
  ["CPU time of the switch's main thread in a second", 'main', ' ms'],
  ["CPU time of the console's own process in a second", 'server', ' ms'],
]) {
  const cells = measured.flatMap(({ of }) =>
    ['none', 'open'].map((when) => `${Math.round(of(when, what)).toLocaleString('en')}${unit}`),
  );
  row([title, ...cells]);
}
row(['packets/s, median of pairs', ...measured.flatMap(({ ratio }) => ['', ratio('pps')])]);
