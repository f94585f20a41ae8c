/**
 * Types 'internal' and 'tap': a TAP device of our own, which the host sees as an interface of that
 * name. It lives as long as its descriptors: nothing is left behind, however the process ends.
 *
 * Opened down, with one queue; the bridge sets an internal port up and gives it its address.
 */
import { readSync } from 'node:fs';
import { TapswitchError } from '../common/errors.js';
import { errnoName, openError } from './device-error.js';
import { type LinuxContext, LinuxNetdev } from './linux-netdev.js';
import type {
  DatapathQueue,
  KernelCounters,
  KernelPrograms,
  NetdevStatistics,
  QueuedNetdev,
  TransmitQueues,
} from './netdev.js';

/** The longest frame with its virtio header, and more frames than a queue of the kernel holds. */
const FRAME_BYTES_MAX = 66_000;
const QUEUE_FRAMES_MAX = 2000;

/** TUNSETIFF on a name that another program's device has. */
const BUSY_ERRNOS = new Set(['EBUSY', 'EINVAL']);

export class TapNetdev extends LinuxNetdev implements QueuedNetdev {
  readonly dpifType = 'tap';
  private queues: DatapathQueue[];
  private held = false;
  /** What the kernel cache's programs forwarded: those of before, and those that are there. */
  private countedBefore: KernelCounters = { rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0 };
  private counted: (() => KernelCounters) | null = null;
  /** The kernel cache's program at its egress. */
  private programLink: number | null = null;

  private constructor(name: string, type: string, context: LinuxContext, fds: number[]) {
    super(name, type, context);
    this.queues = fds.map((fd) => this.queueOf(fd));
  }

  /** Makes the device. @throws TapswitchError E_NO_CAPABILITY, E_DEVICE_BUSY, E_DEVICE */
  static open(name: string, type: string, context: LinuxContext): TapNetdev {
    // Our own device of that name, closed but still held by a worker, is taken over: it outlives
    // the worker's descriptor through ours.
    const lingers = [...context.lingering].some((netdev) => netdev.name === name);
    if (!lingers && context.links.refresh(name)) throw openError(name, 'EEXIST');
    const fds = openTap(name, 1, context);
    try {
      return new TapNetdev(name, type, context, fds);
    } catch (error) {
      for (const fd of fds) context.native.close(fd);
      throw error;
    }
  }

  openQueues(n: number): DatapathQueue[] {
    this.held = true;
    const before = this.queues.length;
    const missing = n - before;
    if (missing > 0) {
      const fds = openTap(this.name, missing, this.context);
      this.queues.push(...fds.map((fd) => this.queueOf(fd)));
    }
    // A queue without a reader would swallow the flows that the kernel steers to it.
    this.closeFrom(Math.max(n, 1));
    if (this.queues.length !== before) this.empty();
    return [...this.queues];
  }

  /** A TAP's queues are sent by as they are received from. */
  openTransmit(): TransmitQueues | null {
    return null;
  }

  /** The first queue stays until close(): the device hangs on it. */
  closeQueues(): void {
    this.held = false;
    this.setKernelPrograms(null);
    this.context.lingering.delete(this);
    this.closeFrom(this.closed ? 0 : 1);
  }

  setKernelPrograms(programs: KernelPrograms | null, counted?: () => KernelCounters): void {
    if (this.programLink !== null) this.context.native.close(this.programLink);
    this.programLink = null;
    this.countedBefore = this.countedByPrograms();
    this.counted = null;
    if (programs === null) return;
    const { native } = this.context;
    this.counted = counted ?? null;
    this.programLink = native.bpfTcxAttach(programs.tapEgress, this.link.ifindex, true);
  }

  /** What the host sends, the switch receives: the kernel's directions are swapped. */
  override statistics(): NetdevStatistics {
    const host = super.statistics();
    if (host.rx_packets === undefined) return host;
    // The device does not see what passes by its queues.
    const beside = this.countedByPrograms();
    return {
      ...host,
      rx_packets: (host.tx_packets ?? 0) + beside.rxPackets,
      tx_packets: host.rx_packets + beside.txPackets,
      rx_bytes: (host.tx_bytes ?? 0) + beside.rxBytes,
      tx_bytes: (host.rx_bytes ?? 0) + beside.txBytes,
      rx_dropped: host.tx_dropped ?? 0,
      tx_dropped: host.rx_dropped ?? 0,
      rx_errors: host.tx_errors ?? 0,
      tx_errors: host.rx_errors ?? 0,
      rx_frame_err: 0,
      rx_over_err: 0,
      rx_crc_err: 0,
      rx_missed_errors: 0,
      tx_aborted_err: 0,
      tx_carrier_err: 0,
    };
  }

  private countedByPrograms(): KernelCounters {
    const { rxPackets, rxBytes, txPackets, txBytes } = this.countedBefore;
    const now = this.counted?.();
    return {
      rxPackets: rxPackets + (now?.rxPackets ?? 0),
      rxBytes: rxBytes + (now?.rxBytes ?? 0),
      txPackets: txPackets + (now?.txPackets ?? 0),
      txBytes: txBytes + (now?.txBytes ?? 0),
    };
  }

  protected override release(): void {
    if (this.held) this.context.lingering.add(this);
    else this.closeFrom(0);
  }

  /**
   * Drops what waits in the queues: with another number of them, flows are steered to others, and
   * what comes there must not overtake what waits here.
   */
  private empty(): void {
    const buffer = new Uint8Array(FRAME_BYTES_MAX);
    for (const { fd } of this.queues) {
      try {
        for (let n = 0; n < QUEUE_FRAMES_MAX; n++) readSync(fd, buffer);
      } catch {
        // EAGAIN: it is empty. EIO: the device is down, and its queues are.
      }
    }
  }

  private closeFrom(first: number): void {
    for (const queue of this.queues.splice(first)) this.context.native.close(queue.fd);
  }

  private queueOf(fd: number): DatapathQueue {
    const ifindex = this.link.ifindex;
    return { kind: 'tap', fd, ifindex, ringBytes: 0, slots: 0, slotBytes: 0, reserve: 0 };
  }
}

function openTap(name: string, queues: number, context: LinuxContext): number[] {
  try {
    return context.native.tapOpen({ name, queues }).fds;
  } catch (error) {
    const errno = errnoName(error);
    if ((error as { syscall?: string }).syscall === 'open') throw noTun(name, errno, error);
    const taken = BUSY_ERRNOS.has(errno) && context.links.refresh(name) !== null;
    throw openError(name, taken ? 'EBUSY' : errno, error);
  }
}

/** /dev/net/tun itself is what could not be opened. */
function noTun(name: string, errno: string, cause: unknown): TapswitchError {
  const failed = openError(name, errno, cause);
  const hint = "load /dev/net/tun with 'modprobe tun', or give the container --device=/dev/net/tun";
  return new TapswitchError('E_NO_TUN', failed.message, hint, { cause });
}
