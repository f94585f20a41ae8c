/**
 * The switch under test: starts the daemon in a namespace with directories of its own, waits until
 * it serves, runs the command-line tools against it, and ends it.
 *
 * With TAPSWITCH_TEST_SWITCH=ovs the same tests run against Debian's Open vSwitch (userspace
 * datapath): that is how an expectation is shown to be Open vSwitch's behaviour and not a guess.
 * TAPSWITCH_TEST_TOOLS=ovs runs them with Debian's tools in place of ours, against our daemon.
 * TAPSWITCH_TEST_OFFLOAD=true or =false sets other_config:hw-offload; unset, the kernel forwards
 * where that goes unnoticed, as for a user who sets nothing.
 * TAPSWITCH_BIN names another executable than the checkout's bin/tapswitch.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BackgroundProcess, eventually, type Finished, must, run } from './command.js';
import type { Namespace } from './netns.js';

export const projectRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const tapswitchBin = process.env.TAPSWITCH_BIN ?? join(projectRoot, 'bin', 'tapswitch');

/** True when the switch under test is ours, false when Open vSwitch stands in for it. */
export const isTapswitch = process.env.TAPSWITCH_TEST_SWITCH !== 'ovs';

const ownTools = isTapswitch && process.env.TAPSWITCH_TEST_TOOLS !== 'ovs';

const offload = isTapswitch ? process.env.TAPSWITCH_TEST_OFFLOAD || undefined : undefined;

/** The newest Python of the system: no version manager's wrapper in between. */
export const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';

type Tool = 'vsctl' | 'ofctl' | 'appctl';

/** What has to follow `add-br NAME` for a bridge in user space: with ours, nothing. */
export function userspaceBridge(name: string): string[] {
  return isTapswitch ? [] : ['--', 'set', 'bridge', name, 'datapath_type=netdev'];
}

export class Switch {
  private processes: BackgroundProcess[] = [];
  /** The database's remotes where it is not in the switch's own directory. */
  private database: string | null = null;

  private constructor(
    readonly namespace: Namespace,
    /** Sockets, database and logs of this switch. */
    readonly directory: string,
  ) {}

  /** A switch that is not running yet, with an empty directory. */
  static async create(namespace: Namespace): Promise<Switch> {
    return new Switch(namespace, await mkdtemp(join(tmpdir(), 'tapswitch-test-')));
  }

  get environment(): NodeJS.ProcessEnv {
    const { directory } = this;
    const dirs = { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory };
    return { ...process.env, ...dirs, NODE_OPTIONS: '' };
  }

  /** Process id of the program that forwards. */
  get pid(): number {
    return this.processes[0]?.pid ?? -1;
  }

  get running(): boolean {
    return this.processes[0]?.running ?? false;
  }

  /** What the daemon printed and logged so far. */
  get log(): string {
    const files = ['ovs-vswitchd.log', 'tapswitch.log'].map((name) => join(this.directory, name));
    const logged = files.filter(existsSync).map((file) => readFileSync(file, 'utf8'));
    return [...this.processes.map((process) => process.text), ...logged].join('\n');
  }

  /** Starts our daemon on somebody else's database, and waits until it has taken it up. */
  async startOnDatabase(remotes: readonly string[]): Promise<void> {
    this.database = remotes.join(',');
    this.processes = [this.spawn([tapswitchBin, 'vswitchd', this.database])];
    await this.waitUntilReady();
  }

  /** Starts the daemon and waits until database and control socket answer. */
  async start(): Promise<void> {
    if (isTapswitch) this.processes = [this.spawn([tapswitchBin, 'start'])];
    else await this.startOpenVswitch();
    await this.waitUntilReady();
    if (offload === undefined) return;
    await this.vsctl('set', 'Open_vSwitch', '.', `other_config:hw-offload=${offload}`);
  }

  /** What workers do is what the test is about: the kernel forwards nothing. */
  async forwardByWorkers(): Promise<void> {
    if (!isTapswitch) return;
    await this.vsctl('set', 'Open_vSwitch', '.', 'other_config:hw-offload=false');
  }

  private async waitUntilReady(): Promise<void> {
    const ready = async () => {
      if (!this.running) throw new Error(`the switch ended: ${this.log}`);
      const answers = [this.vsctl('show'), this.must('appctl', 'version')];
      return (await Promise.allSettled(answers)).every(({ status }) => status === 'fulfilled');
    };
    await eventually('the switch to answer', ready, 15_000);
  }

  private spawn(argv: string[]): BackgroundProcess {
    return this.namespace.start(argv, { env: this.environment });
  }

