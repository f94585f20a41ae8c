/**
 * A switch with dummy ports for benchmarks of tables: ours, or Debian's Open vSwitch, with a database
 * of its own in a directory of its own. Both are driven by the same clients.
 *
 * Not for: forwarding; no packet comes from outside.
 */
import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const START_MS_MAX = 20_000;
const STOP_MS_MAX = 20_000;
const PING_MS = 5;
const NS_PER_S = 1e9;
export const BRIDGE = 'br0';

async function until(condition) {
  for (let waited = 0; !condition(); waited += 50) {
    if (waited > START_MS_MAX) throw new Error('the daemon does not start');
    await sleep(50);
  }
}

export class DummySwitch {
  /** @param command the daemon's program and first arguments */
  constructor(name, command) {
    this.name = name;
    this.command = command;
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), `bench-tables-${name}-`));
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
    // No megaflow is installed: every packet is looked up in the tables.
    this.vsctl('--no-wait', 'set', 'Open_vSwitch', '.', 'other_config:flow-limit=0');
    const dummy = ['--enable-dummy=override', '--disable-system', ...quiet];
    const control = `--unixctl=${path.join(directory, 'control')}`;
    this.process = this.spawn([...this.command, ...dummy, control, `unix:${socket}`]);
    const settings = ['set', 'bridge', BRIDGE, 'datapath_type=dummy', 'fail_mode=secure'];
    const ports = [1, 2].flatMap((n) => [
      ...['--', 'add-port', BRIDGE, `p${n}`, '--', 'set', 'interface', `p${n}`],
      ...['type=dummy', `ofport_request=${n}`],
    ]);
    this.vsctl('add-br', BRIDGE, '--', ...settings, ...ports);
    await until(() => fs.existsSync(path.join(directory, `${BRIDGE}.mgmt`)));
    this.control = new Control(path.join(directory, 'control'));
  }

  spawn([program, ...args]) {
    return spawn(program, args, { stdio: 'ignore', env: this.env });
  }

  vsctl(...args) {
    execFileSync('ovs-vsctl', ['--timeout=60', ...args], { env: this.env });
  }

  /** Runs ovs-ofctl while this process goes on. @returns what it prints, when that is wanted */
  ofctl(args, keep = false) {
    const stdio = ['ignore', keep ? 'pipe' : 'ignore', 'pipe'];
    const child = spawn('ovs-ofctl', args, { stdio, env: this.env });
    const text = { out: '', err: '' };
    child.stdout?.on('data', (data) => {
      text.out += data;
    });
    child.stderr.on('data', (data) => {
      text.err += data;
    });
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        if (code === 0) resolve(text.out);
        else reject(new Error(`${this.name}: ovs-ofctl ${args.join(' ')}: ${text.err}`));
      });
    });
  }

  /** How many entries table 0 has, and how many packets were looked up in it. */
  async table() {
    const text = await this.ofctl(['dump-tables', BRIDGE], true);
    const [, active, lookup] = /table 0[^:]*:\s+active=(\d+), lookup=(\d+)/.exec(text);
    return { active: Number(active), lookups: Number(lookup) };
  }

  /** Processor seconds of all threads so far. */
  get cpu() {
    const tasks = `/proc/${this.process.pid}/task`;
    let ns = 0;
    for (const task of fs.readdirSync(tasks)) {
      try {
        ns += Number(fs.readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]);
      } catch {
        // The thread has ended.
      }
    }
    return ns / NS_PER_S;
  }

  /** Resident bytes now. */
  get memory() {
    const status = fs.readFileSync(`/proc/${this.process.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024;
  }

  async stop() {
    this.control?.close();
    for (const child of [this.process, this.database]) {
      if (child === undefined || child.exitCode !== null) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const hurry = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
      await gone;
      clearTimeout(hurry);
    }
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A connection to a daemon's control socket, and the longest time that an answer took. */
class Control {
  constructor(file) {
    this.socket = net.connect(file);
    this.socket.setEncoding('utf8');
    this.socket.on('data', (text) => this.take(text));
    this.socket.on('error', () => {});
    this.text = '';
    this.waiting = [];
  }

  /** Answers come in order, and none of those asked for here has a brace in it. */
  take(text) {
    this.text += text;
    for (;;) {
      const end = this.text.indexOf('}');
      if (end < 0) return;
      const answer = JSON.parse(this.text.slice(0, end + 1));
      this.text = this.text.slice(end + 1);
      this.waiting.shift()?.(answer);
    }
  }

  call(method, ...params) {
    this.socket.write(JSON.stringify({ id: 1, method, params }));
    return new Promise((resolve, reject) => {
      this.waiting.push(({ result, error }) => {
        if (error) reject(new Error(String(error)));
        else resolve(result);
      });
    });
  }

  /** Does something, asking for the version all the while. @returns the longest wait, in ms */
  async longestWait(work) {
    let longest = 0;
    let busy = true;
    const pings = (async () => {
      while (busy) {
        const start = performance.now();
        await this.call('version');
        longest = Math.max(longest, performance.now() - start);
        await sleep(PING_MS);
      }
    })();
    try {
      await work();
    } finally {
      busy = false;
      await pings;
    }
    return longest;
  }

  close() {
    this.socket.destroy();
  }
}
