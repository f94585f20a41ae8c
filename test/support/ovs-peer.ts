/**
 * Debian's Open vSwitch with its userspace datapath in a namespace of its own: the other end of a
 * wire of the switch under test.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BackgroundProcess, eventually, must, run } from './command.js';
import type { Namespace } from './netns.js';

export class OvsPeer {
  private constructor(
    readonly namespace: Namespace,
    private readonly directory: string,
    private readonly processes: BackgroundProcess[],
  ) {}

  /** OVS_RUNDIR and the like point at this switch. */
  get env(): NodeJS.ProcessEnv {
    return environment(this.directory);
  }

  static async start(namespace: Namespace): Promise<OvsPeer> {
    const directory = await mkdtemp(join(tmpdir(), 'tapswitch-ovs-'));
    const env = environment(directory);
    const database = join(directory, 'conf.db');
    const socket = join(directory, 'db.sock');
    await must(['ovsdb-tool', 'create', database, '/usr/share/openvswitch/vswitch.ovsschema']);
    const quiet = ['-vconsole:off', '-vsyslog:off'];
    const server = ['ovsdb-server', `--remote=punix:${socket}`, ...quiet, '--pidfile', database];
    const processes = [namespace.start(server, { env })];
    await eventually('the database socket', () => existsSync(socket));
    const log = `--log-file=${directory}/ovs-vswitchd.log`;
    const daemon = ['ovs-vswitchd', log, ...quiet, '--pidfile', `unix:${socket}`];
    processes.push(namespace.start(daemon, { env }));
    const peer = new OvsPeer(namespace, directory, processes);
    const ready = async () => (await run(['ovs-appctl', 'version'], { env })).status === 0;
    await eventually('ovs-vswitchd to answer', ready, 15_000);
    return peer;
  }

  get log(): string {
    return readFileSync(join(this.directory, 'ovs-vswitchd.log'), 'utf8');
  }

  vsctl(...args: string[]): Promise<string> {
    return must(['ovs-vsctl', '--timeout=15', ...args], { env: this.env });
  }

  appctl(...args: string[]): Promise<string> {
    return must(['ovs-appctl', ...args], { env: this.env });
  }

  ofctl(...args: string[]): Promise<string> {
    return must(['ovs-ofctl', ...args], { env: this.env });
  }

  async addBridge(name: string): Promise<void> {
    await this.vsctl('add-br', name, '--', 'set', 'bridge', name, 'datapath_type=netdev');
  }

  async remove(): Promise<void> {
    for (const process of this.processes.reverse()) await process.stop('SIGKILL');
    await rm(this.directory, { recursive: true, force: true });
  }
}

function environment(directory: string): NodeJS.ProcessEnv {
  return { ...process.env, OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory };
}
