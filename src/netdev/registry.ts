/**
 * The registry of device types, and of the devices that are open: one of a name at a time.
 *
 *     registry.open('eth1', '')  ──>  factory of 'system'  ──>  SystemNetdev
 *
 * Dummy modes are those of ovs-vswitchd's --enable-dummy: dummies beside the other types, in place
 * of system, or in place of every type but patch.
 */
import type { Clock } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import type { NativeBinding } from '../native/binding.js';
import { AfxdpNetdev } from './afxdp-netdev.js';
import { openError } from './device-error.js';
import { DummyNetdev } from './dummy-netdev.js';
import { DummyWires, type WireState } from './dummy-wires.js';
import type { LinuxContext } from './linux-netdev.js';
import type { Netdev } from './netdev.js';
import { PatchNetdev } from './patch-netdev.js';
import { QueueBudget } from './queue-budget.js';
import { randomMac } from './random-mac.js';
import { LinkMonitor } from './rtnetlink.js';
import { DEFAULT_QUEUE_SIZES, type PacketQueueSizes, SystemNetdev } from './system-netdev.js';
import { TapNetdev } from './tap-netdev.js';

export type NetdevOptions = Readonly<Record<string, string>>;

/** Makes a device of one type. @throws TapswitchError */
export type NetdevFactory = (name: string, type: string, options: NetdevOptions) => Netdev;

export interface NetdevRegistryOptions {
  clock: Clock;
  /** Called at the first need: dummy and patch devices do without the addon. */
  native: () => NativeBinding;
  /** 'off' without dummies, else as --enable-dummy. */
  dummy?: 'off' | 'none' | 'system' | 'all';
  /** --disable-system: the machine's interfaces are out of bounds. */
  disableSystem?: boolean;
  /** Called when run() has something to do: the main loop's wake(). */
  wake?: () => void;
  /** Sizes of packet sockets. */
  queueSizes?: PacketQueueSizes;
}

const log = getLogger('netdev');

export class NetdevRegistry {
  private readonly factories = new Map<string, NetdevFactory>();
  private readonly opened = new Map<string, Netdev>();
  private context: LinuxContext | null = null;
  private readonly wires: DummyWires;
  private dummies = 0;
  private expecting = false;

  constructor(private readonly options: NetdevRegistryOptions) {
    this.wires = new DummyWires(options.wake);
    const dummy: NetdevFactory = (name, type, settings) => this.openDummy(name, type, settings);
    const mode = options.dummy ?? 'off';
    if (!options.disableSystem) {
      this.register('system', (name, type) => this.openSystem(name, type));
      const afxdp: NetdevFactory = (name, type, settings) =>
        new AfxdpNetdev(name, type, this.linux(), settings);
      this.register('afxdp', afxdp);
    }
    const tap: NetdevFactory = (name, type) => TapNetdev.open(name, type, this.linux());
    this.register('internal', tap);
    this.register('tap', tap);
    this.register('patch', (name, _type, settings) => new PatchNetdev(name, randomMac(), settings));
    if (mode === 'off') return;
    // Also where the machine's own interfaces are out of bounds: dummies are none of them.
    if (mode === 'all' || mode === 'system') this.register('system', dummy);
    if (mode === 'all') {
      for (const type of this.types()) if (type !== 'patch') this.register(type, dummy);
    }
    for (const type of ['dummy', 'dummy-internal', 'dummy-pmd']) this.register(type, dummy);
  }

  /** Adds a type, or replaces it. */
  register(type: string, factory: NetdevFactory): void {
    this.factories.set(type, factory);
  }

  /** Type names, sorted. */
  types(): string[] {
    return [...this.factories.keys()].sort();
  }

  /**
   * Opens a device; it is the caller's to close.
   *
   * @param type '' reads 'system'
   * @throws TapswitchError `could not open network device NAME (No such device)` and the like
   */
  open(name: string, type: string, options: NetdevOptions = {}): Netdev {
    if (name === '') throw openError(name, 'EINVAL');
    const actual = type === '' ? 'system' : type;
    const factory = this.factories.get(actual);
    if (!factory) {
      const types = this.types().join(', ');
      log.warn(`could not create netdev ${name} of unknown type ${type} (types: ${types})`);
      throw openError(name, 'EAFNOSUPPORT');
    }
    if (this.opened.has(name)) throw openError(name, 'EEXIST');
    const netdev = factory(name, actual, options);
    this.opened.set(name, netdev);
    netdev.onEvent((event) => {
      if (event === 'closed' && this.opened.get(name) === netdev) this.opened.delete(name);
    });
    return netdev;
  }

  /** So many of the machine's interfaces will be opened next; 0: that is over. */
  expect(count: number): void {
    const sizes = this.options.queueSizes ?? DEFAULT_QUEUE_SIZES;
    const { disableSystem, dummy } = this.options;
    if (disableSystem || dummy === 'all' || dummy === 'system') return;
    if (count === 0 && !this.expecting) return;
    this.expecting = count > 0;
    const { native, budget } = this.linux();
    // An addon that was built before this was does without.
    native.packetExpect?.({ ...sizes, slots: budget.ringSlots(sizes.slots) }, count);
  }

  /** The open device of that name, or null. */
  get(name: string): Netdev | null {
    return this.opened.get(name) ?? null;
  }

  /** All open devices, in the order they were opened. */
  devices(): Netdev[] {
    return [...this.opened.values()];
  }

  /** The machine's links; made at the first need. @throws TapswitchError E_ADDON_MISSING */
  links(): LinkMonitor {
    return this.linux().links;
  }

  /** netdev-dummy/conn-state of one device; 'unknown' for what is no dummy. */
  dummyConnState(name: string): WireState {
    const netdev = this.get(name);
    return netdev instanceof DummyNetdev ? this.wires.state(netdev) : 'unknown';
  }

  /** Gives dummies that are wired to others what those sent. */
  run(_now: number): void {
    this.wires.run();
  }

  nextWake(): number {
    return this.wires.nextWake();
  }

  /** Closes what is still open, queues too, and the link monitor. No worker may be left. */
  close(): void {
    for (const netdev of this.devices()) netdev.close();
    for (const netdev of [...(this.context?.lingering ?? [])]) netdev.closeQueues();
    this.context?.links.close();
    this.context = null;
  }

  private linux(): LinuxContext {
    if (!this.context) {
      const native = this.options.native();
      this.context = {
        native,
        links: new LinkMonitor(native),
        budget: new QueueBudget(native),
        lingering: new Set(),
      };
    }
    return this.context;
  }

  private openSystem(name: string, type: string): Netdev {
    return new SystemNetdev(name, type, this.linux(), this.options.queueSizes);
  }

  private openDummy(name: string, type: string, options: NetdevOptions): Netdev {
    const number = this.dummies++;
    return new DummyNetdev(name, type, number, this.options.clock, this.wires, options);
  }
}
