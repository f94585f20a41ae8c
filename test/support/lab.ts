/**
 * A small network for one test file: the switch in a namespace of its own, hosts in theirs, and
 * veth pairs between them. Names inside are free to choose (vetha, br1...), because nothing is
 * shared with the machine or with another test. `close()` removes all of it, also after a failure.
 *
 *     host namespace                    switch namespace                  host namespace
 *     [device] ------- veth ------- [port]   daemon   [port] ------- veth ------- [device]
 */
import { Cleanup } from './cleanup.js';
import { FrameSocket } from './frames.js';
import { Namespace, sweepLeftovers } from './netns.js';
import { Switch } from './switch.js';

export interface HostOptions {
  /** Name of the veth end in the switch's namespace. */
  port: string;
  /** Name of the veth end in the host's namespace (default eth0). */
  device?: string;
  /** Addresses with prefix length. */
  addresses?: string[];
  mtu?: number;
}

/** A host: a namespace with one interface that leads to the switch. */
export class Host {
  constructor(
    readonly namespace: Namespace,
    readonly device: string,
    readonly port: string,
    readonly mac: string,
  ) {}

  ping(address: string, count?: number, intervalS?: number, ...extra: string[]): Promise<number> {
    return this.namespace.ping(address, count, intervalS, ...extra);
  }
}

export class Lab {
  private readonly cleanup = new Cleanup();

  private constructor(
    readonly namespace: Namespace,
    readonly sw: Switch,
    private readonly ipv6: boolean,
  ) {}

  /** Makes the switch's namespace; the switch is not running yet. */
  static async open(options: { ipv6?: boolean } = {}): Promise<Lab> {
    await sweepLeftovers();
    const namespace = await Namespace.make('switch', options);
    const sw = await Switch.create(namespace);
    const lab = new Lab(namespace, sw, options.ipv6 ?? false);
    lab.cleanup.add('switch namespace', () => namespace.remove());
    lab.cleanup.add('switch', () => sw.remove());
    return lab;
  }

  /**
   * Open, with the daemon running.
   * @param options.workers for tests of forwarding workers: the kernel is kept from forwarding
   */
  static async start(options: { ipv6?: boolean; workers?: boolean } = {}): Promise<Lab> {
    const lab = await Lab.open(options);
    try {
      await lab.sw.start();
      if (options.workers) await lab.sw.forwardByWorkers();
    } catch (error) {
      await lab.close();
      throw error;
    }
    return lab;
  }

  /** Registers something else to undo when the lab closes. */
  onClose(what: string, undo: () => Promise<unknown> | unknown): void {
    this.cleanup.add(what, undo);
  }

  /** Adds a namespace with a veth pair to the switch's namespace, both ends up. */
  async addHost(label: string, options: HostOptions): Promise<Host> {
    const { port, device = 'eth0', addresses = [], mtu } = options;
    const namespace = await Namespace.make(label, { ipv6: this.ipv6 });
    this.cleanup.add(`host ${label}`, () => namespace.remove());
    const peer = ['peer', 'name', device, 'netns', namespace.name];
    await this.namespace.ip('link', 'add', port, 'type', 'veth', ...peer);
    if (mtu !== undefined) {
      await this.namespace.ip('link', 'set', port, 'mtu', `${mtu}`);
      await namespace.ip('link', 'set', device, 'mtu', `${mtu}`);
    }
    for (const address of addresses) {
      const flags = address.includes(':') ? ['nodad'] : [];
      await namespace.ip('addr', 'add', address, 'dev', device, ...flags);
    }
    await namespace.ip('link', 'set', device, 'up');
    await this.namespace.ip('link', 'set', port, 'up');
    return new Host(namespace, device, port, await namespace.macOf(device));
  }

  /** A veth pair with both ends in the switch's namespace: a wire between two of its ports. */
  async addWire(one: string, other: string): Promise<void> {
    await this.namespace.ip('link', 'add', one, 'type', 'veth', 'peer', 'name', other);
    await this.namespace.ip('link', 'set', one, 'up');
    await this.namespace.ip('link', 'set', other, 'up');
  }

  /** Opens a raw socket on a host's interface, closed with the lab. */
  async frames(host: Host): Promise<FrameSocket> {
    const socket = await FrameSocket.open(host.namespace, host.device);
    this.cleanup.add(`frame socket on ${host.device}`, () => socket.close());
    return socket;
  }

  close(): Promise<void> {
    return this.cleanup.run();
  }
}
