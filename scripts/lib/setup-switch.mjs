/**
 * A switch of bench-setup.mjs, ours or Open vSwitch, in a network namespace of its own: start, flows,
 * counters, CPU time.
 *
 *     h1 ─ p1 ─┐          ┌─ p2 ─ h2     new flows, from p1
 *              ├─[switch]─┼─ p3 ─ h3     established flows from p1
 *     h4 ─ p4 ─┘          └─ p5 ─ h5     established flows from p4
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { Worker } from 'node:worker_threads';

const PORTS = [1, 2, 3, 4, 5];
const TICKS_PER_SECOND = 100;

export class SetupSwitch {
  processes = [];
  next = 1;

  /**
   * @param name 'ours' or 'theirs'
   * @param tools { dist, command, until, cyclesPerSecond } of the build that runs the benchmark
   * @param node options for Node.js, for ours
   * @param config other_config settings of ours, "key=value"
   */
  constructor(name, tools, node, config) {
    this.name = name;
    Object.assign(this, { tools, node, config });
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
    // As Open vSwitch's own start script has it; the same for both.
    const nice = ['nice', '-n', '-10'];
    const { dist, command, until } = this.tools;
    if (this.name === 'ours') {
      this.run([
        ...inside,
        ...nice,
        process.execPath,
        ...this.node,
        `${dist}/cli/main.js`,
        'start',
      ]);
    } else {
      const database = path.join(this.directory, 'conf.db');
      const schema = '/usr/share/openvswitch/vswitch.ovsschema';
      await command(['ovsdb-tool', 'create', database, schema]);
      const socket = `${this.directory}/db.sock`;
      this.run(['ovsdb-server', `--remote=punix:${socket}`, '-vconsole:off', database]);
      await until('ovsdb-server', () => this.vsctl('--no-wait', 'show'));
      this.run([
        ...inside,
        ...nice,
        'ovs-vswitchd',
        '-vconsole:off',
        '--pidfile',
        `unix:${socket}`,
      ]);
    }
    await until('the switch', () => this.vsctl('show'));
    const ports = PORTS.flatMap((n) => [
      ...['--', 'add-port', 'br0', `p${n}`],
      ...['--', 'set', 'interface', `p${n}`, `ofport_request=${n}`],
    ]);
    await this.vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev');
    await this.vsctl('show', ...ports);
    const settings = this.name === 'ours' ? this.config.map((each) => `other_config:${each}`) : [];
    await this.vsctl('set', 'Open_vSwitch', '.', 'other_config:flow-limit=200000', ...settings);
    await this.vsctl('set', 'Bridge', 'br0', 'other_config:mac-table-size=200000');
    // Floods of unknown destinations go to port 2 alone: what the others get is counted.
    for (const n of [1, 3, 4, 5]) await this.ofctl('mod-port', `p${n}`, 'no-flood');
    await this.ofctl('mod-port', 'br0', 'no-flood');
  }

  async network() {
    const { command } = this.tools;
    const ip = (...words) => command(['ip', '-n', this.namespace, ...words]);
    await command(['ip', 'netns', 'add', this.namespace]);
    const quiet = 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6';
    await command(['ip', 'netns', 'exec', this.namespace, 'sh', '-c', quiet]);
    for (const n of PORTS) {
      await ip('link', 'add', `p${n}`, 'type', 'veth', 'peer', 'name', `h${n}`);
      await ip('link', 'set', `p${n}`, 'up');
      await ip('link', 'set', `h${n}`, 'up');
    }
  }

  run(argv) {
    const log = fs.openSync(path.join(this.directory, 'log.txt'), 'a');
    this.processes.push(
      spawn(argv[0], argv.slice(1), { env: this.env, stdio: ['ignore', log, log] }),
    );
    fs.closeSync(log);
  }

  vsctl(...words) {
    return this.tools.command(['ovs-vsctl', '--timeout=15', ...words], { env: this.env });
  }

  ofctl(what, ...words) {
    const management = `unix:${this.directory}/br0.mgmt`;
    const argv = ['ovs-ofctl', '-OOpenFlow13', what, management, ...words];
    return this.tools.command(argv, { env: this.env });
  }

  appctl(...words) {
    const target = fs.readdirSync(this.directory).find((file) => /vswitchd.*\.ctl$/.test(file));
    const argv = ['ovs-appctl', '-t', path.join(this.directory, target), ...words];
    return this.tools.command(argv, { env: this.env });
  }

  /** @param kind 'flows': every UDP source port is a megaflow; 'macs': every source address */
  async flows(kind) {
    const consult =
      'move:OXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],move:OXM_OF_IPV4_SRC[]->NXM_NX_REG1[]';
    const fresh = kind === 'macs' ? 'NORMAL' : `${consult},output:2`;
    const file = path.join(this.directory, 'flows.txt');
    const lines = [
      'priority=20,in_port=1,udp,tp_dst=7,actions=output:3',
      'priority=20,in_port=4,udp,tp_dst=7,actions=output:5',
      `priority=10,in_port=1,udp,tp_dst=9,actions=${fresh}`,
      'priority=5,in_port=2,actions=NORMAL',
    ];
    fs.writeFileSync(file, `${lines.join('\n')}\n`);
    await this.ofctl('replace-flows', file);
  }

  async received(n) {
    const argv = ['ip', '-n', this.namespace, '-s', '-j', 'link', 'show', `h${n}`];
    return JSON.parse(await this.tools.command(argv))[0].stats64.rx.packets;
  }

  /** Packets by port, megaflows, packets that found the way up full, CPU seconds. */
  async counters() {
    const [fresh, same, other] = await Promise.all([2, 3, 5].map((n) => this.received(n)));
    const text = await this.appctl('dpctl/show');
    return {
      ...{ fresh, same, other, cpu: await this.busySeconds() },
      flows: Number(/flows: (\d+)/.exec(text)?.[1] ?? Number.NaN),
      lost: Number(/lost:(\d+)/.exec(text)?.[1] ?? Number.NaN),
    };
  }

  /**
   * CPU time that went into work. Threads of Open vSwitch that poll are never idle: of them, what
   * they call busy.
   */
  async busySeconds() {
    // 'ip netns exec' becomes the program that it runs.
    const { pid } = this.processes.at(-1);
    let seconds = 0;
    for (const thread of fs.readdirSync(`/proc/${pid}/task`)) {
      const text = fs.readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
      const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'));
      if (this.name === 'theirs' && name.startsWith('pmd')) continue;
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      seconds += (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    }
    return this.name === 'ours' ? seconds : seconds + (await this.pollingSeconds());
  }

  async pollingSeconds() {
    const text = await this.appctl('dpif-netdev/pmd-stats-show');
    return Number(/processing cycles: (\d+)/.exec(text)?.[1] ?? 0) / this.tools.cyclesPerSecond;
  }

  async stop() {
    for (const child of this.processes.reverse()) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 4000);
      await ended;
      clearTimeout(timer);
    }
    const { command } = this.tools;
    await command(['ip', 'netns', 'del', this.namespace]).catch(() => undefined);
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  /** Sends at three rates, a second, for a while. @returns how much of each was sent */
  traffic(kind, { fresh, same, other }, seconds) {
    const workerData = {
      ...{ dist: this.tools.dist, namespace: `/run/netns/${this.namespace}`, kind, seconds },
      ...{ fresh, same, other, first: this.next },
    };
    this.next += Math.ceil(fresh * seconds) + 1;
    const url = new URL('./setup-traffic.mjs', import.meta.url);
    return new Promise((resolve, reject) => {
      const worker = new Worker(url, { workerData });
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  }
}
