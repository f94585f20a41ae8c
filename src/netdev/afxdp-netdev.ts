/**
 * Type 'afxdp': an Ethernet interface that exists already, read and written through AF_XDP sockets,
 * one for each of its receive queues.
 *
 *     device ─> XDP program (map: queue -> socket) ─> memory of the socket = part of the arena
 *                     └─ a queue without a socket: dropped
 *
 *     option             values                                                   default
 *     xdp-mode           best-effort, native-with-zerocopy, native, generic       best-effort
 *     use-need-wakeup    true: the kernel says when it wants to be called         true
 *     n_rxq              receive queues, as for other devices: those of the device, best
 *
 * best-effort takes the first of the others, in that order, that the driver has.
 *
 * A port has 6 MiB of memory for each queue, which the kernel keeps in place. AF_XDP binds only to
 * interfaces that are up: one that is down is set up.
 *
 * What it does not carry: segments that a host leaves to its device (the kernel cuts them before),
 * tags that a sender leaves to its device (ethtool -K DEV txvlan off there), frames that do not fit
 * in 1,792 bytes.
 */
import { getLogger } from '../common/log.js';
import type { XskSocket } from '../native/xdp-binding.js';
import { deviceError, errnoName, openError } from './device-error.js';
import { type LinuxContext, LinuxNetdev } from './linux-netdev.js';
import type { DatapathQueue, NetdevStatistics, QueuedNetdev, TransmitQueues } from './netdev.js';
import { ARPHRD_ETHER, IFF_LOOPBACK } from './rtnetlink-codec.js';

const RX_FRAMES = 2048;
const TX_FRAMES = 1024;
const FRAME_BYTES = 2048;
/** XDP_PACKET_HEADROOM. */
const HEADROOM = 256;
/** As many queues as Open vSwitch allows. */
const QUEUES_MAX = 16;

const MODES = ['native-with-zerocopy', 'native', 'generic'] as const;
type Mode = (typeof MODES)[number];

const log = getLogger('netdev_afxdp');

/** What is open: the program's link and map, and a socket for each queue. */
interface Opened {
  mode: Mode;
  link: number;
  map: number;
  sockets: XskSocket[];
}

export class AfxdpNetdev extends LinuxNetdev implements QueuedNetdev {
  readonly dpifType: string;
  private readonly modes: readonly Mode[];
  private readonly wantedMode: string;
  private readonly needWakeup: boolean;
  private opened: Opened | null = null;

  /** @throws TapswitchError E_NO_DEVICE, or E_DEVICE for an option that does not exist */
  constructor(
    name: string,
    type: string,
    context: LinuxContext,
    options: Readonly<Record<string, string>>,
  ) {
    super(name, type, context);
    this.dpifType = type;
    this.wantedMode = (options['xdp-mode'] ?? 'best-effort').toLowerCase();
    this.modes = modesOf(this.wantedMode);
    this.needWakeup = options['use-need-wakeup']?.toLowerCase() !== 'false';
    const queues = Number(options.n_rxq ?? 1);
    try {
      if (this.modes.length === 0) {
        log.err(`${name}: Incorrect xdp-mode (${options['xdp-mode']}).`);
        throw configureError(name);
      }
      if (queues > QUEUES_MAX) {
        log.err(`${name}: Too big 'n_rxq' (${queues} > ${QUEUES_MAX}).`);
        throw configureError(name);
      }
      if (this.link.hwType !== ARPHRD_ETHER || this.link.flags & IFF_LOOPBACK) {
        throw openError(name, 'EINVAL');
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  openQueues(n: number): DatapathQueue[] {
    if (this.opened?.sockets.length !== n) {
      this.closeQueues();
      if (!this.adminUp()) this.setAdminUp(true);
      this.opened = this.openBest(n);
      log.info(`${this.name}: ${this.opened.mode} XDP mode will be in use.`);
    }
    const { ifindex } = this.link;
    return this.opened.sockets.map(({ fd, memoryFd, bytes }) => ({
      ...{ kind: 'xdp' as const, fd, memoryFd, ifindex, ringBytes: bytes },
      ...{ slots: RX_FRAMES, slotBytes: FRAME_BYTES, reserve: HEADROOM },
    }));
  }

  /** What is received by is sent by. */
  openTransmit(): TransmitQueues | null {
    return null;
  }

  closeQueues(): void {
    this.context.lingering.delete(this);
    const { opened } = this;
    this.opened = null;
    if (opened) this.free(opened);
  }

  /** Frames do not come by where those programs stand. */
  setKernelPrograms(programs: unknown): void {
    if (programs !== null) throw new Error('frames of AF_XDP ports are forwarded by workers');
  }

  /** Of Interface.options, as they are in force. */
  config(): Record<string, string> {
    return {
      n_rxq: String(this.opened?.sockets.length ?? 0),
      'xdp-mode': this.wantedMode,
      'xdp-mode-in-use': this.opened?.mode ?? 'best-effort',
      'use-need-wakeup': String(this.needWakeup),
    };
  }

  override statistics(): NetdevStatistics {
    const statistics = super.statistics();
    this.opened?.sockets.forEach(({ fd }, queue) => {
      const { rxDropped, rxInvalidDescs, txInvalidDescs } = this.context.native.xskStatistics(fd);
      const prefix = `xsk_queue_${queue}`;
      statistics[`${prefix}_rx_dropped`] = rxDropped;
      statistics[`${prefix}_rx_invalid_descs`] = rxInvalidDescs;
      statistics[`${prefix}_tx_invalid_descs`] = txInvalidDescs;
    });
    return statistics;
  }

  protected override release(): void {
    if (this.opened) this.context.lingering.add(this);
  }

  /** @throws TapswitchError when none of the modes works */
  private openBest(n: number): Opened {
    let last: unknown;
    for (const mode of this.modes) {
      try {
        return this.open(mode, n);
      } catch (error) {
        log.dbg(`${this.name}: no ${mode} mode: ${errnoName(error)}`);
        last = error;
      }
    }
    log.err(`${this.name}: Failed to detect suitable XDP mode.`);
    throw openError(this.name, errnoName(last), last);
  }

  private open(mode: Mode, n: number): Opened {
    const { native } = this.context;
    const { ifindex } = this.link;
    const opened: Opened = {
      mode,
      ...native.xdpAttach(ifindex, n, mode === 'generic'),
      sockets: [],
    };
    try {
      for (let queue = 0; queue < n; queue++) {
        const socket = native.xskOpen({
          ifindex,
          queue,
          map: opened.map,
          rxFrames: RX_FRAMES,
          txFrames: TX_FRAMES,
          zeroCopy: mode === 'native-with-zerocopy',
          needWakeup: this.needWakeup,
        });
        opened.sockets.push(socket);
      }
      return opened;
    } catch (error) {
      this.free(opened);
      throw error;
    }
  }

  private free({ link, map, sockets }: Opened): void {
    const { native } = this.context;
    native.close(link);
    for (const { fd } of sockets) native.xskClose(fd);
    native.close(map);
  }
}

/** In the order in which they are tried; none for a word that means nothing. */
function modesOf(wanted: string): readonly Mode[] {
  return wanted === 'best-effort' ? MODES : MODES.filter((mode) => mode === wanted);
}

function configureError(name: string) {
  return deviceError(`could not configure network device ${name}`, 'EINVAL');
}
