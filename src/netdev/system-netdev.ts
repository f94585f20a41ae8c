/**
 * Type 'system': an Ethernet interface that exists already (veth, physical), read and written
 * through packet sockets with a ring each.
 *
 * Memory of a port, whatever the frame size: slots * slotBytes of ring in the kernel, mapped
 * into one worker's arena (2 MiB); a share of the budget for queued frames that are larger than a
 * slot (queue-budget.ts: 8 MiB, with many ports less); and 2 * sndBufBytes of frames on their way
 * out (1 MiB). 200 ports: 1 GiB at most.
 *
 * Opening does not set the interface up: that is its owner's affair.
 */
import { close as closeDescriptor } from 'node:fs';
import { getLogger } from '../common/log.js';
import { deviceError, errnoName, openError } from './device-error.js';
import { KernelClasses } from './kernel-classes.js';
import { type LinuxContext, LinuxNetdev } from './linux-netdev.js';
import type {
  ClassSockets,
  DatapathQueue,
  KernelCounters,
  KernelPrograms,
  NetdevStatistics,
  QueuedNetdev,
  TransmitQueues,
} from './netdev.js';
import type { Shaping } from './queue-settings.js';
import { ReceiveSteering } from './receive-steering.js';
import { ARPHRD_ETHER, IFF_LOOPBACK } from './rtnetlink-codec.js';

/** Sizes of a packet socket; the defaults were measured on veth. */
export interface PacketQueueSizes {
  slots: number;
  /** Bytes of a slot: header, reserve and frame. Larger frames are queued beside the ring. */
  slotBytes: number;
  /** Headroom of each frame, in bytes. */
  reserve: number;
  /** Doubled by the kernel. */
  sndBufBytes: number;
}

export const DEFAULT_QUEUE_SIZES: PacketQueueSizes = {
  slots: 1024,
  slotBytes: 2048,
  reserve: 64,
  sndBufBytes: 1 << 19,
};

/** Transmit queues of a device that are used. */
const TX_QUEUES_MAX = 64;
/** PACKET_FANOUT group numbers have 16 bits. */
const FANOUT_ID_MASK = 0xffff;
/** Groups that a device takes in turn, so that one may still be closing. */
const GENERATIONS = 8;

const log = getLogger('netdev_linux');

export class SystemNetdev extends LinuxNetdev implements QueuedNetdev {
  readonly dpifType: string;
  private queues: DatapathQueue[] = [];
  private generation = 0;
  /** Sockets that only send, by worker and queue, and what tells the kernel their queue. */
  private transmit: number[][] = [];
  private queueLink: number | null = null;
  /** How many the device had when they were opened; 0 before. */
  private transmitQueues = 0;
  /** What shutting the host out returned; null: it is not shut out. */
  private dropFd: number | null = null;
  /** That link carries the kernel cache's program. */
  private programmed = false;
  /** Frames that the programs pass beside the interface: so far, and until they came. */
  private counted: (() => KernelCounters) | null = null;
  private passedBefore = { packets: 0, bytes: 0 };
  private steering: ReceiveSteering | null = null;
  /** Frames that found no room in the rings: the kernel's counter starts anew when read. */
  private ringDrops = 0;
  private readonly classes: KernelClasses;

  /** @throws TapswitchError E_NO_DEVICE, or E_DEVICE when it is not an Ethernet interface */
  constructor(
    name: string,
    type: string,
    context: LinuxContext,
    private readonly sizes: PacketQueueSizes = DEFAULT_QUEUE_SIZES,
  ) {
    super(name, type, context);
    this.dpifType = type;
    const { native, links } = context;
    const { ifindex } = this.link;
    // What waits beyond half of a port's waits in the worker, where it is counted and bounded.
    const sndBufBytes = sizes.sndBufBytes / 2;
    this.classes = new KernelClasses({ native, links, ifname: name, ifindex, sndBufBytes });
    if (this.link.hwType !== ARPHRD_ETHER || this.link.flags & IFF_LOOPBACK) {
      this.close();
      throw openError(name, 'EINVAL');
    }
  }

  openQueues(n: number): DatapathQueue[] {
    if (this.queues.length === n) return [...this.queues];
    this.closeQueues(true);
    // Sockets of an earlier group may still be closing: they must not get the new ones' share.
    this.generation = (this.generation + 1) % GENERATIONS;
    try {
      // First the stack is shut out, so that it answers nothing while the sockets open.
      if (this.dropFd === null) this.shutOutHost();
      for (let i = 0; i < n; i++) this.queues.push(this.openQueue(n > 1));
      // Each socket that joined changed who gets which flow: they begin when all are there.
      if (n > 1) for (const { fd } of this.queues) this.context.native.socketFilter(fd, -1);
    } catch (error) {
      this.closeQueues();
      throw openError(this.name, errnoName(error), error);
    }
    return [...this.queues];
  }

  openTransmit(workers: number): TransmitQueues | null {
    this.closeTransmit();
    const { native } = this.context;
    const n = this.deviceQueues();
    this.transmitQueues = n;
    if (n <= 1) return null;
    try {
      this.queueLink = native.egressQueueAttach(this.link.ifindex);
    } catch (error) {
      const text = deviceError(this.name, errnoName(error), error).message;
      log.warn(`${text}: the kernel chooses among its ${n} transmit queues`);
      return null;
    }
    const { sndBufBytes } = this.sizes;
    try {
      for (let worker = 0; worker < workers; worker++) {
        const fds: number[] = [];
        this.transmit.push(fds);
        for (let queue = 0; queue < Math.min(n, TX_QUEUES_MAX); queue++) {
          fds.push(native.packetTxOpen({ ifname: this.name, queue, priority: 0, sndBufBytes }));
        }
      }
    } catch (error) {
      this.closeTransmit();
      throw openError(this.name, errnoName(error), error);
    }
    return { fds: this.transmit.map((fds) => [...fds]) };
  }

