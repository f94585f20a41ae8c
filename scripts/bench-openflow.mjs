/**
 * Measures OpenFlow on our switch beside Open vSwitch, in one run: rounds in turn, medians, ratios.
 *
 *     node scripts/bench-openflow.mjs [--rounds=N] [--flows=N] [--round-trips=N] [--clients]
 *                                     [--ours=COMMAND]
 *
 * The load is Debian's ovs-ofctl, the same for both: flows from a file, in a bundle, deleted and
 * dumped. Round trips are those of a controller (lib/openflow-round-trips.mjs, our library): each
 * packet-in is answered by a packet-out that brings about the next one. --clients compares
 * `tapswitch ofctl` with ovs-ofctl instead, both against Open vSwitch.
 *
 * Beside the time that the client takes stands the processor time of the daemon: on a machine that
 * does other work, too, it is what tells.
 *
 * Needs Open vSwitch's programs. Both daemons have dummy devices alone. Not for: forwarding
 * (`tapswitch bench`).
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = path.resolve(import.meta.dirname, '..');
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const START_MS_MAX = 20_000;
const TICKS_PER_S = 100;
const BRIDGE = 'br0';

const options = new Map(
  process.argv.slice(2).map((word) => {
    const [name, ...value] = word.replace(/^--/, '').split('=');
    return [name, value.join('=')];
  }),
);
const number = (name, usual) => Number(options.get(name) ?? usual);
const ROUNDS = number('rounds', 5);
const FLOWS = number('flows', 100_000);
const ROUND_TRIPS = number('round-trips', 20_000);
const MAIN = `${process.execPath} ${ROOT}/dist/cli/main.js`;
const DAEMONS = {
  ours: (options.get('ours') ?? `${MAIN} vswitchd`).split(' '),
  theirs: ['ovs-vswitchd'],
};

/** Flows of ten tables, half of them with one mask. */
function flowFile(directory) {
  const lines = Array.from({ length: FLOWS }, (_, i) => {
    const low = `${(i >> 8) & 255}.${i & 255}`;
    const match = `nw_src=10.${(i >> 16) & 255}.${low},nw_dst=192.168.${low}`;
    const port = i % 2 === 0 ? ',ip' : `,tcp,tp_dst=${i % 1000}`;
    return `table=${i % 10},priority=${100 + (i % 7)},${match}${port},actions=output:${1 + (i % 2)}`;
  });
  const file = path.join(directory, 'flows');
  fs.writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

class Daemon {
  constructor(name) {
    this.name = name;
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), `bench-openflow-${name}-`));
    const { directory } = this;
    const dirs = { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory };
    this.env = { ...process.env, ...dirs, NODE_OPTIONS: '' };
  }

  async start() {
    const { directory, env } = this;
    const socket = path.join(directory, 'db.sock');
    const database = path.join(directory, 'conf.db');
    execFileSync('ovsdb-tool', ['create', database, SCHEMA], { env });
    const quiet = ['-vconsole:off', '-vsyslog:off'];
    this.database = this.spawn(['ovsdb-server', `--remote=punix:${socket}`, ...quiet, database]);
    await until(() => fs.existsSync(socket));
    this.vsctl('--no-wait', 'init');
    const [program, ...args] = DAEMONS[this.name];
    const dummy = ['--enable-dummy=override', '--disable-system', ...quiet];
    this.process = this.spawn([program, ...args, ...dummy, `unix:${socket}`]);
    const settings = ['set', 'bridge', BRIDGE, 'datapath_type=dummy', 'fail_mode=secure'];
    const ports = [1, 2].flatMap((n) => [
      ...['--', 'add-port', BRIDGE, `p${n}`, '--', 'set', 'interface', `p${n}`],
      ...['type=dummy', `ofport_request=${n}`],
    ]);
    this.vsctl('add-br', BRIDGE, '--', ...settings, ...ports);
    await until(() => fs.existsSync(path.join(directory, `${BRIDGE}.mgmt`)));
  }

  spawn([program, ...args]) {
    return spawn(program, args, { stdio: 'ignore', env: this.env });
  }

  vsctl(...args) {
    execFileSync('ovs-vsctl', ['--timeout=20', ...args], { env: this.env });
  }

  /** Processor seconds so far. */
  get cpu() {
    const fields = fs.readFileSync(`/proc/${this.process.pid}/stat`, 'utf8').split(') ')[1];
    const [utime, stime] = fields.split(' ').slice(11, 13).map(Number);
    return (utime + stime) / TICKS_PER_S;
  }

  get memory() {
    const status = fs.readFileSync(`/proc/${this.process.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+)/.exec(status)[1]) / 1024;
  }

  async stop() {
    for (const child of [this.process, this.database]) {
      if (child === undefined || child.exitCode !== null) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    }
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

async function until(condition) {
  for (let waited = 0; !condition(); waited += 50) {
    if (waited > START_MS_MAX) throw new Error('the daemon does not start');
    await sleep(50);
  }
}

const OVS_OFCTL = ['ovs-ofctl'];

/** Runs a client; its output is thrown away. @returns seconds */
function run([program, ...before], args, env) {
  const start = process.hrtime.bigint();
  const out = fs.openSync('/dev/null', 'w');
  const { status, stderr } = spawnSync(program, [...before, ...args], {
    stdio: ['ignore', out, 'pipe'],
    env,
  });
  fs.closeSync(out);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return Number(process.hrtime.bigint() - start) / 1e9;
}

function roundTrips(daemon, window) {
  const program = path.join(import.meta.dirname, 'lib/openflow-round-trips.mjs');
  const socket = path.join(daemon.directory, `${BRIDGE}.mgmt`);
  const args = [program, socket, String(ROUND_TRIPS), String(window)];
  return Number(execFileSync(process.execPath, args, { env: daemon.env }));
}

/** Steps of a round: name, how many things are done, and what does them. */
function steps(file) {
  const ofctl =
    (...args) =>
    (daemon, client) =>
      run(client, args, daemon.env);
  return [
    ['add-flows', FLOWS, ofctl('add-flows', BRIDGE, file)],
    ['dump-flows', FLOWS, ofctl('dump-flows', BRIDGE)],
    ['dump-flows, OpenFlow 1.4', FLOWS, ofctl('-O', 'OpenFlow14', 'dump-flows', BRIDGE)],
    ['del-flows', FLOWS, ofctl('del-flows', BRIDGE)],
    ['add-flows --bundle', FLOWS, ofctl('--bundle', 'add-flows', BRIDGE, file)],
    ['del-flows (after)', FLOWS, ofctl('del-flows', BRIDGE)],
  ];
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Results by step: rates and processor seconds, a list for each subject. */
class Results {
  rows = new Map();

  add(step, subject, rate, cpu) {
    const row = this.rows.get(step) ?? {};
    row[subject] ??= { rates: [], cpu: [] };
    row[subject].rates.push(rate);
    if (cpu !== null) row[subject].cpu.push(cpu);
    this.rows.set(step, row);
  }

  print(us, them) {
    const cell = (n) => (n >= 1000 ? Math.round(n).toLocaleString('en') : n.toFixed(2));
    console.log(`\n| step | ${us} /s | ${them} /s | ratio | cpu s | cpu s | ratio |`);
    console.log('|---|---:|---:|---:|---:|---:|---:|');
    for (const [step, row] of this.rows) {
      const [a, b] = [median(row[us].rates), median(row[them].rates)];
      const hasCpu = row[us].cpu.length > 0;
      const [c, d] = hasCpu ? [median(row[us].cpu), median(row[them].cpu)] : [0, 0];
      const cpu = hasCpu ? `${c.toFixed(2)} | ${d.toFixed(2)} | ${(d / c).toFixed(2)}` : ' | | ';
      console.log(`| ${step} | ${cell(a)} | ${cell(b)} | ${(a / b).toFixed(2)} | ${cpu} |`);
    }
  }
}

async function compareSwitches(file) {
  const daemons = [new Daemon('theirs'), new Daemon('ours')];
  const results = new Results();
  try {
    for (const daemon of daemons) await daemon.start();
    for (let round = 0; round < ROUNDS; round++) {
      for (const daemon of round % 2 === 0 ? daemons : daemons.toReversed()) {
        for (const [name, count, step] of steps(file)) {
          const before = daemon.cpu;
          const seconds = step(daemon, OVS_OFCTL);
          results.add(name, daemon.name, count / seconds, daemon.cpu - before);
        }
        for (const window of [1, 64]) {
          const before = daemon.cpu;
          const name = `packet-in to packet-out, ${window} on the way`;
          results.add(name, daemon.name, roundTrips(daemon, window), daemon.cpu - before);
        }
      }
      console.error(`round ${round + 1} of ${ROUNDS}`);
    }
    results.print('ours', 'theirs');
    const memory = daemons.map((d) => `${d.name} ${Math.round(d.memory)} MB`);
    console.log(`\nMemory at most: ${memory.join(', ')}`);
  } finally {
    for (const daemon of daemons) await daemon.stop();
  }
}

async function compareClients(file) {
  const daemon = new Daemon('theirs');
  const clients = { 'tapswitch ofctl': [...MAIN.split(' '), 'ofctl'], 'ovs-ofctl': OVS_OFCTL };
  const results = new Results();
  try {
    await daemon.start();
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, client] of Object.entries(clients)) {
        for (const [step, count, act] of steps(file)) {
          results.add(step, name, count / act(daemon, client), null);
        }
      }
      console.error(`round ${round + 1} of ${ROUNDS}`);
    }
    results.print('tapswitch ofctl', 'ovs-ofctl');
  } finally {
    await daemon.stop();
  }
}

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-openflow-'));
try {
  const file = flowFile(scratch);
  await (options.has('clients') ? compareClients(file) : compareSwitches(file));
} finally {
  fs.rmSync(scratch, { recursive: true, force: true });
}
