/**
 * What a frame from a TAP costs, in CPU time, which other load on the machine disturbs less than
 * rates: of the switch's processes, and of the thread that sends, which has the kernel's share where
 * the kernel forwards. Frames are 64 bytes, 64 flows, at full load, switches in turns.
 *
 *     node scripts/bench-taps.mjs [--topologies=tap,taps,guest,guests] [--rounds=N] [--seconds=N]
 *                                 [--only=tapswitch,tapswitch-offload,...] [--dist=DIRECTORY]
 *     node scripts/bench-taps.mjs --ceilings
 *
 * --ceilings: without a switch, what the sender alone needs when nobody reads from the TAP, when its
 * frames are dropped at the TAP's egress, and when a program there only redirects them.
 *
 * Needs a build, and root.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

const ROOT = path.resolve(import.meta.dirname, '..');
const option = (name, fallback) =>
  process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback;
const dist = path.resolve(option('dist', path.join(ROOT, 'dist')));
const urlOf = (file) => pathToFileURL(path.join(dist, file));
const load = (file) => import(urlOf(file).href);
const { Subject, SUBJECTS } = await load('cli/bench/subjects.js');
const { BenchNetwork } = await load('cli/bench/network.js');
const { announceSink, Generator } = await load('cli/bench/traffic.js');
const { Assembler } = await load('datapath/kernel-cache/assembler.js');
const { REDIRECT, TC_SHOT } = await load('datapath/kernel-cache/kernel.js');

const rounds = Number(option('rounds', 5));
const seconds = Number(option('seconds', 1));
const ours = 'tapswitch,tapswitch-offload,tapswitch-user';
const only = option('only', `${ours},ovs-default,ovs-tso`).split(',');
const traffic = { frameBytes: [64], flows: 64, burst: 16, vlan: null, ipv6: false };
const WARM_UP_MS = 300;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** CPU time of each thread of a process so far, us. */
function threadsUs(pid) {
  const used = new Map();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      const [ns] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ');
      used.set(task, Number(ns) / 1000);
    } catch {
      // It has ended meanwhile.
    }
  }
  return used;
}

function namespaceUs(name) {
  const pids = execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' });
  const each = pids.split('\n').filter(Boolean).map(threadsUs);
  return each.flatMap((used) => [...used.values()]).reduce((a, b) => a + b, 0);
}

/** The generator is the thread of ours that works most. */
function senderUs(before, after) {
  return Math.max(...[...after].map(([task, us]) => us - (before.get(task) ?? us)));
}

async function snapshot(network) {
  return {
    at: performance.now(),
    arrived: await network.sinkPackets(),
    used: namespaceUs(network.switchNamespace),
    threads: threadsUs('self'),
  };
}

/** One measurement, of a switch or of a network without one. */
async function measured(subject) {
  const { network } = subject;
  const generator = await Generator.start(subject, traffic, { seconds });
  await sleep(WARM_UP_MS);
  const [sent, before] = [generator.frames, await snapshot(network)];
  await sleep(seconds * 1000);
  const [more, after] = [generator.frames - sent, await snapshot(network)];
  await generator.stop();
  const arrived = after.arrived - before.arrived;
  return {
    mpps: arrived / (after.at - before.at) / 1000,
    sentMpps: more / (after.at - before.at) / 1000,
    switchUs: arrived === 0 ? Number.NaN : (after.used - before.used) / arrived,
    senderUs: senderUs(before.threads, after.threads) / more,
  };
}

function print(title, list) {
  const figures = (name) => list.map((one) => one[name]);
  const rate = figures('mpps');
  const sent = figures('sentMpps');
  console.log(
    `| ${title} | ${median(rate).toFixed(3)}, best ${Math.max(...rate).toFixed(3)} of ` +
      `${Math.max(...sent).toFixed(3)} | ${median(figures('switchUs')).toFixed(2)} | ` +
      `${median(figures('senderUs')).toFixed(2)} |`,
  );
}

async function compare(topology) {
  const subjects = [];
  const found = new Map();
  try {
    for (const name of only) {
      const kind = SUBJECTS.find((one) => one.name === name);
      if (kind.missing(topology) !== undefined) continue;
      const subject = await Subject.start(kind, 1, topology);
      subjects.push(subject);
      subject.pause();
      found.set(subject, []);
    }
    for (let round = 0; round < rounds; round++) {
      for (const subject of subjects) {
        await subject.resume();
        await announceSink(subject, traffic);
        found.get(subject).push(await measured(subject));
        subject.pause();
      }
    }
    for (const [{ kind }, list] of found) print(`${topology}: ${kind.title}`, list);
  } finally {
    for (const subject of subjects) await subject.stop();
  }
}

const shot = () => {
  const asm = new Assembler();
  asm.mov(0, TC_SHOT);
  asm.exit();
  return asm.assemble();
};

const redirect = (ifindex, ingress) => {
  const asm = new Assembler();
  asm.mov(1, ifindex);
  asm.mov(2, ingress ? 1 : 0);
  asm.call(REDIRECT);
  asm.exit();
  return asm.assemble();
};

const ATTACH = `const { parentPort, workerData: d } = require('node:worker_threads');
import(d.binding).then(({ loadNative }) => {
  const native = loadNative();
  native.setns(d.namespace);
  const link = native.bpfTcxAttach(native.bpfProgLoad('sched_cls', d.code), d.ifindex, true);
  parentPort.postMessage('attached');
  parentPort.once('message', () => native.close(link));
});`;

async function ceilings(topology) {
  const network = await BenchNetwork.make(topology);
  const name = network.switchNamespace;
  const namespace = `/run/netns/${name}`;
  const indexOf = (port) => {
    const text = execFileSync('ip', ['-n', name, '-j', 'link', 'show', 'dev', port]);
    return JSON.parse(text)[0].ifindex;
  };
  try {
    const names = topology === 'taps' ? ['p1', 'p2'] : ['p1'];
    const options = { namespacePath: namespace, names };
    await once(new Worker(urlOf('cli/bench/guest-worker.js'), { workerData: options }), 'message');
    await network.started();
    const rows = {
      'nobody reads': null,
      'dropped at its egress': shot(),
      'redirected by a bare program': redirect(indexOf('p2'), topology === 'taps'),
    };
    for (const [title, code] of Object.entries(rows)) {
      const binding = urlOf('native/binding.js').href;
      const workerData = { binding, namespace, code, ifindex: indexOf('p1') };
      const worker = code && new Worker(ATTACH, { eval: true, workerData });
      if (worker) await once(worker, 'message');
      const list = [];
      for (let round = 0; round < rounds; round++) list.push(await measured({ network }));
      print(`${topology}: ${title}`, list);
      if (worker) {
        worker.postMessage('end');
        await once(worker, 'exit');
      }
    }
  } finally {
    await network.remove();
  }
}

console.log(
  '| | Mpps, median, best of what was sent | switch, us | sender, us |\n|---|--:|--:|--:|',
);
if (process.argv.includes('--ceilings')) {
  for (const topology of ['tap', 'taps']) await ceilings(topology);
} else {
  for (const each of option('topologies', 'tap,taps,guest,guests').split(',')) await compare(each);
}
process.exit(0);
