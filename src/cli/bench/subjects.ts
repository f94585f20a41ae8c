/**
 * What is measured: this switch, the kernel's bridge, and Debian's Open vSwitch with its userspace
 * datapath on packet sockets. Each is started once, in a network of its own, and waits its turn.
 *
 * Processes of a switch are kept on one CPU, away from the generator's.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { background, command, endProcess, installed, sleep, until } from './commands.js';
import { BenchNetwork, inNamespace, PORTS, SINK_IP } from './network.js';

const TAPSWITCH = fileURLToPath(new URL('../../../bin/tapswitch', import.meta.url));
const OVS_SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

/** A kind of switch. */
export interface SubjectKind {
  /** For --only. */
  name: string;
  /** For the table. */
  title: string;
  /** What is missing on this machine, or nothing. */
  missing(): string | undefined;
  /** Starts it on the two ports of a network; the returned function ends it. */
  start(place: Place): Promise<() => Promise<void>>;
}

/** Where a switch is started. */
export interface Place {
  network: BenchNetwork;
  /** An empty directory for its sockets, database and logs. */
  directory: string;
  /** The CPU that its processes are kept on. */
  cpu: number;
}

function onCpu({ cpu, network }: Place, argv: string[]): string[] {
  return ['ip', 'netns', 'exec', network.switchNamespace, 'taskset', '-c', `${cpu}`, ...argv];
}

function environment({ directory }: Place): NodeJS.ProcessEnv {
  const dirs = { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory };
  return { ...process.env, ...dirs };
}

const tapswitch: SubjectKind = {
  name: 'tapswitch',
  title: 'tapswitch',
  missing: () => undefined,
  start: (place) => startTapswitch(place, []),
};

const kernelForwarding: SubjectKind = {
  name: 'tapswitch-kernel',
  title: 'tapswitch, hw-offload=true',
  missing: () => undefined,
  start: (place) => startTapswitch(place, [], undefined, ['other_config:hw-offload=true']),
};

/** Exporting to collectors that are not there: what it costs the packets that pass. */
const exporting: SubjectKind = {
  name: 'tapswitch-export',
  title: 'tapswitch, sFlow 1:400, NetFlow',
  missing: () => undefined,
  async start(place) {
    const stop = await startTapswitch(place, []);
    const env = environment(place);
    const sflow = ['sampling=400', 'targets="127.0.0.1:6343"', 'agent=127.0.0.1'];
    const argv = [
      ...['--timeout=15', 'set', 'Bridge', 'br0', 'sflow=@s', 'netflow=@n'],
      ...['--', '--id=@s', 'create', 'sFlow', ...sflow],
      ...['--', '--id=@n', 'create', 'NetFlow', 'targets="127.0.0.1:2055"', 'active_timeout=10'],
    ];
    await orStop(stop, () => command([process.execPath, TAPSWITCH, 'vsctl', ...argv], { env }));
    return stop;
  },
};

/**
 * Starts this switch on the two ports.
 * @param nodeOptions options for Node.js itself
 * @param settings columns of the Open_vSwitch row
 * @param onStart is given the process; its standard output is a pipe then, else thrown away
 */
export async function startTapswitch(
  place: Place,
  nodeOptions: string[],
  onStart?: (daemon: ChildProcess) => void,
  settings: readonly string[] = [],
): Promise<() => Promise<void>> {
  const env = environment(place);
  const argv = onCpu(place, [process.execPath, ...nodeOptions, TAPSWITCH, 'start']);
  const daemon = background(argv, env, onStart === undefined ? 'ignore' : 'pipe');
  onStart?.(daemon);
  const vsctl = (...args: string[]) =>
    command([process.execPath, TAPSWITCH, 'vsctl', '--timeout=15', ...args], { env });
  const stop = () => endProcess(daemon, 'SIGTERM');
  await orStop(stop, async () => {
    await until('tapswitch to answer', () => vsctl('show'));
    if (settings.length > 0) await vsctl('set', 'Open_vSwitch', '.', ...settings);
    await vsctl('add-br', 'br0', ...addPorts('br0'));
  });
  return stop;
}

const bridge: SubjectKind = {
  name: 'bridge',
  title: "the kernel's bridge",
  missing: () => undefined,
  async start({ network }) {
    const ip = (...args: string[]) => command(['ip', '-n', network.switchNamespace, ...args]);
    await ip('link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0');
    for (const port of PORTS) await ip('link', 'set', port, 'master', 'br0');
    await ip('link', 'set', 'br0', 'up');
    return async () => {};
  },
};

