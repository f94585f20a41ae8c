/**
 * Counts how wide megaflows are, beside Open vSwitch's for the same tables and the same packets:
 * how many flows the packets of each case install, and how many bits these compare.
 *
 *     node scripts/megaflow-width.mjs [--cases=25] [--kinds=acl,routes] [--dist=DIRECTORY] [--show]
 *
 * Both daemons run on dummy devices, so that no root is needed; --cases for each of the nine kinds
 * of tables (lib/megaflow-cases.mjs). Bits: of every field in `dpctl/dump-flows -m`, those under
 * its mask. --show prints the flows of cases where ours compare more. Status 1 when they do in sum.
 */
import { execFile, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { bitsOf } from './lib/megaflow-bits.mjs';
import { KIND_NAMES, makeCase } from './lib/megaflow-cases.mjs';

const ROOT = path.resolve(import.meta.dirname, '..');
const options = new Map(
  process.argv.slice(2).map((word) => {
    const [name, ...value] = word.replace(/^--/, '').split('=');
    return [name, value.join('=')];
  }),
);
const DIST = path.resolve(options.get('dist') ?? path.join(ROOT, 'dist'));
const CASES = Number(options.get('cases') ?? 25);
const KINDS = options.get('kinds')?.split(',') ?? KIND_NAMES;
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const execute = promisify(execFile);

/** A daemon on dummy devices, in a directory of its own. */
class Daemon {
  processes = [];
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tapswitch-width-'));
  env = {
    ...process.env,
    ...{ OVS_RUNDIR: this.directory, OVS_LOGDIR: this.directory, OVS_DBDIR: this.directory },
  };

  constructor(name) {
    this.name = name;
  }

  run(argv) {
    const log = fs.openSync(path.join(this.directory, 'log.txt'), 'a');
    const stdio = ['ignore', log, log];
    this.processes.push(spawn(argv[0], argv.slice(1), { env: this.env, stdio }));
    fs.closeSync(log);
  }

  async start() {
    const dummy = ['--enable-dummy', '--disable-system'];
    if (this.name === 'ours') {
      this.run([process.execPath, `${DIST}/cli/main.js`, 'start', ...dummy]);
    } else {
      const database = path.join(this.directory, 'conf.db');
      await execute('ovsdb-tool', ['create', database, SCHEMA], { env: this.env });
      const socket = `${this.directory}/db.sock`;
      this.run(['ovsdb-server', `--remote=punix:${socket}`, '-vconsole:off', database]);
      await this.until(() => this.vsctl('--no-wait', 'show'));
      this.run(['ovs-vswitchd', '-vconsole:off', '--pidfile', ...dummy, `unix:${socket}`]);
    }
    await this.until(() => this.vsctl('show'));
    const ports = [1, 2, 3, 4].flatMap((n) => [
      ...['--', 'add-port', 'br0', `p${n}`, '--', 'set', 'interface', `p${n}`],
      ...['type=dummy', `ofport_request=${n}`],
    ]);
    await this.vsctl(
      'add-br',
      'br0',
      '--',
      'set',
      'bridge',
      'br0',
      'datapath_type=dummy',
      ...ports,
    );
    const target = fs.readdirSync(this.directory).find((file) => /vswitchd.*\.ctl$/.test(file));
    this.control = path.join(this.directory, target);
    await this.appctl('time/stop');
  }

  async until(attempt) {
    for (let n = 0; ; n++) {
      try {
        return await attempt();
      } catch (error) {
        if (n > 100) throw error;
        await sleep(100);
      }
    }
  }

  vsctl(...words) {
    return execute('ovs-vsctl', ['--timeout=10', ...words], { env: this.env });
  }

  ofctl(...words) {
    return execute('ovs-ofctl', ['-OOpenFlow14', ...words], { env: this.env });
  }

  /** A command on the control socket; what it prints. */
  appctl(method, ...params) {
    return new Promise((resolve, reject) => {
      const socket = net.connect(this.control);
      let text = '';
      socket.on('error', reject);
      socket.on('data', (data) => {
        text += data;
        try {
          const { result, error } = JSON.parse(text);
          socket.destroy();
          if (error === null || error === undefined) resolve(result);
          else reject(new Error(`${method} ${params.join(' ')}: ${error}`));
        } catch (error) {
          if (!(error instanceof SyntaxError)) reject(error);
        }
      });
      socket.write(JSON.stringify({ method, params, id: 1 }));
    });
  }

  /** Plays a case. @returns its megaflows as text */
  async play({ groups, flows, packets }) {
    const management = `unix:${this.directory}/br0.mgmt`;
    const file = path.join(this.directory, 'flows.txt');
    await this.ofctl('del-flows', management);
    await this.ofctl('del-groups', management);
    for (const group of groups) await this.ofctl('add-group', management, group);
    fs.writeFileSync(file, `${flows.join('\n')}\n`);
    await this.ofctl('add-flows', management, file);
    await this.appctl('fdb/flush', 'br0');
    await this.appctl('revalidator/purge');
    for (const { port, flow } of packets) {
      await this.appctl('netdev-dummy/receive', `p${port}`, `in_port(${port}),${flow}`);
      await this.appctl('time/warp', '20');
    }
    // Addresses that were learned change what is to be done with flows that came before.
    await this.appctl('revalidator/wait');
    const text = await this.appctl('dpctl/dump-flows', '-m');
    return text.split('\n').filter((line) => line.includes('in_port('));
  }

  async stop() {
    for (const child of this.processes.reverse()) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 4000);
      await ended;
      clearTimeout(timer);
    }
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

const sum = (list) => list.reduce((total, n) => total + n, 0);
const NAMES = ['ours', 'theirs'];
const daemons = NAMES.map((name) => new Daemon(name));
const totals = { ours: [0, 0], theirs: [0, 0] };
const line = (cells) => console.log(`| ${cells.join(' | ')} |`);
try {
  await Promise.all(daemons.map((each) => each.start()));
  line([
    'tables',
    'cases',
    'flows: tapswitch',
    'Open vSwitch',
    'bits: tapswitch',
    'Open vSwitch',
    'ratio',
  ]);
  line(['---', '---:', '---:', '---:', '---:', '---:', '---:']);
  for (const kind of KINDS) {
    const counts = { ours: [0, 0], theirs: [0, 0] };
    for (let seed = 1; seed <= CASES; seed++) {
      const flows = {};
      const each = makeCase(kind, seed);
      for (const daemon of daemons) flows[daemon.name] = await daemon.play(each);
      const bits = NAMES.map((name) => sum(flows[name].map(bitsOf)));
      NAMES.forEach((name, i) => {
        counts[name][0] += flows[name].length;
        counts[name][1] += bits[i];
      });
      if (options.has('show') && bits[0] > bits[1]) {
        console.log(`${kind} ${seed}: ${bits.join(' ')}\n${each.flows.join('\n')}`);
        for (const name of NAMES) console.log(`${name}\n  ${flows[name].toSorted().join('\n  ')}`);
      }
    }
    for (const name of NAMES) totals[name] = totals[name].map((n, i) => n + counts[name][i]);
    row(kind, CASES, counts);
  }
  row('all', CASES * KINDS.length, totals);
  process.exitCode = totals.ours[1] > totals.theirs[1] ? 1 : 0;
} finally {
  for (const each of daemons) await each.stop();
}

function row(kind, cases, { ours, theirs }) {
  const ratio = (ours[1] / theirs[1]).toFixed(3);
  line([kind, cases, ours[0], theirs[0], ours[1], theirs[1], ratio]);
}
