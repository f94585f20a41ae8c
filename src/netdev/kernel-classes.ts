/**
 * QoS of an interface by the kernel's own disciplines: what `tc` would set up, made by rtnetlink.
 *
 *     1:  htb            filter: a packet's mark is its class
 *      └─ 1:fffe         max-rate of the QoS row
 *          ├─ 1:1        queue 0, and whatever names no class     pfifo_fast
 *          ├─ 1:8        queue 7                                  pfifo_fast
 *          ...           queue n is class 1:(n+1), as Open vSwitch numbers them
 *
 * A frame gets into its class by the socket that it is sent by: one for each worker, class and band
 * of pfifo_fast. Its mark names the class, its priority the band.
 *
 * linux-hfsc is the same with HFSC's classes. A kernel without one of the parts (sch_htb, sch_hfsc,
 * cls_bpf) leaves all of it to the switch's own scheduler: open() returns null.
 */
import { getLogger } from '../common/log.js';
import type { NativeBinding } from '../native/binding.js';
import { errnoName, strerror } from './device-error.js';
import type { ClassCounters, ClassSockets } from './netdev.js';
import type { Shaping, ShapingClass } from './queue-settings.js';
import type { LinkMonitor } from './rtnetlink.js';
import { NLM_F_ACK, NLM_F_DUMP } from './rtnetlink-codec.js';
import {
  decodeClassStats,
  encodeTcRequest,
  hfscClass,
  hfscInit,
  htbClass,
  htbInit,
  markFilter,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  RTM_DELQDISC,
  RTM_DELTCLASS,
  RTM_GETTCLASS,
  RTM_NEWQDISC,
  RTM_NEWTCLASS,
  RTM_NEWTFILTER,
  TC_H_ROOT,
  type TcRequest,
} from './tc-codec.js';

const log = getLogger('netdev_linux');

const QDISC = 0x10000;
const ROOT_CLASS = QDISC | 0xfffe;
/** SO_PRIORITY that pfifo_fast puts into its first, second and last band. */
const BAND_PRIORITIES = [6, 0, 2];
/** What may go at once at least, as time at the rate: timers of busy machines come late. */
const BURST_SEC = 0.05;
/** What waits in a socket at the port's rate: as long as a worker may take to fill it again. */
const SOCKET_SEC = 0.02;
const SOCKET_BYTES_MAX = 4 * 2 ** 20;
const QUANTUM_MIN = 1000;
const QUANTUM_MAX = 200_000;

/** Of what the switch itself schedules, or nobody. */
const KINDS: Readonly<Record<string, string>> = { 'linux-htb': 'htb', 'linux-hfsc': 'hfsc' };

type Native = Pick<NativeBinding, 'packetTxOpen' | 'close'>;

export interface KernelClassesOptions {
  native: Native;
  links: Pick<LinkMonitor, 'exchange'>;
  ifname: string;
  ifindex: number;
  sndBufBytes: number;
}

function classOf(queueId: number): number {
  return QDISC | (queueId + 1);
}

export class KernelClasses {
  /** 'htb' or 'hfsc' while there is a discipline of ours. */
  private kind: string | null = null;
  private queueIds: number[] = [];
  /** By worker, class and band. */
  private readonly sockets = new Map<string, number>();
  /** No longer given out, though a worker may still send by them. */
  private stale: number[] = [];
  private looked = false;
  /** Why the kernel could not, as last told. */
  private refusal = '';

  constructor(private readonly options: KernelClassesOptions) {}

  /** Whether the kernel does what `open` was asked for last. */
  get active(): boolean {
    return this.kind !== null;
  }

  /**
   * Makes the interface's classes equal to `shaping`, and opens the sockets into them.
   * @param shaping null: none are wanted
   * @returns null when the switch has to shape by itself, or nobody
   */
  open(shaping: Shaping | null, workers: number): ClassSockets | null {
    const kind = shaping?.byKernel ? KINDS[shaping.type] : undefined;
    if (!shaping || kind === undefined) {
      this.remove();
      this.refusal = '';
      return null;
    }
    try {
      this.setUp(kind, shaping);
      const fds = this.openSockets(shaping, workers);
      this.refusal = '';
      return { fds, counters: () => this.counters() };
    } catch (error) {
      this.remove();
      const why = strerror(errnoName(error)) || String(error);
      const text = `${this.options.ifname}: ${shaping.type} cannot be had from the kernel (${why})`;
      if (text !== this.refusal) log.warn(`${text}: the switch shapes by itself`);
      this.refusal = text;
      return null;
    }
  }

  /** Closes sockets that open() no longer gives: workers have let go of them. */
  closeStale(): void {
    for (const fd of this.stale) this.options.native.close(fd);
    this.stale = [];
  }

  /** Closes all sockets; the discipline stays, with its counters, until remove(). */
  closeSockets(): void {
    this.stale.push(...this.sockets.values());
    this.sockets.clear();
    this.closeStale();
  }

  /** Takes the discipline away, also one that an earlier life of the switch left behind. */
  remove(): void {
    this.stale.push(...this.sockets.values());
    this.sockets.clear();
    if (this.kind === null && (this.looked || !this.leftBehind())) return;
    this.kind = null;
    this.queueIds = [];
    this.tryAsk({ type: RTM_DELQDISC, handle: 0, parent: TC_H_ROOT });
  }

