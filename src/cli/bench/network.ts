/**
 * The benchmark's network, one for each switch that is measured:
 *
 *     namespace -a             namespace -s               namespace -b
 *     eth0 10.99.0.1 -- veth -- p1  the switch  p2 -- veth -- eth0 10.99.0.2
 *     (generator)                                             (sink)
 *
 *     bond: p1 [br1] { a0 == b0, a1 == b1 } [br2] p2          two wires more, in namespace -s
 *     tap:  the generator sends on p1, a TAP of the switch    no namespace -a, no TCP, no ping
 *     taps: the sink is a TAP, too, p2                        no namespace -b either
 *     guest, guests: the same with TAPs of ours, as those of virtual machines: the generator writes
 *     to p1's descriptor what a guest sends; what leaves by p2 ends there
 *
 * The generator's bursts become frames before they reach the switch. A TAP's host side hands them
 * to programs at its egress whole: there the generator sends on a bridge above it.
 *
 * Names begin with `tsbench` and the process id: nothing of the machine's own is touched.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { TapswitchError } from '../../common/errors.js';
import { loadNative } from '../../native/binding.js';
import { command } from './commands.js';
import type { GuestOptions } from './guest-worker.js';
import type { SinkOptions } from './sink-worker.js';

export const SOURCE_IP = '10.99.0.1';
export const SINK_IP = '10.99.0.2';
/** The sink's address, which the load goes to. */
export const SINK_MAC = '02:00:5e:00:53:02';
/** The two ends of the switch, in its namespace. */
export const PORTS = ['p1', 'p2'] as const;
/** Addresses of the hosts behind them: the same in each network, as bonds choose by them. */
const MACS = { p1: '02:00:5e:00:53:11', p2: '02:00:5e:00:53:12' } as const;

/** Wires between the two bridges of a bond. */
export const WIRES = [
  ['a0', 'b0'],
  ['a1', 'b1'],
] as const;

/** A page, of which the first 8 bytes count. */
const COUNTER_BYTES = 4096;

export const TOPOLOGIES = ['veth', 'bond', 'tap', 'taps', 'guest', 'guests'] as const;
export type Topology = (typeof TOPOLOGIES)[number];

/** How many of PORTS are TAPs that the switch makes. */
export const TAPS: Readonly<Record<Topology, number>> = {
  ...{ veth: 0, bond: 0, tap: 1, taps: 2, guest: 0, guests: 0 },
};
/** How many are TAPs of virtual machines. */
const GUESTS: Readonly<Record<Topology, number>> = {
  ...TAPS,
  tap: 0,
  taps: 0,
  guest: 1,
  guests: 2,
};

/** Whether there are hosts behind both ends, to ping each other. */
export function hasHosts(topology: Topology): boolean {
  return TAPS[topology] + GUESTS[topology] === 0;
}

let made = 0;

export class BenchNetwork {
  /** Where the generator is, and what it sends on. */
  readonly source: string;
  sourceDevice: string;
  readonly sink: string;
  readonly sinkDevice: string;
  readonly switchNamespace: string;
  private deadEndDevice: string | null = null;
  private sinkWorker: Worker | null = null;
  private counterFd = -1;
  /** Frames that arrived at the sink, where a program counts them. */
  private counter: DataView | null = null;

  /** Descriptors of the virtual machines' TAPs, in the order of PORTS. */
  guestFds: readonly number[] = [];

  private constructor(
    prefix: string,
    readonly topology: Topology,
  ) {
    const taps = TAPS[topology] + GUESTS[topology];
    const [sourceTap, sinkTap] = [taps > 0, taps > 1];
    this.source = `${prefix}-${sourceTap ? 's' : 'a'}`;
    this.sourceDevice = sourceTap ? PORTS[0] : 'eth0';
    this.sink = `${prefix}-${sinkTap ? 's' : 'b'}`;
    this.sinkDevice = sinkTap ? PORTS[1] : 'eth0';
    this.switchNamespace = `${prefix}-s`;
  }

  /** Makes namespaces and veth pairs; everything is up, with the kernel's default offloads. */
  static async make(topology: Topology): Promise<BenchNetwork> {
    made += 1;
    const network = new BenchNetwork(`tsbench${process.pid}-${made}`, topology);
    try {
      await network.build();
    } catch (error) {
      await network.remove();
      throw error;
    }
    return network;
  }

  private async build(): Promise<void> {
    const { source, sink, switchNamespace } = this;
    for (const name of new Set([source, sink, switchNamespace])) {
      await command(['ip', 'netns', 'add', name]);
      const quiet = 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6; ip link set lo up';
      await inNamespace(name, ['sh', '-c', quiet]);
    }
    const ends: [string, (typeof PORTS)[number], string][] = [
      [source, PORTS[0], SOURCE_IP],
      [sink, PORTS[1], SINK_IP],
    ];
    // TAPs are made by the switch, or below.
    const taps = TAPS[this.topology] + GUESTS[this.topology];
    ends.splice(0, taps);
    for (const [namespace, port, address] of ends) {
      const peer = ['peer', 'name', 'eth0', 'netns', namespace];
      await command(['ip', '-n', switchNamespace, 'link', 'add', port, 'type', 'veth', ...peer]);
      await command(['ip', '-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0']);
      await command(['ip', '-n', namespace, 'link', 'set', 'eth0', 'address', MACS[port]]);
      await command(['ip', '-n', namespace, 'link', 'set', 'eth0', 'up']);
      await command(['ip', '-n', switchNamespace, 'link', 'set', port, 'up']);
    }
    if (this.topology === 'bond') await this.addWires();
    if (GUESTS[this.topology] > 0) await this.addGuests();
    if (hasHosts(this.topology)) await this.cutBursts(this.sourceDevice);
    if (TAPS[this.topology] === 2) return;
    const counts = await this.countAtSink();
    if (taps === 2 && !counts) {
      const message =
        'what a virtual machine gets is counted by an eBPF program, which cannot be here';
      throw new TapswitchError('E_BENCH_MACHINE', message, 'it needs Linux 6.6 and CAP_BPF');
    }
    if (taps === 2 || !counts) return;
    // Where the sink's stack sees nothing of the load, it gets the address that the load goes to.
    await command(['ip', '-n', this.sink, 'link', 'set', this.sinkDevice, 'address', SINK_MAC]);
  }

