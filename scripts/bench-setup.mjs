/**
 * Measures flow set-up beside Open vSwitch, in one run: how many flows a second that were never
 * seen before get through, and what happens to established flows meanwhile.
 *
 *     node scripts/bench-setup.mjs [--kinds=flows,macs] [--rates=10000,40000] [--seconds=2]
 *                                  [--established=20000] [--only=ours|theirs] [--dist=DIRECTORY]
 *                                  [--node=OPTION,...]
 *
 *     sender ─ veth ─ p1 [switch] p2 ─ veth ─ counted: new flows
 *                                 p3 ─ veth ─ counted: established flows
 *
 * Each new flow sends one packet, so what of them arrives was set up. 'flows': each UDP source port
 * is a megaflow of its own; 'macs': each source address is, and is learned.
 *
 * Needs root, and for the comparison Open vSwitch. Not for: forwarding (`tapswitch bench`).
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

const ROOT = path.resolve(import.meta.dirname, '..');
const options = new Map(
  process.argv.slice(2).map((word) => {
    const [name, ...value] = word.replace(/^--/, '').split('=');
    return [name, value.join('=')];
  }),
);
const DIST = path.resolve(options.get('dist') ?? path.join(ROOT, 'dist'));
const SECONDS = Number(options.get('seconds') ?? 2);
const ESTABLISHED = Number(options.get('established') ?? 20_000);
const RATES = (options.get('rates') ?? '10000,20000,40000,80000').split(',').map(Number);
const KINDS = (options.get('kinds') ?? 'flows,macs').split(',');
const NAMES = options.has('only') ? [options.get('only')] : ['ours', 'theirs'];
const TITLES = { ours: 'tapswitch', theirs: 'Open vSwitch netdev' };
/** More flows than both switches keep would measure the limit, not the set-up. */
const FLOWS_MAX = 150_000;

const { command, until } = await import(path.join(DIST, 'cli/bench/commands.js'));

/** A running switch in a namespace of its own. */
class Switch {
  processes = [];
  next = 1;

  constructor(name) {
    this.name = name;
    this.namespace = `tssetup${process.pid}${name}`;
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tapswitch-setup-'));
    this.env = {
      ...process.env,
      ...{ OVS_RUNDIR: this.directory, OVS_LOGDIR: this.directory, OVS_DBDIR: this.directory },
    };
  }

  async start() {
    await this.network();
    const inside = ['ip', 'netns', 'exec', this.namespace];
    if (this.name === 'ours') {
      const extra = options.get('node')?.split(',') ?? [];
      this.run([...inside, process.execPath, ...extra, `${DIST}/cli/main.js`, 'start']);
    } else {
      const database = path.join(this.directory, 'conf.db');
      const schema = '/usr/share/openvswitch/vswitch.ovsschema';
      await command(['ovsdb-tool', 'create', database, schema]);
      const socket = `${this.directory}/db.sock`;
      this.run(['ovsdb-server', `--remote=punix:${socket}`, '-vconsole:off', database]);
      await until('ovsdb-server', () => this.vsctl('--no-wait', 'show'));
      this.run([...inside, 'ovs-vswitchd', '-vconsole:off', '--pidfile', `unix:${socket}`]);
    }
    await until('the switch', () => this.vsctl('show'));
    const ports = ['p1', 'p2', 'p3'].flatMap((p, i) => [
      ...['--', 'add-port', 'br0', p, '--', 'set', 'interface', p, `ofport_request=${i + 1}`],
    ]);
    await this.vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev');
    await this.vsctl('show', ...ports);
  }

  async network() {
    const ip = (...words) => command(['ip', '-n', this.namespace, ...words]);
    await command(['ip', 'netns', 'add', this.namespace]);
    const quiet = 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6';
    await command(['ip', 'netns', 'exec', this.namespace, 'sh', '-c', quiet]);
    for (const n of [1, 2, 3]) {
      await ip('link', 'add', `p${n}`, 'type', 'veth', 'peer', 'name', `h${n}`);
      await ip('link', 'set', `p${n}`, 'up');
      await ip('link', 'set', `h${n}`, 'up');
    }
  }

  run(argv) {
    const stdio = ['ignore', 'ignore', 'inherit'];
    this.processes.push(spawn(argv[0], argv.slice(1), { env: this.env, stdio }));
  }