/** How Open vSwitch forwards. */
type OvsMode = 'packet' | 'tso' | 'afxdp';

function openVswitch(name: string, title: string, mode: OvsMode): SubjectKind {
  return {
    name,
    title,
    missing: () => (installed('ovs-vswitchd') ? undefined : 'ovs-vswitchd is not installed'),
    async start(place) {
      const processes: ChildProcess[] = [];
      const stop = async () => {
        for (const child of processes.reverse()) await endProcess(child, 'SIGTERM');
      };
      await orStop(stop, () => startOpenVswitch(place, mode, processes));
      return stop;
    },
  };
}

async function startOpenVswitch(
  place: Place,
  mode: OvsMode,
  processes: ChildProcess[],
): Promise<void> {
  const { directory, network } = place;
  const env = environment(place);
  const database = join(directory, 'conf.db');
  const socket = join(directory, 'db.sock');
  const vsctl = (...args: string[]) => command(['ovs-vsctl', '--timeout=15', ...args], { env });
  const quiet = ['-vconsole:off', '-vsyslog:off', '--pidfile'];
  await command(['ovsdb-tool', 'create', database, OVS_SCHEMA]);
  const server = ['ovsdb-server', `--remote=punix:${socket}`, ...quiet, database];
  processes.push(background(onCpu(place, server), env));
  await until('ovsdb-server to answer', () => vsctl('--no-wait', 'show'));
  const setting = `other_config:userspace-tso-enable=${mode === 'tso'}`;
  await vsctl('--no-wait', 'set', 'Open_vSwitch', '.', setting);
  processes.push(background(onCpu(place, ['ovs-vswitchd', ...quiet, `unix:${socket}`]), env));
  const userspace = ['--', 'set', 'bridge', 'br0', 'datapath_type=netdev'];
  // Its AF_XDP ports are polled by a thread that never sleeps.
  const mask = `other_config:pmd-cpu-mask=0x${(1 << place.cpu).toString(16)}`;
  if (mode === 'afxdp') await vsctl('--no-wait', 'set', 'Open_vSwitch', '.', mask);
  const types = PORTS.flatMap((port) => ['--', 'set', 'Interface', port, 'type=afxdp']);
  const extra = mode === 'afxdp' ? types : [];
  await vsctl('add-br', 'br0', ...userspace, ...addPorts('br0'), ...extra);
  if (mode === 'tso') return;
  // Without the setting it forwards frames with unfinished checksums as they are: TCP gets nowhere
  // until the hosts give up their offloads, as its documentation asks for.
  for (const namespace of [network.source, network.sink]) {
    await inNamespace(namespace, ['ethtool', '-K', 'eth0', 'tx', 'off']);
  }
}

function addPorts(bridgeName: string): string[] {
  return PORTS.flatMap((port) => ['--', 'add-port', bridgeName, port]);
}

/** Runs `work`; when it fails, stops what was started before passing the error on. */
async function orStop(stop: () => Promise<void>, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await stop();
    throw error;
  }
}

export const SUBJECTS: readonly SubjectKind[] = [
  tapswitch,
  kernelForwarding,
  exporting,
  bridge,
  openVswitch('ovs', 'Open vSwitch netdev, tx offload off', 'packet'),
  openVswitch('ovs-tso', 'Open vSwitch netdev, userspace-tso', 'tso'),
  openVswitch('ovs-afxdp', 'Open vSwitch netdev, AF_XDP', 'afxdp'),
];

/** A switch that is running and forwards. */
export class Subject {
  private constructor(
    readonly kind: SubjectKind,
    readonly network: BenchNetwork,
    private readonly directory: string,
    private readonly end: () => Promise<void>,
  ) {}

  /** @throws TapswitchError E_BENCH_COMMAND when it does not come to forward */
  static async start(kind: SubjectKind, cpu: number): Promise<Subject> {
    const network = await BenchNetwork.make();
    const directory = await mkdtemp(join(tmpdir(), 'tapswitch-bench-'));
    let subject = new Subject(kind, network, directory, async () => {});
    try {
      const end = await kind.start({ network, directory, cpu });
      subject = new Subject(kind, network, directory, end);
      const ping = ['ping', '-n', '-c', '1', '-W', '1', SINK_IP];
      await until(`${kind.title} to forward a ping`, () => inNamespace(network.source, ping));
      await sleep(500);
    } catch (error) {
      await subject.stop();
      throw error;
    }
    return subject;
  }

  async stop(): Promise<void> {
    await this.end();
    await this.network.remove();
    await rm(this.directory, { recursive: true, force: true });
  }
}