  private async startOpenVswitch(): Promise<void> {
    const database = join(this.directory, 'conf.db');
    const socket = join(this.directory, 'db.sock');
    const env = this.environment;
    if (!existsSync(database)) {
      const schema = '/usr/share/openvswitch/vswitch.ovsschema';
      await must(['ovsdb-tool', 'create', database, schema]);
    }
    await rm(socket, { force: true });
    const server = this.spawn([
      'ovsdb-server',
      `--remote=punix:${socket}`,
      `--log-file=${this.directory}/ovsdb-server.log`,
      '-vconsole:off',
      '--pidfile',
      database,
    ]);
    await eventually('the database socket', () => existsSync(socket));
    // Open vSwitch hands on segments and unfinished checksums only with this setting.
    const tso = 'other_config:userspace-tso-enable=true';
    await must(['ovs-vsctl', '--no-wait', 'set', 'Open_vSwitch', '.', tso], { env });
    const log = `--log-file=${this.directory}/ovs-vswitchd.log`;
    const daemon = ['ovs-vswitchd', log, '-vconsole:off', '--pidfile', `unix:${socket}`];
    this.processes = [this.spawn(daemon), server];
  }

  /** Ends the daemon as an administrator would (SIGTERM); returns its exit status. */
  async stop(): Promise<number> {
    if (!isTapswitch && this.running) {
      await this.try('appctl', 'exit', '--cleanup');
      await this.processes[0].finished(10_000);
    }
    let status = 0;
    for (const [index, process] of this.processes.entries()) {
      const ended = await process.stop();
      if (index === 0) status = ended;
    }
    return status;
  }

  /** kill -9: no chance to clean up. */
  async kill(): Promise<void> {
    for (const process of this.processes) await process.stop('SIGKILL');
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  vsctl(...args: string[]): Promise<string> {
    const db = this.database === null ? [] : [`--db=${this.database}`];
    return this.must('vsctl', '--timeout=15', ...db, ...args);
  }

  ofctl(...args: string[]): Promise<string> {
    return this.must('ofctl', ...args);
  }

  appctl(...args: string[]): Promise<string> {
    return this.must('appctl', ...args);
  }

  /** Runs a tool. @returns what it prints */
  async must(tool: Tool, ...args: string[]): Promise<string> {
    const result = await this.try(tool, ...args);
    if (result.status !== 0) {
      throw new Error(`${tool} ${args.join(' ')}: ${result.stdout}${result.stderr}`);
    }
    return result.stdout;
  }

  /** Runs one of the tools, whatever comes of it. */
  try(tool: Tool, ...args: string[]): Promise<Finished> {
    const argv = ownTools ? [tapswitchBin, tool] : [`ovs-${tool}`];
    return run([...argv, ...args], { env: this.environment, timeoutMs: 20_000 });
  }

  /** Runs one of Debian's tools against this switch. */
  ovsTool(tool: Tool, ...args: string[]): Promise<string> {
    return must([`ovs-${tool}`, ...args], { env: this.environment });
  }

  /** Adds a bridge that forwards in user space, whichever switch this is. */
  async addBridge(name: string): Promise<void> {
    await this.vsctl('add-br', name, ...userspaceBridge(name));
  }

  /** OpenFlow port number of an interface. */
  async ofport(device: string): Promise<number> {
    return Number((await this.vsctl('get', 'Interface', device, 'ofport')).trim());
  }

  /** The active member that bond/show names, or 'none'. */
  async activeMember(bond: string): Promise<string> {
    const text = await this.appctl('bond/show', bond);
    return text.match(/^active member mac: .*\((.*)\)$/m)?.[1] ?? 'unknown';
  }

  async waitForActiveMember(bond: string, member: string): Promise<void> {
    const isActive = async () => (await this.activeMember(bond)) === member;
    await eventually(`${member} to become active in ${bond}`, isActive, 5000);
  }

  /** One counter of `dump-ports`, e.g. ('br1', 'vetha', 'tx pkts'). */
  async portCounter(bridge: string, device: string, counter: `${'rx' | 'tx'} ${string}`) {
    const value = (await this.portCounters(bridge, device))[counter];
    if (value === undefined) throw new Error(`dump-ports has no '${counter}'`);
    return value;
  }

  /** Packets that the workers that there are have received since they were started. */
  async packetsOfWorkers(): Promise<number> {
    const text = await this.appctl('dpif-netdev/pmd-stats-show');
    const counts = text.matchAll(/packets received: (\d+)/g);
    return [...counts].reduce((sum, [, n]) => sum + Number(n), 0);
  }

  /** All counters of a port, read at once: 'rx pkts', 'rx bytes', ..., 'tx coll'. */
  async portCounters(bridge: string, device: string): Promise<Record<string, number>> {
    const text = await this.ofctl('dump-ports', bridge, `${await this.ofport(device)}`);
    const counters: Record<string, number> = {};
    for (const [, direction, list] of text.matchAll(/\b(rx|tx) (pkts=.*)$/gm)) {
      for (const [, name, value] of list.matchAll(/(\w+)=(\d+)/g)) {
        counters[`${direction} ${name}`] = Number(value);
      }
    }
    return counters;
  }
}
