/**
 * What devices that are Linux network interfaces have in common: state from the LinkMonitor,
 * driver facts from ethtool, counters from rtnetlink.
 *
 * Not for: frames (system-netdev.ts, tap-netdev.ts).
 */
import { getLogger } from '../common/log.js';
import type { EthtoolInfo, NativeBinding } from '../native/binding.js';
import { openError } from './device-error.js';
import { portFeatures } from './ethtool-features.js';
import {
  type Netdev,
  NetdevBase,
  type NetdevFeatures,
  type NetdevStatistics,
  type QueuedNetdev,
} from './netdev.js';
import type { QueueBudget } from './queue-budget.js';
import type { PortQueueSettings } from './queue-settings.js';
import type { LinkChange, LinkMonitor } from './rtnetlink.js';
import { IFF_RUNNING, IFF_UP, type Link, type LinkStats } from './rtnetlink-codec.js';

const log = getLogger('netdev_linux');

/** What real devices are made with. */
export interface LinuxContext {
  native: NativeBinding;
  links: LinkMonitor;
  budget: QueueBudget;
  /** Devices closed while workers still held their queues. */
  lingering: Set<QueuedNetdev>;
}

/** The kernel's counters under the database's names, as the kernel sees them. */
export function linkStatistics(stats: LinkStats): NetdevStatistics {
  return {
    rx_packets: stats.rxPackets,
    tx_packets: stats.txPackets,
    rx_bytes: stats.rxBytes,
    tx_bytes: stats.txBytes,
    rx_dropped: stats.rxDropped,
    tx_dropped: stats.txDropped,
    rx_errors: stats.rxErrors,
    tx_errors: stats.txErrors,
    rx_frame_err: stats.rxFrameErrors,
    rx_over_err: stats.rxOverErrors,
    rx_crc_err: stats.rxCrcErrors,
    rx_missed_errors: stats.rxMissedErrors,
    tx_aborted_err: stats.txAbortedErrors,
    tx_carrier_err: stats.txCarrierErrors,
    collisions: stats.collisions,
    rx_multicast_packets: stats.multicast,
  };
}

/** An interface that exists now. `link` is the last known state of it, also once it is gone. */
export abstract class LinuxNetdev extends NetdevBase implements Netdev {
  abstract readonly dpifType: string;
  queueSettings?: PortQueueSettings;
  private current: Link;
  private isPresent = true;
  private resets = 0;
  private isClosed = false;
  private ethtoolCache: EthtoolInfo | null = null;
  private readonly unsubscribe: () => void;

  /** @throws TapswitchError E_NO_DEVICE when there is no interface of that name */
  constructor(
    readonly name: string,
    readonly type: string,
    protected readonly context: LinuxContext,
  ) {
    super();
    const link = context.links.refresh(name);
    if (!link) throw openError(name, 'ENODEV');
    this.current = link;
    this.unsubscribe = context.links.onChange((change) => this.onLinkChange(change));
  }

  protected get link(): Link {
    return this.current;
  }

  get closed(): boolean {
    return this.isClosed;
  }

  present(): boolean {
    return this.isPresent;
  }

  ifindex(): number {
    return this.current.ifindex;
  }

  etherAddr(): Uint8Array {
    return this.current.address.length === 6 ? this.current.address : new Uint8Array(6);
  }

  setEtherAddr(address: Uint8Array): void {
    if (Buffer.compare(address, this.etherAddr()) === 0) return;
    this.context.links.setAddress(this.name, address);
  }

  mtu(): number {
    return this.current.mtu;
  }

  setMtu(mtu: number): void {
    if (mtu !== this.current.mtu) this.context.links.setMtu(this.name, mtu);
  }

  adminUp(): boolean {
    return this.isPresent && (this.current.flags & IFF_UP) !== 0;
  }

  setAdminUp(up: boolean): void {
    if (up !== this.adminUp()) this.context.links.setUp(this.name, up);
  }

  carrier(): boolean {
    return this.adminUp() && (this.current.flags & IFF_RUNNING) !== 0;
  }

  /** What cannot be read counts as down, as in Open vSwitch. */
  miiLink(): boolean {
    if (!this.isPresent) return false;
    try {
      const up = this.context.native.miiLink(this.name);
      if (up === null) log.dbg(`${this.name}: ethtool link status failed`);
      return up === true;
    } catch {
      // Out of descriptors, say: the carrier is known without asking.
      return this.carrier();
    }
  }

  carrierResets(): number {
    return this.resets;
  }

  speedMbps(): number {
    return this.ethtool().speedMbps ?? 0;
  }

  fullDuplex(): boolean | null {
    return this.ethtool().fullDuplex ?? null;
  }

  features(): NetdevFeatures {
    return portFeatures(this.ethtool());
  }

  status(): Record<string, string> {
    const { driver, version = '', firmware = '' } = this.ethtool();
    const status: Record<string, string> = {};
    if (driver !== undefined) {
      status.driver_name = driver;
      status.driver_version = version;
      status.firmware_version = firmware;
    }
    // Not Open vSwitch's: there is one scheduler only.
    if (this.queueSettings?.shaping) {
      status.qos_scheduler = this.shapedByKernel ? 'kernel' : 'switch';
    }
    return status;
  }

  /** Whether classes of the kernel's are in force. */
  protected get shapedByKernel(): boolean {
    return false;
  }

  statistics(): NetdevStatistics {
    const stats = this.isPresent ? this.context.links.getStats64(this.name) : null;
    return stats ? linkStatistics(stats) : {};
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.unsubscribe();
    this.release();
    this.emitClosed();
  }

  /** Gives back what no worker holds. Called once. */
  protected abstract release(): void;

  /** Read again after each change of the link: settings change with it. */
  protected ethtool(): EthtoolInfo {
    if (!this.ethtoolCache) {
      try {
        this.ethtoolCache = this.context.native.ethtoolInfo(this.name);
      } catch {
        // Out of descriptors, say: unknown for now.
        return {};
      }
    }
    return this.ethtoolCache;
  }

  private onLinkChange(change: LinkChange): void {
    if (!this.isPresent || change.link.ifindex !== this.current.ifindex) return;
    if (change.kind === 'removed') {
      if (this.current.flags & IFF_RUNNING) this.resets += 1;
      this.isPresent = false;
      this.emit('gone');
      return;
    }
    if ((change.link.flags ^ this.current.flags) & IFF_RUNNING) this.resets += 1;
    this.current = change.link;
    this.ethtoolCache = null;
    this.emit('change');
  }
}
