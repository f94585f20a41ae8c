/**
 * What is measured: this switch, the kernel's bridge, and Debian's Open vSwitch with its userspace
 * datapath on packet sockets. Each is started once, in a network of its own, and waits its turn.
 *
 * Processes of a switch are kept on one CPU, away from the generator's.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { background, command, endProcess, installed, sleep, until } from './commands.js';
import {
  BenchNetwork,
  hasHosts,
  inNamespace,
  PORTS,
  SINK_IP,
  TAPS,
  type Topology,
  WIRES,
} from './network.js';

const TAPSWITCH = fileURLToPath(new URL('../../../bin/tapswitch', import.meta.url));
const OVS_SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

/** A kind of switch. */
export interface SubjectKind {
  /** For --only. */
  name: string;
  /** For the table. */
  title: string;
  /** What is missing on this machine, or nothing. */
  missing(topology: Topology): string | undefined;
  /** Starts it on the two ports of a network. */
  start(place: Place): Promise<Running>;
  /** Starts it on the database that it left behind. */
  again?(place: Place): Promise<Running>;
}

/** A switch that was started. */
export interface Running {
  /** Its processes: they stand still while another switch is measured. */
  processes: readonly ChildProcess[];
  /** Runs one of its tools. */
  tool?(name: 'vsctl' | 'ofctl', ...args: string[]): Promise<string>;
  stop(): Promise<void>;
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

/** This switch with settings in its Open_vSwitch row. */
function ours(name: string, title: string, settings: readonly string[]): SubjectKind {
  return {
    name,
    title,
    missing: () => undefined,
    start: (place) => startTapswitch(place, [], undefined, settings),
    again: async (place) => daemonOf(place, []),
  };
}

/** This switch on AF_XDP ports. */
function afxdp(name: string, title: string, settings: readonly string[]): SubjectKind {
  return {
    name,
    title,
    missing: (topology) => (TAPS[topology] > 0 ? 'AF_XDP has no TAP' : undefined),
    start: (place) => startTapswitch(place, [], undefined, settings, afxdpPorts(place)),
    again: async (place) => daemonOf(place, []),
  };
}

/** Exporting to collectors that are not there: what it costs the packets that pass. */
const exporting: SubjectKind = {
  name: 'tapswitch-export',
  title: 'tapswitch, sFlow 1:400, NetFlow',
  missing: (topology) => (topology === 'bond' ? 'it is set on one bridge' : undefined),
  async start(place) {
    const running = await startTapswitch(place, []);
    const env = environment(place);
    const sflow = ['sampling=400', 'targets="127.0.0.1:6343"', 'agent=127.0.0.1'];
    const argv = [
      ...['--timeout=15', 'set', 'Bridge', 'br0', 'sflow=@s', 'netflow=@n'],
      ...['--', '--id=@s', 'create', 'sFlow', ...sflow],
      ...['--', '--id=@n', 'create', 'NetFlow', 'targets="127.0.0.1:2055"', 'active_timeout=10'],
    ];
    await orStop(running.stop, () =>
      command([process.execPath, TAPSWITCH, 'vsctl', ...argv], { env }),
    );
    return running;
  },
};

/**
 * Starts this switch on the two ports.
 * @param nodeOptions options for Node.js itself
 * @param settings columns of the Open_vSwitch row
 * @param more what vsctl is told besides
 * @param onStart is given the process; its standard output is a pipe then, else thrown away
 */
export async function startTapswitch(
  place: Place,
  nodeOptions: string[],
  onStart?: (daemon: ChildProcess) => void,
  settings: readonly string[] = [],
  more: readonly string[] = [],
): Promise<Running> {
  const running = daemonOf(place, nodeOptions, onStart);
  const vsctl = (...args: string[]) => running.tool('vsctl', '--timeout=15', ...args);
  await orStop(running.stop, async () => {
    await until('tapswitch to answer', () => vsctl('show'));
    if (settings.length > 0) await vsctl('set', 'Open_vSwitch', '.', ...settings);
    await vsctl(...bridges(place, []), ...more);
  });
  return running;
}

function daemonOf(
  place: Place,
  nodeOptions: string[],
  onStart?: (daemon: ChildProcess) => void,
): Required<Running> {
  const env = environment(place);
  const argv = onCpu(place, [process.execPath, ...nodeOptions, TAPSWITCH, 'start']);
  const daemon = background(argv, env, onStart === undefined ? 'ignore' : 'pipe');
  onStart?.(daemon);
  return {
    processes: [daemon],
    tool: (name, ...args) => command([process.execPath, TAPSWITCH, name, ...args], { env }),
    stop: () => endProcess(daemon, 'SIGTERM'),
  };
}

const bridge: SubjectKind = {
  name: 'bridge',
  title: "the kernel's bridge",
  missing: (topology) => (TAPS[topology] > 0 ? 'a bridge makes no TAP' : undefined),
  async start({ network }) {
    const ip = (...args: string[]) => command(['ip', '-n', network.switchNamespace, ...args]);
    // Without a bond, one of the wires: two would be a loop.
    const [[west, east]] = WIRES;
    const members: Record<string, string[]> =
      network.topology === 'bond'
        ? { br1: [PORTS[0], west], br2: [PORTS[1], east] }
        : { br0: [...PORTS] };
    for (const [name, ports] of Object.entries(members)) {
      await ip('link', 'add', name, 'type', 'bridge', 'forward_delay', '0');
      for (const port of ports) await ip('link', 'set', port, 'master', name);
      await ip('link', 'set', name, 'up');
    }
    return { processes: [], stop: async () => {} };
  },
};

/** How Open vSwitch forwards. */
type OvsMode = 'default' | 'packet' | 'tso' | 'afxdp';

function openVswitch(name: string, title: string, mode: OvsMode): SubjectKind {
  return {
    name,
    title,
    missing: (topology) => {
      if (!hasHosts(topology) && mode === 'afxdp') return 'AF_XDP has no TAP';
      return installed('ovs-vswitchd') ? undefined : 'ovs-vswitchd is not installed';
    },
    async start(place) {
      const running = ovsProcesses(place);
      await orStop(running.stop, () => startOpenVswitch(place, mode, running.processes));
      return running;
    },
    async again(place) {
      const running = ovsProcesses(place);
      const [server, daemon] = ovsCommands(place);
      running.processes.push(background(server, environment(place)));
      while (!existsSync(join(place.directory, 'db.sock'))) await sleep(1);
      running.processes.push(background(daemon, environment(place)));
      return running;
    },
  };
}

function ovsProcesses(place: Place): Running & { processes: ChildProcess[] } {
  const processes: ChildProcess[] = [];
  return {
    processes,
    tool: (name, ...args) => command([`ovs-${name}`, ...args], { env: environment(place) }),
    async stop() {
      for (const child of processes.reverse()) await endProcess(child, 'SIGTERM');
    },
  };
}

/** The database's server, and the switch. */
function ovsCommands(place: Place): [string[], string[]] {
  const socket = join(place.directory, 'db.sock');
  const quiet = ['-vconsole:off', '-vsyslog:off', '--pidfile'];
  const database = join(place.directory, 'conf.db');
  return [
    onCpu(place, ['ovsdb-server', `--remote=punix:${socket}`, ...quiet, database]),
    onCpu(place, ['ovs-vswitchd', ...quiet, `unix:${socket}`]),
  ];
}

async function startOpenVswitch(
  place: Place,
  mode: OvsMode,
  processes: ChildProcess[],
): Promise<void> {
  const { directory, network } = place;
  const env = environment(place);
  const [server, daemon] = ovsCommands(place);
  const vsctl = (...args: string[]) => command(['ovs-vsctl', '--timeout=15', ...args], { env });
  await command(['ovsdb-tool', 'create', join(directory, 'conf.db'), OVS_SCHEMA]);
  processes.push(background(server, env));
  await until('ovsdb-server to answer', () => vsctl('--no-wait', 'show'));
  const setting = `other_config:userspace-tso-enable=${mode === 'tso'}`;
  await vsctl('--no-wait', 'set', 'Open_vSwitch', '.', setting);
  processes.push(background(daemon, env));
  // Its AF_XDP ports are polled by a thread that never sleeps.
  const mask = `other_config:pmd-cpu-mask=0x${(1 << place.cpu).toString(16)}`;
  if (mode === 'afxdp') await vsctl('--no-wait', 'set', 'Open_vSwitch', '.', mask);
  const extra = mode === 'afxdp' ? afxdpPorts(place) : [];
  await vsctl(...bridges(place, ['datapath_type=netdev']), ...extra);
  if (mode === 'tso' || mode === 'default' || !hasHosts(network.topology)) return;
  // Without the setting it forwards frames with unfinished checksums as they are: TCP gets nowhere
  // until the hosts give up their offloads, as its documentation asks for.
  for (const namespace of [network.source, network.sink]) {
    await inNamespace(namespace, ['ethtool', '-K', 'eth0', 'tx', 'off']);
  }
}

/** What vsctl is told to make all ports AF_XDP's. */
function afxdpPorts({ network }: Place): string[] {
  const wires = network.topology === 'bond' ? WIRES.flat() : [];
  return [...PORTS, ...wires].flatMap((port) => ['--', 'set', 'Interface', port, 'type=afxdp']);
}

/**
 * What vsctl is told to make, by topology.
 *
 * Bonds of this kind drop broadcasts that come in by another member than the active one, and the
 * bond at the other side does not know which that is: of Open vSwitch's, every second pair had no
 * ARP. They are told to take them from all members; each is sent by one, so none comes twice.
 */
export function bridges(
  { network }: { network: Pick<BenchNetwork, 'topology'> },
  settings: readonly string[],
): string[] {
  const addBridge = (name: string) => [
    ...['--', 'add-br', name],
    ...settings.flatMap((setting) => ['--', 'set', 'bridge', name, setting]),
  ];
  const addPort = (bridgeName: string, port: string) => ['--', 'add-port', bridgeName, port];
  const [west, east] = PORTS;
  if (network.topology === 'bond') {
    const bond = (bridgeName: string, name: string, end: 0 | 1) => {
      const members = WIRES.map((wire) => wire[end]);
      const mode = ['bond_mode=balance-slb', 'other_config:all-members-active=true'];
      return ['--', 'add-bond', bridgeName, name, ...members, ...mode];
    };
    const west1 = [...addBridge('br1'), ...addPort('br1', west), ...bond('br1', 'bond1', 0)];
    return [...west1, ...addBridge('br2'), ...addPort('br2', east), ...bond('br2', 'bond2', 1)];
  }
  const taps = PORTS.slice(0, TAPS[network.topology]).flatMap((port) => [
    ...['--', 'set', 'Interface', port, 'type=tap'],
  ]);
  return [...addBridge('br0'), ...addPort('br0', west), ...addPort('br0', east), ...taps];
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
  ours('tapswitch', 'tapswitch', []),
  ours('tapswitch-offload', 'tapswitch, hw-offload=true', ['other_config:hw-offload=true']),
  ours('tapswitch-user', 'tapswitch, hw-offload=false', ['other_config:hw-offload=false']),
  ours('tapswitch-poll', 'tapswitch, hw-offload=false, busy-polling', [
    'other_config:hw-offload=false',
    'other_config:pmd-maxsleep=0',
  ]),
  ours('tapswitch-steer', 'tapswitch, kernel-cpu-mask of all CPUs', [
    `other_config:kernel-cpu-mask=${((1n << BigInt(cpus().length)) - 1n).toString(16)}`,
  ]),
  afxdp('tapswitch-afxdp', 'tapswitch, AF_XDP', []),
  afxdp('tapswitch-afxdp-poll', 'tapswitch, AF_XDP, busy-polling', ['other_config:pmd-maxsleep=0']),
  exporting,
  bridge,
  openVswitch('ovs-default', 'Open vSwitch netdev, default offloads', 'default'),
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
    private running: Running,
    private readonly cpu: number,
  ) {}

