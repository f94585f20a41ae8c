/**
 * Measures our OVSDB server beside Open vSwitch's, in one run: rounds in turn, medians, ratios.
 *
 *     node scripts/bench-ovsdb.mjs [--rounds=N] [--steps=LIST]
 *                                  [--only=ours|theirs] [--ours=COMMAND] [--cpu] [--settle=MS]
 *
 * Steps: transactions, bridges, rows, monitors. --cpu: rates per second of the server's CPU time
 * (all of its threads), which other work on the machine does not change.
 *
 * Needs ovsdb-server and ovsdb-tool of Open vSwitch. Both servers get the same schema, a fresh file
 * on the same disk, and the same load (lib/ovsdb-load.mjs) from a process of its own.
 *
 * Not for: forwarding (`tapswitch bench`).
 */
import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = path.resolve(import.meta.dirname, '..');
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const START_MS_MAX = 10_000;
const options = new Map(
  process.argv.slice(2).map((word) => {
    const [name, ...value] = word.replace(/^--/, '').split('=');
    return [name, value.join('=')];
  }),
);
/**
 * From a server's start to the first request: both are measured as they run, not as they start. On
 * a busy machine ours needs longer for that.
 */
const SETTLE_MS = Number(options.get('settle') || 2500);
const ours = options.get('ours') ?? `${process.execPath} ${ROOT}/bin/tapswitch ovsdb-server`;
const COMMANDS = { ours: ours.split(' '), theirs: ['ovsdb-server'] };

/** Starts a server on a fresh database, puts the load on it, and returns its rates per second. */
async function measure(name) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), `bench-ovsdb-${name}-`));
  const file = path.join(directory, 'conf.db');
  const socket = path.join(directory, 'db.sock');
  const [program, ...args] = COMMANDS[name];
  let server;
  try {
    execFileSync('ovsdb-tool', ['create', file, SCHEMA]);
    const own = [`--remote=punix:${socket}`, `--unixctl=${directory}/ctl`, '-vconsole:off', file];
    const env = { ...process.env, OVS_RUNDIR: directory, OVS_LOGDIR: directory };
    server = spawn(program, [...args, ...own], { stdio: ['ignore', 'ignore', 'inherit'], env });
    await listening(socket);
    await sleep(SETTLE_MS);
    const rates = await load(socket, server.pid);
    const status = fs.readFileSync(`/proc/${server.pid}/status`, 'utf8');
    rates['memory at most, MB'] = Number(/VmHWM:\s+(\d+)/.exec(status)[1]) / 1024;
    return rates;
  } finally {
    if (server) {
      const gone = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGTERM');
      await gone;
    }
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

async function listening(socket) {
  for (let waited = 0; !fs.existsSync(socket); waited += 50) {
    if (waited > START_MS_MAX) throw new Error('the server does not start');
    await sleep(50);
  }
}

function load(socket, pid) {
  const program = path.join(import.meta.dirname, 'lib/ovsdb-load.mjs');
  const args = [program, socket, options.get('steps') ?? '', options.has('cpu') ? pid : ''];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once('close', (status) => {
      if (status === 0) resolve(JSON.parse(text));
      else reject(new Error(`the load failed with status ${status}`));
    });
  });
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const rounds = Number(options.get('rounds') || 3);
const names = options.has('only') ? [options.get('only')] : ['ours', 'theirs'];
const results = Object.fromEntries(names.map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  // Whoever goes first this time goes second next time.
  for (const name of round % 2 ? [...names].reverse() : names) {
    results[name].push(await measure(name));
  }
}

const round = (value) => (value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
const second = options.has('cpu') ? 'second of CPU time' : 'second';
console.log(`| per ${second}, medians | ours | ovsdb-server | ratio |`);
console.log('|---|---:|---:|---:|');
for (const key of Object.keys(results[names[0]][0])) {
  const [a, b] = ['ours', 'theirs'].map((name) =>
    results[name] ? median(results[name].map((rates) => rates[key])) : Number.NaN,
  );
  console.log(`| ${key} | ${round(a)} | ${round(b)} | ${(a / b).toFixed(2)} |`);
}
