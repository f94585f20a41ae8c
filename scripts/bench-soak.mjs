/**
 * A switch under traffic that changes all the time, and what memory it holds each minute.
 *
 *     node scripts/bench-soak.mjs [--minutes=60] [--turn=12] [--probe] [--snapshots=10,40]
 *         [--arenas=N] [--keep=DIRECTORY] [--dist=DIRECTORY]
 *
 * A turn, between three hosts: two TCP streams, 300 UDP flows of 12 datagrams, 20 pings, a flow
 * entry more; every fifth turn removes these entries, every seventh deletes a port and adds it
 * again, every eleventh sets and unsets hw-offload. Each minute, from /proc: resident memory, of it
 * anonymous and of files.
 *
 *   --probe       before, collect all garbage of each thread, and print what its heap still holds:
 *                 what grows there is a leak. Resident memory is another then than without.
 *   --snapshots   minutes at which the main thread's heap is written into DIRECTORY (with --probe)
 *   --arenas      glibc's MALLOC_ARENA_MAX for the switch
 *   --keep        where samples (samples.jsonl), log and database stay
 *
 * Needs a build, root, python3 and iperf3. A turn takes about 1 s of CPU time.
 */
import { execFile, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const ROOT = path.resolve(import.meta.dirname, '..');
const option = (name, fallback) =>
  process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback;
const dist = path.resolve(option('dist', path.join(ROOT, 'dist')));
const TAPSWITCH = path.join(path.dirname(dist), 'bin/tapswitch');
const minutes = Number(option('minutes', 60));
const turnMs = Number(option('turn', 12)) * 1000;
const probed = process.argv.includes('--probe');
const snapshots = option('snapshots', '').split(',').filter(Boolean).map(Number);
const arenas = option('arenas', undefined);
const directory = path.resolve(option('keep', mkdtempSync(path.join(tmpdir(), 'tapswitch-soak-'))));
mkdirSync(directory, { recursive: true });

const TAG = `tssoak${process.pid}`;
const HOSTS = ['a', 'b', 'c'];
const PROBE = path.join(directory, 'probe.sock');
const MIB = 1 << 20;
const run = promisify(execFile);
const env = { ...process.env };
for (const name of ['OVS_RUNDIR', 'OVS_DBDIR', 'OVS_LOGDIR']) env[name] = directory;

const ip = (...args) => run('ip', args);
const tool = (...args) => run(process.execPath, [TAPSWITCH, ...args], { env, timeout: 60_000 });
const host = (name, ...argv) => ['netns', 'exec', `${TAG}${name}`, ...argv];

const SINK = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('0.0.0.0', 9999))
while True: s.recv(2000)`;
const FLOWS = `
import socket, random
for k in range(300):
  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
  for j in range(12): s.sendto(b'x' * random.randint(10, 1400), ('10.0.0.2', 9999))
  s.close()`;

async function makeNetwork() {
  await ip('netns', 'add', `${TAG}s`);
  for (const [n, name] of HOSTS.entries()) {
    await ip('netns', 'add', `${TAG}${name}`);
    const peer = ['peer', 'name', 'eth0', 'netns', `${TAG}${name}`];
    await ip('-n', `${TAG}s`, 'link', 'add', `p${name}`, 'type', 'veth', ...peer);
    await ip('-n', `${TAG}s`, 'link', 'set', `p${name}`, 'up');
    await ip('-n', `${TAG}${name}`, 'addr', 'add', `10.0.0.${n + 1}/16`, 'dev', 'eth0');
    await ip('-n', `${TAG}${name}`, 'link', 'set', 'eth0', 'up');
    await ip('-n', `${TAG}${name}`, 'link', 'set', 'lo', 'up');
  }
  await ip('-n', `${TAG}s`, 'link', 'set', 'lo', 'up');
}

async function removeNetwork() {
  for (const name of [...HOSTS, 's']) {
    await ip('netns', 'del', `${TAG}${name}`).catch(() => undefined);
  }
}

/** Starts the switch. @returns the process, once it answers */
async function startSwitch() {
  const log = openSync(path.join(directory, 'out'), 'w');
  const preload = probed ? ['--require', path.join(import.meta.dirname, 'lib/heap-probe.cjs')] : [];
  const more = { ...(probed && { TAPSWITCH_PROBE: PROBE }) };
  if (arenas !== undefined) more.MALLOC_ARENA_MAX = arenas;
  const argv = host('s', process.execPath, ...preload, TAPSWITCH, 'start');
  const child = spawn('ip', argv, { env: { ...env, ...more }, stdio: ['ignore', log, log] });
  for (let tries = 0; ; tries += 1) {
    await sleep(500);
    const answer = await tool('vsctl', '--timeout=5', 'show').catch((error) => error);
    if (!(answer instanceof Error)) break;
    if (tries > 30) throw answer;
  }
  const ports = HOSTS.flatMap((name) => ['--', 'add-port', 'br0', `p${name}`]);
  await tool('vsctl', 'add-br', 'br0', ...ports);
  return child;
}

/** Asks the probe. @returns its answer */
function ask(line) {
  return new Promise((resolve, reject) => {
    let text = '';
    const connection = createConnection(PROBE, () => connection.write(`${line}\n`));
    connection.on('data', (chunk) => {
      text += chunk;
    });
    connection.on('end', () => resolve(JSON.parse(text))).on('error', reject);
  });
}

/** What the process holds, MiB. */
function residentOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)[1]) / 1024;
  return {
    resident: of('VmRSS'),
    anonymous: of('RssAnon'),
    files: of('RssFile'),
    shared: of('RssShmem'),
  };
}

async function takeSample(pid, minute, counts) {
  const threads = probed ? await ask('collect') : [];
  const sample = { minute, ...residentOf(pid), ...counts, threads };
  appendFileSync(path.join(directory, 'samples.jsonl'), `${JSON.stringify(sample)}\n`);
  if (probed && snapshots.includes(minute)) {
    await ask(`snapshot ${path.join(directory, `minute-${minute}.heapsnapshot`)}`);
  }
  return sample;
}

async function turn(number, counts) {
  await ip(...host('a', 'iperf3', '-c', '10.0.0.2', '-t', '1', '-P', '2', '-b', '100M')).catch(
    () => undefined,
  );
  await ip(...host('a', 'python3', '-c', FLOWS));
  const from = Math.floor(Math.random() * 65536);
  const match = `priority=${(number % 60) + 1},udp,tp_src=${from}/0xff00`;
  await tool('ofctl', 'add-flow', 'br0', `${match},actions=NORMAL`);
  if (number % 5 === 0) await tool('ofctl', 'del-flows', 'br0', 'udp');
  if (number % 7 === 0) {
    await tool('vsctl', 'del-port', 'pc');
    await tool('vsctl', 'add-port', 'br0', 'pc');
  }
  if (number % 11 === 0) {
    const setting = `other_config:hw-offload=${number % 2 === 0}`;
    await tool('vsctl', 'set', 'Open_vSwitch', '.', setting);
    await tool('vsctl', 'remove', 'Open_vSwitch', '.', 'other_config', 'hw-offload');
  }
  const ping = ['ping', '-c', '20', '-i', '0.01', '-W', '1', '-q', '10.0.0.3'];
  const { stdout } = await ip(...host('a', ...ping)).catch((error) => error);
  counts.sent += 20;
  counts.received += Number(/(\d+) received/.exec(stdout)?.[1] ?? 0);
  counts.turns += 1;
}

function printTable(samples) {
  const row = (cells) => console.log(`| ${cells.join(' | ')} |`);
  const threads = samples[0].threads.map(({ thread }) => thread);
  row([
    ...['minute', 'resident', 'anonymous', 'files', 'shared'],
    ...threads.flatMap((name) => [`heap of ${name}`, 'array buffers']),
  ]);
  row(Array(5 + threads.length * 2).fill('---:'));
  for (const { minute, resident, anonymous, files, shared, threads: held } of samples) {
    const heaps = held.flatMap(({ heapUsed, arrayBuffers }) => [
      (heapUsed / MIB).toFixed(2),
      (arrayBuffers / MIB).toFixed(2),
    ]);
    row([minute, ...[resident, anonymous, files, shared].map((mib) => mib.toFixed(1)), ...heaps]);
  }
}

const samples = [];
const counts = { sent: 0, received: 0, turns: 0 };
const children = [];
await makeNetwork();
try {
  children.push(await startSwitch());
  const [{ pid }] = children;
  children.push(spawn('ip', host('b', 'iperf3', '-s'), { stdio: 'ignore' }));
  children.push(spawn('ip', host('b', 'python3', '-c', SINK), { stdio: 'ignore' }));
  await sleep(2000);
  const start = performance.now();
  const minute = () => Math.floor((performance.now() - start) / 60_000);
  samples.push(await takeSample(pid, 0, counts));
  for (let number = 1; samples.length <= minutes; number += 1) {
    const began = performance.now();
    await turn(number, counts);
    await sleep(Math.max(0, turnMs - (performance.now() - began)));
    if (samples.length <= minute()) samples.push(await takeSample(pid, minute(), counts));
  }
} finally {
  for (const child of children.reverse()) child.kill('SIGTERM');
  await sleep(1500);
  await removeNetwork();
}
printTable(samples);
console.log(`\n${counts.turns} turns, ${counts.received} of ${counts.sent} pings came back`);