  openClasses(shaping: Shaping | null, workers: number): ClassSockets | null {
    return this.classes.open(shaping, workers);
  }

  closeStaleClasses(): void {
    this.classes.closeStale();
  }

  protected override get shapedByKernel(): boolean {
    return this.classes.active;
  }

  transmitChanged(): boolean {
    return this.present() && this.transmitQueues > 0 && this.deviceQueues() !== this.transmitQueues;
  }

  closeQueues(stays = false): void {
    this.context.lingering.delete(this);
    this.closeTransmit();
    this.classes.closeSockets();
    for (const queue of this.queues) {
      // It must not count frames any more while it is closing.
      if (this.programmed) this.context.native.socketFilter(queue.fd, -1);
      this.context.budget.leave(queue.fd);
      // The kernel takes its time, 20 ms and more: not the main thread's.
      closeDescriptor(queue.fd, closed);
    }
    this.queues = [];
    this.programmed = false;
    this.countBy(null);
    if (!stays) this.letHostIn();
  }

  hostAddress(): Uint8Array | null {
    return this.present() ? this.context.links.peerAddress(this.link) : null;
  }

  setKernelPrograms(programs: KernelPrograms | null, counted?: () => KernelCounters): void {
    const { native } = this.context;
    if (programs === null) {
      if (!this.programmed) return;
      this.programmed = false;
      this.countBy(null);
      for (const queue of this.queues) native.socketFilter(queue.fd, -1);
      // The drop program comes first, so that the host never sees a frame in between.
      const old = this.dropFd;
      this.shutOutHost();
      if (old !== null) native.close(old);
      return;
    }
    if (this.dropFd === null || this.dropFd < 0) {
      throw new Error('this kernel has no tcx links, or does not let us make them');
    }
    const filters = this.queues.map((_, queue) => programs.filter(queue));
    // First what counts the frames that a filter lets pass.
    native.bpfLinkUpdate(this.dropFd, programs.ingress);
    this.programmed = true;
    this.countBy(counted ?? null);
    this.queues.forEach(({ fd }, queue) => {
      native.socketFilter(fd, filters[queue]);
    });
  }

  steerReceive(cpus: readonly number[] | null): void {
    if (cpus === null && this.steering === null) return;
    this.steering ??= new ReceiveSteering(this.name, this.link.ifindex);
    this.steering.set(cpus);
  }

  override statistics(): NetdevStatistics {
    for (const queue of this.queues) {
      this.ringDrops += this.context.native.packetStatistics(queue.fd).drops;
    }
    const statistics = super.statistics();
    if (statistics.rx_dropped !== undefined) statistics.rx_dropped += this.ringDrops;
    const { packets, bytes } = this.passed();
    if (statistics.tx_packets !== undefined) statistics.tx_packets += packets;
    if (statistics.tx_bytes !== undefined) statistics.tx_bytes += bytes;
    return statistics;
  }

  protected override release(): void {
    // At once, not with the sockets: a device opened again under this name shuts the host out anew.
    this.letHostIn();
    this.classes.remove();
    if (this.queues.length > 0) this.context.lingering.add(this);
  }

  private countBy(counted: (() => KernelCounters) | null): void {
    this.passedBefore = this.passed();
    this.counted = counted;
  }

  /** What this interface did not see of what was sent to it. */
  private passed(): { packets: number; bytes: number } {
    const { packets, bytes } = this.passedBefore;
    const { passedPackets = 0, passedBytes = 0 } = this.counted?.() ?? {};
    return { packets: packets + passedPackets, bytes: bytes + passedBytes };
  }

  private deviceQueues(): number {
    try {
      return this.context.native.deviceQueues(this.name).tx ?? 1;
    } catch {
      // Out of descriptors, say: as before.
      return Math.max(1, this.transmitQueues);
    }
  }

  private closeTransmit(): void {
    for (const fds of this.transmit) for (const fd of fds) this.context.native.close(fd);
    this.transmit = [];
    if (this.queueLink !== null) this.context.native.close(this.queueLink);
    this.queueLink = null;
  }

  private shutOutHost(): void {
    this.dropFd = this.context.native.ingressDropAttach(this.link.ifindex);
  }

  private letHostIn(): void {
    if (this.dropFd === null) return;
    const fd = this.dropFd;
    this.dropFd = null;
    try {
      this.context.native.ingressDropDetach(fd, this.link.ifindex);
    } catch (error) {
      const text = deviceError(this.name, errnoName(error), error).message;
      log.warn(`${text}: the host's stack may not see this interface again`);
    }
  }

  private get fanoutId(): number {
    return (this.link.ifindex * GENERATIONS + this.generation) & FANOUT_ID_MASK;
  }

  private openQueue(fanout: boolean): DatapathQueue {
    const { slotBytes, reserve, sndBufBytes } = this.sizes;
    const slots = this.context.budget.ringSlots(this.sizes.slots);
    const socket = this.context.native.packetOpen({
      ifname: this.name,
      slots,
      slotBytes,
      reserve,
      rcvBufBytes: this.context.budget.socketBytes / 2,
      sndBufBytes,
      fanoutId: fanout ? this.fanoutId : undefined,
      // The short way drops a segment that the device does not cut itself, also when it loses that
      // offload later, and goes around the user's own queueing disciplines.
      qdiscBypass: false,
    });
    const { fd, ifindex, ringBytes } = socket;
    this.context.budget.join(fd);
    return { kind: 'packet', fd, ifindex, ringBytes, slots, slotBytes, reserve };
  }
}

/** Closing fails for descriptors that are none any more: what was wanted. */
function closed(): void {}