  /** @throws TapswitchError E_BENCH_COMMAND when it does not come to forward */
  static async start(
    kind: SubjectKind,
    cpu: number,
    topology: Topology = 'veth',
  ): Promise<Subject> {
    const network = await BenchNetwork.make(topology);
    const directory = await mkdtemp(join(tmpdir(), 'tapswitch-bench-'));
    const nothing = { processes: [], stop: async () => {} };
    let subject = new Subject(kind, network, directory, nothing, cpu);
    try {
      const running = await kind.start({ network, directory, cpu });
      subject = new Subject(kind, network, directory, running, cpu);
      await network.started();
      await subject.forwards();
    } catch (error) {
      await subject.stop();
      throw error;
    }
    return subject;
  }

  /**
   * Lets its processes stand still: some poll all the time, and would take the CPU of the switch
   * that is measured.
   */
  pause(): void {
    for (const child of this.running.processes) child.kill('SIGSTOP');
  }

  async resume(): Promise<void> {
    for (const child of this.running.processes) child.kill('SIGCONT');
    await this.forwards();
  }

  /** Ends it, so that it can be started again. */
  async end(): Promise<void> {
    await this.running.stop();
  }

  /** Starts it as after a machine's start: configured, and with nothing else to wait for. */
  async again(): Promise<void> {
    const { kind, network, directory, cpu } = this;
    if (kind.again) this.running = await kind.again({ network, directory, cpu });
  }

  /** Runs one of the switch's tools. @throws TapswitchError E_BENCH_COMMAND */
  async tool(name: 'vsctl' | 'ofctl', ...args: string[]): Promise<void> {
    await this.running.tool?.(name, ...args);
  }

  /** Memory of its processes that is there, bytes. */
  residentBytes(): number {
    return this.running.processes.reduce((sum, { pid }) => {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      return sum + Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
    }, 0);
  }

  async stop(): Promise<void> {
    for (const child of this.running.processes) child.kill('SIGCONT');
    await this.running.stop();
    await this.network.remove();
    await rm(this.directory, { recursive: true, force: true });
  }

  private async forwards(): Promise<void> {
    if (hasHosts(this.network.topology)) {
      const ping = ['ping', '-n', '-c', '1', '-W', '1', SINK_IP];
      await until(`${this.kind.title} to forward a ping`, () =>
        inNamespace(this.network.source, ping),
      );
    }
    await sleep(500);
  }
}