  vsctl(...words) {
    return command(['ovs-vsctl', '--timeout=15', ...words], { env: this.env });
  }

  appctl(...words) {
    const pid = fs.readdirSync(this.directory).find((file) => /vswitchd.*\.ctl$/.test(file));
    return command(['ovs-appctl', '-t', path.join(this.directory, pid), ...words], {
      env: this.env,
    });
  }

  /** Established flows go to port 3, new ones to port 2. */
  async flows(kind) {
    const consult =
      'move:OXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],move:OXM_OF_IPV4_SRC[]->NXM_NX_REG1[]';
    const fresh = kind === 'macs' ? 'NORMAL' : `${consult},output:2`;
    const file = path.join(this.directory, 'flows.txt');
    const lines = [
      'priority=20,in_port=1,udp,tp_dst=7,actions=output:3',
      `priority=10,in_port=1,udp,tp_dst=9,actions=${fresh}`,
      'priority=5,in_port=2,actions=NORMAL',
    ];
    fs.writeFileSync(file, `${lines.join('\n')}\n`);
    const management = `unix:${this.directory}/br0.mgmt`;
    await command(['ovs-ofctl', '-OOpenFlow13', 'replace-flows', management, file], {
      env: this.env,
    });
  }

  async received(n) {
    const text = await command(['ip', '-n', this.namespace, '-s', '-j', 'link', 'show', `h${n}`]);
    return JSON.parse(text)[0].stats64.rx.packets;
  }

  async installed() {
    return Number(/flows: (\d+)/.exec(await this.appctl('dpctl/show'))?.[1] ?? Number.NaN);
  }

  async stop() {
    for (const child of this.processes.reverse()) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 4000);
      await ended;
      clearTimeout(timer);
    }
    await command(['ip', 'netns', 'del', this.namespace]).catch(() => undefined);
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  /** Sends at the two rates for a while. */
  traffic(kind, fresh, seconds) {
    const workerData = {
      ...{ dist: DIST, namespace: `/run/netns/${this.namespace}`, ifname: 'h1', kind, seconds },
      ...{ established: ESTABLISHED, fresh, first: this.next },
    };
    this.next += Math.ceil(fresh * seconds) + 1;
    const url = new URL('./lib/setup-traffic.mjs', import.meta.url);
    return new Promise((resolve, reject) => {
      const worker = new Worker(url, { workerData });
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  }

  /** One rate: what arrived of what was sent. */
  async measure(kind, rate) {
    await this.appctl('revalidator/purge');
    await this.appctl('fdb/flush', 'br0');
    await sleep(300);
    await this.traffic(kind, 0, 0.3);
    await sleep(200);
    const seconds = Math.min(SECONDS, FLOWS_MAX / rate);
    const before = [await this.received(2), await this.received(3)];
    const sent = await this.traffic(kind, rate, seconds);
    await sleep(700);
    const fresh = (await this.received(2)) - before[0];
    const established = (await this.received(3)) - before[1];
    return {
      offered: sent.fresh / sent.seconds,
      setUp: fresh / sent.seconds,
      freshLost: 1 - fresh / sent.fresh,
      establishedLost: 1 - established / sent.established,
      installed: await this.installed(),
    };
  }
}

const percent = (part) => `${(100 * Math.max(0, part)).toFixed(2)} %`;
const switches = NAMES.map((name) => new Switch(name));
process.once('SIGINT', () => process.exit(130));
try {
  for (const each of switches) await each.start();
  console.log(`\n${os.cpus()[0]?.model}, ${os.cpus().length} CPUs, Linux ${os.release()};`);
  console.log(`established: 64 flows, ${ESTABLISHED} packets/s; new flows: one packet each\n`);
  console.log(
    '| new flows | switch | offered/s | set up/s | new lost | established lost | flows |',
  );
  console.log('|---|---|---:|---:|---:|---:|---:|');
  for (const kind of KINDS) {
    for (const each of switches) await each.flows(kind);
    for (const rate of RATES) {
      for (const each of switches) {
        const r = await each.measure(kind, rate);
        const figures = [r.offered, r.setUp].map((n) => Math.round(n).toLocaleString('en'));
        const losses = [r.freshLost, r.establishedLost].map(percent);
        const cells = [kind, TITLES[each.name], ...figures, ...losses, r.installed];
        console.log(`| ${cells.join(' | ')} |`);
      }
    }
  }
} finally {
  for (const each of switches) await each.stop();
}