  private async addGuests(): Promise<void> {
    const names = PORTS.slice(0, GUESTS[this.topology]);
    const options: GuestOptions = { namespacePath: `/run/netns/${this.switchNamespace}`, names };
    const url = new URL('./guest-worker.js', import.meta.url);
    const [fds] = await once(new Worker(url, { workerData: options }), 'message');
    this.guestFds = fds;
    for (const name of names) {
      await command(['ip', '-n', this.switchNamespace, 'link', 'set', name, 'up']);
    }
  }

  /** Has a program count the load at the sink, and end it there; false: it cannot be. */
  private async countAtSink(): Promise<boolean> {
    const native = loadNative();
    try {
      this.counterFd = native.bpfMapCreate(COUNTER_BYTES);
    } catch {
      return false;
    }
    const device = ['link', 'show', 'dev', this.sinkDevice];
    const [{ ifindex }] = JSON.parse(await command(['ip', '-n', this.sink, '-j', ...device]));
    const options: SinkOptions = {
      namespacePath: `/run/netns/${this.sink}`,
      ifindex,
      mapFd: this.counterFd,
      egress: GUESTS[this.topology] === 2,
    };
    const url = new URL('./sink-worker.js', import.meta.url);
    this.sinkWorker = new Worker(url, { workerData: options });
    const [answer] = await once(this.sinkWorker, 'message');
    if (answer !== 'ready') return false;
    this.counter = new DataView(native.bpfMapMemory(this.counterFd, COUNTER_BYTES));
    return true;
  }

  private async addWires(): Promise<void> {
    for (const [one, other] of WIRES) {
      const ip = (...args: string[]) => command(['ip', '-n', this.switchNamespace, ...args]);
      await ip('link', 'add', one, 'type', 'veth', 'peer', 'name', other);
      for (const end of [one, other]) await ip('link', 'set', end, 'up');
    }
  }

  /** Once the switch runs: what had to wait for it. */
  async started(): Promise<void> {
    const taps = PORTS.slice(0, TAPS[this.topology]);
    if (taps.length === 0) return;
    for (const tap of taps) await command(['ip', '-n', this.source, 'link', 'set', tap, 'up']);
    if (TAPS[this.topology] === 2) await this.countAtSink();
    this.sourceDevice = await this.above(this.sourceDevice, 'above0');
  }

  /** A bridge above one of the source's interfaces: bursts that are sent on it reach that cut. */
  private async above(device: string, name: string): Promise<string> {
    const ip = (...args: string[]) => command(['ip', '-n', this.source, 'link', ...args]);
    await ip('add', name, 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0');
    await ip('set', device, 'master', name);
    await ip('set', name, 'up');
    await this.cutBursts(name);
    return name;
  }

  /** The generator's bursts become frames before they reach the interface. */
  private async cutBursts(device: string): Promise<void> {
    await inNamespace(this.source, ['ethtool', '-K', device, 'tx-udp-segmentation', 'off']);
  }

  /** An interface like the generator's own, from which frames get nowhere. */
  async deadEnd(): Promise<string> {
    if (this.deadEndDevice !== null) return this.deadEndDevice;
    const ip = (...args: string[]) => command(['ip', '-n', this.source, 'link', ...args]);
    // Its other end's stack sees that they are for somebody else.
    await ip('add', 'dead0', 'type', 'veth', 'peer', 'name', 'dead1');
    for (const end of ['dead0', 'dead1']) await ip('set', end, 'up');
    const isTap = TAPS[this.topology] > 0;
    this.deadEndDevice = isTap ? await this.above('dead0', 'above1') : 'dead0';
    await this.cutBursts(this.deadEndDevice);
    return this.deadEndDevice;
  }

  /** Frames that have arrived at the sink's interface so far. */
  async sinkPackets(): Promise<number> {
    if (this.counter !== null) return Number(this.counter.getBigUint64(0, true));
    const { sink, sinkDevice } = this;
    const text = await command(['ip', '-n', sink, '-s', '-j', 'link', 'show', 'dev', sinkDevice]);
    return JSON.parse(text)[0].stats64.rx.packets;
  }

  async remove(): Promise<void> {
    await this.sinkWorker?.terminate();
    this.sinkWorker = null;
    if (this.counterFd >= 0) loadNative().close(this.counterFd);
    this.counterFd = -1;
    for (const fd of this.guestFds) loadNative().close(fd);
    this.guestFds = [];
    for (const name of new Set([this.source, this.sink, this.switchNamespace])) {
      await command(['ip', 'netns', 'del', name]).catch(() => undefined);
    }
  }
}

/** Runs a command in a namespace; returns what it printed. */
export function inNamespace(name: string, argv: string[], timeoutMs?: number): Promise<string> {
  return command(['ip', 'netns', 'exec', name, ...argv], { timeoutMs });
}