  /** What each class sent, by queue number. */
  counters(): Map<number, ClassCounters> {
    const counters = new Map<number, ClassCounters>();
    if (this.kind === null) return counters;
    const request = { type: RTM_GETTCLASS, flags: NLM_F_DUMP, handle: 0, parent: 0 };
    try {
      for (const message of this.exchange(request)) {
        const stats = decodeClassStats(message);
        const queueId = ((stats?.handle ?? 0) & 0xffff) - 1;
        if (stats && this.queueIds.includes(queueId)) counters.set(queueId, stats);
      }
    } catch (error) {
      log.dbg(`${this.options.ifname}: its classes cannot be read: ${errnoName(error)}`);
    }
    return counters;
  }

  private setUp(kind: string, shaping: Shaping): void {
    const ids = shaping.classes.map(({ queueId }) => queueId);
    if (this.kind !== kind) {
      this.remove();
      // A discipline of the user's own makes way, as in Open vSwitch.
      this.tryAsk({ type: RTM_DELQDISC, handle: 0, parent: TC_H_ROOT });
      this.makeQdisc(kind);
      this.kind = kind;
      this.queueIds = [];
    }
    const { maxRate, burst } = shaping;
    const whole = { queueId: 0, minRate: maxRate, maxRate, burst, priority: 0 };
    this.setClass(ROOT_CLASS, QDISC, whole);
    for (const each of shaping.classes) {
      const handle = classOf(each.queueId);
      this.setClass(handle, ROOT_CLASS, each);
      if (this.queueIds.includes(each.queueId)) continue;
      const flags = NLM_F_CREATE | NLM_F_REPLACE;
      // Without it, frames wait in one band.
      this.tryAsk({ type: RTM_NEWQDISC, flags, handle: 0, parent: handle, kind: 'pfifo_fast' });
    }
    for (const id of this.queueIds) {
      if (ids.includes(id)) continue;
      this.tryAsk({ type: RTM_DELTCLASS, handle: classOf(id), parent: 0 });
    }
    this.queueIds = ids;
  }

  private makeQdisc(kind: string): void {
    const minor = classOf(0) & 0xffff;
    const options = kind === 'htb' ? htbInit(minor) : hfscInit(minor);
    const made = { flags: NLM_F_CREATE | NLM_F_REPLACE, kind, options };
    this.ask({ type: RTM_NEWQDISC, handle: QDISC, parent: TC_H_ROOT, ...made });
    this.looked = true;
    // From here on there is something to take away again.
    this.kind = kind;
    const filter = { flags: NLM_F_CREATE, kind: 'bpf', ...markFilter() };
    this.ask({ type: RTM_NEWTFILTER, handle: 0, parent: QDISC, ...filter });
  }

  private setClass(handle: number, parent: number, c: ShapingClass): void {
    const { minRate: rate, maxRate: ceil, priority } = c;
    const burst = Math.max(c.burst, rate * BURST_SEC);
    const ceilBurst = Math.max(c.burst, ceil * BURST_SEC);
    const quantum = Math.min(QUANTUM_MAX, Math.max(QUANTUM_MIN, Math.floor(rate / 10)));
    const wanted = { rate, ceil, burst, ceilBurst, quantum, priority: Math.min(priority, 7) };
    const kind = this.kind ?? '';
    const options = kind === 'htb' ? htbClass(wanted) : hfscClass(wanted);
    const flags = NLM_F_CREATE | NLM_F_REPLACE;
    this.ask({ type: RTM_NEWTCLASS, flags, handle, parent, kind, options });
  }

  private openSockets({ classes, maxRate }: Shaping, workers: number): number[][][] {
    const { native, ifname } = this.options;
    const wanted = Math.max(this.options.sndBufBytes, Math.ceil(maxRate * SOCKET_SEC));
    const sndBufBytes = Math.min(wanted, SOCKET_BYTES_MAX);
    const old = new Map(this.sockets);
    this.sockets.clear();
    const open = (worker: number, queueId: number, band: number): number => {
      const key = `${worker} ${queueId} ${band}`;
      const mark = classOf(queueId);
      const priority = BAND_PRIORITIES[band];
      const fd =
        old.get(key) ?? native.packetTxOpen({ ifname, queue: -1, priority, mark, sndBufBytes });
      old.delete(key);
      this.sockets.set(key, fd);
      return fd;
    };
    try {
      return Array.from({ length: workers }, (_, worker) =>
        classes.map(({ queueId }) =>
          BAND_PRIORITIES.map((_p, band) => open(worker, queueId, band)),
        ),
      );
    } finally {
      this.stale.push(...old.values());
    }
  }

  /** Whether there is a discipline of the switch's, though this process made none. */
  private leftBehind(): boolean {
    this.looked = true;
    try {
      const request = { type: RTM_GETTCLASS, flags: 0, handle: ROOT_CLASS, parent: 0 };
      return this.exchange(request).length > 0;
    } catch {
      // No such class, or nothing with classes.
      return false;
    }
  }

  private ask(request: Omit<TcRequest, 'flags' | 'ifindex'> & { flags?: number }): void {
    this.exchange({ ...request, flags: (request.flags ?? 0) | NLM_F_ACK });
  }

  private tryAsk(request: Omit<TcRequest, 'flags' | 'ifindex'> & { flags?: number }): void {
    try {
      this.ask(request);
    } catch (error) {
      // Gone already, or not to be had.
      log.dbg(`${this.options.ifname}: ${request.type}: ${errnoName(error)}`);
    }
  }

  private exchange(request: Omit<TcRequest, 'ifindex'>) {
    const { links, ifindex } = this.options;
    return links.exchange(request.flags, (seq) => encodeTcRequest({ ...request, ifindex }, seq));
  }
}
